//! Limits on failed log-ins, per source and per user.
//!
//! Each has a bucket of [`FAILURES_MAX`] tokens that refills by one every
//! [`REFILL`]; a failure takes one, and without one no log-in is looked at. A
//! success takes and gives nothing: whoever knows one secret cannot clear the way
//! for guessing another.
//!
//! The limit per user lets a stranger shut a user out of new tickets for as long
//! as the stranger goes on failing in that user's name; tickets that the user has
//! go on. Guessing a chosen secret without limit would be worse.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// Failures that a source or a user may make at once: a person's slips and a
/// script's restarts.
pub const FAILURES_MAX: u32 = 10;
/// One more failure after this long: 14,400 guesses a day.
pub const REFILL: Duration = Duration::from_secs(6);
/// Sources, and users, that are remembered: some 20 MiB of long names at worst.
/// Beyond that the one whose last failure is longest ago is forgotten.
pub const ENTRIES_MAX: usize = 65_536;

/// From an empty bucket to a full one.
const REFILL_ALL: Duration = Duration::from_secs(REFILL.as_secs() * FAILURES_MAX as u64);

/// A log-in that is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// After how long the next one is.
    pub retry_after: Duration,
}

/// The network that counts as one source: an IPv4 address, or the /64 that an
/// IPv6 host chooses its addresses from (RFC 4291 section 2.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
        })
    }
}

/// The failures of late.
#[derive(Debug)]
pub struct Throttle {
    sources: Failures<Source>,
    users: Failures<Box<str>>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

impl Throttle {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_entries(ENTRIES_MAX)
    }

    fn with_entries(entries_max: usize) -> Self {
        Self { sources: Failures::with_entries(entries_max), users: Failures::with_entries(entries_max) }
    }

    /// Whether a log-in may be looked at.
    ///
    /// *Errors*: [`Limited`], with the longer of the two waits.
    pub fn check(&self, source: Source, user: &str, now: Instant) -> Result<(), Limited> {
        let retry_after = self.sources.wait(&source, now).max(self.users.wait(user, now));
        if retry_after.is_zero() { Ok(()) } else { Err(Limited { retry_after }) }
    }

    /// Takes a token of the source and one of the user.
    pub fn failed(&mut self, source: Source, user: &str, now: Instant) {
        self.sources.take(source, now);
        self.users.take(user.into(), now);
    }
}

/// The buckets of those who failed of late.
#[derive(Debug)]
pub struct Failures<K> {
    entries: HashMap<K, Bucket>,
    /// Keys by the number of their last failure, oldest first.
    order: BTreeMap<u64, K>,
    failures: u64,
    entries_max: usize,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// When it will be full again: one instant says how many tokens are left.
    full_at: Instant,
    /// The number of its last failure.
    number: u64,
}

impl<K: Clone + Eq + Hash> Default for Failures<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone + Eq + Hash> Failures<K> {
    /// Nobody has failed yet; at most [`ENTRIES_MAX`] are remembered.
    #[must_use]
    pub fn new() -> Self {
        Self::with_entries(ENTRIES_MAX)
    }

