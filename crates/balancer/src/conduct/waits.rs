//! How long a head lets its clients wait, turn by turn, over the last half minute.
//!
//! The measure is the share of the clients' waiting that was spent in slow turns.
//! Counting turns would not see a head that answers ninety-nine requests at once and
//! lets the hundredth wait for ten seconds, which is where its clients spend their
//! time. A network that loses one packet in twenty makes slow turns too, but four in
//! ten thousand, a few parts in a hundred of all waiting.

use std::time::Duration;

/// A turn that is answered sooner is never slow: a lost packet alone costs 200 ms and
/// more.
pub const SLOW_MIN: Duration = Duration::from_secs(1);

/// Half of the time that is looked back on. All of it is long enough for five
/// connections of a small system to meet a head that stalls, short enough that what
/// was mended is forgotten.
const HALF: Duration = Duration::from_secs(15);

/// The time after which a connection counts again.
pub const WINDOW: Duration = Duration::from_secs(30);

/// Connections with slow turns without which nothing is judged: one that asks for
/// much, or that pauses in its uploads, is no evidence.
const CONNECTIONS_MIN: u32 = 5;

/// The share of waiting in slow turns, in thousandths, from which on a head is at
/// fault.
const SHARE_BAD: u32 = 500;

/// The share of the other heads up to which they are well: what slows them all down
/// is not the fault of one.
pub(super) const SHARE_WELL: u32 = 250;

/// Turns and waiting of all connections of a head since it came into the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Turns that were answered.
    pub turns: u64,
    /// The time that clients waited.
    pub waited: Duration,
}

/// The last half minute of a head, or one half of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    turns: u64,
    waited: Duration,
    slow: Duration,
    connections: u32,
}

/// What one head's turns are usually like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The mean wait.
    pub wait: Duration,
    /// The share of waiting that was spent in slow turns, in thousandths.
    pub slow_share: u32,
}

/// The turns of one head.
///
/// *Units*: times are those of the monotonic clock, since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    before: Span,
    now: Span,
    now_since: Duration,
    seen: Total,
}

impl Waits {
    /// Takes what has come together until now.
    pub fn roll(&mut self, at: Duration, total: Total) {
        let passed = at.saturating_sub(self.now_since);
        if passed >= HALF {
            self.before = if passed < WINDOW { self.now } else { Span::default() };
            (self.now, self.now_since) = (Span::default(), at);
        }
        self.now.turns = self.now.turns.saturating_add(total.turns.saturating_sub(self.seen.turns));
        self.now.waited = self.now.waited.saturating_add(total.waited.saturating_sub(self.seen.waited));
        self.seen = total;
    }

    /// So much of the waiting was in a slow turn, of a connection that did not count
    /// yet or did.
    pub(super) fn slow(&mut self, charge: Duration, voter: super::Voter) {
        self.now.slow = self.now.slow.saturating_add(charge);
        match voter {
            super::Voter::First => self.now.connections = self.now.connections.saturating_add(1),
            super::Voter::Again => {}
        }
    }

    /// What its turns are like, if there were any.
    #[must_use]
    pub fn usual(&self) -> Option<Usual> {
        let span = self.span();
        let wait = span.waited.as_nanos().checked_div(span.turns.into())?;
        Some(Usual {
            wait: Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)),
            slow_share: span.share(),
        })
    }

    /// Whether it is at fault, if the others are well.
    pub(super) fn is_bad(&self) -> bool {
        let span = self.span();
        span.connections >= CONNECTIONS_MIN && span.share() >= SHARE_BAD
    }

    /// Forgets what it has seen: it was judged.
    pub(super) fn forget(&mut self) {
        (self.before, self.now) = (Span::default(), Span::default());
    }

    fn span(&self) -> Span {
        let Self { before, now, .. } = self;
        Span {
            turns: before.turns.saturating_add(now.turns),
            waited: before.waited.saturating_add(now.waited),
            slow: before.slow.saturating_add(now.slow),
            connections: before.connections.saturating_add(now.connections),
        }
    }
}

impl Span {
    fn share(&self) -> u32 {
        // A charge may be told before the total that it is a part of.
        let whole = self.waited.max(self.slow).as_nanos();
        let share = self.slow.as_nanos().saturating_mul(1000).checked_div(whole).unwrap_or_default();
        u32::try_from(share).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Voter;
    use super::{Total, Usual, Waits};

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_older_than_half_a_minute_is_forgotten() {
        let mut waits = Waits::default();
        assert_eq!(waits.usual(), None);
        let mut total = Total { turns: 10, waited: at(10) };
        waits.roll(at(100), total);
        waits.slow(at(4), Voter::First);
        assert_eq!(waits.usual(), Some(Usual { wait: at(1), slow_share: 400 }));
        total = Total { turns: 20, waited: at(20) };
        waits.roll(at(115), total);
        assert_eq!(waits.usual(), Some(Usual { wait: at(1), slow_share: 200 }));
        waits.roll(at(130), total);
        assert_eq!(waits.usual(), Some(Usual { wait: at(1), slow_share: 0 }));
        waits.roll(at(145), total);
        assert_eq!(waits.usual(), None, "no turn since");
    }

    #[test]
    fn five_connections_and_half_of_the_waiting_are_bad() {
        let with = |connections: usize, waited| {
            let mut waits = Waits::default();
            waits.roll(at(100), Total { turns: 1_000, waited });
            (0..connections).for_each(|_| waits.slow(at(2), Voter::First));
            waits.slow(at(10), Voter::Again);
            waits.is_bad()
        };
        assert!(with(5, at(40)));
        assert!(!with(4, at(36)), "four connections");
        assert!(!with(5, at(41)), "less than half");
    }
}
