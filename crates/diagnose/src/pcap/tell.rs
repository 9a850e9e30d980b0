//! Turns as events.

use super::http::Asked;
use super::sighting::Sighting;
use super::turn::{Opened, Outcome, Protocol, Turn};
use crate::adapter::Events;
use crate::event::{After, Event, Heard, Id, Kind};
use crate::wire::Wire;
use crate::witness::Names;

/// Tells of turns; each is a request, or one more attempt at it.
#[derive(Debug, Default)]
pub(super) struct Teller {
    requests: u32,
}

impl Teller {
    /// Tells of a turn that is over, and of those before it at the same request.
    pub(super) fn tell(&mut self, turn: &Turn, to: Events<'_>) {
        self.requests = self.requests.wrapping_add(1);
        let request = Id(self.requests);
        let first = turn.first();
        let Some(begun) = first.begun() else { return };
        first.say(begun, Kind::Created { request, name: &turn.name() }, to);
        turn.tell(request, to);
    }
}

impl Turn {
    /// The first attempt at its request.
    fn first(&self) -> &Self {
        self.before.as_deref().map_or(self, Self::first)
    }

    /// How many attempts at its request there were until it.
    pub(super) fn attempts(&self) -> usize {
        1 + self.before.as_deref().map_or(0, Self::attempts)
    }

    /// The packet with which it began.
    fn begun(&self) -> Option<Sighting> {
        let syn = self.opened.as_ref().map(|opened| opened.syn);
        let sent = self.sent.as_ref().map(|sent| sent.first);
        syn.or(sent).or(self.notes.first().map(|note| note.seen))
    }

    fn say(&self, seen: Sighting, kind: Kind<'_>, to: Events<'_>) {
        to(Event { place: seen.place, at: seen.at, kind, text: &seen.digest(self.ends) });
    }

    fn tell(&self, request: Id, to: Events<'_>) {
        if let Some(before) = &self.before {
            before.tell(request, to);
        }
        let Some(begun) = self.begun() else { return };
        if let Some(sent) = &self.sent {
            let (connection, name) = (self.connection, self.ends.name());
            self.say(begun, Kind::Assigned { request, connection, name: &name }, to);
            if let Some(opened) = &self.opened {
                self.opened(opened, to);
            }
            let asked = match self.protocol {
                Protocol::Http => Asked::of(&sent.head),
                Protocol::Unknown | Protocol::Tls | Protocol::Opaque | Protocol::Upgraded => Asked::default(),
            };
            self.say(sent.first, Kind::Begun { request, method: &asked.method }, to);
            let expects_continue = asked.expects_continue;
            self.say(sent.first, Kind::HeadSent { request, expects_continue, expires: None }, to);
            if let Some(more) = sent.more {
                self.say(more, Kind::BodySent { request }, to);
            }
        }
        self.say(begun, Kind::Captured { request, wire: Box::new(self.wire()) }, to);
        let acknowledged = self.sent.as_ref().map(|_| self.acknowledged.is_some() || self.reply.is_some());
        let source = Some(self.ends.client);
        let names = Names { acknowledged, source, ..Names::default() };
        self.say(begun, Kind::KnownAs { request, names }, to);
        self.came(request, to);
    }

    fn opened(&self, opened: &Opened, to: Events<'_>) {
        let connection = self.connection;
        let Some(stood) = opened.stood else { return };
        let peer = self.ends.peer.to_string();
        self.say(stood, Kind::Connected { connection, peer: &peer }, to);
        let Some(handshake) = &opened.handshake else { return };
        let connection = Some(connection);
        self.say(handshake.begun, Kind::HandshakeBegun { connection }, to);
        if let Some(done) = handshake.done {
            self.say(done, Kind::HandshakeDone { connection, extent: handshake.extent }, to);
        }
    }

    /// What came of it.
    fn came(&self, request: Id, to: Events<'_>) {
        if let Some(reply) = &self.reply {
            let replied = self.replied();
            let status = replied.map(|replied| replied.status);
            self.say(reply.first, Kind::Answered { request, status }, to);
            if let Some(replied) = replied {
                let after = if replied.closes { After::Closed } else { After::Kept };
                self.say(reply.first, Kind::Fields { request, after, clock: replied.clock }, to);
            }
        }
        match (self.outcome, &self.reply) {
            // Whether the library or the application hears of it, no packet tells.
            (Outcome::Failed(failed, failure), _) => {
                self.say(failed, Kind::Failed { request, failure, heard: Heard::Library }, to);
            }
            (Outcome::Replied | Outcome::Open, Some(reply)) => {
                self.say(reply.last, Kind::Released { request }, to);
            }
            (Outcome::Replied | Outcome::Open, None) => {}
        }
    }

    fn wire(&self) -> Wire {
        let opened = self.opened.as_ref();
        let handshake = opened.and_then(|opened| opened.handshake.as_ref());
        let sent = self.sent.as_ref().map(|sent| sent.first);
        Wire {
            opening: opened.and_then(|opened| opened.opening),
            handshake: handshake.and_then(|handshake| handshake.waited).map(|(_, waited)| waited),
            idle: self.idle,
            acknowledged: sent.zip(self.acknowledged).map(|(sent, acknowledged)| acknowledged.since(&sent)),
            repeats: self.repeats,
            peer_heard_elsewhere: self.peer_heard_elsewhere,
            end: self.end,
            stalls: self.stalls,
            held_back: self.held_back,
            trouble: self.trouble,
            steps: self.notes.iter().map(|note| note.step(self.ends)).collect(),
        }
    }
}
