use std::time::Duration;

use super::waits::Usual;
use super::{Conduct, Ejection, Fault, Network, Others, Sign, Spare, Voter, floor};

mod lossy;

const OTHERS: Others = Others {
    spare: Spare::Yes,
    first_byte: Some(Duration::from_millis(2)),
    turns: Some(Usual { wait: Duration::from_millis(2), slow_share: 0 }),
    network: Network::Clean,
};

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The ejection after five bad signs.
fn five(conduct: &mut Conduct, sign: Sign, now: Duration) -> Option<Ejection> {
    (0..4).for_each(|_| assert_eq!(conduct.take(sign, now, OTHERS), None));
    conduct.take(sign, now, OTHERS)
}

#[test]
fn five_in_a_row_eject_and_a_good_one_clears_the_row() {
    let mut conduct = Conduct::default();
    for sign in [Sign::Refused, Sign::Torn, Sign::NoFirstByte(at(2)), Sign::FirstByte(at(2))] {
        assert_eq!(conduct.take(sign, at(1), OTHERS), None);
    }
    assert_eq!(conduct.take(Sign::FirstByte(Duration::from_millis(3)), at(1), OTHERS), None);
    (0..4).for_each(|_| assert_eq!(conduct.take(Sign::Torn, at(1), OTHERS), None));
    let impatient = Sign::NoFirstByte(Duration::from_millis(10));
    assert_eq!(conduct.take(impatient, at(1), OTHERS), None, "it does not clear the row either");
    let ejection = conduct.take(Sign::Torn, at(1), OTHERS);
    assert_eq!(ejection, Some(Ejection { until: at(11), fault: Fault::Torn }));
    assert_eq!(Fault::Torn.as_str(), "resets before the first byte");
}

#[test]
fn each_ejection_doubles_until_it_is_forgiven() {
    let mut conduct = Conduct::default();
    let mut now = at(0);
    for seconds in [10, 20, 40, 80, 160, 300, 300] {
        let until = five(&mut conduct, Sign::Refused, now).expect("ejected").until;
        assert_eq!(until - now, at(seconds));
        now = until;
    }
    assert_eq!(conduct.ejections(), 7);
    let until = five(&mut conduct, Sign::Refused, now + at(600)).expect("ejected").until;
    assert_eq!(until, now + at(610), "ten minutes of good service");
    assert_eq!(conduct.ejections(), 1);
}

#[test]
fn slow_is_slower_than_the_others_and_never_under_a_second() {
    let take = |waited, usual: Option<Duration>| {
        let mut conduct = Conduct::default();
        let others = Others { first_byte: usual, ..OTHERS };
        (0..5).find_map(|_| conduct.take(Sign::FirstByte(waited), at(0), others)).map(|e| e.fault)
    };
    assert_eq!(take(at(1), Some(Duration::from_millis(200))), Some(Fault::Slow));
    assert_eq!(take(at(1), Some(Duration::from_millis(201))), None, "all are slow");
    assert_eq!(take(Duration::from_millis(999), Some(Duration::from_millis(1))), None);
    assert_eq!(take(at(60), None), None, "nothing to compare with");
}

#[test]
fn below_the_floor_nobody_is_ejected_and_the_row_stands() {
    let mut conduct = Conduct::default();
    let needed = Others { spare: Spare::No, ..OTHERS };
    (0..9).for_each(|_| assert_eq!(conduct.take(Sign::Torn, at(0), needed), None));
    assert!(conduct.take(Sign::Torn, at(0), OTHERS).is_some(), "another one is back");
    assert_eq!([0, 1, 2, 3, 4, 5].map(floor), [1, 1, 1, 2, 2, 3]);
}

#[test]
fn the_mean_follows_slowly() {
    let mut conduct = Conduct::default();
    assert_eq!(conduct.first_byte(), None);
    conduct.take(Sign::FirstByte(Duration::from_millis(8)), at(0), OTHERS);
    conduct.take(Sign::FirstByte(Duration::from_millis(16)), at(0), OTHERS);
    assert_eq!(conduct.first_byte(), Some(Duration::from_millis(9)));
}

#[test]
fn where_others_fail_too_it_takes_ten_in_a_row() {
    let mut conduct = Conduct::default();
    assert_eq!(conduct.network(), Network::Clean);
    let lossy = Others { network: Network::Lossy, ..OTHERS };
    (0..9).for_each(|_| assert_eq!(conduct.take(Sign::Refused, at(1), lossy), None));
    assert_eq!(conduct.network(), Network::Lossy);
    assert!(conduct.take(Sign::Refused, at(1), lossy).is_some());
    assert_eq!(conduct.network(), Network::Clean, "it was judged");
    conduct.take(Sign::Torn, at(1), OTHERS);
    (0..31).for_each(|_| _ = conduct.take(Sign::FirstByte(Duration::ZERO), at(1), OTHERS));
    assert_eq!(conduct.network(), Network::Lossy);
    conduct.take(Sign::FirstByte(Duration::ZERO), at(1), OTHERS);
    assert_eq!(conduct.network(), Network::Clean, "the last thirty-two count");
}

/// A turn that was answered after so long, on a connection that had no slow one.
const fn slow(waited: Duration) -> Sign {
    Sign::Slow { waited, charge: waited, voter: Voter::First }
}

#[test]
fn slow_turns_eject_while_the_others_are_well() {
    let take = |waited, others| {
        let mut conduct = Conduct::default();
        (0..5).find_map(|_| conduct.take(slow(waited), at(100), others)).map(|ejection| ejection.fault)
    };
    let others = |wait, slow_share| Others { turns: Some(Usual { wait, slow_share }), ..OTHERS };
    let quick = Duration::from_millis(2);
    assert_eq!(take(at(1), OTHERS), Some(Fault::Turns));
    assert_eq!(Fault::Turns.as_str(), "slow turns");
    assert_eq!(take(Duration::from_millis(999), OTHERS), None);
    assert_eq!(take(at(2), others(at(1), 0)), None, "not five times as slow");
    assert_eq!(take(at(2), others(quick, 250)), Some(Fault::Turns));
    assert_eq!(take(at(2), others(quick, 251)), None, "the others stall too");
    assert_eq!(take(at(2), Others { turns: None, ..OTHERS }), None, "nobody else answers");
    assert_eq!(take(at(2), Others { spare: Spare::No, ..OTHERS }), None, "below the floor");
}

#[test]
fn a_connection_counts_once_and_a_good_beginning_excuses_no_slow_turn() {
    let mut conduct = Conduct::default();
    let again = Sign::Slow { waited: at(5), charge: at(5), voter: Voter::Again };
    (0..99).for_each(|_| assert_eq!(conduct.take(again, at(100), OTHERS), None));
    for _ in 0..4 {
        assert_eq!(conduct.take(slow(at(2)), at(100), OTHERS), None);
        assert_eq!(conduct.take(Sign::FirstByte(Duration::ZERO), at(100), OTHERS), None);
    }
    let ejection = conduct.take(slow(at(2)), at(100), OTHERS);
    assert_eq!(ejection, Some(Ejection { until: at(110), fault: Fault::Turns }));
    assert_eq!(conduct.take(slow(at(2)), at(110), OTHERS), None, "judged once for each");
}
