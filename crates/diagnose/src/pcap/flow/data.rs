//! What is said on a connection, as turns.

use std::time::Duration;

use super::super::half::{Held, Payload};
use super::super::http;
use super::super::segment::Segment;
use super::super::sighting::{Sighting, between};
use super::super::tls::{Record, begins_record};
use super::super::turn::{Outcome, Protocol, Reply, Sent};
use super::handshake::Part;
use super::{Flow, Out};
use crate::finding::Tone;
use crate::span::in_words;
use crate::wire::{End, Side};

/// The shortest record in which a client can ask: what is shorter are alerts, window
/// updates and pings of HTTP/2.
const ASKING_BYTES_MIN: u16 = 42;

/// The longest record that may be a ticket (RFC 8446 section 4.6.1).
const TICKET_BYTES_MAX: u16 = 600;

/// What comes so long after tickets is none.
const TICKETS_WITHIN: Duration = Duration::from_millis(200);

/// A client that went on with its request would have done so sooner.
const GOES_ON_WITHIN: Duration = Duration::from_millis(20);

/// Writes below this can be held back for an acknowledgement (RFC 896).
const SMALL_BYTES: u32 = 1_200;

/// Delays of an acknowledgement: of Linux 40 ms, of Windows and the BSDs up to 200 ms.
const DELAYS_MS: [std::ops::RangeInclusive<u128>; 2] = [35..=60, 140..=260];

/// A write that was held back follows the acknowledgement so soon.
const AT_ONCE: Duration = Duration::from_millis(5);

/// A pause before a request that is worth a word.
const QUIET: Duration = Duration::from_secs(1);

/// Pauses in a reply that are added up.
const PAUSE: Duration = Duration::from_millis(100);

/// What a segment's new bytes are to the turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// Nothing: they are of a handshake.
    None,
    /// They can begin a request, or a reply.
    Begin,
    /// They can only go on with one.
    GoOn,
    /// They may be tickets.
    Ticket,
}

impl Flow {
    /// Takes new bytes.
    pub(super) fn fresh(
        &mut self,
        segment: &Segment<'_>,
        seen: Sighting,
        payload: Payload,
        (idle, under_way): (Duration, u32),
        out: &mut Out<'_>,
    ) {
        let side = self.learn(segment);
        let seen = Sighting { side, ..seen };
        out.counts.cut += u64::from(segment.is_cut());
        if self.protocol == Protocol::Unknown {
            self.protocol = match segment.payload {
                payload if begins_record(payload) => Protocol::Tls,
                payload if http::begins_request(payload) || http::begins_reply(payload) => Protocol::Http,
                _ => Protocol::Opaque,
            };
        }
        let words = match self.protocol {
            Protocol::Tls => self.records(segment, seen, payload),
            Protocol::Http if side == Side::Client && !http::begins_request(segment.payload) => Words::GoOn,
            Protocol::Http | Protocol::Opaque => Words::Begin,
            Protocol::Unknown | Protocol::Upgraded => Words::None,
        };
        match (side, words) {
            (_, Words::None) => {}
            (Side::Client, _) => self.asks(segment, seen, words, idle, out),
            (Side::Peer, _) => self.replies(segment, seen, words, under_way, payload),
        }
        self.hold(segment, seen, under_way);
    }

    /// What the records of a segment are to the turns.
    fn records(&mut self, segment: &Segment<'_>, seen: Sighting, payload: Payload) -> Words {
        self.tls.pause(seen, payload);
        let mut begun: Vec<Record<'_>> = Vec::new();
        let records = &mut self.half_mut(seen.side).records;
        if payload == Payload::Ahead {
            records.lose();
        }
        records.take(segment.payload, segment.length, &mut |record| begun.push(record));
        let mut said: Option<u16> = None;
        let any = !begun.is_empty();
        for record in &begun {
            if self.tls.record(record, seen) == Part::Application {
                said = said.max(Some(record.length));
            }
        }
        match (said, seen.side) {
            (None, _) if any || self.tls.is_open() => Words::None,
            (None, _) => Words::GoOn,
            (Some(length), Side::Client) if length < ASKING_BYTES_MIN => Words::GoOn,
            (Some(length), Side::Peer)
                if length <= TICKET_BYTES_MAX && self.turns == 1 && self.tls.may_send_tickets() =>
            {
                Words::Ticket
            }
            (Some(_), _) => Words::Begin,
        }
    }

