//! What was done, when, to which connection.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;

use super::plan::{Door, Effect, Pace, When};
use crate::outcome::Side;

/// Entries that are kept: an hour of a fault each second. The oldest go first.
const KEPT_MAX: usize = 3_600;

/// The connection that suffered, as other journals know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its number, from 0, in the order of acceptance.
    pub number: u64,
    /// The client's address.
    pub client: SocketAddr,
    /// The relay's own address on the connection to the server, if there is one.
    pub towards_server: Option<SocketAddr>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// The door was not open.
    Door(Door),
    /// A strike.
    Struck(When, Effect),
    /// Bytes of this side were slowed; told once for a connection.
    Paced(Side, Pace),
    /// A FIN of this side was lost.
    FinLost(Side),
    /// A FIN of this side was passed on as RST.
    FinAsReset(Side),
    /// What [`super::FaultRelay::doom`] has announced.
    Doomed(Effect),
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// When, on the clock of the relay.
    pub at: Instant,
    /// The same by the wall clock, as journals have it.
    pub wall: SystemTime,
    /// Whom it befell.
    pub subject: Subject,
    /// What it was.
    pub deed: Deed,
}

/// The faults of one relay, in order.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<Injection>,
    total: u64,
}

impl Ledger {
    /// Notes a fault.
    pub(crate) fn note(&self, subject: Subject, deed: Deed) {
        tracing::info!(connection = subject.number, client = %subject.client, ?deed, "fault injected");
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.total = entries.total.saturating_add(1);
        if entries.kept.len() >= KEPT_MAX {
            entries.kept.pop_front();
        }
        entries.kept.push_back(Injection { at: Instant::now(), wall: SystemTime::now(), subject, deed });
    }

    /// The latest faults, at most 3,600 of them.
    #[must_use]
    pub fn entries(&self) -> Vec<Injection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kept.iter().copied().collect()
    }

    /// How many there were in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::{Deed, KEPT_MAX, Ledger, Subject};
    use crate::faults::Door;

    #[test]
    fn the_oldest_go_and_are_counted() {
        let ledger = Ledger::default();
        let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        for number in 0..KEPT_MAX as u64 + 2 {
            ledger.note(Subject { number, client, towards_server: None }, Deed::Door(Door::Reset));
        }
        let entries = ledger.entries();
        assert_eq!((entries.len(), entries[0].subject.number), (KEPT_MAX, 2));
        assert_eq!(ledger.total(), KEPT_MAX as u64 + 2);
        assert!(entries.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }
}
