//! The scenarios that a person can play.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use repono_journal::JournalError;
use repono_net::tls::TlsError;

use crate::clients::Pool;
use crate::event::Event;
use crate::evidence::EvidenceError;
use crate::middlebox::Ground;
use crate::network::NetworkError;
use crate::report::Report;
use crate::stand::StandError;
use crate::{event, failover, stale};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The incident.
    StaleKeepalive,
    /// The box on the way is replaced by one that knows no connection.
    ForgetfulMiddlebox,
    /// Something is done to the system itself.
    Event(Event),
}

/// Where a scenario is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Behind a box on the way: in namespaces of its own, or by a relay.
    Middlebox,
    /// On this machine's loopback.
    Loopback,
}

impl Scenario {
    /// All of them, the incident first.
    pub const ALL: [Self; 6] = [
        Self::StaleKeepalive,
        Self::ForgetfulMiddlebox,
        Self::Event(Event::Drain),
        Self::Event(Event::HeadKill),
        Self::Event(Event::GrayHead),
        Self::Event(Event::BalancerReload),
    ];

    /// The scenario of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StaleKeepalive => "stale-keepalive",
            Self::ForgetfulMiddlebox => "forgetful-middlebox",
            Self::Event(Event::Drain) => "drain",
            Self::Event(Event::HeadKill) => "head-kill",
            Self::Event(Event::GrayHead) => "gray-head",
            Self::Event(Event::BalancerReload) => "balancer-reload",
        }
    }

    /// What it shows, in a line.
    #[must_use]
    pub const fn shows(self) -> &'static str {
        match self {
            Self::StaleKeepalive => {
                "the incident: a box on the way forgets idle connections; ten-second stalls, and each remedy"
            }
            Self::ForgetfulMiddlebox => {
                "the box on the way is replaced by one that knows no connection, and drops or resets them"
            }
            Self::Event(Event::Drain) => "all heads are drained, one after the other",
            Self::Event(Event::HeadKill) => "two heads die by kill -9",
            Self::Event(Event::GrayHead) => "a head stops working, and still accepts connections",
            Self::Event(Event::BalancerReload) => {
                "the balancer reads its configuration again, and is replaced by another process, twice"
            }
        }
    }

    /// Where it is played.
    #[must_use]
    pub const fn stage(self) -> Stage {
        match self {
            Self::StaleKeepalive | Self::ForgetfulMiddlebox => Stage::Middlebox,
            Self::Event(_) => Stage::Loopback,
        }
    }

    /// Plays it; `told` hears what is going on.
    ///
    /// *Errors*: [`LabError`].
    pub async fn play(
        self,
        options: &Options,
        pool: &impl Pool,
        told: &dyn Fn(&str),
    ) -> Result<Report, LabError> {
        match self {
            Self::StaleKeepalive => stale::play(options, pool, told).await,
            Self::ForgetfulMiddlebox => failover::play(options, pool, told).await,
            Self::Event(event) => event::play(event, options, pool, told).await,
        }
    }
}

/// How a scenario is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program under the lab.
    pub program: PathBuf,
    /// An empty directory for the system, its journals and the charts.
    pub data: PathBuf,
    /// Where a scenario with a box is played.
    pub ground: Ground,
    /// How long requests are begun.
    pub length: Duration,
    /// Pauses and choices come from it.
    pub seed: u64,
}

/// Why a scenario could not be played.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// There is no network.
    #[error("the network could not be built")]
    Network(#[from] NetworkError),
    /// The system did not stand.
    #[error("the system could not be started")]
    Stand(#[from] StandError),
    /// A journal cannot be written.
    #[error("a journal could not be opened")]
    Journal(#[from] JournalError),
    /// A journal cannot be read.
    #[error("a journal could not be read")]
    Evidence(#[from] EvidenceError),
    /// A file of the lab cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A client cannot be made.
    #[error("a client could not be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The certificates to trust cannot be used.
    #[error("the certificates to trust cannot be used")]
    Tls(#[from] TlsError),
}

impl LabError {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::Scenario;

    #[test]
    fn every_scenario_is_found_by_its_name() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::named(scenario.name()), Some(scenario));
        }
        assert_eq!(Scenario::named("no-such"), None);
    }
}
