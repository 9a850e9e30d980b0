//! What the operator sees of the heads and may ask of them.

use std::net::SocketAddr;

use repono_journal::Stamp;
use serde::Serialize;

use crate::counters::Counters;
use crate::idle_limits::IdleLimits;
use crate::probe::Level;
use crate::standing::State;

/// One head in the list that the operator sees.
#[derive(Clone, Debug, Serialize)]
pub struct HeadStatus {
    /// Its name.
    pub name: String,
    /// Its balancer-only address.
    pub address: SocketAddr,
    /// Its state.
    pub state: State,
    /// Its share of new connections, against the other heads' weights.
    pub weight: u32,
    /// Connections that it has from this balancer.
    pub connections: usize,
    /// Whether every new connection goes to it.
    pub only: bool,
    /// At which level its last check failed, if it did.
    pub failing: Option<Level>,
    /// How much of its weight it has while it starts slowly, in thousandths.
    pub share: u32,
    /// Ejections that are not forgotten.
    pub ejections: u32,
    /// The mean time to its first byte, in microseconds, once there was one.
    pub first_byte_us: Option<u64>,
    /// The mean wait in its turns of the last half minute, in microseconds.
    pub turn_us: Option<u64>,
    /// Requests that it has under way, of all balancers, each from the end of its head to
    /// the end of its reply: as it told at its last check. `None` where it did not.
    pub in_flight: Option<u64>,
    /// What it has counted since its start, as it last told.
    pub counters: Counters,
    /// How long it keeps idle connections, as it last told.
    #[serde(skip_serializing_if = "IdleLimits::is_empty")]
    pub limits: IdleLimits,
}

/// An operator's wish that cannot be fulfilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishRefused {
    /// No head has this name.
    #[error("no head has this name")]
    Unknown,
    /// All connections cannot go to a head that takes none.
    #[error("the head takes no connections now")]
    TakesNone,
    /// A weight out of its range.
    #[error("a weight is a number from 0 to 256")]
    Weight,
}

/// Who changed something, and when.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// Who, such as `uid 1000` or `health check`.
    pub who: &'a str,
    /// When.
    pub at: Stamp,
}
