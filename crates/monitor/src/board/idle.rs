//! After how long idle connections were closed, by whom: the limits that parties keep,
//! as their own records show them.

use std::collections::VecDeque;

use repono_journal::read::Connection;
use repono_journal::{ClosedBy, Manner, Side};

/// Closes that are remembered of each party: enough to see whether they agree.
const SEEN_MAX: usize = 64;
/// From so many on that agree it is a limit.
const SEEN_MIN: usize = 3;
/// Half of the closes lie within the median's tenth, or within a second: a limit is one
/// number and some delay.
const SPREAD_PARTS: u64 = 10;
const SPREAD_NS: u64 = 1_000_000_000;

/// What the records of connections tell of limits.
#[derive(Debug, Default)]
pub(crate) struct IdleCloses {
    client: Seen,
    head: Seen,
}

/// One party's.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    last_ns: VecDeque<u64>,
    /// Connections on which a request came after this party had closed them.
    raced: u64,
}

impl IdleCloses {
    pub(super) fn take(&mut self, connection: &Connection<'_>) {
        if connection.manner != Some(Manner::IdleExpiry) || connection.closed_by != Some(ClosedBy::Us) {
            return;
        }
        let seen = match connection.side {
            Some(Side::Client) => &mut self.client,
            Some(Side::Head) => &mut self.head,
            // The balancer's limit is known from itself; the others close for their own reasons.
            Some(Side::Balancer | Side::Vending | Side::Recorder) | None => return,
        };
        seen.last_ns.push_back(connection.idle_at_close_ns);
        if seen.last_ns.len() > SEEN_MAX {
            seen.last_ns.pop_front();
        }
        if connection.late_bytes > 0 {
            seen.raced = seen.raced.saturating_add(1);
        }
    }

    pub(crate) const fn client(&self) -> &Seen {
        &self.client
    }

    pub(crate) const fn head(&self) -> &Seen {
        &self.head
    }
}

impl Seen {
    /// The time at which it closes idle connections, in nanoseconds; `None` until some
    /// closes agree.
    pub(crate) fn limit_ns(&self) -> Option<u64> {
        if self.last_ns.len() < SEEN_MIN {
            return None;
        }
        let mut sorted: Vec<u64> = self.last_ns.iter().copied().collect();
        sorted.sort_unstable();
        let at = |quarter: usize| sorted.get((sorted.len() - 1) * quarter / 4).copied();
        let (low, median, high) = (at(1)?, at(2)?, at(3)?);
        (high - low <= (median / SPREAD_PARTS).max(SPREAD_NS)).then_some(median)
    }

    pub(crate) const fn raced(&self) -> u64 {
        self.raced
    }
}
