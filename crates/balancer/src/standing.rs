//! What is known of one head.
//!
//! ```text
//!             Passed
//!   Suspect ----------> Ready        Ready, Suspect: take connections (Suspect
//!      |  <----------     |          only when no head is Ready)
//!      |  Failed, Refused |
//!      |                  |------- Ejected ------> Ejected
//!      | 2 x Failed       | Leaving                  |  takes none for a while;
//!      v                  v                          |  Passed after that: Ready,
//!    Down <--------- Draining                        |  2 x Failed: Down
//!      |   2 x Failed     ^                          |
//!      +------------------+ Leaving    <-------------+
//!      +-- 2 x Passed --> Ready      Draining, Down: take none
//! ```
//!
//! A head that comes back into service from `Draining`, `Ejected` or `Down` starts
//! slowly: see [`Health::share`].

use std::time::Duration;

use serde::Serialize;

/// Failed checks in a row after which a head is down: one may be a lost packet.
const FAILURES_DOWN: u8 = 2;

/// Passed checks in a row after which a head that was down is ready: one may be
/// its last.
const PASSES_UP: u8 = 2;

/// How long a head that came back is given less than its weight: its caches are
/// cold, and what felled it may still be there.
const WARM_UP: Duration = Duration::from_secs(30);

/// The share of its weight that a head begins with, in thousandths: enough to see
/// whether it serves, too little to hurt if it does not.
const SHARE_FIRST: u32 = 100;

/// The whole weight, in thousandths.
pub const SHARE_WHOLE: u32 = 1000;

/// Whether a head has its whole weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmth {
    /// It has been in service all along.
    Warm,
    /// It came back into service at this time.
    Since(Duration),
}

/// What the checks and the connections have shown of a head.
///
/// *Units*: times are those of the monotonic clock, since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The last check passed. Left for `Suspect` by any failure, for `Draining` when
    /// the head says that it is leaving, for `Ejected` by its conduct.
    Ready(Warmth),
    /// Not proven yet, or a failure since it was. Left for `Ready` by a passed check,
    /// for `Down` by the second failed check in a row, for `Draining`, for `Ejected`.
    Suspect {
        /// Failed checks in a row.
        failures: u8,
        /// As it was when it was ready.
        warmth: Warmth,
    },
    /// It passes its checks and fails its clients. Left for `Ready` by a check that
    /// passes after the time, for `Down` by the second failed check in a row, for
    /// `Draining`.
    Ejected {
        /// When it may come back.
        until: Duration,
        /// Failed checks in a row.
        failures: u8,
    },
    /// The head says that it is leaving (503). Left for `Ready` by a passed check, for
    /// `Down` by the second failed check in a row.
    Draining {
        /// Failed checks in a row.
        failures: u8,
    },
    /// Left for `Ready` by the second passed check in a row, for `Draining`.
    Down {
        /// Passed checks in a row.
        passes: u8,
    },
}

/// What happened to a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A check passed.
    Passed,
    /// A check was answered with 503.
    Leaving,
    /// A check failed.
    Failed,
    /// A client's connection could not be opened. It is no check: it makes a head
    /// suspect at once, but does not count towards down.
    Refused,
    /// Its conduct towards clients was too bad ([`crate::conduct`]).
    Ejected {
        /// When it may come back.
        until: Duration,
    },
    /// The operator takes it back after a drain.
    Recalled,
}

impl Health {
    /// A head that nobody has looked at yet, like all the others: no slow start.
    pub const UNTRIED: Self = Self::Suspect { failures: 0, warmth: Warmth::Warm };

    /// A head that joins others: it takes nothing before its first passed check, and
    /// starts slowly.
    pub const NEWCOMER: Self = Self::Down { passes: PASSES_UP - 1 };

    /// The health after an event at this time.
    #[must_use]
    pub const fn after(self, event: Event, at: Duration) -> Self {
        match event {
            Event::Passed => self.after_pass(at),
            Event::Leaving => Self::Draining { failures: 0 },
            Event::Failed => self.after_failure(),
            Event::Refused => match self {
                Self::Ready(warmth) => Self::Suspect { failures: 0, warmth },
                Self::Suspect { .. } | Self::Ejected { .. } | Self::Draining { .. } => self,
                Self::Down { .. } => Self::Down { passes: 0 },
            },
            Event::Ejected { until } => match self {
                Self::Ready(_) | Self::Suspect { .. } => Self::Ejected { until, failures: 0 },
                Self::Ejected { .. } | Self::Draining { .. } | Self::Down { .. } => self,
            },
            Event::Recalled => match self {
                Self::Ready(_) => Self::Ready(Warmth::Since(at)),
                Self::Suspect { failures, .. } => Self::Suspect { failures, warmth: Warmth::Since(at) },
                Self::Ejected { .. } | Self::Draining { .. } | Self::Down { .. } => self,
            },
        }
    }