    fn asks(
        &mut self,
        segment: &Segment<'_>,
        seen: Sighting,
        words: Words,
        idle: Duration,
        out: &mut Out<'_>,
    ) {
        let kept = self.kept(segment);
        let is_early_over = self.tls.early.is_some() && idle >= GOES_ON_WITHIN;
        match self.turn.as_deref_mut() {
            Some(turn) if turn.reply.is_none() && !is_early_over => {
                if let Some(sent) = &mut turn.sent {
                    sent.append(seen, segment.seq.wrapping_add(segment.length), kept);
                }
                self.was_held(seen);
            }
            Some(_) | None if words == Words::Begin => {
                self.settle();
                self.over(Outcome::Replied, None, out);
                self.begin(segment, seen, idle);
            }
            Some(_) | None => {}
        }
    }

    /// What of a segment's payload is looked at later: nothing that cannot be read.
    fn kept<'p>(&self, segment: &Segment<'p>) -> &'p [u8] {
        match self.protocol {
            Protocol::Http => segment.payload,
            Protocol::Unknown | Protocol::Tls | Protocol::Opaque | Protocol::Upgraded => &[],
        }
    }

    fn begin(&mut self, segment: &Segment<'_>, seen: Sighting, idle: Duration) {
        self.turns = self.turns.saturating_add(1);
        let mut turn = self.new_turn();
        turn.opened = self.opened.take();
        if let Some(opened) = &mut turn.opened {
            opened.handshake = self.tls.handshake();
        }
        turn.idle = idle;
        if idle >= QUIET && turn.opened.is_none() {
            turn.note(seen, Tone::Plain, format!("the connection had been quiet for {}", in_words(idle)));
        }
        let mut sent = Sent {
            first: seen,
            from: segment.seq,
            to: segment.seq,
            bytes: 0,
            head: Vec::new(),
            more: None,
            continued: false,
        };
        sent.append(seen, segment.seq.wrapping_add(segment.length), self.kept(segment));
        sent.more = None;
        turn.sent = Some(sent);
        if let Some(fin) = self.peer.fin {
            let is_acknowledged = self.peer.acked == Some(self.peer.next);
            turn.end = Some(if is_acknowledged { End::HalfClosed } else { End::Crossed });
            turn.note(fin, Tone::Badly, "the peer had ended its half (FIN)");
        }
        self.client.held = Held::No;
        self.turn = Some(Box::new(turn));
    }

    fn replies(
        &mut self,
        segment: &Segment<'_>,
        seen: Sighting,
        words: Words,
        under_way: u32,
        payload: Payload,
    ) {
        if self.turn.as_deref().is_some_and(|turn| turn.reply.is_none()) {
            self.begins_reply(segment, seen, words);
        } else {
            self.was_held(seen);
            self.goes_on(seen, under_way, payload);
        }
        let kept = self.kept(segment);
        let Some(turn) = self.turn.as_deref_mut() else { return };
        let Some(reply) = &mut turn.reply else { return };
        reply.append(seen, segment.seq.wrapping_add(segment.length), kept);
        self.is_full = false;
        if self.protocol == Protocol::Http && turn.replied().is_some_and(|replied| replied.status == 101) {
            self.protocol = Protocol::Upgraded;
        }
    }

    fn begins_reply(&mut self, segment: &Segment<'_>, seen: Sighting, words: Words) {
        let Some(turn) = self.turn.as_deref_mut() else { return };
        if self.protocol == Protocol::Http
            && let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', b'1', b'0', b'0' | b'2' | b'3', ..] =
                segment.payload
            && let Some(sent) = &mut turn.sent
        {
            sent.continued = true;
            return;
        }
        match (words, self.tls.early) {
            (Words::Ticket, None) => self.tls.early = Some((seen, seen.at)),
            (Words::Ticket | Words::GoOn, Some((first, last))) if between(last, seen.at) < TICKETS_WITHIN => {
                self.tls.early = Some((first, seen.at));
            }
            (Words::GoOn, None) if self.tls.may_send_tickets() && self.turns == 1 => {}
            (_, _) => {
                self.tls.early = None;
                turn.reply = Some(Reply::new(seen, segment.seq));
            }
        }
    }

    /// What may have been tickets was the reply: nothing else came.
    pub(super) fn settle(&mut self) {
        if let Some((first, _)) = self.tls.early.take()
            && let Some(turn) = self.turn.as_deref_mut()
            && turn.reply.is_none()
        {
            turn.reply = Some(Reply::new(first, self.peer.next));
        }
    }

    /// Adds up what a reply waited for.
    fn goes_on(&mut self, seen: Sighting, under_way: u32, payload: Payload) {
        let is_full = self.is_full;
        let Some(turn) = self.turn.as_deref_mut() else { return };
        let Some(reply) = &turn.reply else { return };
        let pause = seen.since(&reply.last);
        if pause < PAUSE {
            return;
        }
        let span = match (is_full, payload, under_way) {
            (true, _, _) => &mut turn.stalls.client,
            (false, Payload::Again | Payload::Overtaken, _) => &mut turn.stalls.lost,
            (false, _, 0) => &mut turn.stalls.peer,
            // It waits for an acknowledgement, which is nobody's rest.
            (false, _, _) => return,
        };
        *span += pause;
        let what = match (is_full, payload) {
            (true, _) => "the reply goes on, after {} in which the client had no room",
            (false, Payload::Again | Payload::Overtaken) => {
                "what was lost of the reply comes again, after {}"
            }
            (false, _) => "the reply goes on, after {} in which the peer sent nothing",
        };
        let what = what.replace("{}", &in_words(pause));
        turn.note(seen, Tone::Badly, what);
    }

    /// Takes what was sent before.
    pub(super) fn again(&mut self, segment: &Segment<'_>, seen: Sighting, payload: Payload) {
        if payload == Payload::Again {
            self.half_mut(seen.side).last_again = Some(seen);
        }
        if self.protocol == Protocol::Tls {
            self.tls.pause(seen, payload);
        }
        match seen.side {
            Side::Client => {
                let Some(turn) = self.turn.as_deref_mut() else { return };
                let waits = turn.acknowledged.is_none() && turn.reply.is_none() && turn.sent.is_some();
                if waits && payload == Payload::Again {
                    turn.repeats += 1;
                    turn.last_repeat = Some(seen);
                    let after = turn.sent.as_ref().map(|sent| seen.since(&sent.first)).unwrap_or_default();
                    turn.note(
                        seen,
                        Tone::Badly,
                        format!("the request is sent again, after {}", in_words(after)),
                    );
                }
            }
            Side::Peer => {
                self.goes_on(seen, 1, payload);
                let Some(reply) = self.turn.as_deref_mut().and_then(|turn| turn.reply.as_mut()) else {
                    return;
                };
                reply.append(seen, segment.seq.wrapping_add(segment.length), &[]);
                self.is_full = false;
            }
        }
    }

    /// Remembers a small write that may keep the next one waiting.
    fn hold(&mut self, segment: &Segment<'_>, seen: Sighting, under_way: u32) {
        let end = segment.seq.wrapping_add(segment.length);
        self.half_mut(seen.side).held = match (under_way, segment.length) {
            (0, 1..SMALL_BYTES) => Held::Sent { end, at: segment.at },
            (_, _) => Held::No,
        };
    }

    /// Whether this write had been held back until the one before was acknowledged.
    fn was_held(&mut self, seen: Sighting) {
        let Held::Acknowledged { after, at } = self.half(seen.side).held else { return };
        let delay = after.saturating_sub(self.round_trip).as_millis();
        let is_at_once = between(at, seen.at) <= AT_ONCE + self.round_trip;
        if !is_at_once || !DELAYS_MS.iter().any(|delays| delays.contains(&delay)) {
            return;
        }
        let Some(turn) = self.turn.as_deref_mut() else { return };
        turn.held_back = Some(seen.side);
        let side = seen.side.as_str();
        let what = format!(
            "the {side} writes on, at once after its first bytes were acknowledged, which took {}",
            in_words(after)
        );
        turn.note(seen, Tone::Badly, what);
    }
}
