//! One connection, put together from its segments.

mod data;
mod endings;
mod handshake;

use std::time::Duration;

use super::counts::Counts;
use super::half::{Half, Held, Payload};
use super::http;
use super::segment::Segment;
use super::sighting::{Ends, Sighting, between};
use super::tls;
use super::turn::{Opened, Outcome, Protocol, Turn};
use crate::event::{Failure, Id, Instant, Place};
use crate::finding::Tone;
use crate::wire::{End, Opening, Side};
use handshake::Tls;

/// Room for less than a packet is none.
const FULL_BYTES: u32 = 1_000;

/// Where turns go that are over.
pub(super) struct Out<'o> {
    pub(super) over: &'o mut Vec<Turn>,
    pub(super) counts: &'o mut Counts,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Flow {
    connection: Id,
    ends: Ends,
    roles: Roles,
    /// How it was opened, until its first turn takes it.
    opened: Option<Opened>,
    last_syn: Option<Sighting>,
    syn_ack: Option<Sighting>,
    round_trip: Duration,
    client: Half,
    peer: Half,
    protocol: Protocol,
    tls: Tls,
    turns: u32,
    turn: Option<Box<Turn>>,
    /// When a packet last came that is no probe.
    last: Option<Instant>,
    /// The client had no room, since the reply last went on.
    is_full: bool,
    life: Life,
}

/// What a segment did to a connection's turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// A turn began with it.
    Turn,
    /// The turn that is open hangs.
    Hangs,
    Nothing,
}

/// How well it is known who is the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Roles {
    /// SYN, or what was said, tells.
    Known,
    /// By the ports.
    Guessed,
}

/// Whether more can come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    /// It ended, or is told.
    Over,
}

impl Flow {
    /// A connection of which this is the first segment.
    pub(super) fn new(connection: Id, segment: &Segment<'_>, place: Place) -> Self {
        let (from, to) = (segment.from, segment.to);
        let sent_by_client = match (segment.flags.syn, segment.flags.ack) {
            (true, answers) => !answers,
            // The one that is listened on has the lower port, as a rule.
            (false, _) => from.port() > to.port(),
        };
        let ends =
            if sent_by_client { Ends { client: from, peer: to } } else { Ends { client: to, peer: from } };
        let mut flow = Self {
            connection,
            ends,
            roles: if segment.flags.syn { Roles::Known } else { Roles::Guessed },
            opened: None,
            last_syn: None,
            syn_ack: None,
            round_trip: Duration::ZERO,
            client: Half::default(),
            peer: Half::default(),
            protocol: Protocol::Unknown,
            tls: Tls::default(),
            turns: 0,
            turn: None,
            last: segment.at,
            is_full: false,
            life: Life::Open,
        };
        if segment.flags.syn && sent_by_client {
            let syn = flow.sighting(segment, Side::Client, place);
            flow.opened = Some(Opened { syn, stood: None, opening: None, handshake: None });
        }
        flow
    }

    /// Whether a SYN opens another connection between the same ends.
    pub(super) fn is_replaced_by(&self, segment: &Segment<'_>) -> bool {
        let is_new = segment.flags.syn && !segment.flags.ack;
        let opens_this = self.opened.as_ref().is_some_and(|opened| opened.stood.is_none())
            && self.client.next == segment.seq.wrapping_add(1);
        is_new && !opens_this && self.client.packets > 0
    }

    /// When it was last heard of; what is over goes first.
    pub(super) fn age(&self) -> (bool, Option<Instant>) {
        (self.life == Life::Open, self.last)
    }

    pub(super) const fn connection(&self) -> Id {
        self.connection
    }

    /// The turn that is open.
    pub(super) fn turn(&self) -> Option<&Turn> {
        self.turn.as_deref()
    }

    pub(super) fn turn_mut(&mut self) -> Option<&mut Turn> {
        self.turn.as_deref_mut()
    }

    /// The turn that is waited for, if the request is not acknowledged, or the client has
    /// left.
    pub(super) fn hanging(&self) -> Option<&Turn> {
        let turn = self.turn.as_deref().filter(|turn| turn.reply.is_none() && self.tls.early.is_none())?;
        (turn.acknowledged.is_none() && turn.repeats > 0 || self.client.fin.is_some()).then_some(turn)
    }

    /// Takes the next segment.
    pub(super) fn take(&mut self, segment: &Segment<'_>, place: Place, out: &mut Out<'_>) -> Begun {
        let turns = self.turns;
        self.segment(segment, place, out);
        if self.turns > turns {
            Begun::Turn
        } else if self.hanging().is_some() {
            Begun::Hangs
        } else {
            Begun::Nothing
        }
    }

    fn segment(&mut self, segment: &Segment<'_>, place: Place, out: &mut Out<'_>) {
        let side = self.side(segment);
        let under_way = self.half(side).outstanding();
        let payload = self.half_mut(side).take(segment);
        let seen = self.sighting(segment, side, place);
        self.half_mut(side.other()).probes = 0;
        match payload {
            Payload::Duplicate => {
                out.counts.duplicates += 1;
                return;
            }
            Payload::Probe if self.half(side.other()).window > 0 => {
                let half = self.half_mut(side);
                half.probes += 1;
                half.last_probe = Some(seen);
                return;
            }
            Payload::Probe
            | Payload::None
            | Payload::Next
            | Payload::Ahead
            | Payload::Again
            | Payload::Overtaken => {}
        }
        let idle = between(self.last, segment.at);
        self.last = segment.at.or(self.last);
        if segment.flags.ack {
            self.acknowledged(segment, seen, out.counts);
        }
        self.opening(segment, seen, out.counts);
        if self.life == Life::Over {
            return;
        }
        match payload {
            Payload::Next | Payload::Ahead => self.fresh(segment, seen, payload, (idle, under_way), out),
            Payload::Again | Payload::Overtaken => self.again(segment, seen, payload),
            Payload::None | Payload::Probe | Payload::Duplicate => {}
        }
        // Roles may have become known with what was said.
        let seen = Sighting { side: self.side(segment), ..seen };
        if segment.flags.rst {
            self.reset(segment, seen, out);
        } else if segment.flags.fin {
            self.fin(segment, seen, out);
        }
    }

