//! Which head takes the next connection: of two drawn at random the one with
//! fewer connections.
//!
//! One draw would leave the fullest head with far more than its share; always
//! taking the emptiest would send every balancer's next connection to the same
//! head, a restarted one above all.

use rand::Rng;

use crate::standing::State;

/// What the choice knows of one head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its state.
    pub state: State,
    /// Connections that it has from this balancer.
    pub connections: usize,
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

/// Chooses among the ready heads; if none is left, among the suspect ones; if none
/// is left, among those that are down, because a check that fails everywhere may be
/// the fault of the check. Never a draining one.
///
/// *Shape*: the position in `candidates`; `None` if every head was tried or drains.
pub fn choose(candidates: &[Candidate], tried: Tried, random: &mut impl Rng) -> Option<usize> {
    [State::Ready, State::Suspect, State::Down]
        .into_iter()
        .find_map(|state| choose_in(state, candidates, tried, random))
}

fn choose_in(state: State, candidates: &[Candidate], tried: Tried, random: &mut impl Rng) -> Option<usize> {
    let eligible = || {
        let fits =
            move |(head, candidate): &(usize, &Candidate)| candidate.state == state && !tried.contains(*head);
        candidates.iter().enumerate().filter(fits)
    };
    let count = eligible().count();
    if count == 0 {
        return None;
    }
    let first = random.random_range(0..count);
    let (head, candidate) = eligible().nth(first)?;
    if count == 1 {
        return Some(head);
    }
    // Of the others, so that two different ones are compared.
    let second = (first + random.random_range(1..count)) % count;
    let (other_head, other) = eligible().nth(second)?;
    Some(if other.connections < candidate.connections { other_head } else { head })
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::{Candidate, Tried, choose};
    use crate::standing::State;

    fn with(state: State, connections: usize) -> Candidate {
        Candidate { state, connections }
    }

    #[test]
    fn the_same_draws_give_the_same_heads() {
        let heads = [with(State::Ready, 3), with(State::Ready, 1), with(State::Ready, 2)];
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
        let mut heads = [with(State::Ready, 0); 4];
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
        let heads = [
            with(State::Ready, 0),
            with(State::Ready, 500),
            with(State::Ready, 500),
            with(State::Ready, 500),
        ];
        let drawn = (0..1000).filter(|_| choose(&heads, Tried::default(), &mut random) == Some(0)).count();
        assert!((450..550).contains(&drawn), "{drawn}");
    }

    #[test]
    fn the_better_state_wins_and_draining_never_does() {
        let mut random = StdRng::seed_from_u64(3);
        let heads =
            [with(State::Draining, 0), with(State::Down, 0), with(State::Suspect, 9), with(State::Ready, 99)];
        let mut tried = Tried::default();
        for expected in [Some(3), Some(2), Some(1), None] {
            let head = choose(&heads, tried, &mut random);
            assert_eq!(head, expected);
            tried = head.map_or(tried, |head| tried.with(head));
        }
        assert_eq!(choose(&[], Tried::default(), &mut random), None);
    }

    #[test]
    fn each_head_is_tried_once() {
        let mut random = StdRng::seed_from_u64(4);
        let heads = [with(State::Ready, 0); 64];
        let mut tried = Tried::default();
        for _ in 0..64 {
            let head = choose(&heads, tried, &mut random).expect("one is left");
            assert!(!tried.contains(head));
            tried = tried.with(head);
        }
        assert_eq!(choose(&heads, tried, &mut random), None);
    }
}
