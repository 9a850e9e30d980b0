//! Captures of packets: connections, put together from their segments, and their turns,
//! which are attempts at requests.
//!
//! A capture is the only source that knows the address that sent an acknowledgement, FIN
//! or RST. It does not know what stands behind that address: who did not open a
//! connection is called its peer.

mod counts;
mod flow;
mod half;
mod http;
mod resent;
mod segment;
mod sighting;
mod tell;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod turn;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::adapter::{Adapter, Events};
use crate::diagnosis::Limit;
use crate::event::{Id, Instant, Place};
use crate::input::{Frame, Line, Packet};
use crate::timeline::Attempt;
use crate::witness::Testimony;

use counts::Counts;
pub use counts::{CaptureLimit, Vantage};
use flow::{Flow, Out};
use resent::Resent;
use segment::{Other, Segment};
use tell::Teller;
use turn::Turn;

/// Connections that are followed at a time, of some 700 bytes each; of more those are
/// told as they stand that were quiet the longest.
const FLOWS_MAX: usize = 50_000;

/// Which share of them makes room at once.
const MAKES_ROOM: usize = 8;

/// Hosts whose last sign of life is remembered.
const HOSTS_MAX: usize = 50_000;

/// The ends of a connection, the smaller address first.
type Key = (SocketAddr, SocketAddr);

/// Reads captures.
#[derive(Default)]
pub(crate) struct Pcap {
    flows: HashMap<Key, Flow>,
    connections: u32,
    /// When a host was last heard, and on which connection.
    heard: HashMap<IpAddr, (Option<Instant>, Key)>,
    resent: Resent,
    teller: Teller,
    counts: Counts,
    last: Option<Instant>,
    over: Vec<Turn>,
}

impl Pcap {
    fn packet(&mut self, packet: &Packet<'_>, place: Place, to: Events<'_>) -> Result<(), Other> {
        let segment = Segment::of(packet)?;
        self.last = self.last.max(segment.at);
        let key = (segment.from.min(segment.to), segment.from.max(segment.to));
        let mut over = std::mem::take(&mut self.over);
        let mut out = Out { over: &mut over, counts: &mut self.counts };
        if let Some(known) = self.flows.get_mut(&key)
            && known.is_replaced_by(&segment)
        {
            known.finish(segment.at, &mut out);
            self.flows.remove(&key);
        }
        if !self.flows.contains_key(&key) {
            if self.flows.len() >= FLOWS_MAX {
                make_room(&mut self.flows, &mut out);
            }
            self.connections = self.connections.wrapping_add(1);
            out.counts.midway += u64::from(!segment.flags.syn && !segment.flags.rst);
        }
        let connection = Id(self.connections);
        let flow = self.flows.entry(key).or_insert_with(|| Flow::new(connection, &segment, place));
        let begins = flow.take(&segment, place, &mut out);
        if let flow::Begun::Hangs = begins {
            self.resent.hangs(key);
        }
        self.hear(&segment, key);
        let mut settled = Vec::new();
        if begins == flow::Begun::Turn {
            self.resent.begins(&mut self.flows, key, &mut Out { over: &mut over, counts: &mut self.counts });
        }
        for mut turn in over.drain(..) {
            turn.peer_heard_elsewhere = self.is_heard_elsewhere(&turn);
            settled.extend(self.resent.over(turn));
        }
        settled.extend(self.resent.expired(self.last));
        self.over = over;
        for turn in settled {
            self.teller.tell(&turn, to);
        }
        Ok(())
    }

    fn hear(&mut self, segment: &Segment<'_>, key: Key) {
        if self.heard.len() >= HOSTS_MAX && !self.heard.contains_key(&segment.from.ip()) {
            self.heard.clear();
        }
        self.heard.insert(segment.from.ip(), (segment.at, key));
    }

    /// Whether the peer's host was heard, on another connection, after a request was sent
    /// that it did not acknowledge.
    fn is_heard_elsewhere(&self, turn: &Turn) -> bool {
        let Some(sent) = turn.sent.as_ref().filter(|_| turn.acknowledged.is_none()) else { return false };
        let own = (turn.ends.client.min(turn.ends.peer), turn.ends.client.max(turn.ends.peer));
        let last = self.heard.get(&turn.ends.peer.ip());
        last.is_some_and(|(at, key)| *key != own && *at > sent.first.at)
    }
}

impl Adapter for Pcap {
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        let read = match line.frame {
            Some(Frame::Packet(packet)) => self.packet(&packet, line.place, to),
            Some(Frame::Damaged) | None => Err(Other::Damaged),
        };
        match read {
            Ok(()) => Vec::new(),
            Err(other) => {
                self.counts.other(other);
                match other {
                    Other::Damaged | Other::Short => vec![line.place.line],
                    Other::NotTcp | Other::Fragment | Other::Link(_) => Vec::new(),
                }
            }
        }
    }

    /// A connection may go on in the next file.
    fn end_of_input(&mut self, _to: Events<'_>) -> Vec<u64> {
        Vec::new()
    }

    fn end(&mut self, to: Events<'_>) {
        let mut flows: Vec<_> = std::mem::take(&mut self.flows).into_values().collect();
        flows.sort_unstable_by_key(Flow::connection);
        let mut over = Vec::new();
        for flow in &mut flows {
            flow.finish(self.last, &mut Out { over: &mut over, counts: &mut self.counts });
        }
        for mut turn in over {
            turn.peer_heard_elsewhere = self.is_heard_elsewhere(&turn);
            if let Some(turn) = self.resent.over(turn) {
                self.teller.tell(&turn, to);
            }
        }
        for turn in self.resent.all() {
            self.teller.tell(&turn, to);
        }
    }

    fn limits(&self) -> Vec<Limit> {
        self.counts.limits().into_iter().map(Limit::Capture).collect()
    }

    fn testimony(&self, attempt: &Attempt) -> Testimony {
        let steps = attempt.wire.as_ref().map(|wire| wire.steps.clone()).unwrap_or_default();
        Testimony { acknowledged: attempt.names.acknowledged, steps, ..Testimony::default() }
    }
}

/// Tells of those that were quiet the longest, and of those that are over.
fn make_room(flows: &mut HashMap<Key, Flow>, out: &mut Out<'_>) {
    let mut ages: Vec<_> = flows.values().map(Flow::age).collect();
    let (_, eldest, _) = ages.select_nth_unstable(flows.len() / MAKES_ROOM);
    let eldest = *eldest;
    flows.retain(|_, flow| {
        let age = flow.age();
        if age > eldest {
            return true;
        }
        out.counts.evicted += u64::from(age.0);
        flow.finish(age.1, out);
        false
    });
}
