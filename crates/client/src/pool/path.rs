//! What is learned of the path to a host: how long an idle connection lives on it,
//! how soon answers begin, and how many extra requests that knowledge may cost.

use std::time::Duration;

use tokio::time::Instant;

/// A shorter idle time says nothing of a limit: connections that die in use die of
/// something else.
const LEARNED_MIN: Duration = Duration::from_secs(1);

/// How long a learned limit is believed. After that a connection may idle for longer
/// again, and at worst one request finds out.
const BELIEVED_FOR: Duration = Duration::from_secs(600);

/// Answers that the percentile is taken of: some seconds of a busy client.
const ANSWERS_KEPT: usize = 128;

/// Below so many answers the percentile is a guess.
const ANSWERS_MIN: usize = 20;

/// An answer that comes sooner is never overtaken, whatever the percentile: a busy
/// machine alone costs this much.
const OVERTAKEN_MIN: Duration = Duration::from_millis(250);

/// When a silent peer is overtaken while too little is known of it.
const OVERTAKEN_UNKNOWN: Duration = Duration::from_millis(750);

/// Requests that pay for one extra request: 2 in 100.
const REQUESTS_PER_EXTRA: u32 = 50;

/// Extra requests that may be saved up, and are there at the start.
const EXTRAS_MAX: u32 = 4;

/// How long after a race was won connections of the same time are not trusted: what
/// silenced one has silenced its like.
const DOUBTED_FOR: Duration = Duration::from_secs(10);

/// The memory of one path.
#[derive(Debug)]
pub(crate) struct Path {
    learned: Option<Learned>,
    answers: Vec<Duration>,
    next: usize,
    /// In fiftieths of an extra request.
    saved: u32,
    doubted: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    idle: Duration,
    at: Instant,
}

impl Path {
    pub(crate) const fn new() -> Self {
        Self {
            learned: None,
            answers: Vec::new(),
            next: 0,
            saved: EXTRAS_MAX * REQUESTS_PER_EXTRA,
            doubted: None,
        }
    }

    /// A connection turned out dead after it had been idle for so long.
    pub(crate) fn died_after(&mut self, idle: Duration, now: Instant) {
        if idle < LEARNED_MIN {
            return;
        }
        let safe = (idle - idle / 5).min(self.idle_max(now).unwrap_or(Duration::MAX));
        self.learned = Some(Learned { idle: safe, at: now });
    }

    /// How long a connection may idle, if that was learned.
    pub(crate) fn idle_max(&self, now: Instant) -> Option<Duration> {
        let learned = self.learned?;
        (now.saturating_duration_since(learned.at) < BELIEVED_FOR).then_some(learned.idle)
    }

    /// An answer began after so long.
    pub(crate) fn answered_after(&mut self, wait: Duration) {
        if self.answers.len() < ANSWERS_KEPT {
            self.answers.push(wait);
        } else if let Some(oldest) = self.answers.get_mut(self.next) {
            *oldest = wait;
            self.next = (self.next + 1) % ANSWERS_KEPT;
        }
        self.saved = (self.saved + 1).min(EXTRAS_MAX * REQUESTS_PER_EXTRA);
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

    /// Takes what an extra request to a silent peer costs; `false` when nothing is
    /// saved. It is free while such peers have just been proved dead.
    pub(crate) fn pay(&mut self, now: Instant) -> bool {
        if self.doubted.is_some_and(|until| now < until) {
            return true;
        }
        let left = self.saved.checked_sub(REQUESTS_PER_EXTRA);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }

    /// The extra request was answered first.
    pub(crate) fn overtaken(&mut self, now: Instant) {
        self.doubted = Some(now + DOUBTED_FOR);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{BELIEVED_FOR, OVERTAKEN_MIN, OVERTAKEN_UNKNOWN, Path};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_shortest_idle_time_that_killed_is_remembered_for_a_while() {
        let (mut path, now) = (Path::new(), Instant::now());
        assert_eq!(path.idle_max(now), None);
        path.died_after(ms(500), now);
        assert_eq!(path.idle_max(now), None, "it died in use");
        path.died_after(ms(10_000), now);
        assert_eq!(path.idle_max(now), Some(ms(8_000)));
        path.died_after(ms(5_000), now);
        path.died_after(ms(20_000), now);
        assert_eq!(path.idle_max(now), Some(ms(4_000)));
        assert_eq!(path.idle_max(now + BELIEVED_FOR), None);
    }

    #[test]
    fn a_slow_server_is_overtaken_late_and_a_quick_one_not_at_once() {
        let mut path = Path::new();
        assert_eq!(path.overtaken_after(), OVERTAKEN_UNKNOWN);
        (0..200).for_each(|_| path.answered_after(ms(2)));
        assert_eq!(path.overtaken_after(), OVERTAKEN_MIN);
        (0..128).for_each(|_| path.answered_after(ms(400)));
        assert_eq!(path.overtaken_after(), ms(400));
    }

    #[test]
    fn extra_requests_are_two_in_a_hundred() {
        let (mut path, now) = (Path::new(), Instant::now());
        while path.pay(now) {}
        let mut extra = 0;
        for _ in 0..10_000 {
            path.answered_after(ms(1));
            extra += u32::from(path.pay(now));
        }
        assert_eq!(extra, 200);
        path.overtaken(now);
        assert!(path.pay(now) && path.pay(now), "what has just been proved dead");
        assert!(!path.pay(now + ms(11_000)));
    }
}