    const fn after_pass(self, at: Duration) -> Self {
        match self {
            Self::Ready(warmth) | Self::Suspect { warmth, .. } => Self::Ready(warmth),
            Self::Ejected { until, .. } if at.as_nanos() < until.as_nanos() => {
                Self::Ejected { until, failures: 0 }
            }
            Self::Down { passes } if passes + 1 < PASSES_UP => Self::Down { passes: passes + 1 },
            Self::Ejected { .. } | Self::Draining { .. } | Self::Down { .. } => {
                Self::Ready(Warmth::Since(at))
            }
        }
    }

    const fn after_failure(self) -> Self {
        match self {
            Self::Ready(warmth) => Self::Suspect { failures: 1, warmth },
            Self::Suspect { failures, .. } | Self::Ejected { failures, .. } | Self::Draining { failures }
                if failures + 1 >= FAILURES_DOWN =>
            {
                Self::Down { passes: 0 }
            }
            Self::Suspect { failures, warmth } => Self::Suspect { failures: failures + 1, warmth },
            Self::Ejected { until, failures } => Self::Ejected { until, failures: failures + 1 },
            Self::Draining { failures } => Self::Draining { failures: failures + 1 },
            Self::Down { .. } => Self::Down { passes: 0 },
        }
    }

    /// The share of its weight that a head has at this time: it grows evenly over
    /// half a minute after the head came back.
    ///
    /// *Units*: thousandths, 100 to 1000.
    #[must_use]
    pub fn share(self, at: Duration) -> u32 {
        match self {
            Self::Ready(Warmth::Since(since)) | Self::Suspect { warmth: Warmth::Since(since), .. } => {
                let served = at.saturating_sub(since).min(WARM_UP);
                let grown = served.as_millis() * u128::from(SHARE_WHOLE - SHARE_FIRST) / WARM_UP.as_millis();
                SHARE_FIRST.saturating_add(u32::try_from(grown).unwrap_or(SHARE_WHOLE)).min(SHARE_WHOLE)
            }
            Self::Ready(Warmth::Warm)
            | Self::Suspect { warmth: Warmth::Warm, .. }
            | Self::Ejected { .. }
            | Self::Draining { .. }
            | Self::Down { .. } => SHARE_WHOLE,
        }
    }
}

/// What the operator wants of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// It takes connections when it can.
    Serve,
    /// It takes no new connection.
    Drain,
}

/// The state of a head, as `repono admin head list` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Takes connections.
    Ready,
    /// Takes connections when no head is ready.
    Suspect,
    /// Passes its checks and fails its clients: takes none for a while, and keeps
    /// those that it has.
    Ejected,
    /// Takes no new connection; those that it has may go on.
    Draining,
    /// Takes no connection; those that it has are reset.
    Down,
}

impl State {
    /// The state that follows from health and wish.
    #[must_use]
    pub const fn of(health: Health, wish: Wish) -> Self {
        match (health, wish) {
            (Health::Down { .. }, Wish::Serve | Wish::Drain) => Self::Down,
            (Health::Draining { .. }, Wish::Serve) | (_, Wish::Drain) => Self::Draining,
            (Health::Suspect { .. }, Wish::Serve) => Self::Suspect,
            (Health::Ejected { .. }, Wish::Serve) => Self::Ejected,
            (Health::Ready(_), Wish::Serve) => Self::Ready,
        }
    }

    /// Whether it takes new connections.
    #[must_use]
    pub const fn takes_connections(self) -> bool {
        match self {
            Self::Ready | Self::Suspect => true,
            Self::Ejected | Self::Draining | Self::Down => false,
        }
    }

