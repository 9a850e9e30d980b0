//! How long a ticket may live.

/// Seconds by which the clocks of vending and a head may differ. Machines with
/// NTP stay within one second; 30 s is what a machine drifts in weeks without it.
pub const CLOCK_SKEW_S: u64 = 30;

/// The life of a ticket, from issue to expiry.
///
/// *Units*: whole seconds, 1 to 3,600.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life(u32);

/// The wanted life is not one that a ticket may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ticket lives at least 1 s and at most 3600 s")]
pub struct LifeError;

impl Life {
    /// 20 minutes: long enough for a batch of files, short enough that a leaked
    /// ticket is stale before it is found.
    pub const DEFAULT: Self = Self(20 * 60);
    /// 60 minutes: heads refuse anything that expires later, whoever signed it.
    pub const MAX: Self = Self(60 * 60);
    /// One second: tests and one-shot requests.
    pub const MIN: Self = Self(1);

    /// The life of this many seconds.
    ///
    /// *Errors*: [`LifeError`] outside 1 to 3,600.
    pub fn from_seconds(seconds: u64) -> Result<Self, LifeError> {
        let life = u32::try_from(seconds).map(Self).map_err(|_| LifeError)?;
        if (Self::MIN..=Self::MAX).contains(&life) { Ok(life) } else { Err(LifeError) }
    }

    /// The life in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 as u64
    }

    /// The Unix second at which a ticket issued at `now_s` expires.
    #[must_use]
    pub const fn expiry(self, now_s: u64) -> u64 {
        now_s.saturating_add(self.seconds())
    }
}

impl Default for Life {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::{Life, LifeError};

    #[test]
    fn from_one_second_to_one_hour() {
        assert_eq!(Life::from_seconds(1), Ok(Life::MIN));
        assert_eq!(Life::from_seconds(3600), Ok(Life::MAX));
        assert_eq!(Life::default().expiry(1000), 2200);
        for bad in [0, 3601, u64::MAX] {
            assert_eq!(Life::from_seconds(bad), Err(LifeError));
        }
    }
}
