//! One head's place in the table.

use std::sync::Arc;
use std::time::Duration;

use repono_journal::Stamp;
use repono_relay::Order;

use super::head::Head;
use super::status::HeadStatus;
use crate::choice::Candidate;
use crate::conduct::Conduct;
use crate::config::HeadAddress;
use crate::counters::Counters;
use crate::idle_limits::IdleLimits;
use crate::probe::Level;
use crate::standing::{Health, State, Wish};

/// Quiet after which a connection to a draining head is ended: a client that has
/// just been answered may be about to ask again.
pub(crate) const DRAINED_QUIET: Duration = Duration::from_secs(60);

/// The time over which a drain spreads the ends of connections that were quiet
/// already. Ten thousand clients that come back at once would hold a head's core for
/// some two seconds with their handshakes; over this time they take a twentieth of it.
pub(super) const DRAIN_SPREAD: Duration = Duration::from_secs(30);

/// The same when the balancer itself is stopping and has half a minute.
const STOPPING_QUIET: Duration = Duration::from_secs(1);

/// Silence after which a connection to a head that is down is reset: longer than
/// the checks that found it down took, so that one which still moves is spared.
const DEAD_SILENCE: Duration = Duration::from_secs(3);

/// A head and what is known and wished of it.
pub(super) struct Seat {
    pub(super) slot: usize,
    pub(super) head: Arc<Head>,
    pub(super) health: Health,
    pub(super) wish: Wish,
    pub(super) weight: u32,
    pub(super) failing: Option<Level>,
    pub(super) conduct: Conduct,
    /// Both as it last told them.
    pub(super) counters: Counters,
    pub(super) limits: IdleLimits,
}

impl Seat {
    pub(super) fn new(slot: usize, address: &HeadAddress, health: Health) -> Self {
        Self {
            slot,
            head: Arc::new(Head::new(address)),
            health,
            wish: Wish::Serve,
            weight: address.weight,
            failing: None,
            conduct: Conduct::default(),
            counters: Counters::default(),
            limits: IdleLimits::default(),
        }
    }

    pub(super) const fn state(&self) -> State {
        State::of(self.health, self.wish)
    }

    pub(super) fn candidate(&self, at: Duration) -> Candidate {
        Candidate {
            slot: self.slot,
            state: self.state(),
            weight: u64::from(self.weight).saturating_mul(self.health.share(at).into()),
            connections: self.head.connections(),
        }
    }

    pub(super) fn status(&self, only: Option<usize>, at: Duration) -> HeadStatus {
        let first_byte = self.conduct.first_byte();
        HeadStatus {
            name: self.head.name().to_owned(),
            address: self.head.address(),
            state: self.state(),
            weight: self.weight,
            connections: self.head.connections(),
            only: only == Some(self.slot),
            failing: self.failing,
            share: self.health.share(at),
            ejections: self.conduct.ejections(),
            first_byte_us: first_byte.map(|mean| u64::try_from(mean.as_micros()).unwrap_or(u64::MAX)),
            turn_us: self
                .conduct
                .usual()
                .map(|usual| u64::try_from(usual.wait.as_micros()).unwrap_or(u64::MAX)),
            in_flight: self.counters.in_flight(),
            counters: self.counters.clone(),
            limits: self.limits,
        }
    }
}

/// How far the balancer is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    /// A successor takes the new connections.
    Leaving,
    Stopping,
    Cutting,
}

/// What the connections of a head in this state are to do.
///
/// If no head takes connections, a head that is down is left alone: what fails
/// everywhere may be the check, and a client that is reset has nowhere to go.
pub(super) const fn order(stage: Stage, state: State, others_serve: bool) -> Order {
    match (stage, state) {
        (Stage::Cutting, _) => Order::Reset { silent: Duration::ZERO },
        (Stage::Serving | Stage::Leaving | Stage::Stopping, State::Down) if others_serve => {
            Order::Reset { silent: DEAD_SILENCE }
        }
        // Nobody listens any more: there is nothing to come back to, at once or later.
        (Stage::Stopping, _) => Order::Finish { quiet: STOPPING_QUIET, spread: Duration::ZERO },
        (Stage::Leaving, _) | (Stage::Serving, State::Draining) => {
            Order::Finish { quiet: DRAINED_QUIET, spread: DRAIN_SPREAD }
        }
        (Stage::Serving, State::Ready | State::Suspect | State::Ejected | State::Down) => Order::Continue,
    }
}

/// The monotonic time of a stamp.
pub(super) const fn moment(at: Stamp) -> Duration {
    Duration::from_nanos(at.mono_ns)
}
