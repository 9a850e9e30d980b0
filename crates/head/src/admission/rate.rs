//! So many requests a second, and a second's worth at once.

use std::time::Duration;

use tokio::time::Instant;

/// What may be used up at once.
const BURST: Duration = Duration::from_secs(1);

/// The rate that each party of one thread is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    interval: Duration,
}

/// How far one party is: the instant at which all that it has used is earned. A
/// bucket of tokens in one value, filled by time alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent(Instant);

impl Rate {
    /// One thread's part of `per_s`.
    pub(super) fn part(per_s: u32, threads: usize) -> Self {
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        Self { interval: Duration::from_secs(1).saturating_mul(threads) / per_s.max(1) }
    }

    /// Whether one more is within the rate.
    pub(super) fn take(self, spent: &mut Spent, now: Instant) -> bool {
        let earned_at = spent.0.max(now) + self.interval;
        let within = earned_at <= now + BURST.max(self.interval);
        if within {
            spent.0 = earned_at;
        }
        within
    }
}

impl Spent {
    pub(super) const fn nothing(now: Instant) -> Self {
        Self(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Rate, Spent};

    #[test]
    fn a_second_at_once_then_as_it_is_earned() {
        let now = Instant::now();
        let (rate, mut spent) = (Rate::part(10, 1), Spent::nothing(now));
        let taken = |spent: &mut Spent, now| (0..100).filter(|_| rate.take(spent, now)).count();
        assert_eq!(taken(&mut spent, now), 10);
        assert_eq!(taken(&mut spent, now + Duration::from_millis(99)), 0);
        assert_eq!(taken(&mut spent, now + Duration::from_millis(300)), 3);
        assert_eq!(taken(&mut spent, now + Duration::from_secs(3600)), 10, "rest is not saved up");
    }

    #[test]
    fn less_than_one_a_second_is_still_some() {
        let now = Instant::now();
        let (rate, mut spent) = (Rate::part(1, 4), Spent::nothing(now));
        assert!(rate.take(&mut spent, now));
        assert!(!rate.take(&mut spent, now + Duration::from_secs(3)));
        assert!(rate.take(&mut spent, now + Duration::from_secs(4)));
    }
}
