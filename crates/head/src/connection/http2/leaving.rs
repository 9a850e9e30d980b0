//! The end of a connection, announced by GOAWAY in two steps.
//!
//! ```text
//! Held --a lull, or too long without--> Asked --the answer to PING, or too long
//!                                       without--> Final --> the end
//! ```
//! The first GOAWAY names no last stream, so that what is under way is served; the
//! second, one round trip later, names it (RFC 9113 section 6.8). A peer that does not
//! wait for what is under way hears the first only when it seems to have nothing under
//! way: see [`fails_at_goaway`].

use std::time::Duration;

use http::HeaderMap;
use http::header::USER_AGENT;
use tokio::time::Instant;

use super::super::ending::Ending;
use crate::limits::{DRAIN_HOLD_MAX, DRAIN_MAX, GOAWAY_HOLD_MAX, GOAWAY_WAIT_MAX, LULL_MAX};

/// Of what remains of the time to hold GOAWAY back, this part must pass without a
/// stream to count as a lull: the less remains, the shorter a lull suffices.
const LULL_PART: u32 = 16;

/// Whether it is Java's `java.net.http.HttpClient`, which before JDK 24 and the backports
/// of its fix (JDK-8335181) fails each request that is under way when any GOAWAY comes,
/// also the first of the two, and does not repeat it.
pub(super) fn fails_at_goaway(headers: &HeaderMap) -> bool {
    headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Java-http-client/"))
}

/// A connection whose end has begun.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    pub(super) ending: Ending,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    /// Nothing was sent yet: it waits for a lull until then.
    Held { until: Instant },
    /// The first GOAWAY and a PING were sent; h2 sends the second with the answer.
    Asked(Instant),
    /// We have sent the second ourselves, or an error.
    Final(Instant),
}

/// What is due for a connection without streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The first GOAWAY.
    Announcement,
    /// The second GOAWAY, although the peer has not answered.
    LastWord,
    /// The close.
    Close,
}

impl Leaving {
    pub(super) fn held(ending: Ending, now: Instant) -> Self {
        let hold = match ending {
            Ending::Drained => DRAIN_HOLD_MAX,
            _without_haste => GOAWAY_HOLD_MAX,
        };
        Self { ending, step: Step::Held { until: now + hold } }
    }

    pub(super) const fn asked(ending: Ending, now: Instant) -> Self {
        Self { ending, step: Step::Asked(now) }
    }

    pub(super) const fn final_word(ending: Ending, now: Instant) -> Self {
        Self { ending, step: Step::Final(now) }
    }

    /// Until when GOAWAY is held back, lull or not.
    pub(super) fn held_until(&self) -> Option<Instant> {
        match self.step {
            Step::Held { until } => Some(until),
            Step::Asked(_) | Step::Final(_) => None,
        }
    }

    /// Until when a connection that has had no stream since `quiet_since` is waited for.
    pub(super) fn limit(&self, quiet_since: Instant) -> Instant {
        let (since, wait): (Instant, Duration) = match self.step {
            Step::Held { until } => {
                let lull = until.saturating_duration_since(quiet_since) / LULL_PART;
                return (quiet_since + lull.min(LULL_MAX)).min(until);
            }
            Step::Asked(since) => (since, GOAWAY_WAIT_MAX),
            Step::Final(since) => (since, DRAIN_MAX),
        };
        since.max(quiet_since) + wait
    }

    /// What is to be done at [`Leaving::limit`].
    pub(super) const fn due(&self) -> Due {
        match self.step {
            Step::Held { .. } => Due::Announcement,
            Step::Asked(_) => Due::LastWord,
            Step::Final(_) => Due::Close,
        }
    }

    /// Whether a stream that is opened now is beyond the last one, although the peer
    /// does not know its number.
    pub(super) fn refuses(&self, now: Instant) -> bool {
        match self.step {
            Step::Held { .. } => false,
            Step::Asked(since) => now > since + GOAWAY_WAIT_MAX,
            Step::Final(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{
        DRAIN_HOLD_MAX, DRAIN_MAX, Due, Ending, GOAWAY_HOLD_MAX, GOAWAY_WAIT_MAX, LULL_MAX, Leaving,
    };

    #[test]
    fn the_less_time_remains_the_shorter_a_lull_suffices() {
        let now = Instant::now();
        let leaving = Leaving::held(Ending::Drained, now);
        let until = now + DRAIN_HOLD_MAX;
        let aged = Leaving::held(Ending::Aged, now);
        assert_eq!(aged.held_until(), Some(now + GOAWAY_HOLD_MAX), "there is no haste");
        assert_eq!((leaving.held_until(), leaving.due()), (Some(until), Due::Announcement));
        assert_eq!(leaving.limit(now), now + LULL_MAX);
        let late = until - Duration::from_millis(160);
        assert_eq!(leaving.limit(late), late + Duration::from_millis(10));
        assert_eq!(leaving.limit(until + LULL_MAX), until, "no longer, whatever it does");
        let long_ago = now - Duration::from_secs(60);
        assert!(leaving.limit(long_ago) < now, "who has been quiet for long hears it at once");
        assert!(!leaving.refuses(until), "nothing was announced");
    }

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
