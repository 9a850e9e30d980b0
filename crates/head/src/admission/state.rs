//! The accounts behind [`Turns`](super::turns::Turns), without clocks and tasks.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use foldhash::fast::RandomState;
use tokio::time::Instant;

use super::counts::Cause;
use super::rate::{Rate, Spent};
use crate::limits::{CONTENDED_FOR, PARTIES_MAX, PARTY_KEPT, TURN_COST};

/// Somebody who waits; `A` answers a newcomer, `B` one who goes on.
pub(super) enum Granted<K, A, B> {
    Newcomer(K, A),
    Step(B),
}

/// What becomes of somebody who asks.
pub(super) enum Verdict {
    /// Goes on at once; what was asked for is entered.
    Now,
    /// Waits for a turn.
    Wait,
}

pub(super) struct State<K, A, B> {
    held_max: usize,
    waiting_max: usize,
    rate: Option<Rate>,
    /// Hashed fast, as each request looks a party up; under a random seed.
    parties: HashMap<K, Standing<A, B>, RandomState>,
    /// Who has somebody waiting, each once, in the order of the turns.
    ring: VecDeque<K>,
    held: usize,
    /// Newcomers that wait, those that gave up included. Whoever goes on with what
    /// it holds is bounded by `held`.
    waiting: usize,
    round: u64,
    last: Option<K>,
    contended_until: Option<Instant>,
}

/// One party.
struct Standing<A, B> {
    held: usize,
    /// The round for which `used` counts.
    round: u64,
    used: u32,
    steps: VecDeque<(u32, B)>,
    newcomers: VecDeque<(u32, A)>,
    spent: Spent,
    seen: Instant,
}

impl<A, B> Standing<A, B> {
    fn new(now: Instant) -> Self {
        Self {
            held: 0,
            round: 0,
            used: 0,
            steps: VecDeque::new(),
            newcomers: VecDeque::new(),
            spent: Spent::nothing(now),
            seen: now,
        }
    }

    fn is_busy(&self) -> bool {
        self.held > 0 || self.waits()
    }

    fn waits(&self) -> bool {
        !self.steps.is_empty() || !self.newcomers.is_empty()
    }

    /// Whether so much of the turn of this round is used.
    const fn has_used(&mut self, round: u64, cost: u32) -> bool {
        if self.round != round {
            self.round = round;
            self.used = 0;
        }
        self.used >= cost
    }
}

impl<K: Copy + Eq + Hash, A, B> State<K, A, B> {
    pub(super) fn new(held_max: usize, waiting_max: usize, rate: Option<Rate>) -> Self {
        Self {
            held_max,
            waiting_max,
            rate,
            parties: HashMap::default(),
            ring: VecDeque::new(),
            held: 0,
            waiting: 0,
            round: 0,
            last: None,
            contended_until: None,
        }
    }

    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Whether more than one party was there lately.
    pub(super) fn is_contended(&self, now: Instant) -> bool {
        self.contended_until.is_some_and(|until| now < until)
    }

    /// Somebody new asks for a place.
    pub(super) fn arrive(&mut self, key: K, cost: u32, now: Instant) -> Result<Verdict, Cause> {
        let contended = self.note(key, now);
        let (round, free, rate) = (self.round, self.held_max.saturating_sub(self.held), self.rate);
        let standing = self.standing(key, now);
        if rate.is_some_and(|rate| !rate.take(&mut standing.spent, now)) {
            return Err(Cause::Rate);
        }
        let spent = standing.has_used(round, TURN_COST) && contended;
        if spent || !standing.newcomers.is_empty() || standing.held >= free {
            return Ok(Verdict::Wait);
        }
        standing.used = standing.used.saturating_add(cost);
        standing.held += 1;
        self.held += 1;
        Ok(Verdict::Now)
    }

    /// Somebody who is in goes on.
    pub(super) fn go_on(&mut self, key: K, cost: u32, now: Instant) -> Verdict {
        let contended = self.note(key, now);
        let round = self.round;
        let standing = self.standing(key, now);
        if contended && (standing.has_used(round, TURN_COST) || !standing.steps.is_empty()) {
            return Verdict::Wait;
        }
        standing.used = standing.used.saturating_add(cost);
        Verdict::Now
    }

    /// Queues a newcomer; gives who is shed for it, the oldest of those who have
    /// the most waiting.
    pub(super) fn queue(&mut self, key: K, cost: u32, answer: A, now: Instant) -> Option<A> {
        let shed = if self.waiting < self.waiting_max { None } else { self.shed() };
        self.enter_ring(key, now);
        self.standing(key, now).newcomers.push_back((cost, answer));
        self.waiting += 1;
        shed
    }

