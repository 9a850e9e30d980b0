//! Whose turn it is to open a connection to a host.
//!
//! When a service comes back, or has closed all connections at once, everybody wants a
//! new one. One handshake at a time finds out whether it stands, and leaves the others a
//! session to resume; a service that is down is tried less and less often.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout};

/// The longest that one waits for the handshakes of others: one that takes longer is
/// not answered, and tells nothing of the next. Half of it and a random part of the
/// other half, so that those who gave up waiting do not go at once.
const TURN: Duration = Duration::from_millis(500);

/// The pause after the first failure, doubled for each other: an entrance that is
/// restarted is back within some of them.
const BACK_OFF: Duration = Duration::from_millis(50);

/// The longest pause: a service that has come back is noticed within a second.
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// The turns at one host.
pub(crate) struct Turns {
    handshake: Semaphore,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    in_a_row: u32,
    /// Before that nobody tries again.
    until: Option<Instant>,
}

/// The right to shake hands: `None` after one has waited long enough.
pub(crate) type Turn<'a> = Option<SemaphorePermit<'a>>;

impl Turns {
    pub(crate) fn new() -> Self {
        Self { handshake: Semaphore::new(1), failures: Mutex::default() }
    }

    /// Waits until nobody else shakes hands, and until the pause after the last
    /// failure is over: 1.5 s in all at most. `chance` is from 0 to 1.
    ///
    /// *Cancel safety*: dropping the future gives the turn to the next.
    pub(crate) async fn take(&self, chance: f64) -> Turn<'_> {
        let patience = TURN / 2 + (TURN / 2).mul_f64(chance);
        let turn = timeout(patience, self.handshake.acquire()).await.ok().and_then(Result::ok);
        let until = self.failures().until;
        if let Some(until) = until {
            sleep_until(until).await;
        }
        turn
    }

    /// A connection stands: the next may follow at once.
    pub(crate) fn succeeded(&self) {
        *self.failures() = Failures::default();
    }

    /// None does: nobody tries for a while, twice as long as the last time. Those who
    /// tried at the same time count once.
    pub(crate) fn failed(&self, now: Instant, chance: f64) {
        let mut failures = self.failures();
        if failures.until.is_some_and(|until| now < until) {
            return;
        }
        let longest = BACK_OFF.saturating_mul(1 << failures.in_a_row.min(8)).min(BACK_OFF_MAX);
        failures.in_a_row = failures.in_a_row.saturating_add(1);
        failures.until = Some(now + longest / 2 + (longest / 2).mul_f64(chance));
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::{BACK_OFF_MAX, TURN, Turns};

    const HANDSHAKE: Duration = Duration::from_millis(20);

    #[tokio::test(start_paused = true)]
    async fn handshakes_follow_one_another_while_they_succeed() {
        let (turns, start) = (Arc::new(Turns::new()), Instant::now());
        let mut all = tokio::task::JoinSet::new();
        for n in 1..=10 {
            let turns = Arc::clone(&turns);
            all.spawn(async move {
                let turn = turns.take(0.5).await;
                assert!(turn.is_some());
                sleep(HANDSHAKE).await;
                turns.succeeded();
                drop(turn);
                assert_eq!(start.elapsed(), HANDSHAKE * n, "in the order of asking");
            });
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_answered_holds_the_others_up_for_half_a_second_at_most() {
        let (turns, start) = (Turns::new(), Instant::now());
        let held = turns.take(0.0).await;
        assert!(held.is_some() && start.elapsed().is_zero());
        assert!(turns.take(0.0).await.is_none());
        assert_eq!(start.elapsed(), TURN / 2);
        assert!(turns.take(1.0).await.is_none());
        assert_eq!(start.elapsed(), TURN / 2 + TURN);
        drop(held);
        assert!(turns.take(0.0).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_down_is_tried_less_often_and_not_forgotten() {
        let turns = Turns::new();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let asked = Instant::now();
            drop(turns.take(0.0).await);
            pauses.push(asked.elapsed().as_millis());
            turns.failed(Instant::now(), 1.0);
            // Another who tried at the same time.
            turns.failed(Instant::now(), 1.0);
        }
        assert_eq!(pauses[..6], [0, 50, 100, 200, 400, 800]);
        assert!(pauses[6..].iter().all(|pause| *pause == BACK_OFF_MAX.as_millis()), "{pauses:?}");
        turns.succeeded();
        let asked = Instant::now();
        drop(turns.take(0.0).await);
        assert!(asked.elapsed().is_zero());
    }
}
