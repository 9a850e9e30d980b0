//! One turn of a connection: a request, and what came of it.

use std::time::Duration;

use super::half::after;
use super::http::{Asked, Body, HEAD_BYTES_MAX, Replied};
use super::sighting::{Ends, Note, Sighting};
use crate::event::{Extent, Failure, Id};
use crate::finding::Tone;
use crate::wire::{End, Opening, Side, Stalls, Trouble, Waited};

/// Steps of a turn that are kept: what happened first tells most.
const NOTES_MAX: usize = 12;

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Nothing was said yet.
    #[default]
    Unknown,
    Http,
    Tls,
    /// It cannot be read: bytes go and come.
    Opaque,
    /// It has no turns any more: what follows 101 (Switching Protocols).
    Upgraded,
}

/// How a connection was opened.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) syn: Sighting,
    /// The packet with which it stood.
    pub(super) stood: Option<Sighting>,
    pub(super) opening: Option<Opening>,
    pub(super) handshake: Option<Handshake>,
}

/// A TLS handshake that was captured.
#[derive(Clone, Debug)]
pub(super) struct Handshake {
    pub(super) begun: Sighting,
    pub(super) done: Option<Sighting>,
    pub(super) extent: Extent,
    /// The longest pause in it, and who was waited for.
    pub(super) waited: Option<(Duration, Waited)>,
}

/// A request as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) first: Sighting,
    /// The numbers of the sequence before its first byte and after its last.
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) bytes: u64,
    pub(super) head: Vec<u8>,
    /// What follows the first packet.
    pub(super) more: Option<Sighting>,
    /// The peer's 100 (Continue) came.
    pub(super) continued: bool,
}

/// A reply as it came.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) first: Sighting,
    pub(super) last: Sighting,
    /// The number of the sequence after its last byte.
    pub(super) to: u32,
    pub(super) bytes: u64,
    pub(super) head: Vec<u8>,
    /// Its last bytes, where they were kept.
    pub(super) tail: Option<[u8; 5]>,
}

/// What came of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// The reply came, as far as can be seen whole.
    Replied,
    /// It failed, as this packet shows.
    Failed(Sighting, Failure),
    /// The capture ended first.
    Open,
}

/// One turn, or the opening of a connection that came to none.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) connection: Id,
    pub(super) ends: Ends,
    pub(super) number: u32,
    pub(super) protocol: Protocol,
    pub(super) server_name: Option<Box<str>>,
    /// Of a connection's first turn, where it was captured.
    pub(super) opened: Option<Opened>,
    pub(super) idle: Duration,
    pub(super) sent: Option<Sent>,
    pub(super) acknowledged: Option<Sighting>,
    pub(super) repeats: u32,
    pub(super) last_repeat: Option<Sighting>,
    pub(super) peer_heard_elsewhere: bool,
    pub(super) reply: Option<Reply>,
    pub(super) stalls: Stalls,
    pub(super) held_back: Option<Side>,
    pub(super) end: Option<End>,
    pub(super) trouble: Option<Trouble>,
    pub(super) outcome: Outcome,
    pub(super) notes: Vec<Note>,
    /// The attempt that this one follows.
    pub(super) before: Option<Box<Turn>>,
}

impl Turn {
    pub(super) fn new(connection: Id, ends: Ends, number: u32) -> Self {
        Self {
            connection,
            ends,
            number,
            protocol: Protocol::Unknown,
            server_name: None,
            opened: None,
            idle: Duration::ZERO,
            sent: None,
            acknowledged: None,
            repeats: 0,
            last_repeat: None,
            peer_heard_elsewhere: false,
            reply: None,
            stalls: Stalls::default(),
            held_back: None,
            end: None,
            trouble: None,
            outcome: Outcome::Open,
            notes: Vec::new(),
            before: None,
        }
    }

