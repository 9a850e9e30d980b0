//! What an endpoint says of itself, and what its handshakes agree on.

use std::sync::Arc;

use repono_net::tls::{ALPN_HTTP1, ALPN_HTTP2, Trust, TrustError, Versions};
use serde::{Deserialize, Serialize};

use repono_probe::conversation::{ANSWER_LIMIT, Answer, Keepalive, OpenError, Probe};
use repono_probe::reply::{Reply, Unreadable};
use repono_probe::target::{Persistence, Target};

/// Handshakes that may resume the first one's session. With four heads of which each
/// has keys of its own, one in four would.
const RESUMPTIONS: usize = 8;

/// What an endpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advertised {
    /// `Keep-Alive: timeout`
    pub keep_alive_timeout_s: Option<u64>,
    /// `Keep-Alive: max`
    pub keep_alive_max: Option<u64>,
    /// Versions of HTTP.
    pub http: Vec<String>,
    /// Versions of TLS; empty for plain HTTP.
    pub tls: Vec<String>,
    /// The share of further handshakes that resumed a session; `None` for plain HTTP.
    pub resumption: Option<f64>,
    /// The status of the answer to HEAD.
    pub status: u16,
    /// Whether that answer announced the end of its connection.
    pub closes: bool,
    /// `Server`
    pub server: Option<String>,
    /// `Via`
    pub via: Option<String>,
}

/// There is nothing to examine.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// No connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// No answer of HTTP.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// No answer at all.
    #[error("the first request was not answered: {0}")]
    Unanswered(&'static str),
    /// No command.
    #[error("the command cannot be started")]
    Command(#[source] std::io::Error),
}

/// Asks once, and shakes hands a few times.
pub(crate) async fn ask(target: &Target, trust: &Trust) -> Result<Advertised, Unreachable> {
    let config = trust.client(Versions::Both, &[ALPN_HTTP1])?;
    let (reply, _) = first(target, &config).await?;
    let mut http = vec![format!("1.{}", reply.minor)];
    let mut tls = Vec::new();
    let mut resumption = None;
    if target.name.is_some() {
        let offer = trust.client(Versions::Both, &[ALPN_HTTP2, ALPN_HTTP1])?;
        let chosen = Probe::open(target, &offer, Keepalive::Off).await;
        if chosen.is_ok_and(|probe| probe.alpn() == Some(ALPN_HTTP2)) {
            http.push("2".to_owned());
        }
        for (versions, name) in [(Versions::Only13, "1.3"), (Versions::Only12, "1.2")] {
            let config = trust.client(versions, &[ALPN_HTTP1])?;
            if Probe::open(target, &config, Keepalive::Off).await.is_ok() {
                tls.push(name.to_owned());
            }
        }
        let mut resumed = 0;
        for _ in 0..RESUMPTIONS {
            resumed += usize::from(first(target, &config).await?.1);
        }
        #[expect(clippy::cast_precision_loss, reason = "eight at most")]
        let share = resumed as f64 / RESUMPTIONS as f64;
        resumption = Some(share);
    }
    Ok(Advertised {
        keep_alive_timeout_s: reply.keep_alive.timeout_s,
        keep_alive_max: reply.keep_alive.max,
        http,
        tls,
        resumption,
        status: reply.status,
        closes: reply.closes(),
        server: reply.server,
        via: reply.via,
    })
}

/// The answer on a fresh connection, and whether its handshake resumed a session. The
/// answer is waited for because tickets of TLS 1.3 come with it.
async fn first(target: &Target, config: &Arc<rustls::ClientConfig>) -> Result<(Reply, bool), Unreachable> {
    let mut probe = Probe::open(target, config, Keepalive::Off).await?;
    match probe.ask(&target.head_request(Persistence::Keep), ANSWER_LIMIT).await {
        Answer::Replied(reply, _) => Ok((reply, probe.tls.is_some_and(|tls| tls.resumed))),
        Answer::Ended(manner) => Err(Unreachable::Unanswered(manner.as_str())),
        Answer::Unreadable(unreadable) => Err(unreadable.into()),
    }
}
