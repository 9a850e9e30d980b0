//! The limits that a reload can change, for connections that come after it.

use std::num::NonZeroU32;
use std::time::Duration;

use repono_relay::{Age, Clocks, Stagger};

use crate::config::Config;
use crate::descriptors;
use crate::heads::DRAINED_QUIET;

/// The part of its age that a connection may lack: connections that were opened
/// together, as after a restart, do not end together.
const AGE_SPREAD_PARTS: u32 = 10;

/// What a connection is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) idle: Duration,
    pub(crate) age_max: Option<Duration>,
    /// Over all threads.
    pub(crate) connections_max: usize,
}

impl Limits {
    /// Those of a configuration, as far as the process's limit of descriptors allows.
    pub(crate) fn of(config: &Config) -> Self {
        let connections_max =
            descriptors::connections_max(config.connections_max, descriptors::raise_limit());
        if connections_max < config.connections_max {
            tracing::warn!(
                connections_max,
                "connections_max: lowered to what the limit of open files allows"
            );
        }
        let age_max = config.age_max_s.map(NonZeroU32::get).map(u64::from).map(Duration::from_secs);
        Self { idle: config.idle(), age_max, connections_max }
    }

    /// The clocks of a connection with this place among others.
    pub(crate) fn clocks(self, stagger: Stagger) -> Clocks {
        let age = self.age_max.map(|age_max| Age {
            max: age_max.saturating_sub(stagger.within(age_max / AGE_SPREAD_PARTS)),
            quiet: DRAINED_QUIET,
        });
        Clocks { idle: self.idle, age, stagger, ..Clocks::DEFAULT }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use repono_relay::Stagger;

    use super::Limits;

    #[test]
    fn ages_are_spread_over_their_last_tenth() {
        let limits = Limits {
            idle: Duration::from_secs(900),
            age_max: Some(Duration::from_secs(3_600)),
            connections_max: 1,
        };
        let age = |number| limits.clocks(Stagger::drawn(number)).age.expect("limited").max.as_secs();
        assert_eq!((age(0), age(1 << 31)), (3_600, 3_420));
        assert!((3_240..3_242).contains(&age(u32::MAX)));
        assert_eq!(Limits { age_max: None, ..limits }.clocks(Stagger::FIRST).age, None);
    }
}