    /// Queues one who goes on.
    pub(super) fn queue_step(&mut self, key: K, cost: u32, answer: B, now: Instant) {
        self.enter_ring(key, now);
        self.standing(key, now).steps.push_back((cost, answer));
    }

    /// A place is given back; gives whether somebody waits.
    pub(super) fn give_back(&mut self, key: K) -> bool {
        self.held = self.held.saturating_sub(1);
        if let Some(standing) = self.parties.get_mut(&key) {
            standing.held = standing.held.saturating_sub(1);
        }
        !self.ring.is_empty()
    }

    /// One round: each party that waits gets its turn, in order.
    pub(super) fn round(&mut self, wants: impl Fn(&A) -> bool) -> Vec<Granted<K, A, B>> {
        self.round += 1;
        let mut granted = Vec::new();
        for _ in 0..self.ring.len() {
            let Some(key) = self.ring.pop_front() else { break };
            self.turn(key, &wants, &mut granted);
            if self.parties.get(&key).is_some_and(Standing::waits) {
                self.ring.push_back(key);
            }
        }
        granted
    }

    fn turn(&mut self, key: K, wants: &impl Fn(&A) -> bool, granted: &mut Vec<Granted<K, A, B>>) {
        // Neither may starve the other.
        self.admit(key, TURN_COST / 2, wants, granted);
        let Some(standing) = self.parties.get_mut(&key) else { return };
        while !standing.has_used(self.round, TURN_COST)
            && let Some((cost, answer)) = standing.steps.pop_front()
        {
            standing.used = standing.used.saturating_add(cost);
            granted.push(Granted::Step(answer));
        }
        self.admit(key, TURN_COST, wants, granted);
    }

    /// Lets newcomers in until so much of the turn is used.
    fn admit(
        &mut self,
        key: K,
        until: u32,
        wants: &impl Fn(&A) -> bool,
        granted: &mut Vec<Granted<K, A, B>>,
    ) {
        let Some(standing) = self.parties.get_mut(&key) else { return };
        while !standing.has_used(self.round, until) && standing.held < self.held_max.saturating_sub(self.held)
        {
            let Some((cost, answer)) = standing.newcomers.pop_front() else { return };
            self.waiting = self.waiting.saturating_sub(1);
            if wants(&answer) {
                standing.used = standing.used.saturating_add(cost);
                standing.held += 1;
                self.held += 1;
                granted.push(Granted::Newcomer(key, answer));
            }
        }
    }

    fn shed(&mut self) -> Option<A> {
        let longest = self.ring.iter().copied().max_by_key(|key| self.queued(*key))?;
        let (_, answer) = self.parties.get_mut(&longest)?.newcomers.pop_front()?;
        self.waiting = self.waiting.saturating_sub(1);
        if !self.parties.get(&longest).is_some_and(Standing::waits) {
            self.ring.retain(|key| *key != longest);
        }
        Some(answer)
    }

    fn queued(&self, key: K) -> usize {
        self.parties.get(&key).map_or(0, |standing| standing.newcomers.len())
    }

    fn enter_ring(&mut self, key: K, now: Instant) {
        if !self.standing(key, now).waits() {
            self.ring.push_back(key);
        }
    }

    /// Notes who is there; gives whether others are, too.
    fn note(&mut self, key: K, now: Instant) -> bool {
        if self.last.is_some_and(|last| last != key) {
            self.contended_until = Some(now + CONTENDED_FOR);
        }
        self.last = Some(key);
        self.is_contended(now)
    }

    fn standing(&mut self, key: K, now: Instant) -> &mut Standing<A, B> {
        if self.parties.len() >= PARTIES_MAX && !self.parties.contains_key(&key) {
            self.forget(now);
        }
        let standing = self.parties.entry(key).or_insert_with(|| Standing::new(now));
        standing.seen = now;
        standing
    }

    /// Forgets who was not there lately; in a crowd, everyone who holds nothing.
    fn forget(&mut self, now: Instant) {
        self.parties.retain(|_, standing| standing.is_busy() || standing.seen + PARTY_KEPT > now);
        if self.parties.len() >= PARTIES_MAX / 2 {
            self.parties.retain(|_, standing| standing.is_busy());
        }
    }
}

#[cfg(test)]
mod tests;