    /// The word in JSON and in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Suspect => "suspect",
            Self::Ejected => "ejected",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Event, Health, SHARE_WHOLE, State, Warmth, Wish};

    fn after(events: &[Event]) -> State {
        let health =
            events.iter().fold(Health::UNTRIED, |health, event| health.after(*event, Duration::ZERO));
        State::of(health, Wish::Serve)
    }

    #[test]
    fn one_pass_proves_a_new_head_and_two_failures_fell_it() {
        use Event::{Failed, Passed};
        assert_eq!(after(&[]), State::Suspect);
        assert_eq!(after(&[Passed]), State::Ready);
        assert_eq!(after(&[Passed, Failed]), State::Suspect);
        assert_eq!(after(&[Passed, Failed, Passed, Failed]), State::Suspect, "not in a row");
        assert_eq!(after(&[Passed, Failed, Failed]), State::Down);
        assert_eq!(after(&[Failed, Failed]), State::Down);
        assert_eq!(after(&[Failed, Failed, Passed]), State::Down);
        assert_eq!(after(&[Failed, Failed, Passed, Failed, Passed]), State::Down, "not in a row");
        assert_eq!(after(&[Failed, Failed, Passed, Passed]), State::Ready);
    }

    #[test]
    fn a_refused_connection_makes_suspect_at_once_and_nothing_more() {
        use Event::{Failed, Leaving, Passed, Refused};
        assert_eq!(after(&[Passed, Refused]), State::Suspect);
        assert_eq!(after(&[Passed, Refused, Refused, Refused]), State::Suspect);
        assert_eq!(after(&[Passed, Refused, Failed]), State::Suspect);
        assert_eq!(after(&[Passed, Refused, Failed, Failed]), State::Down);
        assert_eq!(after(&[Failed, Failed, Passed, Refused, Passed]), State::Down);
        assert_eq!(after(&[Leaving, Refused]), State::Draining);
    }

    #[test]
    fn a_leaving_head_may_stay_or_die() {
        use Event::{Failed, Leaving, Passed};
        assert_eq!(after(&[Passed, Leaving]), State::Draining);
        assert_eq!(after(&[Leaving, Passed]), State::Ready);
        assert_eq!(after(&[Leaving, Failed]), State::Draining);
        assert_eq!(after(&[Leaving, Failed, Leaving, Failed]), State::Draining);
        assert_eq!(after(&[Leaving, Failed, Failed]), State::Down);
        assert_eq!(after(&[Failed, Failed, Leaving]), State::Draining);
    }

    #[test]
    fn the_operators_wish_hides_all_but_down() {
        for (health, state) in [
            (Health::Ready(Warmth::Warm), State::Draining),
            (Health::UNTRIED, State::Draining),
            (Health::Draining { failures: 0 }, State::Draining),
            (Health::Down { passes: 1 }, State::Down),
        ] {
            assert_eq!(State::of(health, Wish::Drain), state);
        }
    }

    #[test]
    fn an_ejected_head_comes_back_by_a_check_after_its_time() {
        use Event::{Ejected, Failed, Leaving, Passed, Refused};
        let at = Duration::from_secs;
        let ejected = Health::UNTRIED.after(Passed, at(1)).after(Ejected { until: at(11) }, at(1));
        assert_eq!(State::of(ejected, Wish::Serve), State::Ejected);
        assert_eq!(ejected.after(Passed, at(10)), ejected, "too early");
        assert_eq!(ejected.after(Refused, at(10)), ejected);
        assert_eq!(ejected.after(Ejected { until: at(99) }, at(10)), ejected, "once at a time");
        assert_eq!(ejected.after(Passed, at(11)), Health::Ready(Warmth::Since(at(11))));
        let failed = ejected.after(Failed, at(2)).after(Failed, at(3));
        assert_eq!(failed, Health::Down { passes: 0 });
        assert_eq!(failed.after(Ejected { until: at(9) }, at(4)), failed, "down is worse");
        assert_eq!(ejected.after(Leaving, at(2)), Health::Draining { failures: 0 });
    }

    #[test]
    fn what_comes_back_starts_slowly_and_what_was_there_does_not() {
        use Event::{Failed, Leaving, Passed, Recalled, Refused};
        let at = Duration::from_secs;
        let run = |events: &[Event]| events.iter().fold(Health::UNTRIED, |h, event| h.after(*event, at(100)));
        for back in [
            run(&[Failed, Failed, Passed, Passed]),
            run(&[Leaving, Passed]),
            run(&[Passed, Recalled]),
            run(&[Leaving, Passed, Refused, Passed]),
            Health::NEWCOMER.after(Passed, at(100)),
        ] {
            assert_eq!(back, Health::Ready(Warmth::Since(at(100))));
            let shares = [100, 115, 130, 1000].map(|second| back.share(at(second)));
            assert_eq!(shares, [100, 550, 1000, 1000]);
        }
        assert_eq!(run(&[Passed, Refused, Passed]).share(at(100)), SHARE_WHOLE);
        assert_eq!(State::of(Health::NEWCOMER, Wish::Serve), State::Down);
    }
}
