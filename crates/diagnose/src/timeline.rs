//! Requests and their attempts, put together from events.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt;
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

/// Bytes of a line that are kept until it is quoted: secrets in it make room for more.
const LINE_BYTES_MAX: usize = 2 * QUOTE_BYTES_MAX;

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

/// The same with the line as the log has it: few of them are ever quoted, and secrets
/// are taken out of those alone.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) place: Place,
    pub(crate) at: Option<Instant>,
    line: Arc<str>,
}

impl Seen {
    /// The span from an earlier moment, where both have a time.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Duration> {
        Some(self.at?.since(earlier.at?))
    }

    /// What may be shown of it.
    pub(crate) fn mark(&self) -> Mark {
        let text = Arc::from(&*redacted(&self.line, QUOTE_BYTES_MAX));
        Mark { place: self.place, at: self.at, text }
    }
}

/// Without the line, which may hold a secret.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").field("place", &self.place).field("at", &self.at).finish_non_exhaustive()
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
    pub(crate) assigned: Option<Seen>,
    pub(crate) connected: Option<Seen>,
    pub(crate) handshake_begun: Option<Seen>,
    pub(crate) handshake_done: Option<(Seen, Extent)>,
    pub(crate) begun: Option<Seen>,
    pub(crate) head_sent: Option<Seen>,
    pub(crate) expects_continue: bool,
    /// Until when the ticket is valid that it showed.
    pub(crate) expires: Option<Instant>,
    pub(crate) renegotiated: Option<Seen>,
    /// Another request was on the connection when this one got it.
    pub(crate) queued: bool,
    pub(crate) body_sent: Option<Seen>,
    /// When the last piece of its body was written.
    pub(crate) last_written: Option<Instant>,
    pub(crate) answered: Option<(Seen, Option<u16>)>,
    pub(crate) after: Option<After>,
    pub(crate) clock: Option<Instant>,
    pub(crate) failed: Option<(Seen, Failure, Heard)>,
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
    pub(crate) released: Option<Seen>,
    /// Whether the log tells of the end of replies at all.
    pub(crate) releases_told: bool,
}

/// The line that was kept last: a proxy's tells of several events.
#[derive(Default)]
struct LastLine(Arc<str>);

impl LastLine {
    fn seen(&mut self, event: &Event<'_>) -> Seen {
        let line = event.text.get(..event.text.floor_char_boundary(LINE_BYTES_MAX)).unwrap_or_default();
        if *self.0 != *line {
            self.0 = line.into();
        }
        Seen { place: event.place, at: event.at, line: Arc::clone(&self.0) }
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
    last: LastLine,
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
                self.on(*connection, |attempt, last| attempt.handshake_begun = Some(last.seen(event)));
            }
            Kind::HandshakeDone { connection, extent } => {
                self.on(*connection, |attempt, last| {
                    attempt.handshake_done = Some((last.seen(event), *extent))
                });
            }
            Kind::Begun { request, method } => {
                if let Some(open) = self.open.get_mut(request) {
                    open.method = (*method).into();
                }
                self.of(*request, |attempt, last| attempt.begun = Some(last.seen(event)));
            }
            Kind::HeadSent { request, expects_continue, expires } => self.of(*request, |attempt, last| {
                attempt.head_sent = Some(last.seen(event));
                attempt.expects_continue = *expects_continue;
                attempt.expires = *expires;
            }),
            Kind::BodySent { request } => {
                self.of(*request, |attempt, last| {
                    attempt.body_sent.get_or_insert_with(|| last.seen(event));
                    attempt.last_written = event.at;
                });
            }
            Kind::Answered { request, status } => {
                self.of(*request, |attempt, last| attempt.answered = Some((last.seen(event), *status)));
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
                self.on(*connection, |attempt, last| attempt.renegotiated = Some(last.seen(event)));
            }
            Kind::Proxied { request, name, waits } => self.of(*request, |attempt, _| {
                attempt.connection_name = Box::from(&*redacted(name, QUOTE_BYTES_MAX));
                attempt.proxied = Some(Passage { waits: *waits, ending: None });
            }),
            Kind::Captured { request, wire } => {
                self.of(*request, |attempt, _| attempt.wire = Some(wire.clone()));
            }
            Kind::Ended { request, ending } => self.of(*request, |attempt, last| {
                if let Some(proxied) = &mut attempt.proxied {
                    proxied.ending = Some((last.seen(event), *ending));
                }
            }),
            Kind::ClosedIdle => {}
        }
    }

    /// The requests that are over.
    pub(crate) fn done(&mut self) -> impl Iterator<Item = Request> {
        self.done.drain(..)
    }

    /// Ends the log: what is open is told as it stands.
    pub(crate) fn finish(&mut self) -> impl Iterator<Item = Request> {
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
            name: Box::from(&*redacted(name, QUOTE_BYTES_MAX)),
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
            assigned: Some(self.last.seen(event)),
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
        self.on(Some(connection), |attempt, last| {
            attempt.connected = Some(last.seen(event));
            attempt.origin = Origin::Fresh;
        });
    }

    /// The caller is done with a reply; a reply that the library answers by itself, with
    /// credentials or at another place, is not the request's end.
    fn released(&mut self, request: Id, event: &Event<'_>) {
        self.releases_told = true;
        let Some(open) = self.open.get_mut(&request) else { return };
        let last = open.attempts.last();
        let status = last.and_then(|last| last.answered.as_ref()).map(|(_, status)| *status);
        // A proxy's record is of a whole request, and there is no other of it.
        let is_proxied = last.is_some_and(|last| last.proxied.is_some());
        // What is closed before the reply is the request's own body.
        if status.is_some() {
            open.released = Some(self.last.seen(event));
        }
        if is_proxied || status.is_some_and(|status| status.is_none_or(is_last)) {
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
                self.of(request, |attempt, last| attempt.failed = Some((last.seen(event), failure, heard)))
            }
        }
        if heard == Heard::Application {
            self.over(request);
        }
    }

    fn on(&mut self, connection: Option<Id>, change: impl FnOnce(&mut Attempt, &mut LastLine)) {
        let request = connection.and_then(|id| self.connections.get(&id)).and_then(|known| known.request);
        if let Some(request) = request {
            self.of(request, change);
        }
    }

    fn of(&mut self, request: Id, change: impl FnOnce(&mut Attempt, &mut LastLine)) {
        let Some(open) = self.open.get_mut(&request) else { return };
        if open.attempts.is_empty() {
            open.attempts.push(Attempt::default());
        }
        if let Some(attempt) = open.attempts.last_mut() {
            change(attempt, &mut self.last);
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
