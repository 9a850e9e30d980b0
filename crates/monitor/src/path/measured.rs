//! What a probe found, and whether that is something else than the one before.

use repono_probe::conversation::Manner;
use repono_probe::ladder::Idle;
use serde::{Deserialize, Serialize};

/// By how much two measurements of the same limit may differ, as a share and in seconds:
/// clocks that look once a second, and answers that take a moment.
const SLACK_SHARE: f64 = 0.1;
const SLACK_S: f64 = 1.5;

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Of what, as it is shown.
    pub(crate) target: String,
    /// When it was done, in Unix ms.
    pub(crate) probed_ms: u64,
    /// The longest quiet that was tried.
    pub(crate) tested_to_s: f64,
    /// The limit; `None` where none was met.
    pub(crate) limit_s: Option<f64>,
    /// The longest quiet that was answered, where the limit lies between two steps.
    pub(crate) at_least_s: Option<f64>,
    /// How a connection ends there.
    pub(crate) manner: Manner,
}

impl Measured {
    /// `None` where nothing could be measured.
    pub(super) fn of(idle: &Idle, target: String, probed_ms: u64) -> Option<Self> {
        let Idle { limit_s, at_least_s, tested_to_s, manner, .. } = *idle;
        (!idle.is_unknown()).then_some(Self { target, probed_ms, tested_to_s, limit_s, at_least_s, manner })
    }

    /// Whether the path is another one than it was: its limit, or the manner of its ends.
    /// What one of the two did not try is no difference.
    pub(super) fn differs_from(&self, before: &Self) -> bool {
        match (before.span(), self.span()) {
            _ if before.target != self.target => false,
            (None, None) => false,
            (Some((low, _)), None) => low < self.tested_to_s * (1.0 - SLACK_SHARE),
            (None, Some((_, high))) => high < before.tested_to_s * (1.0 - SLACK_SHARE),
            (Some(before_span), Some(span)) => {
                let is_apart = span.1 < before_span.0 || before_span.1 < span.0;
                is_apart || self.manner != before.manner
            }
        }
    }

    /// Between what the limit lies, with what measuring it may be off by.
    fn span(&self) -> Option<(f64, f64)> {
        let limit = self.limit_s?;
        // A limit between two steps is the middle of a geometric row.
        let low = self.at_least_s.filter(|at_least| *at_least > 0.0).unwrap_or(limit);
        let high = limit * limit / low;
        Some((low * (1.0 - SLACK_SHARE) - SLACK_S, high * (1.0 + SLACK_SHARE) + SLACK_S))
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        match self.limit_s {
            None => format!("none up to {:.0} s", self.tested_to_s),
            Some(limit) => {
                let about = if self.at_least_s.is_some() { "about " } else { "" };
                format!("{about}{limit:.0} s, then {}", self.manner.as_str())
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use repono_probe::conversation::Manner;

    use super::Measured;

    pub(in crate::path) fn measured(limit: Option<(f64, Manner)>) -> Measured {
        Measured {
            target: "https://store.example/".to_owned(),
            probed_ms: 1,
            tested_to_s: 360.0,
            limit_s: limit.map(|(limit, _)| limit),
            at_least_s: None,
            manner: limit.map_or(Manner::None, |(_, manner)| manner),
        }
    }

    fn between(low: f64, high: f64) -> Measured {
        let limit = (low * high).sqrt();
        Measured { at_least_s: Some(low), ..measured(Some((limit, Manner::Silent))) }
    }

    fn differ(one: &Measured, other: &Measured) -> bool {
        assert_eq!(one.differs_from(other), other.differs_from(one), "{one:?} {other:?}");
        one.differs_from(other)
    }

    #[test]
    fn another_limit_or_another_manner_is_a_change() {
        let fin = |limit| measured(Some((limit, Manner::Fin)));
        assert!(differ(&fin(60.0), &fin(90.0)));
        assert!(differ(&fin(60.0), &measured(Some((60.0, Manner::Rst)))));
        assert!(differ(&fin(60.0), &measured(None)));
        assert!(differ(&between(10.0, 15.0), &between(22.5, 33.75)));
    }

    #[test]
    fn what_measuring_may_be_off_by_is_none() {
        let fin = |limit| measured(Some((limit, Manner::Fin)));
        assert!(!differ(&fin(60.0), &fin(60.0)));
        assert!(!differ(&fin(60.0), &fin(64.0)));
        assert!(!differ(&measured(None), &measured(None)));
        // One that lies near a step is found on either side of it.
        assert!(!differ(&between(10.0, 15.0), &between(15.0, 22.5)));
    }

    #[test]
    fn what_was_not_tried_is_none() {
        let far = Measured { tested_to_s: 600.0, ..measured(Some((500.0, Manner::Fin))) };
        assert!(!differ(&measured(None), &far), "up to 360 s");
        let elsewhere = Measured { target: "https://other.example/".to_owned(), ..measured(None) };
        assert!(!differ(&measured(Some((9.0, Manner::Rst))), &elsewhere));
    }

    #[test]
    fn limits_are_told_in_words() {
        assert_eq!(measured(None).words(), "none up to 360 s");
        assert_eq!(measured(Some((12.2, Manner::Rst))).words(), "12 s, then rst");
        assert_eq!(between(10.0, 15.0).words(), "about 12 s, then silent");
    }
}
