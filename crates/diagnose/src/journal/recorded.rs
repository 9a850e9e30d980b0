//! A recorder's records: turns of connections, put together to requests.
//!
//! A recorder sees connections, not the client's pool. Its first turn on a new
//! connection is taken for another attempt where the client came within a second
//! after it had lost the same request: of the same method and path, or, where TLS
//! was not opened, of about as many bytes.

mod exchange;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::adapter::Events;
use crate::event::{Event, Failure, Heard, Id, Instant, Kind, Place};
use crate::witness::Names;

use super::clocks::Boot;
use super::record::{Connection, Record, TurnKind};
use exchange::{Exchange, Whole};

/// Connections that are followed at a time; of more the eldest is told as it stands.
const OPEN_MAX: usize = 4_096;

/// Lost requests, and first requests of connections, that wait for each other; and
/// requests that wait for what other sides say.
const HELD_MAX: usize = 4_096;

/// Turns up to which the first exchange of a connection is its first request: a
/// handshake has three at most, with a second hello.
const FIRST_TURN_MAX: u64 = 4;

/// A client that sends a request again does so at once; a name look-up and a connect
/// may lie between.
const AGAIN_WITHIN: Duration = Duration::from_secs(1);

/// The first numbers of these requests and connections, beside those of clients' own
/// records and of the balancer's.
const FIRST: u32 = 1 << 30;

/// The attempts at a request, and how each failed.
type Attempts = Vec<(Exchange, Option<Failure>)>;

/// The connections that a recorder tells of.
#[derive(Default)]
pub(super) struct Recorded {
    open: HashMap<u128, Life>,
    order: VecDeque<u128>,
    /// Requests without a reply, and how each failed.
    lost: VecDeque<(Exchange, Failure)>,
    /// First requests of connections, which may be another attempt at a lost one.
    first: VecDeque<Exchange>,
    /// Requests that something happened to, until all is read.
    notable: VecDeque<Attempts>,
    requests: u32,
    connections: u32,
}

/// What is known of a connection before its end.
struct Life {
    id: Id,
    /// From the client's first words to the server's last ones of the handshake.
    handshake: Option<[Instant; 2]>,
    /// How long it took until the server's end stood.
    connect: Duration,
    is_first: bool,
    /// Its id at the server, as an earlier reply told it.
    peer: Option<u128>,
    /// Its first request, until its end tells whether that was all.
    first: Option<Exchange>,
    /// The request that has no reply.
    lost: Option<Exchange>,
}

impl Recorded {
    /// Takes the record of a turn; gives the names of what was asked in it.
    pub(super) fn turn(
        &mut self,
        record: &Record<'_>,
        place: Place,
        clock: Boot,
        to: Events<'_>,
    ) -> Option<Names> {
        let (turn, connection) = (record.repono.turn?, record.repono.connection.as_ref()?);
        let key = connection.key()?;
        let life = self.life(key, to);
        life.connect = turn.connect_ns.map_or(life.connect, Duration::from_nanos);
        if turn.kind == Some(TurnKind::Handshake) {
            let begun = life.handshake.map_or_else(|| record.started(), |[begun, _]| begun);
            life.handshake = Some([begun, record.ended()]);
            return None;
        }
        let is_first = life.is_first && turn.number <= FIRST_TURN_MAX;
        let mut exchange = Exchange::of(record, place, clock, life.id)?;
        if exchange.asks_for_nothing() {
            return None;
        }
        // The connection went on: what had no reply before was not lost with it.
        life.lost = None;
        life.peer = life.peer.or(exchange.names().peer_connection);
        exchange.is_known_as(life.peer);
        let names = exchange.names().clone();
        life.is_first = false;
        if is_first {
            exchange.fresh(life.handshake, life.connect);
            exchange.announce(to);
        }
        if exchange.is_lost() {
            life.lost = Some(exchange);
        } else if is_first {
            life.first = Some(exchange);
        } else {
            self.done(vec![(exchange, None)], to);
        }
        Some(names)
    }

    /// Takes the record of a connection, which has ended.
    pub(super) fn connection(
        &mut self,
        record: &Record<'_>,
        place: Place,
        clock: Boot,
        to: Events<'_>,
    ) -> Option<()> {
        let connection = record.repono.connection.as_ref()?;
        let life = self.open.remove(&connection.key()?);
        let was_used = life.as_ref().is_some_and(|life| !life.is_first);
        let Some(life) = life.filter(|_| was_used) else {
            if let Some(failure) = never_stood(connection) {
                self.never_stood(record, place, clock, failure, to);
            }
            return Some(());
        };
        if let Some(first) = life.first {
            self.take_first(first, to);
        }
        if let Some(mut lost) = life.lost {
            match failure(connection) {
                Some(failure) => {
                    lost.failed_after(Duration::from_nanos(connection.idle_at_close_ns));
                    self.take_lost(lost, failure, to);
                }
                None => self.done(vec![(lost, None)], to),
            }
        }
        Some(())
    }

    /// Hands on all that is left.
    pub(super) fn end(&mut self, to: Events<'_>) {
        while let Some(key) = self.order.pop_front() {
            if let Some(life) = self.open.remove(&key) {
                self.over(life, to);
            }
        }
        for (lost, failure) in std::mem::take(&mut self.lost) {
            self.done(vec![(lost, Some(failure))], to);
        }
        for first in std::mem::take(&mut self.first) {
            self.done(vec![(first, None)], to);
        }
        for attempts in std::mem::take(&mut self.notable) {
            self.tell(&attempts, to);
        }
    }

