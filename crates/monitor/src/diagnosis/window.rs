//! Lines of the last minutes that may matter, bounded in bytes and age.
//!
//! What happened to a request is told by records of several sides, which are written
//! before or after that of the client. So all recent records of connections and of
//! heads' work are kept for a while, and chosen from when the others are judged.

mod ring;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use repono_core::id::ConnectionId;
use repono_journal::read::{Connection, Fact, Record, Request, Turn};
use repono_journal::{Side, TurnKind};

use super::verdict::Requests;

use ring::{Place, Ring};

/// A request that took longer is slow.
pub(super) const SLOW_NS: u64 = 1_000_000_000;
/// Lines are judged for so long: as long as a finding is of now.
pub(super) const AGE_NS: u64 = super::ACTIVE_MS * 1_000_000;
/// Of requests that failed, were sent again or were slow: some 1,500 of 1.4 KiB.
const NOTABLE_BYTES_MAX: usize = 2 << 20;
/// Of ends of connections: some 3,000. A connection serves many requests.
const CONNECTIONS_BYTES_MAX: usize = 4 << 20;
/// Of requests that heads served well: at 10,000 requests/s a fifth of a second. A head
/// writes of a request before its client does, and both come with the next reading.
const WORK_BYTES_MAX: usize = 2 << 20;
/// A handshake has three turns at most, and then the first request comes.
const OPENING_TURNS: u64 = 4;
/// A client gives a lost request up within so long, and then asks again at once.
const AGAIN_NS: u64 = 60_000_000_000;
/// Names of services that are shared by their lines; beyond that all are forgotten.
const NAMES_MAX: usize = 256;
/// Names of connections that notable lines are of: three of each line that has room.
const IDS_MAX: usize = 8_192;

/// A line, and what it is chosen by.
#[derive(Clone, Debug)]
pub(super) struct Kept<Line = Vec<u8>> {
    pub(super) instance: Arc<str>,
    pub(super) sequence: u64,
    pub(super) ended_ns: u64,
    pub(super) kind: Kind,
    /// Its connection, as its side and as the balancer know it, and the client's end of it.
    pub(super) ids: [Option<Id>; 3],
    pub(super) line: Line,
}

impl<Line> Kept<Line> {
    /// The same, with the line in another form.
    fn with<Other>(self, line: Other) -> Kept<Other> {
        let Self { instance, sequence, ended_ns, kind, ids, line: _ } = self;
        Kept { instance, sequence, ended_ns, kind, ids, line }
    }
}

/// A name of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Id {
    Connection(ConnectionId),
    Source(SocketAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a client, or of a recorder before one, which waited so long.
    Attempt {
        waited_ns: u64,
    },
    /// Of a head or vending, which took so long without the bodies.
    Work {
        took_ns: u64,
    },
    /// One of the first turns of a connection that a recorder saw, or its end: it may be of
    /// another attempt at what was lost on another connection.
    Opening,
    Other,
}

#[derive(Debug)]
pub(crate) struct Window {
    notable: Ring,
    connections: Ring,
    work: Ring,
    /// The connections of notable lines, and when the last of these ended.
    ids: HashMap<Id, u64>,
    names: HashMap<Box<str>, Arc<str>>,
    state: u64,
    newest_request_ns: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            notable: Ring::new(NOTABLE_BYTES_MAX),
            connections: Ring::new(CONNECTIONS_BYTES_MAX),
            work: Ring::new(WORK_BYTES_MAX),
            ids: HashMap::new(),
            names: HashMap::new(),
            state: 0,
            newest_request_ns: 0,
        }
    }
}

