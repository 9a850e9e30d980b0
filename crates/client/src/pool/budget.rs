//! How many second attempts a path may cost.
//!
//! There are two kinds. A *hedge* overtakes a peer that has the request and may only be
//! slow: it adds to the load of a service that has enough, and is paid for by answers.
//! A *race* overtakes a path that has swallowed the request, as the kernel tells: the
//! service never had it. It costs a handshake, and is bounded by time.

use std::time::Duration;

use tokio::time::Instant;

/// Answers that pay for one hedge: 2 in 100.
const ANSWERS_PER_HEDGE: i64 = 50;

/// Hedges that may be saved up, and are there at the start.
const HEDGES_SAVED_MAX: i64 = 4;

/// A race is earned in that time: a path that swallows more than a request a second
/// loses packets, and more handshakes make that worse.
const RACE_EARNED_IN: Duration = Duration::from_secs(1);

/// The budget of one path.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Connections that may fall silent at once.
    connections: u32,
    /// In answers; below zero they are owed.
    hedges: i64,
    /// When a second attempt was last answered first.
    won: Option<Instant>,
    races: u32,
    /// Up to when races have been earned.
    earned: Option<Instant>,
}

impl Budget {
    /// That of a pool of so many connections.
    pub(crate) const fn new(connections: u32) -> Self {
        Self {
            connections,
            hedges: HEDGES_SAVED_MAX * ANSWERS_PER_HEDGE,
            won: None,
            races: connections,
            earned: None,
        }
    }

    /// An answer began.
    pub(crate) fn answered(&mut self) {
        self.hedges = (self.hedges + 1).min(HEDGES_SAVED_MAX * ANSWERS_PER_HEDGE);
    }

    /// Takes what a hedge costs, for a request of that time; `false` when nothing is
    /// left.
    ///
    /// What was under way when a second attempt won is likely to have been lost as
    /// well. It may be hedged on credit, a pool full at most, and answers repay it
    /// before there is another: over many requests it stays at 2 in 100.
    pub(crate) fn hedge(&mut self, sent: Instant) -> bool {
        let doubted = self.won.is_some_and(|won| sent < won);
        let owed_max = if doubted { i64::from(self.connections) * ANSWERS_PER_HEDGE } else { 0 };
        let left = self.hedges - ANSWERS_PER_HEDGE;
        let allowed = left >= -owed_max;
        if allowed {
            self.hedges = left;
        }
        allowed
    }

    /// Takes what a race costs; `false` when nothing is left. As many as the pool has
    /// connections at once, and one more in each second.
    pub(crate) fn race(&mut self, now: Instant) -> bool {
        let since = *self.earned.get_or_insert(now);
        let seconds = now.saturating_duration_since(since).as_secs() / RACE_EARNED_IN.as_secs();
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.races = self.races.saturating_add(seconds).min(self.connections);
        self.earned = Some(since + RACE_EARNED_IN * seconds);
        let left = self.races.checked_sub(1);
        self.races = left.unwrap_or(0);
        left.is_some()
    }

    /// A second attempt was answered first.
    pub(crate) const fn won(&mut self, now: Instant) {
        self.won = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{Just, Strategy, prop_oneof};
    use proptest::{collection, prop_assert, proptest};
    use tokio::time::Instant;

    use super::{ANSWERS_PER_HEDGE, Budget, HEDGES_SAVED_MAX};

    const CONNECTIONS: u32 = 16;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Answered,
        /// A request that was sent so many milliseconds ago wants a hedge.
        Hedge(u64),
        Race,
        Won,
        Later(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Answered),
            4 => (0..20_000_u64).prop_map(Step::Hedge),
            2 => Just(Step::Race),
            2 => Just(Step::Won),
            1 => (0..5_000_u64).prop_map(Step::Later),
        ]
    }

    proptest! {
        #[test]
        fn second_attempts_stay_within_their_budget_whatever_happens(steps in collection::vec(step(), 0..3_000)) {
            // Far enough from the clock's beginning for what was sent before.
            let start = Instant::now() + Duration::from_secs(60);
            let (mut budget, mut now) = (Budget::new(CONNECTIONS), start);
            let (mut answers, mut hedges, mut races) = (0_i64, 0_i64, 0_u64);
            for step in steps {
                match step {
                    Step::Answered => {
                        answers += 1;
                        budget.answered();
                    }
                    Step::Hedge(ago) => {
                        hedges += i64::from(budget.hedge(now - Duration::from_millis(ago)));
                    }
                    Step::Race => races += u64::from(budget.race(now)),
                    Step::Won => budget.won(now),
                    Step::Later(ms) => now += Duration::from_millis(ms),
                }
                let burst = HEDGES_SAVED_MAX + i64::from(CONNECTIONS);
                prop_assert!(hedges <= burst + answers / ANSWERS_PER_HEDGE);
                let earned = now.duration_since(start).as_secs();
                prop_assert!(races <= u64::from(CONNECTIONS) + earned + 1);
            }
        }
    }

    #[test]
    fn hedges_are_two_in_a_hundred_also_when_each_of_them_wins() {
        let (mut budget, now) = (Budget::new(CONNECTIONS), Instant::now());
        while budget.hedge(now) {}
        let mut hedges = 0;
        for n in 0..10_000 {
            budget.answered();
            let now = now + Duration::from_millis(n);
            if budget.hedge(now) {
                hedges += 1;
                budget.won(now);
            }
        }
        assert_eq!(hedges, 200);
    }

    #[test]
    fn what_was_under_way_when_a_hedge_won_is_hedged_on_credit_and_that_is_repaid() {
        let (mut budget, now) = (Budget::new(CONNECTIONS), Instant::now());
        while budget.hedge(now) {}
        budget.won(now + Duration::from_millis(300));
        let on_credit = (0..100).filter(|_| budget.hedge(now)).count();
        assert_eq!(on_credit, 16, "a pool full");
        let later = now + Duration::from_millis(301);
        for _ in 0..17 * 50 - 1 {
            budget.answered();
            assert!(!budget.hedge(later), "owed yet");
        }
        budget.answered();
        assert!(budget.hedge(later));
    }

    #[test]
    fn a_pool_that_falls_silent_at_once_is_raced_whole_and_then_once_a_second() {
        let (mut budget, now) = (Budget::new(CONNECTIONS), Instant::now());
        assert_eq!((0..100).filter(|_| budget.race(now)).count(), 16);
        let second = |n| now + Duration::from_secs(n);
        assert!(budget.race(second(1)) && !budget.race(second(1)));
        assert_eq!((0..100).filter(|_| budget.race(second(600))).count(), 16);
    }
}
