//! A client's records: one for each attempt, put together to requests.
//!
//! The records of a request stand near one another, in the order in which its
//! attempts ended: an attempt that was overtaken may be recorded before or after the
//! one that won.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::adapter::Events;
use crate::event::{After, Event, Extent, Failure, Heard, Id, Instant, Kind, Place};
use crate::span::in_words;
use crate::witness::Names;

use super::clocks::Boot;
use super::record::{Phases, Record};

/// Requests whose further attempts are waited for: more than one client has under way.
const OPEN_MAX: usize = 4_096;

/// Attempts at one request that are kept; the client makes three.
const ATTEMPTS_MAX: usize = 8;

/// Connections whose numbers are remembered; beyond that all are forgotten.
const CONNECTIONS_MAX: usize = 100_000;

/// Codes of attempts that got no connection.
const CONNECT_CODES: [(&str, Failure); 7] = [
    ("NameNotResolved", Failure::Name),
    ("ConnectRefused", Failure::Connect),
    ("ConnectTimedOut", Failure::Connect),
    ("ConnectFailed", Failure::Connect),
    ("HandshakeTimedOut", Failure::Tls),
    ("HandshakeFailed", Failure::Tls),
    ("PoolBusy", Failure::TimedOut),
];

/// All attempts at a request have the time at which the caller asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    boot: u64,
    pid: u32,
    asked_mono_ns: u64,
    path: u64,
}

/// The attempts that wait for others of their request.
#[derive(Default)]
pub(super) struct Attempts {
    open: HashMap<Key, Vec<Told>>,
    order: VecDeque<Key>,
    connections: HashMap<u128, Id>,
    requests_seen: u32,
    connections_seen: u32,
}

/// One record.
pub(super) struct Told {
    place: Place,
    text: Box<str>,
    number: u8,
    asked: Instant,
    phases: Phases,
    ended: Instant,
    names: Names,
    reused: Option<bool>,
    resumed: Option<bool>,
    method: Box<str>,
    path: Box<str>,
    status: Option<u16>,
    code: Option<Box<str>>,
}

impl Attempts {
    /// Takes the record of an attempt.
    pub(super) fn take(&mut self, record: &Record<'_>, told: Told, to: Events<'_>) {
        let key = Key {
            boot: hash(&record.host.boot.id),
            pid: record.process.pid,
            asked_mono_ns: record.repono.mono_ns.start,
            path: hash(&told.path),
        };
        match self.open.get_mut(&key) {
            Some(others) if others.len() < ATTEMPTS_MAX => others.push(told),
            Some(_) => {}
            None => {
                self.open.insert(key, vec![told]);
                self.order.push_back(key);
            }
        }
        while self.order.len() > OPEN_MAX {
            self.tell_eldest(to);
        }
    }

    /// Hands on all that are left.
    pub(super) fn end(&mut self, to: Events<'_>) {
        while !self.order.is_empty() {
            self.tell_eldest(to);
        }
    }

    fn tell_eldest(&mut self, to: Events<'_>) {
        let Some(mut told) = self.order.pop_front().and_then(|key| self.open.remove(&key)) else { return };
        told.sort_by_key(|attempt| attempt.number);
        let request = Id(self.requests_seen);
        self.requests_seen = self.requests_seen.wrapping_add(1);
        let last = told.len().saturating_sub(1);
        for (at, attempt) in told.iter().enumerate() {
            let connection = self.connection(attempt.names.connection);
            let whole = Whole { request, connection, first: at == 0, last: at == last };
            attempt.tell(whole, to);
        }
    }

    fn connection(&mut self, key: Option<u128>) -> Id {
        if self.connections.len() >= CONNECTIONS_MAX {
            self.connections.clear();
        }
        let next = &mut self.connections_seen;
        let fresh = || {
            let id = Id(*next);
            *next = next.wrapping_add(1);
            id
        };
        key.map_or_else(|| Id(u32::MAX), |key| *self.connections.entry(key).or_insert_with(fresh))
    }
}

/// Where an attempt stands in its request.
#[derive(Clone, Copy)]
struct Whole {
    request: Id,
    connection: Id,
    first: bool,
    last: bool,
}

impl Told {
    pub(super) fn of(record: &Record<'_>, place: Place, clock: Boot) -> Option<Self> {
        let own = &record.repono;
        let (connection, phases) = (own.connection.as_ref()?, own.phase_ns?);
        let http = record.http.as_ref()?;
        let code = record.error.as_ref().map(|error| &*error.code);
        let told = Self {
            place,
            text: Box::default(),
            number: own.attempts.unwrap_or(1),
            asked: record.started(),
            phases,
            ended: record.ended(),
            names: Names {
                connection: record.source.and(connection.key()),
                peer_connection: connection.peer_key(),
                source: record.source.map(super::record::End::address),
                trans_id: http.request.id.as_deref().map(Into::into),
                acknowledged: match code {
                    Some("PathSilent") => Some(false),
                    Some("PeerSilent") => Some(true),
                    _ => http.response.status_code.map(|_| true),
                },
                clock: clock.0,
            },
            reused: record.source.and(connection.reused),
            resumed: record.tls.as_ref().map(|tls| tls.resumed),
            method: http.request.method.as_deref().unwrap_or_default().into(),
            path: record.url.as_ref().map(|url| &*url.path).unwrap_or_default().into(),
            status: http.response.status_code,
            code: code.map(Into::into),
        };
        let text = told.digest(connection.idle_before_ns).into();
        Some(Self { text, ..told })
    }

