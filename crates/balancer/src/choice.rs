//! Which head takes the next connection: of two drawn at random by weight, the one
//! with fewer connections for its weight.
//!
//! One draw would leave the fullest head with far more than its share; always
//! taking the emptiest would send every balancer's next connection to the same
//! head, a restarted one above all. Drawing by weight gives heads their shares even
//! while nothing is open.

use rand::Rng;

use crate::standing::State;

/// What the choice knows of one head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The head's place in the table.
    pub slot: usize,
    /// Its state.
    pub state: State,
    /// Its weight now, in thousandths; with 0 it is not chosen.
    pub weight: u64,
    /// Connections that it has from this balancer.
    pub connections: usize,
}

impl Candidate {
    /// Whether it has fewer connections for its weight than `other`.
    fn is_emptier_than(&self, other: &Self) -> bool {
        let (mine, its) = (self.connections as u128, other.connections as u128);
        mine.saturating_mul(other.weight.into()) < its.saturating_mul(self.weight.into())
    }
}

/// The heads that one connection has tried in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried(u64);

impl Tried {
    /// Adds a head.
    #[must_use]
    pub fn with(self, head: usize) -> Self {
        Self(self.0 | Self::bit(head))
    }

    /// Whether the head was tried.
    #[must_use]
    pub fn contains(self, head: usize) -> bool {
        self.0 & Self::bit(head) != 0
    }

    fn bit(head: usize) -> u64 {
        u32::try_from(head).ok().and_then(|bit| 1u64.checked_shl(bit)).unwrap_or_default()
    }
}

/// Chooses among the ready heads; if none is left, among the suspect ones, then the
/// ejected ones; if none is left, among those that are down, because a check that
/// fails everywhere may be the fault of the check. Never a draining one, and never
/// one without weight.
///
/// *Shape*: the slot; `None` if every head was tried, drains or weighs nothing.
pub fn choose(candidates: &[Candidate], tried: Tried, random: &mut impl Rng) -> Option<usize> {
    [State::Ready, State::Suspect, State::Ejected, State::Down]
        .into_iter()
        .find_map(|state| choose_in(state, candidates, tried, random))
}

fn choose_in(state: State, candidates: &[Candidate], tried: Tried, random: &mut impl Rng) -> Option<usize> {
    let eligible = |c: &&Candidate| c.state == state && c.weight > 0 && !tried.contains(c.slot);
    let first = draw(|| candidates.iter().filter(eligible), random)?;
    // Of the others, so that two different ones are compared.
    let others = |c: &&Candidate| eligible(c) && c.slot != first.slot;
    let second = draw(|| candidates.iter().filter(others), random);
    Some(second.filter(|second| second.is_emptier_than(first)).unwrap_or(first).slot)
}

/// Draws one by weight.
fn draw<'a, I>(among: impl Fn() -> I, random: &mut impl Rng) -> Option<&'a Candidate>
where
    I: Iterator<Item = &'a Candidate>,
{
    let total = among().fold(0u64, |sum, candidate| sum.saturating_add(candidate.weight));
    if total == 0 {
        return None;
    }
    let mut left = random.random_range(0..total);
    among().find(|candidate| match left.checked_sub(candidate.weight) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::{Candidate, Tried, choose};
    use crate::standing::State;

    fn with(slot: usize, state: State, connections: usize) -> Candidate {
        Candidate { slot, state, weight: 1000, connections }
    }

    fn ready<const N: usize>(connections: [usize; N]) -> [Candidate; N] {
        let mut slot = 0..N;
        connections.map(|count| with(slot.next().expect("as many"), State::Ready, count))
    }

    #[test]
    fn the_same_draws_give_the_same_heads() {
        let heads = ready([3, 1, 2]);
        let run = || {
            let mut random = StdRng::seed_from_u64(11);
            (0..100).map(|_| choose(&heads, Tried::default(), &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        assert!(!run().contains(&Some(0)), "of two the fullest never wins");
    }

    #[test]
    fn connections_that_stay_are_spread_within_a_few() {
        let mut random = StdRng::seed_from_u64(1);
        let mut heads = ready([0; 4]);
        for _ in 0..10_000 {
            let head = choose(&heads, Tried::default(), &mut random).expect("ready");
            heads[head].connections += 1;
        }
        let counts = heads.map(|head| head.connections);
        let spread = counts.iter().max().expect("four") - counts.iter().min().expect("four");
        assert!(spread <= 10, "{counts:?}");
    }

    #[test]
    fn a_restarted_head_gets_half_of_the_connections_and_not_all() {
        let mut random = StdRng::seed_from_u64(2);
        let heads = ready([0, 500, 500, 500]);
        let drawn = (0..1000).filter(|_| choose(&heads, Tried::default(), &mut random) == Some(0)).count();
        assert!((450..550).contains(&drawn), "{drawn}");
    }

    #[test]
    fn the_better_state_wins_and_draining_never_does() {
        let mut random = StdRng::seed_from_u64(3);
        let heads = [
            with(0, State::Draining, 0),
            with(1, State::Down, 0),
            with(2, State::Ejected, 0),
            with(3, State::Suspect, 9),
            with(4, State::Ready, 99),
        ];
        let mut tried = Tried::default();
        for expected in [Some(4), Some(3), Some(2), Some(1), None] {
            let head = choose(&heads, tried, &mut random);
            assert_eq!(head, expected);
            tried = head.map_or(tried, |head| tried.with(head));
        }
        assert_eq!(choose(&[], Tried::default(), &mut random), None);
    }

    #[test]
    fn each_head_is_tried_once() {
        let mut random = StdRng::seed_from_u64(4);
        let heads = ready([0; 64]);
        let mut tried = Tried::default();
        for _ in 0..64 {
            let head = choose(&heads, tried, &mut random).expect("one is left");
            assert!(!tried.contains(head));
            tried = tried.with(head);
        }
        assert_eq!(choose(&heads, tried, &mut random), None);
    }

    #[test]
    fn shares_follow_the_weights_empty_or_full() {
        let mut random = StdRng::seed_from_u64(5);
        let mut heads = ready([0, 0, 0]);
        heads[0].weight = 3000;
        heads[2].weight = 0;
        let drawn = (0..4000).filter(|_| choose(&heads, Tried::default(), &mut random) == Some(0)).count();
        assert!((2900..3100).contains(&drawn), "nothing stays open: {drawn}");
        for _ in 0..4000 {
            let head = choose(&heads, Tried::default(), &mut random).expect("ready");
            heads[head].connections += 1;
        }
        assert!((2950..3050).contains(&heads[0].connections), "all stay open: {heads:?}");
        assert_eq!(heads[2].connections, 0, "weightless");
        assert_eq!(choose(&heads[2..], Tried::default(), &mut random), None);
    }

    #[test]
    fn a_head_that_warms_up_is_not_flooded() {
        let mut random = StdRng::seed_from_u64(6);
        let mut heads = ready([0, 500, 500, 500]);
        heads[0].weight = 100;
        let drawn = (0..1000).filter(|_| choose(&heads, Tried::default(), &mut random) == Some(0)).count();
        assert!((40..100).contains(&drawn), "a tenth of its weight: {drawn}");
    }
}
