//! The objects of a trace: which request runs on which connection, as the events
//! associate them.

use std::collections::HashMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::record::{Record, Rest};
use super::syntax::{Level, Message, Object, Target};
use crate::event::{After, Event, Extent, Failure, Heard, Id, Instant, Kind};
use crate::moment;

/// Objects that are remembered: a pool has tens of connections, a server some
/// thousands of requests at a time. Beyond that all are forgotten, and the log reads
/// on as if it began there.
const OBJECTS_MAX: usize = 100_000;

/// Threads that name their security packages at the same time.
const LISTING_MAX: usize = 64;

/// Steps of a handshake that resumes a session: more exchange keys anew.
const RESUMED_STEPS_MAX: u32 = 3;

/// An object of a process; the number is 0 where the log does not tell processes apart.
type Key = (u32, i64);

/// What is known of the objects.
#[derive(Default)]
pub(crate) struct Objects {
    connections: HashMap<Key, Connection>,
    requests: HashMap<Key, Id>,
    /// The request that a stream carries the body of.
    streams: HashMap<Key, Id>,
    /// The connection that a request was assigned to last.
    assigned: HashMap<Id, Key>,
    threads: HashMap<(u32, u32), Thread>,
    /// Threads that name security packages, an event for each.
    listing: Vec<u32>,
    requests_seen: u32,
    connections_seen: u32,
}

struct Connection {
    id: Id,
    stands: bool,
    /// Whose turn it is on it.
    current: Option<Id>,
    /// Who was assigned to it last.
    waiting: Option<Id>,
}

#[derive(Default)]
struct Thread {
    connection: Option<Id>,
    steps: u32,
}

/// One event and the way to hand on what it means.
struct Teller<'a, 'f> {
    record: &'a Record<'a>,
    at: Option<Instant>,
    to: &'f mut dyn FnMut(Event<'_>),
}

impl Teller<'_, '_> {
    fn tell(&mut self, kind: Kind<'_>) {
        (self.to)(Event { place: self.record.place, at: self.at, kind, text: self.record.text });
    }
}

