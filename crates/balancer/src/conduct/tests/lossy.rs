//! Hours of virtual time over the judgement of four heads: a network that loses one
//! packet in twenty ejects nobody, and a head that is gray is found.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::super::waits::{SLOW_MIN, Total, WINDOW};
use super::super::{Conduct, Fault, Network, Others, Sign, Spare, Voter};

const HEADS: usize = 4;
/// A turn of a head that is well, on a network that is.
const TURN: Duration = Duration::from_millis(2);
/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(100);
/// Turns of a connection before another takes its place.
const TURNS: u32 = 50;
/// The first retransmission; each one doubles it.
const RETRANSMISSION: Duration = Duration::from_millis(200);
/// As the relay tells of a turn that is under way.
const STALL: Duration = Duration::from_secs(5);

/// What a head does to a request.
type Delay = fn(&mut StdRng) -> Duration;

struct Simulation {
    random: StdRng,
    loss: f64,
    heads: [Conduct; HEADS],
    totals: [Total; HEADS],
    delays: [Delay; HEADS],
    slow: u32,
    refused: u32,
}

#[derive(Clone, Copy)]
struct Connection {
    head: usize,
    turns: u32,
    told: Option<Duration>,
}

impl Simulation {
    fn new(loss: f64, gray: Option<Delay>) -> Self {
        let mut delays: [Delay; HEADS] = [|_| TURN; HEADS];
        delays[0] = gray.unwrap_or(delays[0]);
        Self {
            random: StdRng::seed_from_u64(5),
            loss,
            heads: [Conduct::default(); HEADS],
            totals: [Total::default(); HEADS],
            delays,
            slow: 0,
            refused: 0,
        }
    }

    /// The first ejection within this time, with so many connections.
    fn run(&mut self, connections: usize, end: Duration) -> Option<(usize, Fault, Duration)> {
        let mut due: BinaryHeap<Reverse<(Duration, usize)>> =
            (0..connections).map(|n| Reverse((TURN, n))).collect();
        let mut open = vec![Connection { head: 0, turns: TURNS, told: None }; connections];
        while let Some(Reverse((now, number))) = due.pop().filter(|Reverse((now, _))| *now < end) {
            let connection = &mut open[number];
            let (until, judged) = if connection.turns == TURNS {
                self.begin(connection, now)
            } else {
                self.turn(connection, now)
            };
            if let Some((fault, at)) = judged {
                return Some((connection.head, fault, at));
            }
            due.push(Reverse((until + PAUSE, number)));
        }
        None
    }

    fn begin(&mut self, connection: &mut Connection, now: Duration) -> (Duration, Option<(Fault, Duration)>) {
        connection.head = self.random.random_range(0..HEADS);
        // The SYN or its answer is lost: the balancer waits for a second, no longer.
        if self.random.random_bool(self.loss) || self.random.random_bool(self.loss) {
            self.refused += 1;
            let until = now + Duration::from_secs(1);
            return (until, self.take(connection.head, Sign::Refused, until));
        }
        (connection.turns, connection.told) = (0, None);
        let waited = TURN + self.lost() + self.lost();
        (now + waited, self.take(connection.head, Sign::FirstByte(waited), now + waited))
    }

    fn turn(&mut self, connection: &mut Connection, now: Duration) -> (Duration, Option<(Fault, Duration)>) {
        connection.turns += 1;
        let delay = self.delays[connection.head];
        let waited = delay(&mut self.random) + self.lost() + self.lost();
        let mut charged = Duration::ZERO;
        let mut judged = None;
        while waited >= charged + STALL && judged.is_none() {
            charged += STALL;
            judged = self.slow(connection, now + charged, charged, STALL);
        }
        self.totals[connection.head].turns += 1;
        let rest = waited - charged;
        if waited >= SLOW_MIN {
            judged = judged.or_else(|| self.slow(connection, now + waited, waited, rest));
        } else {
            self.totals[connection.head].waited += rest;
        }
        (now + waited, judged)
    }

    fn slow(
        &mut self,
        connection: &mut Connection,
        at: Duration,
        waited: Duration,
        charge: Duration,
    ) -> Option<(Fault, Duration)> {
        self.slow += 1;
        self.totals[connection.head].waited += charge;
        let voter = match connection.told {
            Some(told) if at < told + WINDOW => Voter::Again,
            Some(_) | None => Voter::First,
        };
        if voter == Voter::First {
            connection.told = Some(at);
        }
        self.take(connection.head, Sign::Slow { waited, charge, voter }, at)
    }

    fn take(&mut self, head: usize, sign: Sign, at: Duration) -> Option<(Fault, Duration)> {
        for (conduct, total) in self.heads.iter_mut().zip(self.totals) {
            conduct.roll(at, total);
        }
        let others: Vec<_> =
            (0..HEADS).filter(|other| *other != head).map(|other| self.heads[other]).collect();
        let mut usual: Vec<_> = others.iter().filter_map(Conduct::usual).collect();
        usual.sort_by_key(|usual| usual.wait);
        let mut first: Vec<_> = others.iter().filter_map(Conduct::first_byte).collect();
        first.sort();
        let lossy = others.iter().any(|other| other.network() == Network::Lossy);
        let others = Others {
            spare: Spare::Yes,
            first_byte: first.get(first.len() / 2).copied(),
            turns: usual.get(usual.len() / 2).copied(),
            network: if lossy { Network::Lossy } else { Network::Clean },
        };
        self.heads[head].take(sign, at, others).map(|ejection| (ejection.fault, at))
    }

    /// The retransmissions of one packet.
    fn lost(&mut self) -> Duration {
        let mut lost = Duration::ZERO;
        let mut next = RETRANSMISSION;
        while self.random.random_bool(self.loss) {
            lost += next;
            next *= 2;
        }
        lost
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn one_packet_in_twenty_lost_ejects_nobody() {
    for connections in [3, 40] {
        let mut simulation = Simulation::new(0.05, None);
        assert_eq!(simulation.run(connections, HOUR), None, "{connections} connections");
        assert!(simulation.slow > 5 && simulation.refused > 50, "the loss was felt: {connections}");
    }
}

#[test]
fn a_head_that_is_slow_is_ejected_with_and_without_loss() {
    for loss in [0.0, 0.05] {
        let found = Simulation::new(loss, Some(|_| Duration::from_secs(2))).run(40, HOUR);
        let (head, fault, at) = found.expect("ejected");
        assert_eq!((head, fault), (0, Fault::Turns));
        assert!(at < Duration::from_secs(30), "{at:?}");
    }
}

#[test]
fn a_head_that_lets_one_request_in_fifty_wait_is_ejected() {
    let stalls: Delay = |random| if random.random_bool(0.02) { Duration::from_secs(10) } else { TURN };
    for loss in [0.0, 0.05] {
        let found = Simulation::new(loss, Some(stalls)).run(40, HOUR);
        assert!(matches!(found, Some((0, Fault::Turns, _))), "{found:?}");
    }
}

#[test]
fn heads_that_are_all_slow_keep_their_places() {
    let mut simulation = Simulation::new(0.05, None);
    simulation.delays =
        [|random| if random.random_bool(0.02) { Duration::from_secs(10) } else { TURN }; HEADS];
    assert_eq!(simulation.run(40, HOUR / 4), None, "what slows all is not the fault of one");
}
