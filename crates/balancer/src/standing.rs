//! What is known of one head.
//!
//! ```text
//!             Passed
//!   Suspect ----------> Ready        Ready, Suspect: take connections (Suspect
//!      |  <----------     |          only when no head is Ready)
//!      |  Failed, Refused |
//!      |                  |
//!      | 2 x Failed       | Leaving
//!      v                  v
//!    Down <--------- Draining        Draining, Down: take none
//!      |   2 x Failed     ^
//!      +------------------+ Leaving; Down --2 x Passed--> Ready
//! ```

use serde::Serialize;

/// Failed checks in a row after which a head is down: one may be a lost packet.
const FAILURES_DOWN: u8 = 2;

/// Passed checks in a row after which a head that was down is ready: one may be
/// its last.
const PASSES_UP: u8 = 2;

/// What the checks and the connections have shown of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The last check passed. Left for `Suspect` by any failure, for `Draining` when
    /// the head says that it is leaving.
    Ready,
    /// Not proven yet, or a failure since it was. Left for `Ready` by a passed check,
    /// for `Down` by the second failed check in a row, for `Draining`.
    Suspect {
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
}

impl Health {
    /// A head that nobody has looked at yet.
    pub const UNTRIED: Self = Self::Suspect { failures: 0 };

    /// The health after an event.
    #[must_use]
    pub const fn after(self, event: Event) -> Self {
        match (self, event) {
            (Self::Ready | Self::Suspect { .. } | Self::Draining { .. }, Event::Passed) => Self::Ready,
            (Self::Down { passes }, Event::Passed) if passes + 1 >= PASSES_UP => Self::Ready,
            (Self::Down { passes }, Event::Passed) => Self::Down { passes: passes + 1 },
            (_, Event::Leaving) => Self::Draining { failures: 0 },
            (Self::Ready, Event::Failed) => Self::Suspect { failures: 1 },
            (Self::Suspect { failures } | Self::Draining { failures }, Event::Failed)
                if failures + 1 >= FAILURES_DOWN =>
            {
                Self::Down { passes: 0 }
            }
            (Self::Suspect { failures }, Event::Failed) => Self::Suspect { failures: failures + 1 },
            (Self::Draining { failures }, Event::Failed) => Self::Draining { failures: failures + 1 },
            (Self::Ready, Event::Refused) => Self::Suspect { failures: 0 },
            (Self::Suspect { .. } | Self::Draining { .. }, Event::Refused) => self,
            (Self::Down { .. }, Event::Failed | Event::Refused) => Self::Down { passes: 0 },
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
            (Health::Ready, Wish::Serve) => Self::Ready,
        }
    }

    /// Whether it takes new connections.
    #[must_use]
    pub const fn takes_connections(self) -> bool {
        match self {
            Self::Ready | Self::Suspect => true,
            Self::Draining | Self::Down => false,
        }
    }

    /// The word in JSON and in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Suspect => "suspect",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Health, State, Wish};

    fn after(events: &[Event]) -> State {
        let health = events.iter().fold(Health::UNTRIED, |health, event| health.after(*event));
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
            (Health::Ready, State::Draining),
            (Health::UNTRIED, State::Draining),
            (Health::Draining { failures: 0 }, State::Draining),
            (Health::Down { passes: 1 }, State::Down),
        ] {
            assert_eq!(State::of(health, Wish::Drain), state);
        }
    }
}
