use std::sync::Arc;
use std::time::Duration;

use rand::{SeedableRng, rngs::StdRng};
use repono_journal::{Journal, JournalConfig, Stamp};
use repono_relay::Order;
use tempfile::TempDir;

use super::{Author, Heads, Lease, WishRefused};
use crate::choice::Tried;
use crate::conduct::{Sign, Voter};
use crate::config::HeadAddress;
use crate::probe::Level;
use crate::standing::{Event, State, Wish};

const ME: Author<'_> = Author { who: "uid 1", at: Stamp { wall_ns: 1, mono_ns: 1 } };

/// What the connections of a draining head are ordered.
const DRAINED: Order = Order::Finish { quiet: Duration::from_secs(60), spread: Duration::from_secs(30) };

struct Stage {
    heads: Arc<Heads>,
    random: StdRng,
    journal: Journal,
    dir: TempDir,
}

impl Stage {
    /// Three heads that have passed their first check.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let journal = Journal::open(JournalConfig::new(dir.path(), "balancer", "balancer")).expect("journal");
        let address = |number: u16| HeadAddress {
            name: format!("head-{number}"),
            address: ([127, 0, 0, 1], number).into(),
            weight: 1,
        };
        let heads = Heads::new(&[address(1), address(2), address(3)], journal.shared());
        (0..3).for_each(|head| heads.observe(head, Event::Passed, ME.at));
        Self { heads, random: StdRng::seed_from_u64(9), journal, dir }
    }

    fn lease(&mut self) -> Option<Lease> {
        self.heads.lease(Tried::default(), ME.at, &mut self.random)
    }

    fn states(&self) -> Vec<State> {
        self.heads.list(ME.at).iter().map(|head| head.state).collect()
    }

    fn order(&self, head: usize) -> Order {
        let (_, head) = self.heads.all().swap_remove(head);
        *head.orders().borrow()
    }

    fn fell(&self, head: usize) {
        (0..2).for_each(|_| self.heads.observe_failure(head, Level::Tls, ME.at));
    }
}

#[test]
fn a_connection_counts_until_its_lease_ends() {
    let mut stage = Stage::new();
    let leases: Vec<_> = (0..30).map(|_| stage.lease().expect("ready")).collect();
    let counts: Vec<_> = stage.heads.list(ME.at).iter().map(|head| head.connections).collect();
    assert_eq!(counts.iter().sum::<usize>(), 30);
    assert!(counts.iter().all(|count| (8..=12).contains(count)), "{counts:?}");
    drop(leases);
    assert!(stage.heads.list(ME.at).iter().all(|head| head.connections == 0));
}

#[test]
fn only_sends_all_to_one_until_that_is_gone() {
    let mut stage = Stage::new();
    stage.heads.only("head-2", ME).expect("ready");
    for _ in 0..20 {
        assert_eq!(stage.lease().expect("ready").slot(), 1);
    }
    assert!(stage.heads.list(ME.at)[1].only);
    let elsewhere =
        stage.heads.lease(Tried::default().with(1), ME.at, &mut stage.random).expect("others are left");
    assert_ne!(elsewhere.slot(), 1, "it was tried in vain");
    stage.fell(1);
    assert_ne!(stage.lease().expect("others are left").slot(), 1);
    stage.heads.only_off(ME);
    assert!(stage.heads.list(ME.at).iter().all(|head| !head.only));
    assert_eq!(stage.heads.only("head-2", ME), Err(WishRefused::TakesNone));
    assert_eq!(stage.heads.only("head-9", ME), Err(WishRefused::Unknown));
    assert_eq!(stage.heads.wish("", Wish::Drain, ME), Err(WishRefused::Unknown));
}

