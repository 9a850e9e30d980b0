//! How connections end, and what that does to the turn that is open.

use std::time::Duration;

use super::super::half::after;
use super::super::segment::Segment;
use super::super::sighting::Sighting;
use super::super::turn::{Outcome, Protocol, Turn};
use super::{Flow, Life, Out};
use crate::event::{Failure, Instant};
use crate::finding::Tone;
use crate::span::in_words;
use crate::wire::{End, Opening, Side, Trouble};

/// A client that leaves sooner did not wait: its user went elsewhere.
const WAITED: Duration = Duration::from_secs(1);

/// Packets of a connection that must have come again before their share tells anything.
const AGAIN_MIN: u64 = 10;

/// Of a thousand: below this, TCP hides it.
const AGAIN_PER_MILLE_MIN: u32 = 20;

/// Probes without an answer that are told of: one can be lost.
const PROBES_MIN: u32 = 2;

/// A half of a connection that is kept for less is not worth a word.
const HALF_CLOSED_MIN: Duration = Duration::from_secs(10);

impl Flow {
    pub(super) fn fin(&mut self, segment: &Segment<'_>, seen: Sighting, out: &mut Out<'_>) {
        if self.half(seen.side).fin.is_some() {
            return;
        }
        self.half_mut(seen.side).fin = Some(seen);
        match seen.side {
            Side::Client => self.client_leaves(seen, out),
            Side::Peer => self.peer_ends(segment, seen, out),
        }
        if self.client.fin.is_some() && self.peer.fin.is_some() {
            self.close(seen.at, out);
        }
    }

    pub(super) fn reset(&mut self, segment: &Segment<'_>, seen: Sighting, out: &mut Out<'_>) {
        let stood = self.opened.as_ref().is_none_or(|opened| opened.stood.is_some());
        match seen.side {
            Side::Peer if !stood && self.syn_ack.is_none() => {
                self.unopened(seen, Failure::Connect, Some(Opening::Refused), out);
            }
            Side::Peer => self.peer_ends(segment, seen, out),
            Side::Client => {
                self.client_leaves(seen, out);
                self.left(seen, out);
            }
        }
        self.close(seen.at, out);
    }

    fn peer_ends(&mut self, segment: &Segment<'_>, seen: Sighting, out: &mut Out<'_>) {
        self.settle();
        if self.turn.is_none() {
            if self.tls.is_open() {
                self.unfinished(seen, out);
            }
            return;
        }
        if let Some(left) = self.client.fin
            && self.turn.as_deref().is_some_and(|turn| turn.reply.is_none() && turn.end.is_none())
        {
            return self.left(left, out);
        }
        let how = if segment.flags.rst { "RST" } else { "FIN" };
        let other_ttl = self.peer.ttl.filter(|usual| segment.flags.rst && *usual != seen.ttl);
        let is_within = self.protocol == Protocol::Tls && self.peer.records.is_within();
        let Some(turn) = self.turn.as_deref_mut() else { return };
        if turn.reply.is_some() {
            if !(turn.is_cut() || is_within) {
                return self.over(Outcome::Replied, None, out);
            }
            turn.note(
                seen,
                Tone::Badly,
                format!("the peer's address sends {how}, and the reply is not whole"),
            );
            note_ttl(turn, seen, other_ttl);
            let end = match (other_ttl, segment.flags.rst) {
                (Some(_), _) => End::OtherTtl,
                (None, true) => End::RstInReply,
                (None, false) => End::FinInReply,
            };
            return self.over(Outcome::Failed(seen, Failure::Receive), Some(end), out);
        }
        let from = turn.sent.as_ref().map_or(segment.ack, |sent| sent.from);
        let counts_it = turn.acknowledged.is_some() || (segment.flags.ack && after(segment.ack, from));
        let end = match (other_ttl, counts_it, segment.flags.ack) {
            (Some(_), _, _) => End::OtherTtl,
            (None, true, _) => End::AfterRequest,
            (None, false, true) => End::Crossed,
            (None, false, false) => End::Unknown,
        };
        let what = match end {
            End::AfterRequest => "the peer's address ends it, and had received the request",
            End::Unknown => "an answer of one who does not know the connection: no acknowledgement in it",
            _ => "the end does not count the request as received",
        };
        turn.note(seen, Tone::Badly, format!("{how}: {what}"));
        note_ttl(turn, seen, other_ttl);
        self.over(Outcome::Failed(seen, Failure::KeptAliveLost), Some(end), out);
    }

