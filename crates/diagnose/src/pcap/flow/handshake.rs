//! The TLS handshake of a connection, as far as it is seen from outside.

use std::time::Duration;

use super::super::half::Payload;
use super::super::sighting::{Sighting, between};
use super::super::tls::{
    ALERT, APPLICATION, CHANGE_CIPHER, Chosen, HANDSHAKE, Record, client_hello, server_hello,
};
use super::super::turn::Handshake;
use crate::event::{Extent, Instant};
use crate::wire::{Side, Waited};

/// Pauses in a handshake that are worth a word.
const PAUSE: Duration = Duration::from_millis(100);

/// What is seen of a connection's TLS.
#[derive(Debug, Default)]
pub(super) struct Tls {
    pub(super) server_name: Option<Box<str>>,
    hello: Option<Sighting>,
    chosen: Option<Chosen>,
    client_changed: bool,
    peer_changed: bool,
    is_resumed: bool,
    pub(super) done: Option<Sighting>,
    /// An alert that can be read.
    pub(super) alert: Option<Sighting>,
    last: Option<Instant>,
    waited: Option<(Duration, Waited)>,
    /// What the peer sent first after a handshake of TLS 1.3, which may be tickets, and
    /// when it last did.
    pub(super) early: Option<(Sighting, Option<Instant>)>,
}

/// What a record is to the turns of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Handshake,
    Application,
}

impl Tls {
    /// Takes the beginning of a record.
    pub(super) fn record(&mut self, record: &Record<'_>, seen: Sighting) -> Part {
        match (record.kind, seen.side) {
            (HANDSHAKE, Side::Client) => {
                if self.hello.is_none()
                    && let Some(name) = client_hello(record.body)
                {
                    (self.hello, self.last) = (Some(seen), seen.at);
                    self.server_name = name;
                }
            }
            (HANDSHAKE, Side::Peer) => {
                if self.chosen.is_none() {
                    self.chosen = server_hello(record.body);
                    self.is_resumed = self.chosen.is_some_and(|chosen| chosen.psk);
                }
            }
            (CHANGE_CIPHER, side) => self.changed(side, seen),
            (ALERT, _) if self.is_open() => self.alert = Some(seen),
            (APPLICATION, Side::Client) if self.is_open() => {
                // Of TLS 1.3 the client's first one is the end of the handshake.
                if self.chosen.is_some() {
                    self.done = Some(seen);
                }
                return Part::Handshake;
            }
            (APPLICATION, Side::Peer) if self.is_open() => {}
            (APPLICATION, _) => return Part::Application,
            (_, _) => {}
        }
        Part::Handshake
    }

    fn changed(&mut self, side: Side, seen: Sighting) {
        // In TLS 1.3 it means nothing.
        if self.chosen.is_none_or(|chosen| chosen.is_13) {
            return;
        }
        match side {
            Side::Client => self.client_changed = true,
            Side::Peer => {
                self.is_resumed |= !self.client_changed;
                self.peer_changed = true;
            }
        }
        if self.client_changed && self.peer_changed {
            self.done.get_or_insert(seen);
        }
    }

    /// Takes any segment of a handshake, for who was waited for.
    pub(super) fn pause(&mut self, seen: Sighting, payload: Payload) {
        if !self.is_open() {
            return;
        }
        let pause = between(self.last, seen.at);
        self.last = seen.at;
        let waited = match (payload == Payload::Again, seen.side) {
            (true, _) => Waited::Lost,
            (false, Side::Client) => Waited::Client,
            (false, Side::Peer) => Waited::Peer,
        };
        if pause >= PAUSE && self.waited.is_none_or(|(longest, _)| pause > longest) {
            self.waited = Some((pause, waited));
        }
    }

    /// Whether a handshake goes on that was captured from its beginning.
    pub(super) const fn is_open(&self) -> bool {
        self.hello.is_some() && self.done.is_none()
    }

    /// Whether tickets may come with the first reply.
    pub(super) fn may_send_tickets(&self) -> bool {
        self.chosen.is_some_and(|chosen| chosen.is_13)
    }

    pub(super) fn handshake(&self) -> Option<Handshake> {
        let begun = self.hello?;
        let extent = match (self.chosen, self.is_resumed) {
            (None, _) => Extent::Unknown,
            (Some(_), true) => Extent::Resumed,
            (Some(_), false) => Extent::Full,
        };
        Some(Handshake { begun, done: self.done, extent, waited: self.waited })
    }
}