    fn side(&self, segment: &Segment<'_>) -> Side {
        if segment.from == self.ends.client { Side::Client } else { Side::Peer }
    }

    const fn half(&self, side: Side) -> &Half {
        match side {
            Side::Client => &self.client,
            Side::Peer => &self.peer,
        }
    }

    const fn half_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Client => &mut self.client,
            Side::Peer => &mut self.peer,
        }
    }

    fn sighting(&self, segment: &Segment<'_>, side: Side, place: Place) -> Sighting {
        Sighting {
            place,
            at: segment.at,
            side,
            flags: segment.flags,
            seq: self.half(side).relative(segment.seq),
            ack: self.half(side.other()).relative(segment.ack),
            length: segment.length,
            window: self.half(side).window,
            ttl: segment.ttl,
        }
    }

    fn acknowledged(&mut self, segment: &Segment<'_>, seen: Sighting, counts: &mut Counts) {
        let other = seen.side.other();
        let is_unseen = self.half_mut(other).acknowledged(segment.ack, segment.at);
        counts.unseen += u64::from(is_unseen);
        let half = self.half_mut(other);
        if let Held::Sent { end, at } = half.held
            && half.acked == Some(end)
        {
            let after = between(at, segment.at);
            // With its own bytes, the other side had more to say than that it listens.
            half.held =
                if segment.length == 0 { Held::Acknowledged { after, at: segment.at } } else { Held::No };
        }
        if seen.side == Side::Client {
            self.is_full |= seen.window < FULL_BYTES && !segment.flags.rst && !segment.flags.syn;
            return;
        }
        let acked = self.client.acked;
        if let Some(turn) = self.turn.as_deref_mut()
            && turn.acknowledged.is_none()
            && let Some(sent) = &turn.sent
            && acked.is_some_and(|acked| super::half::after(acked, sent.from))
        {
            turn.acknowledged = Some(seen);
            if turn.repeats > 0 {
                turn.note(seen, Tone::Well, "the peer acknowledges the request");
            }
        }
    }

    /// SYN, its answer, and the packet with which the connection stands.
    fn opening(&mut self, segment: &Segment<'_>, seen: Sighting, counts: &mut Counts) {
        let Some(opened) = &mut self.opened else { return };
        if opened.stood.is_some() {
            return;
        }
        match (seen.side, segment.flags.syn) {
            (Side::Client, true) => {
                let is_again = self.last_syn.replace(seen).is_some();
                if is_again && self.syn_ack.is_none() {
                    opened.opening = Some(Opening::Repeated);
                }
            }
            (Side::Peer, true) => _ = self.syn_ack.get_or_insert(seen),
            (Side::Client, false) if segment.flags.ack && !segment.flags.rst => {
                opened.stood = Some(seen);
                if let Some(syn_ack) = &self.syn_ack
                    && opened.opening.is_none()
                {
                    self.round_trip = seen.since(&opened.syn);
                    counts.opened(syn_ack.since(&opened.syn), seen.since(syn_ack));
                }
            }
            (Side::Client | Side::Peer, _) => {}
        }
    }

    /// Learns from the first words who is the client.
    fn learn(&mut self, segment: &Segment<'_>) -> Side {
        let side = self.side(segment);
        if self.roles == Roles::Known {
            return side;
        }
        let speaks_as_client = match segment.payload {
            payload if http::begins_request(payload) => Some(true),
            payload if http::begins_reply(payload) => Some(false),
            [tls::HANDSHAKE, 3, _, _, _, 1, ..] => Some(true),
            [tls::HANDSHAKE, 3, _, _, _, 2, ..] => Some(false),
            _ => None,
        };
        if let Some(speaks_as_client) = speaks_as_client {
            self.roles = Roles::Known;
            if speaks_as_client != (side == Side::Client) {
                self.ends = Ends { client: self.ends.peer, peer: self.ends.client };
                std::mem::swap(&mut self.client, &mut self.peer);
            }
        }
        self.side(segment)
    }

    fn new_turn(&self) -> Turn {
        let mut turn = Turn::new(self.connection, self.ends, self.turns);
        turn.protocol = self.protocol;
        turn.server_name.clone_from(&self.tls.server_name);
        turn
    }

    /// Ends the turn that is open.
    fn over(&mut self, outcome: Outcome, end: Option<End>, out: &mut Out<'_>) {
        self.tls.early = None;
        if let Some(mut turn) = self.turn.take() {
            turn.outcome = outcome;
            turn.end = turn.end.or(end);
            out.over.push(*turn);
        }
    }

    /// Tells of a connection that came to no request.
    fn unopened(&mut self, failed: Sighting, failure: Failure, opening: Option<Opening>, out: &mut Out<'_>) {
        let mut turn = self.new_turn();
        turn.opened = self.opened.take();
        if let (Some(opened), Some(opening)) = (&mut turn.opened, opening) {
            opened.opening = Some(opening);
        }
        turn.outcome = Outcome::Failed(failed, failure);
        out.over.push(turn);
        self.life = Life::Over;
    }
}