    /// The client ends its half: where a reply is waited for, it may come yet.
    fn client_leaves(&mut self, seen: Sighting, out: &mut Out<'_>) {
        self.settle();
        let is_within = self.protocol == Protocol::Tls && self.peer.records.is_within();
        let Some(turn) = self.turn.as_deref_mut() else {
            if self.tls.is_open() {
                self.unfinished(seen, out);
            }
            return;
        };
        let Some(reply) = &turn.reply else {
            let after = turn.sent.as_ref().map(|sent| seen.since(&sent.first)).unwrap_or_default();
            let what = format!("the client ends its side, {} after the request", in_words(after));
            turn.note(seen, Tone::Badly, what);
            return;
        };
        if !(turn.is_cut() || is_within) {
            return self.over(Outcome::Replied, None, out);
        }
        let waited = seen.since(&reply.last);
        if waited < WAITED {
            return self.over(Outcome::Failed(seen, Failure::Abandoned), Some(End::ClientLeft), out);
        }
        let span = match (self.is_full, self.peer.outstanding()) {
            (true, _) => &mut turn.stalls.client,
            (false, 0) => &mut turn.stalls.peer,
            (false, _) => &mut turn.stalls.lost,
        };
        *span += waited;
        turn.note(
            seen,
            Tone::Badly,
            format!("the client ends it, {} after the last bytes", in_words(waited)),
        );
        self.over(Outcome::Failed(seen, Failure::TimedOut), Some(End::ClientLeft), out);
    }

    /// The client had left before a reply began.
    fn left(&mut self, seen: Sighting, out: &mut Out<'_>) {
        let Some(turn) = self.turn.as_deref() else { return };
        let waited = turn.sent.as_ref().map(|sent| seen.since(&sent.first)).unwrap_or_default();
        let failure = match (turn.acknowledged, waited) {
            (_, waited) if waited < WAITED => Failure::Abandoned,
            (None, _) => Failure::KeptAliveLost,
            (Some(_), _) => Failure::TimedOut,
        };
        self.over(Outcome::Failed(seen, failure), Some(End::ClientLeft), out);
    }

    /// A handshake that ended before its end.
    fn unfinished(&mut self, seen: Sighting, out: &mut Out<'_>) {
        if let Some(opened) = &mut self.opened {
            opened.handshake = self.tls.handshake();
        }
        let (failed, failure, end) = match self.tls.alert {
            Some(alert) => (alert, Failure::Tls, None),
            None => (seen, Failure::Closed, Some(End::InHandshake)),
        };
        self.unopened(failed, failure, None, out);
        if let Some(told) = out.over.last_mut() {
            told.end = end;
        }
    }

    /// Takes the turn that hangs, as failed when its request was sent elsewhere.
    pub(in super::super) fn give_up(&mut self, out: &mut Out<'_>) {
        let Some(turn) = self.turn.as_deref() else { return };
        let Some(last) = self.client.fin.or(turn.last_repeat) else { return };
        let failure = if turn.acknowledged.is_some() { Failure::TimedOut } else { Failure::KeptAliveLost };
        let end = self.client.fin.map(|_| End::ClientLeft);
        self.over(Outcome::Failed(last, failure), end, out);
    }

