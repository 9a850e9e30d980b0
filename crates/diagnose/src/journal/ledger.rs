//! What each side wrote of each connection, kept until all is read.

mod testimony;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::clocks::{Boot, Clocks, Samples};
use super::record::{Change, Record, Side};
use crate::event::{Instant, Place};
use crate::finding::{Step, Tone};
use crate::span::in_words;
use crate::timeline::Mark;
use crate::witness::Ender;

/// Connections of one side that are remembered, some 200 bytes each; of more the
/// first ones are.
const CONNECTIONS_MAX: usize = 400_000;

/// Requests of a head's connection that are remembered: a connection that fails does
/// so with its last one, and a client asks again at once where it can.
const LAST_KEPT: usize = 3;

/// Requests of heads that are remembered one by one: those that took long.
const SLOW_MAX: usize = 100_000;

/// Changes that are remembered; of more the last ones are.
const CHANGES_MAX: usize = 1_000;

/// From here on a head took long: what is looked into took longer.
const SLOW: Duration = Duration::from_millis(100);

/// The accounts of all sides.
#[derive(Default)]
pub(super) struct Ledger {
    clocks: Clocks,
    clients: HashMap<u128, Account>,
    balancers: HashMap<u128, Account>,
    /// The balancer's connection that a client's address had last.
    sources: HashMap<SocketAddr, u128>,
    heads: HashMap<u128, Works>,
    /// The ends of connections as heads saw them.
    ends: HashMap<u128, Account>,
    slow: HashMap<Box<str>, Work>,
    samples: Samples,
    changes: VecDeque<Step>,
}

/// A connection as one side saw it.
struct Account {
    side: Side,
    place: Place,
    boot: Boot,
    /// Its id at the other side.
    peer: Option<u128>,
    opened: Instant,
    ended: Instant,
    /// When a byte last moved on it.
    heard: Instant,
    ender: Ender,
    peer_ended: bool,
    unacknowledged: bool,
    worst_turn: Duration,
    /// Its end in words.
    text: Box<str>,
}

/// What a head did on one connection.
#[derive(Clone)]
struct Works {
    boot: Boot,
    /// The last requests, the last one last.
    last: VecDeque<Work>,
    /// The request that took longest.
    worst: Work,
}

/// What a head did for one request.
#[derive(Clone)]
struct Work {
    place: Place,
    begun: Instant,
    took: Duration,
    text: Box<str>,
}

impl Ledger {
    /// Takes the record of a connection; gives what it says in words.
    pub(super) fn connection(&mut self, record: &Record<'_>, place: Place) -> Option<Box<str>> {
        let (mut key, account) = self.account(record, place)?;
        let side = match record.repono.side {
            Some(Side::Client | Side::Recorder) => &mut self.clients,
            Some(Side::Balancer) => {
                if let Some(source) = record.source
                    && self.sources.len() < CONNECTIONS_MAX
                {
                    self.sources.insert(source.address(), key);
                }
                &mut self.balancers
            }
            // The balancer's id is the one that all sides know.
            Some(Side::Head | Side::Vending) => {
                key = account.peer.unwrap_or(key);
                &mut self.ends
            }
            None => return None,
        };
        let text = account.text.clone();
        if side.len() < CONNECTIONS_MAX {
            side.insert(key, account);
        }
        Some(text)
    }

    fn account(&mut self, record: &Record<'_>, place: Place) -> Option<(u128, Account)> {
        let own = &record.repono;
        let connection = own.connection.as_ref()?;
        let closed_by = connection.closed_by.as_deref()?;
        let manner = connection.manner.as_deref().unwrap_or_default();
        let idle = Duration::from_nanos(connection.idle_at_close_ns);
        let [opened, ended] = [record.started(), record.ended()];
        let who = record.service.node.name.as_ref();
        let head = own.head.as_deref().map(|head| format!(", served by {head}")).unwrap_or_default();
        let code = connection.end_code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
        let by = if closed_by == "us" { "itself" } else { closed_by };
        let text = format!(
            "{who}: connection {:024x}{head}, ended by {by}, {manner}{code}, {} after its last byte",
            connection.key()?,
            in_words(idle)
        );
        // A recorder stands before the client, and looks at what lies behind itself.
        let towards_peer = match own.side {
            Some(Side::Recorder) => own.tcp_destination,
            Some(Side::Client | Side::Balancer | Side::Head | Side::Vending) | None => own.tcp_source,
        };
        let account = Account {
            side: own.side?,
            place,
            boot: self.clocks.boot(&record.host.boot.id),
            peer: connection.peer_key(),
            opened,
            ended,
            heard: Instant(ended.0.saturating_sub(i128::from(connection.idle_at_close_ns))),
            ender: match closed_by {
                "client" => Ender::Client,
                "head" => Ender::Head,
                "us" | "balancer" => Ender::Balancer,
                _ => Ender::Unknown,
            },
            peer_ended: closed_by == "peer",
            unacknowledged: towards_peer.is_some_and(|tcp| tcp.unacked > 0 && tcp.retransmits > 0),
            worst_turn: Duration::from_nanos(connection.turns.map_or(0, |turns| turns.worst_ns)),
            text: text.into(),
        };
        Some((connection.key()?, account))
    }