    fn life(&mut self, key: u128, to: Events<'_>) -> &mut Life {
        if !self.open.contains_key(&key) {
            while self.open.len() >= OPEN_MAX
                && let Some(eldest) = self.order.pop_front()
            {
                if let Some(life) = self.open.remove(&eldest) {
                    self.over(life, to);
                }
            }
            // Those that have ended stay in the queue until it is their turn.
            if self.order.len() >= 2 * OPEN_MAX {
                self.order.retain(|key| self.open.contains_key(key));
            }
            self.order.push_back(key);
        }
        let next = &mut self.connections;
        self.open.entry(key).or_insert_with(|| {
            let id = Id(FIRST.wrapping_add(*next));
            *next = next.wrapping_add(1);
            Life {
                id,
                handshake: None,
                connect: Duration::ZERO,
                is_first: true,
                peer: None,
                first: None,
                lost: None,
            }
        })
    }

    /// A connection whose end is not told: the recorder may be running still. Its first
    /// request may be another attempt at a lost one all the same.
    fn over(&mut self, life: Life, to: Events<'_>) {
        if let Some(first) = life.first {
            self.take_first(first, to);
        }
        if let Some(lost) = life.lost {
            self.done(vec![(lost, None)], to);
        }
    }

    fn take_lost(&mut self, lost: Exchange, failure: Failure, to: Events<'_>) {
        if let Some(again) = self.first.iter().position(|first| is_again(&lost, first))
            && let Some(again) = self.first.remove(again)
        {
            return self.done(vec![(lost, Some(failure)), (again, None)], to);
        }
        self.lost.push_back((lost, failure));
        if self.lost.len() > HELD_MAX
            && let Some((eldest, failure)) = self.lost.pop_front()
        {
            self.done(vec![(eldest, Some(failure))], to);
        }
    }

    fn take_first(&mut self, first: Exchange, to: Events<'_>) {
        if let Some(lost) = self.lost.iter().position(|(lost, _)| is_again(lost, &first))
            && let Some((lost, failure)) = self.lost.remove(lost)
        {
            return self.done(vec![(lost, Some(failure)), (first, None)], to);
        }
        self.first.push_back(first);
        if self.first.len() > HELD_MAX
            && let Some(eldest) = self.first.pop_front()
        {
            self.done(vec![(eldest, None)], to);
        }
    }

    /// A request is whole: its attempts, and how each failed. What other sides may
    /// testify to is told when all is read.
    fn done(&mut self, attempts: Attempts, to: Events<'_>) {
        if !attempts.iter().any(|(attempt, failure)| failure.is_some() || attempt.is_slow()) {
            return self.tell(&attempts, to);
        }
        self.notable.push_back(attempts);
        if self.notable.len() > HELD_MAX
            && let Some(eldest) = self.notable.pop_front()
        {
            self.tell(&eldest, to);
        }
    }

    fn tell(&mut self, attempts: &[(Exchange, Option<Failure>)], to: Events<'_>) {
        let request = self.next();
        let last = attempts.len().saturating_sub(1);
        for (at, (attempt, failure)) in attempts.iter().enumerate() {
            let heard = if at == last { Heard::Application } else { Heard::Library };
            attempt
                .tell(Whole { request, first: at == 0, failed: failure.map(|failure| (failure, heard)) }, to);
        }
    }

    /// A connection on which nothing could be asked.
    fn never_stood(
        &mut self,
        record: &Record<'_>,
        place: Place,
        clock: Boot,
        failure: Failure,
        to: Events<'_>,
    ) {
        let request = self.next();
        let names = exchange::names(record, clock, None);
        let name = "a connection";
        let text = exchange::unconnected(record);
        let mut say = |at, kind| to(Event { place, at: Some(at), kind, text: &text });
        say(record.started(), Kind::Created { request, name });
        if let Some(names) = names {
            say(record.started(), Kind::KnownAs { request, names });
        }
        say(record.ended(), Kind::Failed { request, failure, heard: Heard::Application });
    }

    fn next(&mut self) -> Id {
        let next = Id(FIRST.wrapping_add(self.requests));
        self.requests = self.requests.wrapping_add(1);
        next
    }
}

/// Whether a first request can be another attempt at a lost one.
fn is_again(lost: &Exchange, first: &Exchange) -> bool {
    let after = first.opened().since(lost.ended());
    let before = lost.ended().since(first.opened());
    first.is_like(lost) && before <= Duration::from_millis(100) && after <= AGAIN_WITHIN
}

/// How a request that was under way failed; `None` where the recorder ended it.
fn failure(connection: &Connection<'_>) -> Option<Failure> {
    match (connection.closed_by.as_deref()?, connection.manner.as_deref()?) {
        ("peer", "rst") => Some(Failure::Receive),
        ("peer", _) => Some(Failure::Closed),
        ("client", _) => Some(Failure::TimedOut),
        ("unknown", _) => Some(Failure::Send),
        _ => None,
    }
}

/// How a connection failed that was never relayed.
fn never_stood(connection: &Connection<'_>) -> Option<Failure> {
    match (connection.phase.as_deref()?, connection.closed_by.as_deref()?) {
        ("connect", "peer") => Some(Failure::Connect),
        ("handshake", "peer" | "client") => Some(Failure::Tls),
        _ => None,
    }
}