    /// The capture is over, or has no more room for it.
    pub(in super::super) fn finish(&mut self, at: Option<Instant>, out: &mut Out<'_>) {
        if self.life == Life::Over {
            return;
        }
        if let Some(opened) = &self.opened
            && opened.stood.is_none()
            && self.syn_ack.is_none()
            && opened.opening == Some(Opening::Repeated)
            && let Some(last) = self.last_syn
        {
            return self.unopened(last, Failure::Connect, Some(Opening::Unanswered), out);
        }
        if self.peer.packets == 0 || self.client.packets == 0 {
            out.counts.one_sided += u64::from(self.client.sent + self.peer.sent > 0);
            self.life = Life::Over;
            return;
        }
        self.settle();
        let is_silent =
            self.turn.as_deref().is_some_and(|turn| turn.acknowledged.is_none() && turn.repeats > 1);
        match self.turn.as_deref() {
            Some(turn) if turn.reply.is_some() => self.over(Outcome::Replied, None, out),
            Some(turn) if turn.end.is_some() || is_silent || self.client.fin.is_some() => {
                match (self.client.fin, turn.last_repeat.or(self.peer.fin)) {
                    (Some(left), _) => self.left(left, out),
                    (None, Some(last)) => {
                        self.over(Outcome::Failed(last, Failure::KeptAliveLost), None, out);
                    }
                    (None, None) => self.over(Outcome::Open, None, out),
                }
            }
            Some(_) => {
                out.counts.waiting += 1;
                self.over(Outcome::Open, None, out);
            }
            None => {}
        }
        self.close(at, out);
    }

    /// Tells what happened to the connection itself.
    fn close(&mut self, at: Option<Instant>, out: &mut Out<'_>) {
        if self.life == Life::Over {
            return;
        }
        if let Some(left) = self.client.fin.filter(|_| self.turn.is_some()) {
            self.left(left, out);
        }
        self.life = Life::Over;
        for side in [Side::Client, Side::Peer] {
            let half = self.half(side);
            let (who, share) = (side.as_str(), half.again_per_mille());
            if let Some(last) = half.last_again
                && half.again >= AGAIN_MIN
                && share >= AGAIN_PER_MILLE_MIN
            {
                let what =
                    format!("the {who} has sent {} of {} packets again", half.again, half.again + half.sent);
                self.trouble(Trouble::Lossy(share), last, &what, out);
            }
            let half = self.half(side);
            if let Some(last) = half.last_probe
                && half.probes >= PROBES_MIN
            {
                let what = format!("the {who}'s probe number {} has no answer", half.probes);
                self.trouble(Trouble::ProbesUnanswered(half.probes), last, &what, out);
            }
        }
        if let Some(fin) = self.peer.fin
            && self.peer.acked == Some(self.peer.next)
        {
            let until = self.client.fin.and_then(|fin| fin.at).or(at);
            let kept = super::between(fin.at, until);
            if kept >= HALF_CLOSED_MIN && self.client.fin.is_none_or(|own| own.since(&fin) >= HALF_CLOSED_MIN)
            {
                let what = format!("FIN of the peer; the client keeps its half for {} more", in_words(kept));
                self.trouble(Trouble::HalfClosed(kept), fin, &what, out);
            }
        }
    }

    fn trouble(&self, trouble: Trouble, seen: Sighting, what: &str, out: &mut Out<'_>) {
        let mut turn = Turn::new(self.connection, self.ends, 0);
        turn.server_name.clone_from(&self.tls.server_name);
        turn.trouble = Some(trouble);
        turn.note(seen, Tone::Badly, what);
        out.over.push(turn);
    }
}

fn note_ttl(turn: &mut Turn, seen: Sighting, other: Option<u8>) {
    if let Some(usual) = other {
        let what = format!(
            "its time to live is {}; all that came from the peer before had {usual}: a box between may have sent it",
            seen.ttl
        );
        turn.note(seen, Tone::Badly, what);
    }
}
