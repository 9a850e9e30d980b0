//! What a head's connections say of it: the passive check.
//!
//! A head can pass every health check and still fail its clients. Each connection
//! gives one sign; five bad ones in a row eject the head for ten seconds, and each
//! ejection that follows soon doubles that. One good sign clears the row, so a lossy
//! network, which spoils some connections and not all, ejects nobody.

use std::time::Duration;

/// Bad signs in a row that eject: at a loss of one packet in twenty, five failures
/// in a row happen once in three million connections.
const FAULTS_EJECT: u8 = 5;

/// The first ejection: ten health checks.
const EJECTION_FIRST: Duration = Duration::from_secs(10);

/// The longest: a head that fails for this long needs a person anyway.
const EJECTION_MAX: Duration = Duration::from_secs(300);

/// Service since the last ejection after which that is forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// A first byte that comes sooner is never slow: a lost SYN or hello alone costs
/// this much.
const SLOW_MIN: Duration = Duration::from_secs(1);

/// How many times slower than the other heads is slow: what slows all of them down,
/// such as the store, is not the fault of one.
const SLOW_FACTOR: u32 = 5;

/// The part of a new sample in the mean: 1/8, as in TCP's round-trip time.
const MEAN_PARTS: u32 = 8;

/// What one connection showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The head's first byte came after this time.
    FirstByte(Duration),
    /// The client waited for the first byte in vain, for so long; a short wait is
    /// neither good nor bad.
    NoFirstByte(Duration),
    /// The connection could not be opened.
    Refused,
    /// It was reset before the head's first byte.
    Torn,
}

/// Why a head was ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its connections could not be opened.
    Refused,
    /// They were reset before the first byte.
    Torn,
    /// Their first byte was slow.
    Slow,
}

impl Fault {
    /// The words in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "connect errors",
            Self::Torn => "resets before the first byte",
            Self::Slow => "slow first bytes",
        }
    }
}

/// The other heads, as far as a judgement needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    /// Whether enough heads are left without this one.
    pub spare: Spare,
    /// The median of their mean first byte, where it is known.
    pub first_byte: Option<Duration>,
}

/// Whether a head can be done without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// It can.
    Yes,
    /// Fewer heads than the floor would be left.
    No,
}

/// An ejection that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// When the head may come back.
    pub until: Duration,
    /// What the last bad sign was.
    pub fault: Fault,
}

/// The signs of one head so far.
///
/// *Units*: times are those of the monotonic clock, since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    faults: u8,
    ejections: u32,
    last_until: Option<Duration>,
    first_byte: Option<Duration>,
}

impl Conduct {
    /// Takes a sign; returns the ejection that it calls for.
    pub fn take(&mut self, sign: Sign, at: Duration, others: Others) -> Option<Ejection> {
        let Some(fault) = self.fault(sign, others) else {
            // A client that left at once says nothing of the head.
            if !matches!(sign, Sign::NoFirstByte(_)) {
                self.faults = 0;
            }
            return None;
        };
        self.faults = self.faults.saturating_add(1);
        if self.faults < FAULTS_EJECT || others.spare == Spare::No {
            return None;
        }
        self.faults = 0;
        if self.last_until.is_none_or(|until| at >= until.saturating_add(FORGIVEN_AFTER)) {
            self.ejections = 0;
        }
        let doubled = EJECTION_FIRST.saturating_mul(1u32.checked_shl(self.ejections).unwrap_or(u32::MAX));
        self.ejections = self.ejections.saturating_add(1);
        let until = at.saturating_add(doubled.min(EJECTION_MAX));
        self.last_until = Some(until);
        Some(Ejection { until, fault })
    }

    /// The mean time to the first byte, once there was one.
    #[must_use]
    pub const fn first_byte(&self) -> Option<Duration> {
        self.first_byte
    }

    /// Ejections that are not forgotten.
    #[must_use]
    pub const fn ejections(&self) -> u32 {
        self.ejections
    }

    fn fault(&mut self, sign: Sign, others: Others) -> Option<Fault> {
        let slow = |waited: Duration| {
            let much = others.first_byte.is_some_and(|usual| waited >= usual.saturating_mul(SLOW_FACTOR));
            (waited >= SLOW_MIN && much).then_some(Fault::Slow)
        };
        match sign {
            Sign::FirstByte(waited) => {
                let mean = self.first_byte.unwrap_or(waited);
                self.first_byte = Some((mean * (MEAN_PARTS - 1)).saturating_add(waited) / MEAN_PARTS);
                slow(waited)
            }
            Sign::NoFirstByte(waited) => slow(waited),
            Sign::Refused => Some(Fault::Refused),
            Sign::Torn => Some(Fault::Torn),
        }
    }
}

