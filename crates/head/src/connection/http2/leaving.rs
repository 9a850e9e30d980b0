//! The end of a connection that was announced by GOAWAY, in two steps.
//!
//! ```text
//! Asked --the peer's answer to PING, or too long without--> Final --> the end
//! ```
//! The first GOAWAY names no last stream, so that what is under way is served; the
//! second, one round trip later, names it (RFC 9113 section 6.8).

use std::time::Duration;

use tokio::time::Instant;

use super::super::ending::Ending;
use crate::limits::{DRAIN_MAX, GOAWAY_WAIT_MAX};

/// A connection whose end was announced.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    pub(super) ending: Ending,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    /// The first GOAWAY and a PING were sent; h2 sends the second with the answer.
    Asked(Instant),
    /// We have sent the second ourselves, or an error.
    Final(Instant),
}

/// What is due for a connection without streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The second GOAWAY, although the peer has not answered.
    LastWord,
    /// The close.
    Close,
}

impl Leaving {
    pub(super) const fn asked(ending: Ending, now: Instant) -> Self {
        Self { ending, step: Step::Asked(now) }
    }

    pub(super) const fn final_word(ending: Ending, now: Instant) -> Self {
        Self { ending, step: Step::Final(now) }
    }

    /// Until when a connection that has had no stream since `quiet_since` is waited for.
    pub(super) fn limit(&self, quiet_since: Instant) -> Instant {
        let (since, wait): (Instant, Duration) = match self.step {
            Step::Asked(since) => (since, GOAWAY_WAIT_MAX),
            Step::Final(since) => (since, DRAIN_MAX),
        };
        since.max(quiet_since) + wait
    }

    /// What is to be done at [`Leaving::limit`].
    pub(super) const fn due(&self) -> Due {
        match self.step {
            Step::Asked(_) => Due::LastWord,
            Step::Final(_) => Due::Close,
        }
    }

    /// Whether a stream that is opened now is beyond the last one, although the peer
    /// does not know its number.
    pub(super) fn refuses(&self, now: Instant) -> bool {
        match self.step {
            Step::Asked(since) => now > since + GOAWAY_WAIT_MAX,
            Step::Final(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{DRAIN_MAX, Due, Ending, GOAWAY_WAIT_MAX, Leaving};

    #[test]
    fn a_peer_that_does_not_answer_is_waited_for_and_then_told_the_last_stream() {
        let now = Instant::now();
        let leaving = Leaving::asked(Ending::Aged, now);
        assert_eq!(leaving.limit(now - Duration::from_secs(99)), now + GOAWAY_WAIT_MAX);
        let later = now + Duration::from_secs(5);
        assert_eq!(leaving.limit(later), later + GOAWAY_WAIT_MAX);
        assert_eq!(leaving.due(), Due::LastWord);
        assert!(!leaving.refuses(now + GOAWAY_WAIT_MAX));
        assert!(leaving.refuses(now + GOAWAY_WAIT_MAX + DRAIN_MAX));
        let last = Leaving::final_word(Ending::Aged, now);
        assert_eq!((last.limit(now), last.due()), (now + DRAIN_MAX, Due::Close));
        assert!(last.refuses(now));
    }
}
