//! Requests and their attempts, put together from events.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::event::{After, Event, Extent, Failure, Heard, Id, Instant, Kind, Place};
use crate::proxy::Passage;
use crate::redact::redacted;
use crate::wire::Wire;
use crate::witness::{Names, Testimony};

/// Requests that are followed at a time; of more the eldest is told as it stands.
const OPEN_MAX: usize = 20_000;

/// Connections that are remembered between their requests; of more those are
/// forgotten that nobody uses, and count as made before the log.
const CONNECTIONS_MAX: usize = 100_000;

/// Attempts at one request that are kept: the client's library makes two.
const ATTEMPTS_MAX: usize = 8;

/// Bytes of a line that are quoted.
const QUOTE_BYTES_MAX: usize = 240;

/// A moment, and the line that tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands.
    pub place: Place,
    /// When, if the log says so.
    pub at: Option<Instant>,
    /// The line without secrets.
    pub text: Arc<str>,
}

impl Mark {
    /// The span from an earlier moment, where both have a time.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Option<Duration> {
        Some(self.at?.since(earlier.at?))
    }
}

/// Where an attempt's connection came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The log does not say.
    #[default]
    Unknown,
    /// It was made for this attempt.
    Fresh,
    /// It came from the pool, and this log tells of its making.
    Kept,
    /// It came from the pool, and was made before this log begins.
    KeptUnseen,
}

/// One try of a request on one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempt {
    pub(crate) connection: Option<Id>,
    pub(crate) connection_name: Box<str>,
    pub(crate) origin: Origin,
    pub(crate) assigned: Option<Mark>,
    pub(crate) connected: Option<Mark>,
    pub(crate) handshake_begun: Option<Mark>,
    pub(crate) handshake_done: Option<(Mark, Extent)>,
    pub(crate) begun: Option<Mark>,
    pub(crate) head_sent: Option<Mark>,
    pub(crate) expects_continue: bool,
    /// Until when the ticket is valid that it showed.
    pub(crate) expires: Option<Instant>,
    pub(crate) renegotiated: Option<Mark>,
    /// Another request was on the connection when this one got it.
    pub(crate) queued: bool,
    pub(crate) body_sent: Option<Mark>,
    /// When the last piece of its body was written.
    pub(crate) last_written: Option<Instant>,
    pub(crate) answered: Option<(Mark, Option<u16>)>,
    pub(crate) after: Option<After>,
    pub(crate) clock: Option<Instant>,
    pub(crate) failed: Option<(Mark, Failure, Heard)>,
    /// What a proxy says of it.
    pub(crate) proxied: Option<Passage>,
    /// What packets tell of it.
    pub(crate) wire: Option<Box<Wire>>,
    pub(crate) names: Names,
    pub(crate) testimony: Testimony,
}

/// What the caller asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) name: Box<str>,
    pub(crate) method: Box<str>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) released: Option<Mark>,
    /// Whether the log tells of the end of replies at all.
    pub(crate) releases_told: bool,
}

/// The line that was quoted last: a proxy's tells of several events.
#[derive(Default)]
struct Quote {
    line: String,
    text: Arc<str>,
}

impl Quote {
    fn mark(&mut self, event: &Event<'_>) -> Mark {
        if self.line != event.text {
            self.line.clear();
            self.line.push_str(event.text);
            self.text = redacted(event.text, QUOTE_BYTES_MAX).into();
        }
        Mark { place: event.place, at: event.at, text: Arc::clone(&self.text) }
    }
}

/// Follows the requests of a log.
#[derive(Default)]
pub(crate) struct Timeline {
    open: HashMap<Id, Request, RandomState>,
    /// Those that are open, the eldest first; also some that were told.
    order: VecDeque<Id>,
    connections: HashMap<Id, Connection, RandomState>,
    done: Vec<Request>,
    /// Whether the log tells of the end of replies; those below Verbose do not.
    releases_told: bool,
    /// Requests that were answered, in a log that does not.
    answered: Vec<Id>,
    quote: Quote,
}

#[derive(Default)]
struct Connection {
    stands: bool,
    /// Who is on it.
    request: Option<Id>,
}

