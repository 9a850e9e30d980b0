//! How long quiet may last.

use std::time::Duration;

/// The spans that a relay watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// No byte in either direction for this long ends the connection: FIN on both
    /// sides, or RST while the server owes an answer.
    pub idle: Duration,
    /// The same for a connection of which one direction has ended; then RST.
    pub half_closed: Duration,
    /// How long bytes may go unanswered or unwritten before the observer is asked
    /// whether a peer is dead; asked again after each such span, and once when a
    /// connection has been quiet for two of them.
    pub stall: Duration,
    /// From which age on the connection ends at its next quiet moment; `None`: at
    /// none.
    pub age: Option<Age>,
    /// This connection's place among many that end together.
    pub stagger: Stagger,
}

/// An age that a connection may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// The age.
    pub max: Duration,
    /// How long nothing must have moved, and no answer be owed, before it ends with
    /// FIN: a client that was answered just now may be about to ask again.
    pub quiet: Duration,
}

/// A connection's place in a span over which many ends are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stagger(u32);

impl Stagger {
    /// The beginning of the span.
    pub const FIRST: Self = Self(0);

    /// A place that was drawn: each number is as likely as any other.
    #[must_use]
    pub const fn drawn(number: u32) -> Self {
        Self(number)
    }

    /// The time from the beginning of a span to this place in it.
    #[must_use]
    pub fn within(self, span: Duration) -> Duration {
        let nanos = span.as_nanos().saturating_mul(self.0.into()) >> u32::BITS;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Clocks {
    /// Idle 900 s: longer than a head keeps an idle connection (650 s), so the
    /// relay is never the one that closes first. Half closed 60 s: a peer that has
    /// said FIN waits for an answer that is under way, or for none. Stall 5 s: the
    /// silence after which `TCP_INFO` can tell a vanished peer from a slow one. No
    /// limit of age.
    pub const DEFAULT: Self = Self {
        idle: Duration::from_secs(900),
        half_closed: Duration::from_secs(60),
        stall: Duration::from_secs(5),
        age: None,
        stagger: Stagger::FIRST,
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Stagger;

    #[test]
    fn places_fill_a_span() {
        let span = Duration::from_secs(32);
        let within = |number| Stagger::drawn(number).within(span);
        assert_eq!(Stagger::FIRST.within(span), Duration::ZERO);
        assert_eq!(within(1 << 31), span / 2);
        assert!(within(u32::MAX) < span && within(u32::MAX) > span - Duration::from_millis(1));
        assert_eq!(Stagger::drawn(u32::MAX).within(Duration::ZERO), Duration::ZERO);
    }
}
