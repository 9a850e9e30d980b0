use std::time::Duration;

use tokio::time::Instant;

use super::{Granted, State, Verdict};
use crate::admission::counts::Cause;
use crate::admission::rate::Rate;
use crate::limits::{CONTENDED_FOR, PARTIES_MAX, PARTY_KEPT, TURN_COST};

const MANY: usize = 1_000_000;
const TURN: usize = TURN_COST as usize;

/// Newcomers and steps are told apart by numbers.
type Numbers = State<u32, u32, u32>;

fn state(held_max: usize, waiting_max: usize) -> Numbers {
    State::new(held_max, waiting_max, None)
}

fn is_now(verdict: Result<Verdict, Cause>) -> bool {
    matches!(verdict, Ok(Verdict::Now))
}

/// How many of `count` arrivals go on at once.
fn at_once(state: &mut Numbers, key: u32, count: usize, now: Instant) -> usize {
    (0..count).filter(|_| is_now(state.arrive(key, 1, now))).count()
}

fn newcomers(granted: Vec<Granted<u32, u32, u32>>) -> Vec<(u32, u32)> {
    granted
        .into_iter()
        .filter_map(|granted| match granted {
            Granted::Newcomer(key, answer) => Some((key, answer)),
            Granted::Step(_) => None,
        })
        .collect()
}

#[test]
fn a_party_alone_never_waits_for_a_turn() {
    let (mut state, now) = (state(MANY, MANY), Instant::now());
    assert_eq!(at_once(&mut state, 1, 10_000, now), 10_000);
}

#[test]
fn parties_that_compete_have_a_turn_each_round() {
    let (mut state, now) = (state(MANY, MANY), Instant::now());
    assert!(is_now(state.arrive(1, 1, now)));
    assert_eq!(at_once(&mut state, 2, 100, now), TURN);
    assert_eq!(at_once(&mut state, 1, 100, now), TURN - 1);
    for number in 0..100 {
        state.queue(2, 1, number, now);
    }
    state.queue(1, 1, 100, now);
    let granted = newcomers(state.round(|_| true));
    assert_eq!(granted.iter().filter(|(key, _)| *key == 2).count(), TURN);
    assert!(granted.contains(&(1, 100)), "the other is not behind the flood");
    assert_eq!(granted.first(), Some(&(2, 0)), "first come, first served");
}

#[test]
fn competition_ends_when_the_other_is_gone() {
    let (mut state, now) = (state(MANY, MANY), Instant::now());
    assert!(is_now(state.arrive(1, 1, now)));
    assert!(is_now(state.arrive(2, 1, now)));
    assert!(state.is_contended(now));
    let later = now + CONTENDED_FOR;
    assert!(!state.is_contended(later));
    assert_eq!(at_once(&mut state, 2, 100, later), 100);
}

#[test]
fn one_party_holds_half_and_leaves_room() {
    let (mut state, now) = (state(100, MANY), Instant::now());
    assert_eq!(at_once(&mut state, 1, 100, now), 50);
    assert!(is_now(state.arrive(2, 1, now)));
    assert!(matches!(state.arrive(1, 1, now), Ok(Verdict::Wait)));
    state.queue(1, 1, 7, now);
    assert!(state.round(|_| true).is_empty(), "no place was given back");
    assert!(state.give_back(1), "somebody waits");
    assert!(state.give_back(1));
    assert_eq!(newcomers(state.round(|_| true)), [(1, 7)]);
    assert!(!state.give_back(1), "nobody waits");
}

#[test]
fn who_gave_up_costs_no_turn() {
    let (mut state, now) = (state(MANY, MANY), Instant::now());
    for number in 0..100 {
        state.queue(1, 1, number, now);
    }
    let granted = newcomers(state.round(|number| *number >= 95));
    assert_eq!(granted, [(1, 95), (1, 96), (1, 97), (1, 98), (1, 99)]);
    assert_eq!(state.held(), 5);
}

#[test]
fn steps_and_newcomers_of_one_party_share_its_turn() {
    let (mut state, now) = (state(MANY, MANY), Instant::now());
    for number in 0..50 {
        state.queue_step(1, 1, number, now);
        state.queue(1, 1, number, now);
    }
    let granted = state.round(|_| true);
    let steps = granted.iter().filter(|granted| matches!(granted, Granted::Step(_))).count();
    assert_eq!((granted.len(), steps), (TURN, TURN / 2));
}

#[test]
fn whoever_is_in_goes_on_although_no_place_is_free() {
    let (mut state, now) = (state(2, MANY), Instant::now());
    assert!(is_now(state.arrive(1, 1, now)));
    for _ in 0..100 {
        assert!(matches!(state.go_on(1, 2, now), Verdict::Now));
    }
    state.queue_step(1, 2, 5, now);
    state.queue(1, 1, 6, now);
    let granted = state.round(|_| true);
    assert!(matches!(granted.as_slice(), [Granted::Step(5)]), "no newcomer");
}

#[test]
fn the_oldest_of_the_longest_queue_is_shed() {
    let (mut state, now) = (state(MANY, 5), Instant::now());
    for number in 0..4 {
        assert!(state.queue(1, 1, number, now).is_none());
    }
    assert!(state.queue(2, 1, 10, now).is_none());
    assert_eq!(state.queue(3, 1, 20, now), Some(0));
    assert_eq!(state.queue(3, 1, 21, now), Some(1));
    let left = newcomers(state.round(|_| true));
    assert_eq!(left, [(1, 2), (1, 3), (2, 10), (3, 20), (3, 21)]);
}

#[test]
fn a_rate_is_each_partys_own() {
    let mut state: Numbers = State::new(MANY, MANY, Some(Rate::part(10, 1)));
    let now = Instant::now();
    let refused = (0..30).filter(|_| matches!(state.arrive(1, 1, now), Err(Cause::Rate))).count();
    assert_eq!(refused, 20);
    assert!(!matches!(state.arrive(2, 1, now), Err(Cause::Rate)));
    let later = now + Duration::from_millis(100);
    assert!(!matches!(state.arrive(1, 1, later), Err(Cause::Rate)));
    assert!(matches!(state.arrive(1, 1, later), Err(Cause::Rate)));
}

#[test]
fn accounts_are_bounded_and_those_in_use_are_kept() {
    let (mut state, now) = (state(MANY, MANY), Instant::now());
    assert!(is_now(state.arrive(0, 1, now)));
    let after = now + PARTY_KEPT;
    for key in 1..=u32::try_from(PARTIES_MAX).unwrap() * 3 {
        let _ = state.go_on(key, 1, after);
        assert!(state.parties.len() <= PARTIES_MAX);
    }
    assert_eq!(state.parties.get(&0).map(|standing| standing.held), Some(1));
}