impl Objects {
    /// Hands on what an event says. Gives the numbers of its lines that have no known
    /// form.
    pub(crate) fn take(&mut self, record: &Record<'_>, to: &mut dyn FnMut(Event<'_>)) -> Vec<u64> {
        let size = self.requests.len() + self.streams.len() + self.connections.len() + self.assigned.len();
        if size > OBJECTS_MAX {
            self.requests.clear();
            self.streams.clear();
            self.connections.clear();
            self.threads.clear();
            self.assigned.clear();
        }
        let thread = record.head.thread.parse().unwrap_or(0);
        let listing = self.listing.contains(&thread);
        let message = Message::parse(record.head.rest, record.head.level, listing);
        let rest = record.rest(message.as_ref());
        let process = rest.process.unwrap_or(0);
        if let Some(message) = &message {
            match (message.lists_packages(), listing) {
                (true, false) if self.listing.len() < LISTING_MAX => self.listing.push(thread),
                (false, true) => self.listing.retain(|other| *other != thread),
                (true, _) | (false, false) => {}
            }
            let mut teller = Teller { record, at: rest.at, to };
            self.mean((process, thread), message, &rest, &mut teller);
        }
        rest.foreign
    }

    fn mean(&mut self, thread: (u32, u32), message: &Message<'_>, rest: &Rest<'_>, to: &mut Teller<'_, '_>) {
        let process = thread.0;
        match message {
            Message::Associate { one, other } => self.associated(thread, *one, *other, to),
            Message::Call { target, .. } => self.called(thread, *target, to),
            Message::Remark { target, text, .. } => self.remarked(thread, *target, text, rest, to),
            Message::Exception { target, text, .. } => self.failed(process, *target, text, to),
            Message::Security { function, arguments } => self.secured(thread, function, arguments, to),
            Message::DataFrom { target } => self.sent(process, *target, to),
            Message::Return { .. }
            | Message::Octets { .. }
            | Message::Text(_)
            | Message::Part(_)
            | Message::Value { .. }
            | Message::Certificate { .. }
            | Message::Sentence(_)
            | Message::Package(_) => {}
        }
    }

    fn associated(
        &mut self,
        thread: (u32, u32),
        one: Object<'_>,
        other: Object<'_>,
        to: &mut Teller<'_, '_>,
    ) {
        let process = thread.0;
        match (one.class, other.class) {
            ("HttpWebRequest", "ServicePoint") => _ = self.request(process, one, to),
            ("HttpWebRequest", "ConnectStream") => {
                let request = self.request(process, one, to);
                self.streams.insert(key(process, other), request);
            }
            ("Connection", "HttpWebRequest") => {
                let request = self.request(process, other, to);
                self.assigned.insert(request, key(process, one));
                let connection = self.connection(process, one);
                connection.waiting = Some(request);
                let id = connection.id;
                self.threads.entry(thread).or_default().connection = Some(id);
                let name = format!("{one}");
                to.tell(Kind::Assigned { request, connection: id, name: &name });
            }
            _ => {}
        }
    }

    fn called(&mut self, thread: (u32, u32), target: Target<'_>, to: &mut Teller<'_, '_>) {
        let process = thread.0;
        let Some(object) = target.object() else { return };
        match (target.class, target.method) {
            ("HttpWebRequest", Some("HttpWebRequest")) => {
                // A new object may have the hash of one that is gone.
                self.requests.remove(&key(process, object));
                self.request(process, object, to);
            }
            ("TlsStream", Some(".ctor" | "TlsStream")) => {
                let thread = self.threads.entry(thread).or_default();
                thread.steps = 0;
                let connection = thread.connection;
                to.tell(Kind::HandshakeBegun { connection });
            }
            ("ConnectStream", Some("Close")) => {
                if let Some(request) = self.streams.remove(&key(process, object)) {
                    to.tell(Kind::Released { request });
                }
            }
            ("HttpWebRequest", Some("Abort")) => {
                let request = self.request(process, object, to);
                to.tell(Kind::Failed { request, failure: Failure::TimedOut, heard: Heard::Application });
            }
            _ => {}
        }
    }

    fn remarked(
        &mut self,
        thread: (u32, u32),
        target: Target<'_>,
        text: &str,
        rest: &Rest<'_>,
        to: &mut Teller<'_, '_>,
    ) {
        let process = thread.0;
        let Some(object) = target.object() else { return };
        match target.class {
            "Connection" => self.remarked_of_connection(thread, object, text, rest, to),
            "ConnectStream" if rest.has_fields => {
                let Some(request) = self.streams.get(&key(process, object)).copied() else { return };
                self.own(request);
                let expects_continue = rest
                    .fields
                    .iter()
                    .any(|(name, value)| name.eq_ignore_ascii_case("expect") && value.contains("100"));
                let expires = field(rest, "x-auth-expiry").and_then(moment::rfc3339);
                to.tell(Kind::HeadSent { request, expects_continue, expires });
            }
            "HttpWebRequest" => {
                if let Some(method) = request_line(text) {
                    let request = self.request(process, object, to);
                    to.tell(Kind::Begun { request, method });
                } else if to.record.head.level == Level::Error {
                    self.failed(process, target, text, to);
                }
            }
            "ServicePoint" => to.tell(Kind::ClosedIdle),
            _ if text.contains("SEC_I_RENEGOTIATE") => {
                let connection = self.threads.get(&thread).and_then(|thread| thread.connection);
                to.tell(Kind::Renegotiated { connection });
            }
            _ => {}
        }
    }

    fn remarked_of_connection(
        &mut self,
        thread: (u32, u32),
        object: Object<'_>,
        text: &str,
        rest: &Rest<'_>,
        to: &mut Teller<'_, '_>,
    ) {
        if let Some(peer) = peer(text) {
            let (id, moved) = self.stands(thread.0, object);
            self.threads.entry(thread).or_default().connection = Some(id);
            if let Some(request) = moved {
                let name = format!("{object}");
                to.tell(Kind::Assigned { request, connection: id, name: &name });
            }
            to.tell(Kind::Connected { connection: id, peer });
            return;
        }
        let current = self.connections.get(&key(thread.0, object)).and_then(|connection| connection.current);
        let Some(request) = current else { return };
        if let Some(status) = status(text) {
            to.tell(Kind::Answered { request, status: Some(status) });
        } else if rest.has_fields {
            to.tell(Kind::Fields { request, after: after(rest), clock: clock(rest) });
        }
    }

    fn failed(&mut self, process: u32, target: Target<'_>, text: &str, to: &mut Teller<'_, '_>) {
        let (Some(object), "HttpWebRequest") = (target.object(), target.class) else { return };
        let request = self.request(process, object, to);
        // `GetResponse` and its like throw at their caller; what has no name is within.
        let heard = match target.method {
            None | Some("") => Heard::Library,
            Some(_) => Heard::Application,
        };
        to.tell(Kind::Failed { request, failure: failure(text), heard });
    }

    fn secured(&mut self, thread: (u32, u32), function: &str, arguments: &str, to: &mut Teller<'_, '_>) {
        let thread = self.threads.entry(thread).or_default();
        match function {
            "InitializeSecurityContext" if arguments.contains("returned code=") => {
                thread.steps = thread.steps.saturating_add(1);
            }
            "ProcessAuthentication" | "EndProcessAuthentication" => {
                let extent = match std::mem::take(&mut thread.steps) {
                    0 => Extent::Unknown,
                    1..=RESUMED_STEPS_MAX => Extent::Resumed,
                    _ => Extent::Full,
                };
                let connection = thread.connection;
                to.tell(Kind::HandshakeDone { connection, extent });
            }
            _ => {}
        }
    }

    fn sent(&mut self, process: u32, target: Target<'_>, to: &mut Teller<'_, '_>) {
        let (Some(object), "ConnectStream") = (target.object(), target.class) else { return };
        let writes = target.method.is_some_and(|method| method.contains("Write"));
        if let Some(request) = self.streams.get(&key(process, object)).copied().filter(|_| writes) {
            to.tell(Kind::BodySent { request });
        }
    }

    fn request(&mut self, process: u32, object: Object<'_>, to: &mut Teller<'_, '_>) -> Id {
        if let Some(known) = self.requests.get(&key(process, object)) {
            return *known;
        }
        let request = Id(self.requests_seen);
        self.requests_seen = self.requests_seen.saturating_add(1);
        self.requests.insert(key(process, object), request);
        let name = format!("{object}");
        to.tell(Kind::Created { request, name: &name });
        request
    }

    fn connection(&mut self, process: u32, object: Object<'_>) -> &mut Connection {
        let seen = &mut self.connections_seen;
        self.connections.entry(key(process, object)).or_insert_with(|| {
            let id = Id(*seen);
            *seen = seen.saturating_add(1);
            Connection { id, stands: false, current: None, waiting: None }
        })
    }

    /// The object connected: it is another connection if it did so before, or carried
    /// a request. Gives the request that waits for it, if it now has another id.
    fn stands(&mut self, process: u32, object: Object<'_>) -> (Id, Option<Id>) {
        let connection = self.connection(process, object);
        if !connection.stands && connection.current.is_none() {
            connection.stands = true;
            return (connection.id, None);
        }
        let waiting = connection.waiting;
        self.connections.remove(&key(process, object));
        let connection = self.connection(process, object);
        connection.stands = true;
        connection.waiting = waiting;
        (connection.id, waiting)
    }

    /// The turn of a request has come on the connection that it was assigned to.
    fn own(&mut self, request: Id) {
        let connection = self.assigned.get(&request).and_then(|key| self.connections.get_mut(key));
        if let Some(connection) = connection {
            connection.current = Some(request);
        }
    }
}