#[test]
fn draining_the_only_head_lifts_only() {
    let mut stage = Stage::new();
    stage.heads.only("head-1", ME).expect("ready");
    stage.heads.wish("head-1", Wish::Drain, ME).expect("known");
    assert!(stage.heads.list(ME.at).iter().all(|head| !head.only));
    for _ in 0..20 {
        assert_ne!(stage.lease().expect("two are left").slot(), 0);
    }
    assert_eq!(stage.order(0), DRAINED);
    stage.heads.wish("head-1", Wish::Serve, ME).expect("known");
    assert_eq!(stage.states(), [State::Ready; 3]);
    assert_eq!(stage.order(0), Order::Continue);
}

#[test]
fn a_dead_heads_connections_are_reset_unless_all_heads_are_dead() {
    let mut stage = Stage::new();
    stage.fell(0);
    assert_eq!(stage.states(), [State::Down, State::Ready, State::Ready]);
    assert_eq!(stage.order(0), Order::Reset { silent: Duration::from_secs(3) });
    assert_eq!(stage.heads.list(ME.at)[0].failing, Some(Level::Tls));
    let (_, head) = stage.heads.all().swap_remove(0);
    let mut orders = head.orders();
    orders.mark_unchanged();
    stage.heads.observe_failure(0, Level::Tcp, ME.at);
    assert!(orders.has_changed().expect("open"), "said again for those that were spared");
    stage.fell(1);
    stage.fell(2);
    assert_eq!([0, 1, 2].map(|head| stage.order(head)), [Order::Continue; 3]);
    assert!(stage.lease().is_some(), "the check may be at fault");
}

#[test]
fn stopping_ends_quiet_connections_and_cutting_all() {
    let stage = Stage::new();
    stage.heads.begin_stop();
    assert_eq!(stage.order(2), Order::Finish { quiet: Duration::from_secs(1), spread: Duration::ZERO });
    stage.heads.cut();
    assert_eq!(stage.order(2), Order::Reset { silent: Duration::ZERO });
}

#[test]
fn every_change_is_in_the_journal() {
    let stage = Stage::new();
    stage.heads.only("head-3", ME).expect("ready");
    stage.heads.wish("head-3", Wish::Drain, ME).expect("known");
    stage.heads.wish("head-3", Wish::Drain, ME).expect("known");
    stage.journal.flush();
    let text = std::fs::read_to_string(stage.dir.path().join("balancer.jsonl")).expect("written");
    let lines: Vec<_> = text.lines().filter(|line| line.contains("uid 1")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, words) in lines.iter().zip([["off", "head-3"], ["head-3", "off"], ["ready", "draining"]]) {
        assert!(words.iter().all(|word| line.contains(&format!("\"{word}\""))), "{line}");
    }
    assert!(lines[2].contains("head-3.state"));
}

#[test]
fn a_head_that_fails_its_clients_is_ejected_down_to_the_floor() {
    let mut stage = Stage::new();
    let fail = |stage: &Stage, head, at| (0..5).for_each(|_| stage.heads.sign(head, Sign::Torn, at));
    let at = |seconds: u64| ME.at.plus(Duration::from_secs(seconds));
    fail(&stage, 0, ME.at);
    assert_eq!(stage.states(), [State::Ejected, State::Ready, State::Ready]);
    assert_eq!(stage.order(0), Order::Continue, "what it has may go on");
    for _ in 0..20 {
        assert_ne!(stage.lease().expect("two are left").slot(), 0);
    }
    fail(&stage, 1, ME.at);
    assert_eq!(stage.states()[1], State::Ready, "two of three must be left");
    stage.heads.observe(0, Event::Passed, at(9));
    assert_eq!(stage.states()[0], State::Ejected);
    stage.heads.observe(0, Event::Passed, at(10));
    let back = stage.heads.list(at(25)).swap_remove(0);
    assert_eq!((back.state, back.share, back.ejections), (State::Ready, 550, 1), "a slow start");
    // Head-2 has failed of late too: it takes ten in a row now.
    fail(&stage, 0, at(30));
    assert_eq!(stage.states()[0], State::Ready);
    fail(&stage, 0, at(30));
    stage.heads.observe(0, Event::Passed, at(49));
    assert_eq!(stage.states()[0], State::Ejected, "twice as long");
    stage.heads.observe(0, Event::Passed, at(50));
    assert_eq!(stage.states()[0], State::Ready);
    stage.journal.flush();
    let text = std::fs::read_to_string(stage.dir.path().join("balancer.jsonl")).expect("written");
    assert!(text.contains("balancer: resets before the first byte"), "{text}");
}

