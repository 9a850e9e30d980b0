use std::sync::Arc;
use std::time::Duration;

use rand::{SeedableRng, rngs::StdRng};
use repono_journal::{Journal, JournalConfig, Stamp};
use repono_relay::Order;
use tempfile::TempDir;

use super::{Author, Heads, Lease, WishRefused};
use crate::choice::Tried;
use crate::config::HeadAddress;
use crate::probe::Level;
use crate::standing::{Event, State, Wish};

const ME: Author<'_> = Author { who: "uid 1", at: Stamp { wall_ns: 1, mono_ns: 1 } };

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
        };
        let heads = Heads::new(&[address(1), address(2), address(3)], journal.shared());
        (0..3).for_each(|head| heads.observe(head, Event::Passed, ME.at));
        Self { heads, random: StdRng::seed_from_u64(9), journal, dir }
    }

    fn lease(&mut self) -> Option<Lease> {
        self.heads.lease(Tried::default(), &mut self.random)
    }

    fn states(&self) -> Vec<State> {
        self.heads.list().iter().map(|head| head.state).collect()
    }

    fn order(&self, head: usize) -> Order {
        let (_, head) = self.heads.iter().nth(head).expect("three");
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
    let counts: Vec<_> = stage.heads.list().iter().map(|head| head.connections).collect();
    assert_eq!(counts.iter().sum::<usize>(), 30);
    assert!(counts.iter().all(|count| (8..=12).contains(count)), "{counts:?}");
    drop(leases);
    assert!(stage.heads.list().iter().all(|head| head.connections == 0));
}

#[test]
fn only_sends_all_to_one_until_that_is_gone() {
    let mut stage = Stage::new();
    stage.heads.only("head-2", ME).expect("ready");
    for _ in 0..20 {
        assert_eq!(stage.lease().expect("ready").position(), 1);
    }
    assert!(stage.heads.list()[1].only);
    let elsewhere = stage.heads.lease(Tried::default().with(1), &mut stage.random).expect("others are left");
    assert_ne!(elsewhere.position(), 1, "it was tried in vain");
    stage.fell(1);
    assert_ne!(stage.lease().expect("others are left").position(), 1);
    stage.heads.only_off(ME);
    assert!(stage.heads.list().iter().all(|head| !head.only));
    assert_eq!(stage.heads.only("head-2", ME), Err(WishRefused::TakesNone));
    assert_eq!(stage.heads.only("head-9", ME), Err(WishRefused::Unknown));
    assert_eq!(stage.heads.wish("", Wish::Drain, ME), Err(WishRefused::Unknown));
}

#[test]
fn draining_the_only_head_lifts_only() {
    let mut stage = Stage::new();
    stage.heads.only("head-1", ME).expect("ready");
    stage.heads.wish("head-1", Wish::Drain, ME).expect("known");
    assert!(stage.heads.list().iter().all(|head| !head.only));
    for _ in 0..20 {
        assert_ne!(stage.lease().expect("two are left").position(), 0);
    }
    assert_eq!(stage.order(0), Order::Finish { quiet: Duration::from_secs(60) });
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
    assert_eq!(stage.heads.list()[0].failing, Some(Level::Tls));
    let (_, head) = stage.heads.iter().next().expect("three");
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
    assert_eq!(stage.order(2), Order::Finish { quiet: Duration::from_secs(1) });
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