/// Heads that must be left in service when one of `heads` is ejected: half of them,
/// rounded up, and at least one.
#[must_use]
pub const fn floor(heads: usize) -> usize {
    let half = heads.div_ceil(2);
    if half == 0 { 1 } else { half }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Conduct, Ejection, Fault, Others, Sign, Spare, floor};

    const OTHERS: Others = Others { spare: Spare::Yes, first_byte: Some(Duration::from_millis(2)) };

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The ejection after five bad signs.
    fn five(conduct: &mut Conduct, sign: Sign, now: Duration) -> Option<Ejection> {
        (0..4).for_each(|_| assert_eq!(conduct.take(sign, now, OTHERS), None));
        conduct.take(sign, now, OTHERS)
    }

    #[test]
    fn five_in_a_row_eject_and_a_good_one_clears_the_row() {
        let mut conduct = Conduct::default();
        for sign in [Sign::Refused, Sign::Torn, Sign::NoFirstByte(at(2)), Sign::FirstByte(at(2))] {
            assert_eq!(conduct.take(sign, at(1), OTHERS), None);
        }
        assert_eq!(conduct.take(Sign::FirstByte(Duration::from_millis(3)), at(1), OTHERS), None);
        (0..4).for_each(|_| assert_eq!(conduct.take(Sign::Torn, at(1), OTHERS), None));
        let impatient = Sign::NoFirstByte(Duration::from_millis(10));
        assert_eq!(conduct.take(impatient, at(1), OTHERS), None, "it does not clear the row either");
        let ejection = conduct.take(Sign::Torn, at(1), OTHERS);
        assert_eq!(ejection, Some(Ejection { until: at(11), fault: Fault::Torn }));
        assert_eq!(Fault::Torn.as_str(), "resets before the first byte");
    }

    #[test]
    fn each_ejection_doubles_until_it_is_forgiven() {
        let mut conduct = Conduct::default();
        let mut now = at(0);
        for seconds in [10, 20, 40, 80, 160, 300, 300] {
            let until = five(&mut conduct, Sign::Refused, now).expect("ejected").until;
            assert_eq!(until - now, at(seconds));
            now = until;
        }
        assert_eq!(conduct.ejections(), 7);
        let until = five(&mut conduct, Sign::Refused, now + at(600)).expect("ejected").until;
        assert_eq!(until, now + at(610), "ten minutes of good service");
        assert_eq!(conduct.ejections(), 1);
    }

    #[test]
    fn slow_is_slower_than_the_others_and_never_under_a_second() {
        let take = |waited, usual: Option<Duration>| {
            let mut conduct = Conduct::default();
            let others = Others { first_byte: usual, ..OTHERS };
            (0..5).find_map(|_| conduct.take(Sign::FirstByte(waited), at(0), others)).map(|e| e.fault)
        };
        assert_eq!(take(at(1), Some(Duration::from_millis(200))), Some(Fault::Slow));
        assert_eq!(take(at(1), Some(Duration::from_millis(201))), None, "all are slow");
        assert_eq!(take(Duration::from_millis(999), Some(Duration::from_millis(1))), None);
        assert_eq!(take(at(60), None), None, "nothing to compare with");
    }

    #[test]
    fn below_the_floor_nobody_is_ejected_and_the_row_stands() {
        let mut conduct = Conduct::default();
        let needed = Others { spare: Spare::No, ..OTHERS };
        (0..9).for_each(|_| assert_eq!(conduct.take(Sign::Torn, at(0), needed), None));
        assert!(conduct.take(Sign::Torn, at(0), OTHERS).is_some(), "another one is back");
        assert_eq!([0, 1, 2, 3, 4, 5].map(floor), [1, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn the_mean_follows_slowly() {
        let mut conduct = Conduct::default();
        assert_eq!(conduct.first_byte(), None);
        conduct.take(Sign::FirstByte(Duration::from_millis(8)), at(0), OTHERS);
        conduct.take(Sign::FirstByte(Duration::from_millis(16)), at(0), OTHERS);
        assert_eq!(conduct.first_byte(), Some(Duration::from_millis(9)));
    }
}