impl Timeline {
    /// Takes an event.
    pub(crate) fn take(&mut self, event: &Event<'_>) {
        match &event.kind {
            Kind::Created { request, name } => self.created(*request, name),
            Kind::Assigned { request, connection, name } => self.assigned(*request, *connection, name, event),
            Kind::KnownAs { request, names } => self.of(*request, |attempt, _| attempt.names = names.clone()),
            Kind::Connected { connection, .. } => self.connected(*connection, event),
            Kind::HandshakeBegun { connection } => {
                self.on(*connection, |attempt, quote| attempt.handshake_begun = Some(quote.mark(event)));
            }
            Kind::HandshakeDone { connection, extent } => {
                self.on(*connection, |attempt, quote| {
                    attempt.handshake_done = Some((quote.mark(event), *extent))
                });
            }
            Kind::Begun { request, method } => {
                if let Some(open) = self.open.get_mut(request) {
                    open.method = (*method).into();
                }
                self.of(*request, |attempt, quote| attempt.begun = Some(quote.mark(event)));
            }
            Kind::HeadSent { request, expects_continue, expires } => self.of(*request, |attempt, quote| {
                attempt.head_sent = Some(quote.mark(event));
                attempt.expects_continue = *expects_continue;
                attempt.expires = *expires;
            }),
            Kind::BodySent { request } => {
                self.of(*request, |attempt, quote| {
                    attempt.body_sent.get_or_insert_with(|| quote.mark(event));
                    attempt.last_written = event.at;
                });
            }
            Kind::Answered { request, status } => {
                self.of(*request, |attempt, quote| attempt.answered = Some((quote.mark(event), *status)));
                if !self.releases_told && status.is_none_or(is_last) {
                    self.answered.push(*request);
                }
            }
            Kind::Fields { request, after, clock } => self.of(*request, |attempt, _| {
                attempt.after = Some(*after);
                attempt.clock = *clock;
            }),
            Kind::Released { request } => self.released(*request, event),
            Kind::Failed { request, failure, heard } => self.failed(*request, *failure, *heard, event),
            Kind::Renegotiated { connection } => {
                self.on(*connection, |attempt, quote| attempt.renegotiated = Some(quote.mark(event)));
            }
            Kind::Proxied { request, name, waits } => self.of(*request, |attempt, _| {
                attempt.connection_name = redacted(name, QUOTE_BYTES_MAX).into();
                attempt.proxied = Some(Passage { waits: *waits, ending: None });
            }),
            Kind::Captured { request, wire } => {
                self.of(*request, |attempt, _| attempt.wire = Some(wire.clone()));
            }
            Kind::Ended { request, ending } => self.of(*request, |attempt, quote| {
                if let Some(proxied) = &mut attempt.proxied {
                    proxied.ending = Some((quote.mark(event), *ending));
                }
            }),
            Kind::ClosedIdle => {}
        }
    }