    fn with_entries(entries_max: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), failures: 0, entries_max }
    }

    /// Until a token is there; zero if one is.
    pub fn wait<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> Duration
    where
        K: Borrow<Q>,
    {
        let missing =
            self.entries.get(key).map_or(Duration::ZERO, |b| b.full_at.saturating_duration_since(now));
        (missing + REFILL).saturating_sub(REFILL_ALL)
    }

    /// Takes a token, for a failure.
    pub fn take(&mut self, key: K, now: Instant) {
        self.failures += 1;
        let number = self.failures;
        let before = self.entries.get(&key).copied();
        if let Some(bucket) = before {
            self.order.remove(&bucket.number);
        }
        let from = before.map_or(now, |bucket| bucket.full_at.max(now));
        // Log-ins that were under way together may take more than there is: the
        // debt ends at one full bucket.
        let full_at = (from + REFILL).min(now + REFILL_ALL);
        self.entries.insert(key.clone(), Bucket { full_at, number });
        self.order.insert(number, key);
        while self.entries.len() > self.entries_max {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{FAILURES_MAX, Limited, REFILL, Source, Throttle};

    fn source(text: &str) -> Source {
        Source::from(text.parse::<IpAddr>().expect("an address"))
    }

    #[tokio::test(start_paused = true)]
    async fn ten_failures_then_one_in_six_seconds() {
        let mut throttle = Throttle::new();
        let here = source("192.0.2.1");
        for _ in 0..FAILURES_MAX {
            assert_eq!(throttle.check(here, "a:u", Instant::now()), Ok(()));
            throttle.failed(here, "a:u", Instant::now());
        }
        assert_eq!(throttle.check(here, "a:u", Instant::now()), Err(Limited { retry_after: REFILL }));
        advance(REFILL - Duration::from_millis(1)).await;
        assert!(throttle.check(here, "a:u", Instant::now()).is_err());
        advance(Duration::from_millis(1)).await;
        assert_eq!(throttle.check(here, "a:u", Instant::now()), Ok(()));
        throttle.failed(here, "a:u", Instant::now());
        assert_eq!(throttle.check(here, "a:u", Instant::now()), Err(Limited { retry_after: REFILL }));
        advance(REFILL * FAILURES_MAX).await;
        for _ in 0..FAILURES_MAX {
            assert_eq!(throttle.check(here, "a:u", Instant::now()), Ok(()));
            throttle.failed(here, "a:u", Instant::now());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn source_and_user_are_limited_apart() {
        let mut throttle = Throttle::new();
        let now = Instant::now();
        for number in 0..FAILURES_MAX {
            throttle.failed(source("192.0.2.1"), &format!("a:u{number}"), now);
            throttle.failed(source(&format!("198.51.100.{number}")), "a:victim", now);
        }
        assert!(throttle.check(source("192.0.2.1"), "a:new", now).is_err(), "by its source");
        assert!(throttle.check(source("203.0.113.1"), "a:victim", now).is_err(), "by its user");
        assert_eq!(throttle.check(source("203.0.113.1"), "a:new", now), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_that_were_under_way_together_cost_one_bucket_at_most() {
        let mut throttle = Throttle::new();
        let here = source("192.0.2.1");
        for _ in 0..100 * FAILURES_MAX {
            throttle.failed(here, "a:u", Instant::now());
        }
        assert_eq!(throttle.check(here, "a:u", Instant::now()), Err(Limited { retry_after: REFILL }));
    }

    #[test]
    fn a_source_is_an_address_or_a_network_of_64_bits() {
        assert_eq!(source("2001:db8:1:2::3"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::3"), source("2001:db8:1:3::3"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded_and_forgets_who_failed_longest_ago() {
        let mut throttle = Throttle::with_entries(3);
        let now = Instant::now();
        let nobody = source("203.0.113.9");
        for _ in 0..FAILURES_MAX {
            throttle.failed(source("192.0.2.1"), "a:first", now);
        }
        for number in 0..2 {
            throttle.failed(source(&format!("198.51.100.{number}")), &format!("a:u{number}"), now);
        }
        // It fails again, so that another is the oldest now.
        throttle.failed(source("192.0.2.1"), "a:first", now);
        throttle.failed(source("198.51.100.7"), "a:u7", now);
        assert_eq!((throttle.users.entries.len(), throttle.users.order.len()), (3, 3));
        assert!(throttle.check(nobody, "a:first", now).is_err());
        for number in 8..11 {
            throttle.failed(source(&format!("198.51.100.{number}")), &format!("a:u{number}"), now);
        }
        assert_eq!(throttle.check(nobody, "a:first", now), Ok(()));
        assert_eq!(throttle.sources.entries.len(), 3);
    }
}
