//! A packet that is remembered: its numbers, and what it looks like in a line.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use time::OffsetDateTime;

use super::segment::Flags;
use crate::event::{Instant, Place};
use crate::finding::{Step, Tone};
use crate::timeline::Mark;
use crate::wire::Side;

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// A packet that is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) place: Place,
    pub(super) at: Option<Instant>,
    pub(super) side: Side,
    pub(super) flags: Flags,
    /// Counted from the connection's first byte, or from the first that was captured.
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) length: u32,
    pub(super) window: u32,
    pub(super) ttl: u8,
}

/// Something that a packet shows, in words.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) seen: Sighting,
    pub(super) what: String,
    pub(super) tone: Tone,
}

impl Ends {
    pub(super) fn name(self) -> String {
        format!("connection {} > {}", self.client, self.peer)
    }

    pub(super) const fn of(self, side: Side) -> SocketAddr {
        match side {
            Side::Client => self.client,
            Side::Peer => self.peer,
        }
    }
}

impl Sighting {
    /// The span from an earlier one; zero where no times are known.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        between(earlier.at, self.at)
    }

    /// As tcpdump writes it.
    pub(super) fn digest(&self, ends: Ends) -> String {
        let mut said = String::new();
        if let Some(at) = self.at.and_then(|at| OffsetDateTime::from_unix_timestamp_nanos(at.0).ok()) {
            let (hour, minute, second, micros) = at.time().as_hms_micro();
            // Writing to a String does not fail.
            let _ = write!(said, "{hour:02}:{minute:02}:{second:02}.{micros:06} ");
        }
        let flags: String = [
            (self.flags.syn, 'S'),
            (self.flags.fin, 'F'),
            (self.flags.psh, 'P'),
            (self.flags.rst, 'R'),
            (self.flags.ack, '.'),
        ]
        .into_iter()
        .filter_map(|(is_set, flag)| is_set.then_some(flag))
        .collect();
        let (from, to) = (ends.of(self.side), ends.of(self.side.other()));
        let _ = write!(said, "{from} > {to}: Flags [{flags}], seq {}", self.seq);
        if self.length > 0 {
            let _ = write!(said, ":{}", self.seq.wrapping_add(self.length));
        }
        if self.flags.ack {
            let _ = write!(said, ", ack {}", self.ack);
        }
        let _ = write!(said, ", win {}, ttl {}, length {}", self.window, self.ttl, self.length);
        said
    }
}

impl Note {
    /// As a step of what happened.
    pub(super) fn step(&self, ends: Ends) -> Step {
        let Self { seen, what, tone } = self;
        let mark = Mark { place: seen.place, at: seen.at, text: seen.digest(ends).into() };
        Step { lane: ends.name(), what: what.clone(), tone: *tone, mark }
    }
}

/// The span between two times; zero where one is not known.
pub(super) fn between(earlier: Option<Instant>, later: Option<Instant>) -> Duration {
    earlier.zip(later).map(|(earlier, later)| later.since(earlier)).unwrap_or_default()
}
