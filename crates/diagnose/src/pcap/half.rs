//! One direction of a connection: what was sent, what was acknowledged, what came again.

use std::time::Duration;

use super::segment::Segment;
use super::sighting::{Sighting, between};
use super::tls::Records;
use crate::event::Instant;

/// What fills a gap sooner than this was overtaken on the way; later, it was sent again.
const OVERTAKEN_MAX: Duration = Duration::from_millis(3);

/// What a segment's payload is to what was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    /// There is none.
    None,
    /// It follows what came before.
    Next,
    /// It is new, and something before it was not captured, or comes later.
    Ahead,
    /// It was sent before.
    Again,
    /// It was overtaken by what came before.
    Overtaken,
    /// It asks whether the other side is still there.
    Probe,
    /// The same packet was captured twice.
    Duplicate,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// The number before its first byte.
    base: Option<u32>,
    /// The number after the last byte that was sent.
    pub(super) next: u32,
    /// What of it the other side acknowledged.
    pub(super) acked: Option<u32>,
    pub(super) ttl: Option<u8>,
    scale: Option<u8>,
    pub(super) window: u32,
    /// What lies before what was sent, and when that was seen.
    hole: Option<(u32, u32, Option<Instant>)>,
    pub(super) packets: u64,
    pub(super) sent: u64,
    pub(super) again: u64,
    pub(super) last_again: Option<Sighting>,
    pub(super) fin: Option<Sighting>,
    /// Probes without an answer, and the last of them.
    pub(super) probes: u32,
    pub(super) last_probe: Option<Sighting>,
    last: (u32, u16, u32),
    pub(super) records: Records,
    pub(super) held: Held,
}

/// A small write that may keep the next one waiting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Held {
    #[default]
    No,
    /// It was sent, with nothing else under way.
    Sent { end: u32, at: Option<Instant> },
    /// It was acknowledged, after so long.
    Acknowledged { after: Duration, at: Option<Instant> },
}

/// Whether a number of the sequence comes after another.
pub(super) const fn after(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() > 0
}

impl Half {
    /// Takes what is sent in this direction.
    pub(super) fn take(&mut self, segment: &Segment<'_>) -> Payload {
        self.packets += 1;
        if self.base.is_none() || segment.flags.syn {
            self.base = Some(if segment.flags.syn { segment.seq } else { segment.seq.wrapping_sub(1) });
            self.next = segment.seq;
            self.hole = None;
        }
        if segment.flags.syn {
            self.scale = segment.window_scale;
        }
        if !segment.flags.rst {
            self.window = match (segment.flags.syn, self.scale) {
                (false, Some(scale)) => u32::from(segment.window) << scale,
                (true, _) | (false, None) => segment.window.into(),
            };
            self.ttl.get_or_insert(segment.ttl);
        }
        let payload = self.sort(segment);
        self.sent += u64::from(matches!(payload, Payload::Next | Payload::Ahead | Payload::Overtaken));
        self.again += u64::from(payload == Payload::Again);
        if after(segment.end(), self.next) && !segment.flags.rst {
            self.next = segment.end();
        }
        payload
    }

    fn sort(&mut self, segment: &Segment<'_>) -> Payload {
        let probes = segment.seq.wrapping_add(1) == self.next && !segment.flags.syn && !segment.flags.fin;
        if segment.length == 0 {
            return if probes && segment.flags.ack && !segment.flags.rst {
                Payload::Probe
            } else {
                Payload::None
            };
        }
        let this = (segment.seq, segment.packet_id, segment.length);
        let last = std::mem::replace(&mut self.last, this);
        if last == this && segment.packet_id != 0 {
            return Payload::Duplicate;
        }
        if probes && segment.length == 1 && self.acked == Some(self.next) {
            return Payload::Probe;
        }
        let end = segment.seq.wrapping_add(segment.length);
        if segment.seq == self.next {
            return Payload::Next;
        }
        if after(segment.seq, self.next) {
            self.hole = Some((self.next, segment.seq, segment.at));
            return Payload::Ahead;
        }
        match self.hole {
            Some((from, to, since)) if !after(from, segment.seq) && !after(end, to) => {
                if end == to {
                    self.hole = None;
                } else {
                    self.hole = Some((end, to, since));
                }
                if between(since, segment.at) <= OVERTAKEN_MAX { Payload::Overtaken } else { Payload::Again }
            }
            Some(_) | None => Payload::Again,
        }
    }

    /// Takes what the other side acknowledges; says whether bytes of this direction are
    /// missing that the other side has.
    pub(super) fn acknowledged(&mut self, ack: u32, at: Option<Instant>) -> bool {
        if self.base.is_none() {
            // Nothing was captured of it yet: it has sent so much.
            (self.base, self.next) = (Some(ack.wrapping_sub(1)), ack);
        }
        if self.acked.is_none_or(|acked| after(ack, acked)) {
            self.acked = Some(ack);
        }
        let is_unseen = after(ack, self.next);
        if is_unseen {
            // It may have been overtaken by its acknowledgement, on the way to the file.
            self.hole = Some((self.next, ack, at));
            self.next = ack;
        }
        is_unseen
    }

    /// Bytes that are under way.
    pub(super) fn outstanding(&self) -> u32 {
        self.acked.map_or(0, |acked| if after(self.next, acked) { self.next.wrapping_sub(acked) } else { 0 })
    }

    /// A number of the sequence, counted from the first.
    pub(super) fn relative(&self, number: u32) -> u32 {
        self.base.map_or(number, |base| number.wrapping_sub(base))
    }

    /// How many packets of a thousand were sent again.
    pub(super) fn again_per_mille(&self) -> u32 {
        let all = (self.sent + self.again).max(1);
        u32::try_from(self.again * 1_000 / all).unwrap_or(u32::MAX)
    }
}
