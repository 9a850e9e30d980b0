//! One endpoint, examined.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use repono_diagnose::finding::Hop;
use repono_net::tls::{ALPN_HTTP1, Trust, Versions};
use serde::Serialize;
use tokio::process::Command;

use crate::advertised::{self, Advertised, Unreachable};
use crate::during::{self, During};
use crate::limits::{self, Limits};
use crate::race::{self, Race};
use crate::stranger::{self, Stranger};
use repono_probe::conversation::Manner;
use repono_probe::ladder::{self, Idle, Spacing};
use repono_probe::target::Target;
use repono_probe::watch::Watch;

/// Connections beside those of the ladder, at most at a time.
const BESIDE: usize = 2;

/// How thorough an examination is.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The longest quiet that is tried.
    pub idle_max: Duration,
    /// Requests that one connection is given, one after another.
    pub requests_max: u32,
    /// Whose certificates are believed.
    pub trust: Trust,
}

impl Extent {
    /// How many connections are open at a time, for one endpoint.
    #[must_use]
    pub fn connections(&self) -> usize {
        (ladder::connections(self.idle_max, Spacing::Close) + BESIDE).max(race::CONNECTIONS)
    }
}

/// What was measured at one endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// The endpoint.
    pub target: String,
    /// Its address that was probed.
    pub address: String,
    /// What it says of itself.
    pub advertised: Advertised,
    /// How long a connection may be quiet.
    pub idle: Idle,
    /// What a connection serves; `None` where that could not be measured.
    pub limits: Option<Limits>,
    /// Requests at the moment of the end, by method; none where there was no time for
    /// it, or no end that one can aim at.
    pub race: Vec<Race>,
    /// What a packet of a connection that nobody knows meets.
    pub stranger: Option<Stranger>,
    /// What clients met while a command ran, where there was one.
    pub during: Option<During>,
    /// What was not done, and why.
    pub skipped: Vec<String>,
}

/// Examines an endpoint. Takes as long as the longest quiet, and some seconds.
///
/// `command` runs before, under load.
///
/// *Errors*: [`Unreachable`], where not even the first request is answered, or the
/// command cannot be started.
pub async fn examine(
    target: Arc<Target>,
    extent: &Extent,
    command: Option<Command>,
    watch: &Arc<Watch>,
) -> Result<Examination, Unreachable> {
    let advertised = advertised::ask(&target, &extent.trust).await?;
    let config = extent.trust.client(Versions::Both, &[ALPN_HTTP1])?;
    let during = match command {
        Some(command) => Some(during::run(&target, &config, command).await.map_err(Unreachable::Command)?),
        None => None,
    };
    let (idle, limits, stranger) = tokio::join!(
        ladder::climb(&target, &config, extent.idle_max, Spacing::Close, watch),
        limits::measure(&target, &config, extent.requests_max, extent.idle_max),
        stranger::ask(target.address),
    );
    let mut skipped = Vec::new();
    if limits.is_none() {
        skipped.push("what a connection serves: none could be had for it".to_owned());
    }
    if let Err(error) = &stranger {
        skipped.push(match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "a packet of an unknown connection: that needs CAP_NET_RAW".to_owned()
            }
            io::ErrorKind::Unsupported => "a packet of an unknown connection: only over IPv4".to_owned(),
            _ => format!("a packet of an unknown connection: {error}"),
        });
    }
    let race = match idle.limit_s {
        // Aiming takes as long as the limit once more.
        Some(limit) if idle.manner.is_announced() && 2.0 * limit <= extent.idle_max.as_secs_f64() => {
            race::run(&target, &config, Duration::from_secs_f64(limit)).await
        }
        Some(_) if idle.manner.is_announced() => {
            let why = "requests at the moment of the end: that takes twice the limit, more than --idle-max";
            skipped.push(why.to_owned());
            Vec::new()
        }
        Some(_) | None => Vec::new(),
    };
    Ok(Examination {
        target: target.shown.clone(),
        address: target.address.to_string(),
        advertised,
        idle,
        limits,
        race,
        stranger: stranger.ok(),
        during,
        skipped,
    })
}

impl Examination {
    /// Whether the server says goodbye in TLS where it ends a connection itself.
    fn server_says_goodbye(&self) -> bool {
        self.limits.as_ref().is_some_and(|limits| limits.close.manner == Manner::FinCloseNotify)
    }

    /// Who ended quiet connections, as far as their end tells: whoever cannot write a
    /// `close_notify` has not the key of the session.
    pub(crate) fn ended_by(&self) -> Hop {
        let outside = self.idle.manner == Manner::Fin && self.server_says_goodbye();
        if outside { Hop::Balancer } else { Hop::Unknown }
    }

    /// The same as a reason.
    pub(crate) fn ended_by_word(&self) -> Option<&'static str> {
        match self.idle.manner {
            Manner::Fin if self.server_says_goodbye() => Some(
                "The server that holds the TLS session: it says close_notify after Connection: close, and this end came without.",
            ),
            Manner::FinCloseNotify => {
                Some("A box that only passes TLS on: it could not have written the close_notify.")
            }
            Manner::Fin
            | Manner::Rst
            | Manner::RstOnSend
            | Manner::Silent
            | Manner::AckedSilent
            | Manner::None => None,
        }
    }
}