    /// Takes the record of a head's request.
    pub(super) fn work(&mut self, record: &Record<'_>, place: Place) {
        let own = &record.repono;
        let (Some(connection), Some(phases)) = (own.connection.as_ref(), own.phase_ns) else { return };
        let Some(key) = connection.peer_key().or_else(|| connection.key()) else { return };
        let Some(http) = &record.http else { return };
        let took = Duration::from_nanos(phases.wait.max(phases.authorize.saturating_add(phases.store)));
        let code = record.error.as_ref().map(|error| format!(" {}", error.code)).unwrap_or_default();
        let status = http.response.status_code.map(|status| format!(", {status}")).unwrap_or_default();
        let text = format!(
            "{}: {} {}{status}{code}, {} from its last byte to the reply (authorize {}, store {})",
            record.service.node.name,
            http.request.method.as_deref().unwrap_or_default(),
            record.url.as_ref().map(|url| &*url.path).unwrap_or_default(),
            in_words(took),
            in_words(Duration::from_nanos(phases.authorize)),
            in_words(Duration::from_nanos(phases.store)),
        );
        let work = Work { place, begun: record.started(), took, text: text.into() };
        if took >= SLOW
            && self.slow.len() < SLOW_MAX
            && let Some(id) = http.request.id.as_deref()
        {
            self.slow.insert(id.into(), work.clone());
        }
        let boot = self.clocks.boot(&record.host.boot.id);
        if let Some(id) = http.request.id.as_deref() {
            self.samples.head(id, boot, [work.begun, work.begun.after(took)]);
        }
        let room = self.heads.len() < CONNECTIONS_MAX;
        match self.heads.get_mut(&key) {
            Some(works) => {
                if work.took > works.worst.took {
                    works.worst = work.clone();
                }
                if works.last.len() == LAST_KEPT {
                    works.last.pop_front();
                }
                works.last.push_back(work);
            }
            None if room => {
                self.heads.insert(key, Works { boot, last: VecDeque::from([work.clone()]), worst: work });
            }
            None => {}
        }
    }

    /// Takes the record of a change of configuration or state.
    pub(super) fn change(&mut self, record: &Record<'_>, place: Place) {
        let Some(Change { who, what, from, to }) = &record.repono.change else { return };
        let text = format!("{}: {what} from {from:?} to {to:?}, by {who}", record.service.node.name);
        let mark = Mark { place, at: Some(record.started()), text: text.into() };
        self.changes.push_back(Step {
            lane: record.service.node.name.to_string(),
            what: format!("{what} became {to}"),
            tone: Tone::Plain,
            mark,
        });
        if self.changes.len() > CHANGES_MAX {
            self.changes.pop_front();
        }
    }

    /// What changed, in the order of time.
    pub(super) fn changes(&self) -> Vec<Step> {
        let mut changes: Vec<_> = self.changes.iter().cloned().collect();
        changes.sort_by_key(|change| change.mark.at);
        changes
    }

    /// The clock of the host that wrote a record.
    pub(super) fn clock(&mut self, record: &Record<'_>) -> Boot {
        self.clocks.boot(&record.host.boot.id)
    }

    /// Takes the span in which a client waited for a reply that came.
    pub(super) fn waited(&mut self, trans_id: &str, clock: Boot, span: [Instant; 2]) {
        self.samples.client(trans_id, clock, span);
    }

    /// Learns how the clocks differ: a head works while its client waits, and the
    /// balancer accepts within the life of the client's connection.
    pub(super) fn compare_clocks(&mut self) {
        for (client, head) in self.samples.pairs() {
            self.clocks.within(client, head);
        }
        for account in self.clients.values() {
            if let Some(other) = account.peer.and_then(|peer| self.balancers.get(&peer)) {
                let life = (account.boot, [account.opened, account.ended]);
                self.clocks.within(life, (other.boot, [other.opened; 2]));
            }
        }
    }
}