    /// The requests that are over.
    pub(crate) fn done(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.done)
    }

    /// Ends the log: what is open is told as it stands.
    pub(crate) fn finish(&mut self) -> Vec<Request> {
        while let Some(eldest) = self.order.pop_front() {
            self.over(eldest);
        }
        self.done()
    }

    fn created(&mut self, request: Id, name: &str) {
        for answered in std::mem::take(&mut self.answered) {
            // Its end may come yet, if the log has told of one since.
            if !self.releases_told {
                self.over(answered);
            }
        }
        while self.open.len() >= OPEN_MAX
            && let Some(eldest) = self.order.pop_front()
        {
            self.over(eldest);
        }
        // What was told is left in the queue until it is its turn.
        if self.order.len() >= 2 * OPEN_MAX {
            self.order.retain(|id| self.open.contains_key(id));
        }
        let made = Request {
            name: redacted(name, QUOTE_BYTES_MAX).into(),
            method: Box::default(),
            // An attempt is large, and most requests need one.
            attempts: Vec::with_capacity(1),
            released: None,
            releases_told: false,
        };
        self.open.insert(request, made);
        self.order.push_back(request);
    }

    fn assigned(&mut self, request: Id, connection: Id, name: &str, event: &Event<'_>) {
        if self.connections.len() >= CONNECTIONS_MAX {
            self.forget_connections();
        }
        let known = self.connections.entry(connection).or_default();
        let before = known.request.replace(request).filter(|before| *before != request);
        let queued = before.is_some_and(|before| self.open.contains_key(&before));
        let origin = if known.stands { Origin::Kept } else { Origin::KeptUnseen };
        let Some(open) = self.open.get_mut(&request) else { return };
        // Waiting in another queue is no attempt of its own.
        if open.attempts.last().is_some_and(|last| last.head_sent.is_none() && last.failed.is_none()) {
            open.attempts.pop();
        }
        if open.attempts.len() >= ATTEMPTS_MAX {
            open.attempts.remove(0);
        }
        open.attempts.push(Attempt {
            connection: Some(connection),
            connection_name: name.into(),
            origin,
            queued,
            assigned: Some(self.quote.mark(event)),
            ..Attempt::default()
        });
    }

    /// Forgets those that no open request is on. If that is not even half of them, all
    /// are forgotten: else it would have to be done again at once, over and over.
    fn forget_connections(&mut self) {
        let Self { connections, open, .. } = self;
        connections.retain(|_, known| known.request.is_some_and(|request| open.contains_key(&request)));
        if connections.len() > CONNECTIONS_MAX / 2 {
            connections.clear();
        }
    }

    fn connected(&mut self, connection: Id, event: &Event<'_>) {
        self.connections.entry(connection).or_default().stands = true;
        self.on(Some(connection), |attempt, quote| {
            attempt.connected = Some(quote.mark(event));
            attempt.origin = Origin::Fresh;
        });
    }

    /// The caller is done with a reply; a reply that the library answers by itself, with
    /// credentials or at another place, is not the request's end.
    fn released(&mut self, request: Id, event: &Event<'_>) {
        self.releases_told = true;
        let Some(open) = self.open.get_mut(&request) else { return };
        let status = open.attempts.last().and_then(|last| last.answered.as_ref()).map(|(_, status)| *status);
        // What is closed before the reply is the request's own body.
        let Some(status) = status else { return };
        open.released = Some(self.quote.mark(event));
        if status.is_none_or(is_last) {
            self.over(request);
        }
    }

    fn failed(&mut self, request: Id, failure: Failure, heard: Heard, event: &Event<'_>) {
        let told_before = self
            .open
            .get(&request)
            .and_then(|open| open.attempts.last())
            .and_then(|attempt| attempt.failed.as_ref().map(|(_, _, heard)| *heard));
        match told_before {
            // The application hears of what the library had heard of.
            Some(_) if heard == Heard::Application => {
                self.of(request, |attempt, _| {
                    if let Some((_, _, heard)) = &mut attempt.failed {
                        *heard = Heard::Application;
                    }
                });
            }
            Some(_) => {}
            None => {
                self.of(request, |attempt, quote| attempt.failed = Some((quote.mark(event), failure, heard)))
            }
        }
        if heard == Heard::Application {
            self.over(request);
        }
    }

    fn on(&mut self, connection: Option<Id>, change: impl FnOnce(&mut Attempt, &mut Quote)) {
        let request = connection.and_then(|id| self.connections.get(&id)).and_then(|known| known.request);
        if let Some(request) = request {
            self.of(request, change);
        }
    }

    fn of(&mut self, request: Id, change: impl FnOnce(&mut Attempt, &mut Quote)) {
        let Some(open) = self.open.get_mut(&request) else { return };
        if open.attempts.is_empty() {
            open.attempts.push(Attempt::default());
        }
        if let Some(attempt) = open.attempts.last_mut() {
            change(attempt, &mut self.quote);
        }
    }

    fn over(&mut self, request: Id) {
        if let Some(mut open) = self.open.remove(&request) {
            open.releases_told = self.releases_told;
            for connection in open.attempts.iter().filter_map(|attempt| attempt.connection) {
                if let Some(known) =
                    self.connections.get_mut(&connection).filter(|k| k.request == Some(request))
                {
                    known.request = None;
                }
            }
            self.done.push(open);
        }
    }
}

/// Whether a reply ends its request: others the library answers by itself.
const fn is_last(status: u16) -> bool {
    !matches!(status, 100..=199 | 300..=399 | 401 | 407)
}