fn key(process: u32, object: Object<'_>) -> Key {
    (process, object.hash.parse().unwrap_or(0))
}

/// `Request: HEAD /path HTTP/1.1`, the first word in the machine's language.
fn request_line(text: &str) -> Option<&str> {
    let (_, line) = text.split_once(": ")?;
    let mut words = line.split(' ');
    let method = words.next()?;
    let version = words.next_back()?;
    let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    (is_method && version.starts_with("HTTP/")).then_some(method)
}

/// The second of the two ends that a connection has, whatever words stand between.
fn peer(text: &str) -> Option<&str> {
    let mut ends = text.split(' ').filter(|word| {
        let word = word.trim_end_matches(['.', '。']);
        word.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
        })
    });
    let _own = ends.next()?;
    let peer = ends.next()?.trim_end_matches(['.', '。']);
    ends.next().is_none().then_some(peer)
}

/// `…=1.1, …=200, …=OK.`
fn status(text: &str) -> Option<u16> {
    let mut values = text.split('=').skip(1);
    let version = values.next()?;
    let status = values.next()?;
    let number = status.get(..3)?;
    (version.starts_with("1.") && values.next().is_some()).then(|| number.parse().ok()).flatten()
}

fn field<'a>(rest: &Rest<'a>, wanted: &str) -> Option<&'a str> {
    rest.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
}

fn after(rest: &Rest<'_>) -> After {
    let closed = field(rest, "connection").is_some_and(|value| value.to_ascii_lowercase().contains("close"));
    if closed { After::Closed } else { After::Kept }
}

/// The server's time of the reply: `Date`, or the seconds in a Swift transaction id.
fn clock(rest: &Rest<'_>) -> Option<Instant> {
    let date = field(rest, "date").and_then(|date| {
        let dated = date.replace("GMT", "+0000");
        OffsetDateTime::parse(&dated, &Rfc2822).ok()
    });
    let nanos = date.map(OffsetDateTime::unix_timestamp_nanos).or_else(|| {
        let (_, seconds) = field(rest, "x-trans-id")?.rsplit_once('-')?;
        i128::from_str_radix(seconds.get(..10)?, 16).ok()?.checked_mul(1_000_000_000)
    });
    nanos.map(Instant)
}

/// The words of the English resources (`net_webstatus_…`, `net_io_…`).
fn failure(text: &str) -> Failure {
    const WORDS: [(&str, Failure); 12] = [
        ("expected to be kept alive", Failure::KeptAliveLost),
        ("connection was closed unexpectedly", Failure::Closed),
        ("trust relationship", Failure::Tls),
        ("secure channel", Failure::Tls),
        ("error occurred on a send", Failure::Send),
        ("error occurred on a receive", Failure::Receive),
        ("Unable to connect", Failure::Connect),
        ("could not be resolved", Failure::Name),
        ("timed out", Failure::TimedOut),
        ("aborted", Failure::TimedOut),
        ("protocol violation", Failure::Protocol),
        ("server returned an error", Failure::Status),
    ];
    WORDS.iter().find(|(words, _)| text.contains(words)).map_or(Failure::Untold, |(_, failure)| *failure)
}