    pub(super) fn note(&mut self, seen: Sighting, tone: Tone, what: impl Into<String>) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(Note { seen, what: what.into(), tone });
        }
    }

    /// How it is called: what is asked, or its place on its connection.
    pub(super) fn name(&self) -> String {
        let of = self.server_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        match (&self.sent, self.protocol) {
            (Some(sent), Protocol::Http) => {
                let Asked { method, target, .. } = Asked::of(&sent.head);
                format!("{method} {target}")
            }
            (Some(_), Protocol::Tls | Protocol::Opaque | Protocol::Unknown | Protocol::Upgraded) => {
                format!("turn {} of {}{of}", self.number, self.ends.name())
            }
            (None, _) => format!("{}{of}", self.ends.name()),
        }
    }

    /// Whether it asks what another one asked: the same words or, where these cannot be
    /// read, as many bytes.
    pub(super) fn asks_like(&self, other: &Self) -> bool {
        let (Some(this), Some(that)) = (&self.sent, &other.sent) else { return false };
        let line = |head: &[u8]| head.split(|byte| *byte == b'\n').next().map(<[u8]>::to_vec);
        self.ends.peer == other.ends.peer
            && self.ends.client.ip() == other.ends.client.ip()
            && self.connection != other.connection
            && self.protocol == other.protocol
            && match self.protocol {
                Protocol::Http => line(&this.head) == line(&that.head),
                Protocol::Tls | Protocol::Opaque | Protocol::Unknown | Protocol::Upgraded => {
                    this.first.length == that.first.length
                }
            }
    }

    /// What its reply says, where it can be read.
    pub(super) fn replied(&self) -> Option<Replied> {
        match self.protocol {
            Protocol::Http => Replied::of(&self.reply.as_ref()?.head),
            Protocol::Tls | Protocol::Opaque | Protocol::Unknown | Protocol::Upgraded => None,
        }
    }

    /// Whether a reply that began is provably not whole.
    pub(super) fn is_cut(&self) -> bool {
        let (Some(reply), Some(replied)) = (&self.reply, self.replied()) else { return false };
        let Some(head_bytes) = replied.head_bytes else {
            return reply.head.len() < HEAD_BYTES_MAX && reply.bytes == reply.head.len() as u64;
        };
        let is_head = self.sent.as_ref().is_some_and(|sent| sent.head.starts_with(b"HEAD "));
        match replied.body {
            Body::Bytes(_) | Body::Chunks if is_head => false,
            Body::Bytes(length) => reply.bytes < (head_bytes as u64).saturating_add(length),
            Body::Chunks => reply.tail.is_some_and(|tail| tail != *b"0\r\n\r\n"),
            Body::Open => false,
        }
    }
}

impl Sent {
    pub(super) fn append(&mut self, seen: Sighting, to: u32, payload: &[u8]) {
        self.to = to;
        self.more.get_or_insert(seen);
        self.bytes += u64::from(seen.length);
        append(&mut self.head, payload);
    }
}

impl Reply {
    pub(super) fn new(first: Sighting, from: u32) -> Self {
        Self { first, last: first, to: from, bytes: 0, head: Vec::new(), tail: None }
    }

    pub(super) fn append(&mut self, seen: Sighting, to: u32, payload: &[u8]) {
        self.last = seen;
        // By the numbers of the sequence: what was not captured counts too.
        if after(to, self.to) {
            self.bytes += u64::from(to.wrapping_sub(self.to));
            self.to = to;
        }
        append(&mut self.head, payload);
        self.tail = match (self.tail, payload) {
            _ if payload.len() < seen.length as usize => None,
            (_, [.., a, b, c, d, e]) => Some([*a, *b, *c, *d, *e]),
            (Some([_, b, c, d, e]), [f]) => Some([b, c, d, e, *f]),
            (Some([_, _, c, d, e]), [f, g]) => Some([c, d, e, *f, *g]),
            // What ends a chunked body is not often cut there.
            (_, _) => None,
        };
    }
}

fn append(head: &mut Vec<u8>, payload: &[u8]) {
    let room = HEAD_BYTES_MAX.saturating_sub(head.len());
    head.extend_from_slice(payload.get(..payload.len().min(room)).unwrap_or_default());
}