impl Window {
    /// Takes a line and what it says, at the time `now_ns` of the wall clock.
    ///
    /// *Cost*: that of copying the line; nothing for a healthy request of a client.
    pub(crate) fn take(&mut self, line: &[u8], record: &Record<'_>, now_ns: u64) {
        let Some(ended) = record.fact.ended() else { return };
        if ended.wall_ns.saturating_add(AGE_NS) < now_ns || ended.wall_ns > now_ns.saturating_add(AGE_NS) {
            return;
        }
        let (kind, ids, notable) = match &record.fact {
            Fact::Request(request) => {
                self.newest_request_ns = self.newest_request_ns.max(ended.wall_ns);
                let Some(kind) = kind(request) else { return };
                let ids = ids([Some(request.connection), request.balancer_id], request.source);
                (kind, ids, is_notable(kind, request))
            }
            Fact::Connection(connection) => {
                let source = connection.source;
                let ids = ids([Some(connection.id), connection.balancer_id], Some(source));
                let is_recorders = connection.side == Some(Side::Recorder);
                let kind = if is_recorders { Kind::Opening } else { Kind::Other };
                (kind, ids, ends_badly(connection))
            }
            Fact::Turn(turn) if turn.side == Some(Side::Recorder) => {
                self.newest_request_ns = self.newest_request_ns.max(ended.wall_ns);
                let kind = turn_kind(turn);
                let peer = turn.exchange.as_ref().and_then(|exchange| exchange.peer_connection);
                (kind, ids([Some(turn.connection), peer], turn.onward), is_lost_or_slow(turn))
            }
            // What they tell is told by the others too.
            Fact::Turn(_) | Fact::Change(_) | Fact::Audit(_) | Fact::Other => return,
        };
        if !notable && matches!(kind, Kind::Attempt { .. }) {
            return;
        }
        let kept = Kept {
            instance: self.name(&record.origin.instance),
            sequence: record.origin.sequence,
            ended_ns: ended.wall_ns,
            kind,
            ids,
            line,
        };
        self.put(kept, notable);
    }

    fn put(&mut self, kept: Kept<&[u8]>, notable: bool) {
        let related = self.is_related(&kept);
        if notable || related {
            self.state += 1;
            self.learn(kept.ids, kept.ended_ns);
        }
        if notable {
            let [_, peer, _] = kept.ids;
            if peer.is_none() {
                self.learn_from_recorders(kept.ended_ns);
            }
            self.notable.push(kept);
        } else if matches!(kept.kind, Kind::Other | Kind::Opening) {
            self.connections.push(kept);
        } else {
            self.work.push(kept);
        }
    }

    /// More is wanted of the connection with these names, until the line at this time is
    /// too old.
    fn learn(&mut self, ids: impl IntoIterator<Item = Option<Id>>, ended_ns: u64) {
        if self.ids.len() >= IDS_MAX {
            self.ids.clear();
        }
        for id in ids.into_iter().flatten() {
            let until = self.ids.entry(id).or_default();
            *until = ended_ns.max(*until);
        }
    }

    /// A recorder learns from a reply how the balancer knows a connection: a turn without
    /// one does not tell, but those before it do.
    fn learn_from_recorders(&mut self, ended_ns: u64) {
        let openings = self.connections.lines().filter(|kept| kept.kind == Kind::Opening);
        let names: Vec<_> = openings.filter(|kept| self.is_related(kept)).flat_map(|kept| kept.ids).collect();
        self.learn(names, ended_ns);
    }

    /// Forgets what is too old.
    pub(super) fn forget(&mut self, now_ns: u64) {
        let oldest_ns = now_ns.saturating_sub(AGE_NS);
        let before = self.notable.len();
        for ring in [&mut self.notable, &mut self.connections, &mut self.work] {
            ring.forget(oldest_ns);
        }
        if self.notable.len() != before {
            self.state += 1;
            self.ids.retain(|_, ended_ns| *ended_ns >= oldest_ns);
        }
    }

    /// Another number each time that something came, or went, that is to be judged.
    pub(super) const fn state(&self) -> u64 {
        self.state
    }

    /// Notable lines, and what the other sides wrote of the same connections.
    pub(super) fn chosen(&self) -> Vec<Kept> {
        let wanted = |kept: &&Kept<Place>| self.is_related(kept) || self.may_be_again(kept);
        let notable = self.notable.lines().map(|kept| self.notable.whole(kept));
        let others = [&self.connections, &self.work].into_iter();
        let others = others.flat_map(|ring| ring.lines().filter(wanted).map(|kept| ring.whole(kept)));
        notable.chain(others).collect()
    }

