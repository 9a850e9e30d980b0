//! What is learned of the path to a host: how long an idle connection lives on it,
//! how soon answers begin, and how many second attempts that knowledge may cost.

use std::time::Duration;

use tokio::time::Instant;

use crate::pool::budget::Budget;
use crate::pool::idle::{IdleEnd, IdleLimit, LearnedIdle};

/// Answers that the percentile is taken of: some seconds of a busy client.
const ANSWERS_KEPT: usize = 128;

/// Below so many answers the percentile is a guess.
const ANSWERS_MIN: usize = 20;

/// An answer that comes sooner is never overtaken, whatever the percentile: a busy
/// machine alone costs this much.
const OVERTAKEN_MIN: Duration = Duration::from_millis(250);

/// When a silent peer is overtaken while too little is known of it.
const OVERTAKEN_UNKNOWN: Duration = Duration::from_millis(750);

/// The memory of one path.
#[derive(Debug)]
pub(crate) struct Path {
    idle: IdleLimit,
    budget: Budget,
    answers: Vec<Duration>,
    next: usize,
}

/// Why a request on a silent connection is to be sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It was not acknowledged: it was lost on the path.
    Path,
    /// It was acknowledged, and not answered in the time that answers take.
    Peer,
}

impl Cause {
    /// The code in the journal.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Path => "PathSilent",
            Self::Peer => "PeerSilent",
        }
    }
}

impl Path {
    /// That of a pool of so many connections.
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            idle: IdleLimit::default(),
            budget: Budget::new(u32::try_from(connections).unwrap_or(u32::MAX)),
            answers: Vec::new(),
            next: 0,
        }
    }

    /// A connection turned out dead after it had been idle for so long.
    pub(crate) fn died_after(&mut self, idle: Duration, manner: IdleEnd, now: Instant) {
        self.idle.died_after(idle, manner, now);
    }

    /// How long a connection may idle, if that was learned.
    pub(crate) fn idle_limit(&self, now: Instant) -> Option<LearnedIdle> {
        self.idle.known(now)
    }

    /// An answer began after so long.
    pub(crate) fn answered_after(&mut self, wait: Duration) {
        if self.answers.len() < ANSWERS_KEPT {
            self.answers.push(wait);
        } else if let Some(oldest) = self.answers.get_mut(self.next) {
            *oldest = wait;
            self.next = (self.next + 1) % ANSWERS_KEPT;
        }
        self.budget.answered();
    }

    /// After how long a peer that has acknowledged a request and says nothing is
    /// asked once more: the 99th percentile of the last answers.
    pub(crate) fn overtaken_after(&self) -> Duration {
        if self.answers.len() < ANSWERS_MIN {
            return OVERTAKEN_UNKNOWN;
        }
        let mut sorted = self.answers.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
        sorted.get(rank).copied().unwrap_or_default().clamp(OVERTAKEN_MIN, OVERTAKEN_UNKNOWN)
    }

    /// Whether a request of that time may be sent once more, and takes what that
    /// costs.
    pub(crate) fn allows(&mut self, cause: Cause, sent: Instant, now: Instant) -> bool {
        match cause {
            Cause::Path => self.budget.race(now),
            Cause::Peer => self.budget.hedge(sent),
        }
    }

    /// The second attempt was answered first.
    pub(crate) const fn overtaken(&mut self, now: Instant) {
        self.budget.won(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Cause, OVERTAKEN_MIN, OVERTAKEN_UNKNOWN, Path};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_slow_server_is_overtaken_late_and_a_quick_one_not_at_once() {
        let mut path = Path::new(16);
        assert_eq!(path.overtaken_after(), OVERTAKEN_UNKNOWN);
        (0..200).for_each(|_| path.answered_after(ms(2)));
        assert_eq!(path.overtaken_after(), OVERTAKEN_MIN);
        (0..128).for_each(|_| path.answered_after(ms(400)));
        assert_eq!(path.overtaken_after(), ms(400));
    }

    #[test]
    fn races_and_hedges_have_budgets_of_their_own() {
        let (mut path, now) = (Path::new(16), Instant::now());
        while path.allows(Cause::Peer, now, now) {}
        assert!(path.allows(Cause::Path, now, now));
        while path.allows(Cause::Path, now, now) {}
        (0..50).for_each(|_| path.answered_after(ms(1)));
        assert!(path.allows(Cause::Peer, now, now) && !path.allows(Cause::Path, now, now));
    }
}