    /// The record in a line: what it says that a finding can rest on.
    fn digest(&self, idle_before_ns: u64) -> String {
        let Self { method, path, number, .. } = self;
        let mut text = format!("client: {method} {path}, attempt {number}");
        if self.reused == Some(true) {
            let idle = Duration::from_nanos(idle_before_ns);
            text.push_str(&format!(", on a reused connection that had idled {}", in_words(idle)));
        }
        if let Some(status) = self.status {
            text.push_str(&format!(": {status} after {}", in_words(Duration::from_nanos(self.phases.wait))));
        }
        if let Some(code) = &self.code {
            let after = self.ended.since(self.sent());
            text.push_str(&format!(": {code} after {}", in_words(after)));
        }
        text
    }

    /// When the first byte was written. A further attempt has the time at which the
    /// caller asked; of one that was answered its own is known from its end.
    fn sent(&self) -> Instant {
        let Phases { queue, dns, connect, tls, send, wait, receive, .. } = self.phases;
        if self.number > 1 && wait > 0 {
            return self
                .ended
                .before(Duration::from_nanos(send.saturating_add(wait).saturating_add(receive)));
        }
        self.asked.after(Duration::from_nanos(
            queue.saturating_add(dns).saturating_add(connect).saturating_add(tls),
        ))
    }

    /// How other sides know it.
    pub(super) const fn names(&self) -> &Names {
        &self.names
    }

    /// The id of the reply, and from when to when it was waited for.
    pub(super) fn answered(&self) -> Option<(&str, [Instant; 2])> {
        let Phases { send, wait, .. } = self.phases;
        let sent = self.sent();
        self.status?;
        Some((
            self.names.trans_id.as_deref()?,
            [sent, sent.after(Duration::from_nanos(send.saturating_add(wait)))],
        ))
    }

    fn tell(&self, whole: Whole, to: Events<'_>) {
        let Whole { request, connection, first, last } = whole;
        let name = format!("{} {}", self.method, self.path);
        let mut say = |at: Instant, kind: Kind<'_>| {
            to(Event { place: self.place, at: Some(at), kind, text: &self.text });
        };
        let sent = self.sent();
        if first {
            say(self.asked, Kind::Created { request, name: &name });
        }
        if self.names.connection.is_some() {
            let name = format!("connection {:024x}", self.names.connection.unwrap_or_default());
            let Phases { queue, tls, .. } = self.phases;
            let assigned = if self.number > 1 { sent } else { self.asked.after(Duration::from_nanos(queue)) };
            say(assigned, Kind::Assigned { request, connection, name: &name });
            if self.reused == Some(false) {
                let connected = sent.before(Duration::from_nanos(tls)).max(assigned);
                say(connected, Kind::Connected { connection, peer: "" });
                say(connected, Kind::HandshakeBegun { connection: Some(connection) });
                let extent = match self.resumed {
                    Some(true) => Extent::Resumed,
                    Some(false) => Extent::Full,
                    None => Extent::Unknown,
                };
                say(sent, Kind::HandshakeDone { connection: Some(connection), extent });
            }
            say(sent, Kind::KnownAs { request, names: self.names.clone() });
            say(sent, Kind::Begun { request, method: &self.method });
            say(sent, Kind::HeadSent { request, expects_continue: false, expires: None });
        }
        if let Some(status) = self.status {
            let Phases { send, wait, .. } = self.phases;
            let answered = sent.after(Duration::from_nanos(send.saturating_add(wait)));
            say(answered, Kind::Answered { request, status: Some(status) });
            say(answered, Kind::Fields { request, after: After::Kept, clock: None });
        }
        let failure = self.code.as_deref().and_then(failure);
        if let Some(failure) = failure {
            let heard = if last { Heard::Application } else { Heard::Library };
            say(self.ended, Kind::Failed { request, failure, heard });
        } else if last {
            say(self.ended, Kind::Released { request });
        }
    }
}

/// What a code of the client's means; `None` for a reply that is a refusal.
fn failure(code: &str) -> Option<Failure> {
    match code {
        "ConnectionBroken" => Some(Failure::Closed),
        "PathSilent" | "PeerSilent" | "TimedOut" => Some(Failure::TimedOut),
        "Abandoned" | "SourceFailed" | "TooLarge" => Some(Failure::Abandoned),
        _ => CONNECT_CODES.iter().find(|(known, _)| *known == code).map(|(_, failure)| *failure),
    }
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