    /// Whether requests were seen of late, and how many of clients were slow.
    pub(super) fn requests(&self, now_ns: u64) -> Requests {
        if self.newest_request_ns.saturating_add(AGE_NS) < now_ns {
            return Requests::None;
        }
        let waits = self.notable.lines().filter_map(|kept| match kept.kind {
            Kind::Attempt { waited_ns } => Some(waited_ns),
            Kind::Work { .. } | Kind::Opening | Kind::Other => None,
        });
        let (slow, worst_ns) = waits
            .filter(|waited_ns| *waited_ns > SLOW_NS)
            .fold((0, 0), |(slow, worst), waited| (slow + 1, worst.max(waited)));
        Requests::Seen { slow, worst_ms: worst_ns / 1_000_000 }
    }

    fn is_related<Line>(&self, kept: &Kept<Line>) -> bool {
        kept.ids.iter().flatten().any(|id| self.ids.contains_key(id))
    }

    /// Whether it may be of another attempt at what a recorder saw get lost.
    fn may_be_again(&self, opening: &Kept<Place>) -> bool {
        let near = |lost: &Kept<Place>| lost.ended_ns.abs_diff(opening.ended_ns) <= AGAIN_NS;
        let lost = |kept: &Kept<Place>| {
            matches!(kept.kind, Kind::Attempt { .. }) && kept.instance == opening.instance
        };
        opening.kind == Kind::Opening && self.notable.lines().any(|kept| lost(kept) && near(kept))
    }

    fn name(&mut self, instance: &str) -> Arc<str> {
        if let Some(name) = self.names.get(instance) {
            return Arc::clone(name);
        }
        if self.names.len() >= NAMES_MAX {
            self.names.clear();
        }
        let name: Arc<str> = instance.into();
        self.names.insert(instance.into(), Arc::clone(&name));
        name
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.notable.bytes() + self.connections.bytes() + self.work.bytes()
    }
}

fn ids(connections: [Option<ConnectionId>; 2], source: Option<SocketAddr>) -> [Option<Id>; 3] {
    let [own, peer] = connections.map(|id| id.map(Id::Connection));
    [own, peer, source.map(Id::Source)]
}

/// What a turn is to the diagnosis: parts of a handshake, and the first requests, tell how
/// a connection began.
fn turn_kind(turn: &Turn<'_>) -> Kind {
    let is_handshake = turn.kind == Some(TurnKind::Handshake);
    if is_handshake || (turn.number <= OPENING_TURNS && !is_lost_or_slow(turn)) {
        return Kind::Opening;
    }
    let until = turn.answered_mono_ns.unwrap_or(turn.ended.mono_ns);
    Kind::Attempt { waited_ns: until.saturating_sub(turn.asked_last_mono_ns) }
}

fn is_lost_or_slow(turn: &Turn<'_>) -> bool {
    let waited = |at: u64| at.saturating_sub(turn.asked_last_mono_ns);
    turn.kind != Some(TurnKind::Handshake)
        && turn.answered_mono_ns.is_none_or(|answered| waited(answered) > SLOW_NS)
}

/// What a request is to the diagnosis, if anything.
fn kind(request: &Request<'_>) -> Option<Kind> {
    let bodies_ns = request.phases_ns.send.saturating_add(request.phases_ns.receive);
    let waited_ns = request.duration_ns().saturating_sub(bodies_ns);
    match request.side? {
        Side::Client => Some(Kind::Attempt { waited_ns }),
        Side::Head | Side::Vending => Some(Kind::Work { took_ns: waited_ns }),
        Side::Balancer | Side::Recorder => None,
    }
}

fn is_notable(kind: Kind, request: &Request<'_>) -> bool {
    match kind {
        Kind::Attempt { .. } => {
            request.is_failed() || request.attempts > 1 || request.duration_ns() > SLOW_NS
        }
        Kind::Work { took_ns } => took_ns > SLOW_NS,
        Kind::Opening | Kind::Other => false,
    }
}

/// Whether the balancer says of it that something was wrong behind it, or in it.
fn ends_badly(connection: &Connection<'_>) -> bool {
    let by = connection.end_code.as_deref().and_then(|code| code.chars().next());
    connection.side == Some(Side::Balancer) && matches!(by, Some('S' | 's' | 'D' | 'P'))
}