#[test]
fn weights_are_the_operators_and_zero_takes_nothing() {
    let mut stage = Stage::new();
    stage.heads.weigh("head-1", 0, ME).expect("known");
    for _ in 0..20 {
        assert_ne!(stage.lease().expect("two are left").slot(), 0);
    }
    assert_eq!(stage.heads.weigh("head-1", 257, ME), Err(WishRefused::Weight));
    assert_eq!(stage.heads.weigh("head-9", 1, ME), Err(WishRefused::Unknown));
    stage.heads.weigh("head-1", 256, ME).expect("known");
    let leases: Vec<_> = (0..258).map(|_| stage.lease().expect("ready")).collect();
    assert!(stage.heads.list(ME.at)[0].connections >= 250);
    drop(leases);
}

#[test]
fn a_reload_keeps_what_stays_and_drains_what_goes() {
    let mut stage = Stage::new();
    let staying = stage.heads.all();
    stage.heads.only("head-1", ME).expect("ready");
    let lease = stage.lease().expect("ready");
    let address = |number: u16, weight| HeadAddress {
        name: format!("head-{number}"),
        address: ([127, 0, 0, 1], number).into(),
        weight,
    };
    let came = stage.heads.reload(&[address(4, 1), address(3, 7), address(2, 1)], ME);
    assert_eq!(came.len(), 1);
    let list = stage.heads.list(ME.at);
    let names: Vec<_> = list.iter().map(|head| (head.name.as_str(), head.weight)).collect();
    assert_eq!(names, [("head-4", 1), ("head-3", 7), ("head-2", 1)]);
    assert_eq!(stage.states(), [State::Down, State::Ready, State::Ready]);
    assert!(list.iter().all(|head| !head.only), "the only head has gone");
    assert!(stage.heads.holds(&staying[1].1) && !stage.heads.holds(&staying[0].1));
    assert_eq!(*lease.head().orders().borrow(), DRAINED);
    stage.heads.cut();
    assert_eq!(*lease.head().orders().borrow(), Order::Reset { silent: Duration::ZERO }, "not forgotten");
    stage.heads.observe(came[0].0, Event::Passed, ME.at);
    assert_eq!(stage.heads.list(ME.at)[0].share, 100, "a slow start");
}

#[test]
fn slow_turns_eject_and_the_connections_that_stay_do_not_prolong_it() {
    let stage = Stage::new();
    let leases: Vec<_> =
        (0..3).map(|head| Lease::new(&stage.heads, &stage.heads.all()[head].1, head)).collect();
    leases.iter().for_each(|lease| lease.answered(Duration::from_millis(2)));
    let second = Duration::from_secs(1);
    let slow = |at| {
        leases[0].answered(second);
        leases[0].sign(Sign::Slow { waited: second, charge: second, voter: Voter::First }, at);
    };
    (0..4).for_each(|_| slow(ME.at));
    assert_eq!(stage.states(), [State::Ready; 3]);
    slow(ME.at);
    assert_eq!(stage.states(), [State::Ejected, State::Ready, State::Ready]);
    (0..50).for_each(|_| slow(ME.at));
    assert_eq!(stage.heads.list(ME.at)[0].ejections, 1);
    stage.heads.observe(0, Event::Passed, ME.at.plus(Duration::from_secs(10)));
    assert_eq!(stage.states()[0], State::Ready);
    assert_eq!(stage.heads.list(ME.at)[1].turn_us, Some(2_000));
}
