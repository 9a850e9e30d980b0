//! What the balancer said of its heads, and how old that is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::limits::STALE;

/// One head, in the form of the balancer's `GET /v1/heads`. What a newer balancer
/// says beyond it is passed over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct HeadStatus {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) state: State,
    pub(crate) weight: u32,
    pub(crate) connections: u64,
    /// Of these, those whose client has sent something that the head has not begun to
    /// answer; a balancer of an earlier version does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waiting: Option<u64>,
    /// Requests that the head had under way at its last check, as it said itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) in_flight: Option<u64>,
    /// Whether every new connection goes to it.
    pub(crate) only: bool,
    /// At which level its last check failed, if it did.
    pub(crate) failing: Option<Level>,
    /// What it has counted since its start, such as what it refused; a balancer of an
    /// earlier version does not say.
    #[serde(default)]
    pub(crate) counters: BTreeMap<String, u64>,
    /// How long it keeps idle connections; heads and balancers of earlier versions do not
    /// say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<IdleLimits>,
}

/// The idle limits of a head, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct IdleLimits {
    /// After how long it closes an idle connection.
    pub(crate) idle_close_s: Option<u64>,
    /// How long its clients may keep one, as it tells them.
    pub(crate) idle_advertised_s: Option<u64>,
}

/// The balancer's words for the state of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Takes connections.
    Ready,
    /// Takes connections when no head is ready.
    Suspect,
    /// Taken out after errors.
    Ejected,
    /// Takes no new connection; those that it has may go on.
    Draining,
    /// Does not answer.
    Down,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Suspect => "suspect",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }

    /// Whether the head serves: a draining one does, on the connections that it has.
    pub(crate) const fn serves(self) -> bool {
        match self {
            Self::Ready | Self::Suspect | Self::Draining => true,
            Self::Ejected | Self::Down => false,
        }
    }
}

/// How far a failed check came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// The connection could not be opened.
    Tcp,
    /// TLS could not be agreed on.
    Tls,
    /// The head did not answer, or not as it must.
    Http,
}

/// The balancer's answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) heads: Vec<HeadStatus>,
    /// When the question was asked: what it says is no older.
    pub(crate) asked: Instant,
}

/// Whether an answer still says something about now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Freshness {
    Fresh,
    Stale,
}

impl Answer {
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.asked)
    }

    pub(crate) fn freshness(&self, now: Instant) -> Freshness {
        if self.age(now) < STALE { Freshness::Fresh } else { Freshness::Stale }
    }
}
