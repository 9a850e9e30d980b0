//! One turn that a recorder saw: a request and its reply.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::adapter::Events;
use crate::event::{After, Event, Extent, Failure, Heard, Id, Instant, Kind, Place};
use crate::journal::clocks::Boot;
use crate::journal::record::Record;
use crate::span::in_words;
use crate::witness::Names;

/// By how much the first request of a connection may be longer than the same one
/// later: a client of TLS sends its Finished with it (RFC 8446 section 4.4.4; 64 to 80
/// bytes), and one of HTTP/2 its settings, and fields that it only names afterwards
/// (RFC 7541 section 2.3.2).
const FIRST_BYTES_MORE_MAX: u64 = 2_048;

/// Half of what counts as a slow reply (`rules.toml`).
const SLOW: Duration = Duration::from_millis(500);

/// The smallest request of HTTP/1.1 in one record of TLS: two lines of 16 and 7 bytes,
/// an empty one, 22 of the record.
const REQUEST_BYTES_MIN: u64 = 47;

/// A request and its reply.
pub(super) struct Exchange {
    place: Place,
    text: Box<str>,
    connection: Id,
    names: Names,
    /// The client's host.
    client: IpAddr,
    /// Method and path, where they are read.
    request: Option<(Box<str>, Box<str>)>,
    bytes: u64,
    asked: Instant,
    sent: Instant,
    answered: Option<(Instant, Option<u16>)>,
    after: After,
    ended: Instant,
    fresh: Option<Fresh>,
}

/// How a connection came about that was made for its request.
#[derive(Clone, Copy)]
struct Fresh {
    opened: Instant,
    stood: Instant,
    handshake: Option<[Instant; 2]>,
}

/// Where an attempt stands in its request.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) request: Id,
    pub(super) first: bool,
    pub(super) failed: Option<(Failure, Heard)>,
}

impl Exchange {
    pub(super) fn of(record: &Record<'_>, place: Place, clock: Boot, connection: Id) -> Option<Self> {
        let own = &record.repono;
        let (turn, of) = (own.turn?, own.connection.as_ref()?);
        let http = record.http.as_ref();
        let path = record.url.as_ref().map(|url| &*url.path).unwrap_or_default();
        let request =
            http.and_then(|http| http.request.method.as_deref()).map(|method| (method.into(), path.into()));
        let asked = record.started();
        let sent = asked.after(Duration::from_nanos(turn.send_ns));
        let status = http.and_then(|http| http.response.status_code);
        let answered = turn.wait_ns.map(|wait| (sent.after(Duration::from_nanos(wait)), status));
        let acknowledged = turn.acknowledged.filter(|_| answered.is_none()).or(answered.map(|_| true));
        let exchange = Self {
            place,
            text: Box::default(),
            connection,
            names: names(record, clock, acknowledged)?,
            client: record.source?.address().ip(),
            request,
            bytes: of.bytes_in,
            asked,
            sent,
            answered,
            after: if of.closes == Some(true) { After::Closed } else { After::Kept },
            ended: record.ended(),
            fresh: None,
        };
        let text = exchange.digest(Duration::from_nanos(turn.idle_before_ns)).into();
        Some(Self { text, ..exchange })
    }

    /// The record in a line: what it says that a finding can rest on.
    fn digest(&self, idle: Duration) -> String {
        let Self { sent, answered, .. } = self;
        let mut text = format!("recorder: {} on {}", self.name(), self.connection_name());
        if !idle.is_zero() {
            text.push_str(&format!(", after {} of quiet", in_words(idle)));
        }
        match answered {
            Some((at, status)) => {
                let status = status.map(|status| format!("{status} ")).unwrap_or_default();
                text.push_str(&format!(": {status}after {}", in_words(at.since(*sent))));
            }
            None => text.push_str(match self.names.acknowledged {
                Some(true) => ": acknowledged, and no answer",
                Some(false) => ": not acknowledged",
                None => ": no answer",
            }),
        }
        text
    }

    fn name(&self) -> String {
        match &self.request {
            Some((method, path)) => format!("{method} {path}"),
            None => format!("a turn of {} bytes", self.bytes),
        }
    }

    fn connection_name(&self) -> String {
        format!("connection {:024x}", self.names.connection.unwrap_or_default())
    }

    /// It is the first request of its connection, which took so long to connect, after
    /// this handshake.
    pub(super) fn fresh(&mut self, handshake: Option<[Instant; 2]>, connect: Duration) {
        let stood = handshake.map_or(self.asked, |[begun, _]| begun);
        self.fresh = Some(Fresh { opened: stood.before(connect), stood, handshake });
    }

    /// Its connection ended so long after the last byte.
    pub(super) fn failed_after(&mut self, quiet: Duration) {
        self.ended = self.ended.after(quiet);
    }

    /// Its connection is known at the server under this id.
    pub(super) fn is_known_as(&mut self, peer: Option<u128>) {
        self.names.peer_connection = self.names.peer_connection.or(peer);
    }

    /// How other sides know it.
    pub(super) const fn names(&self) -> &Names {
        &self.names
    }

    /// Whether it can be no request: a goodbye, or a frame by which HTTP/2 is managed.
    pub(super) const fn asks_for_nothing(&self) -> bool {
        self.request.is_none() && self.answered.is_none() && self.bytes < REQUEST_BYTES_MIN
    }

    /// Its connection was made for it, whenever the rest is told.
    pub(super) fn announce(&self, to: Events<'_>) {
        let kind = Kind::Connected { connection: self.connection, peer: "" };
        to(Event { place: self.place, at: Some(self.opened()), kind, text: &self.text });
    }

    /// Whether its reply took so long that somebody will ask why.
    pub(super) fn is_slow(&self) -> bool {
        self.answered.is_some_and(|(at, _)| at.since(self.sent) >= SLOW)
    }

    pub(super) const fn is_lost(&self) -> bool {
        self.answered.is_none()
    }

    /// When its connection was opened, or when it was asked on one that stood.
    pub(super) fn opened(&self) -> Instant {
        self.fresh.map_or(self.asked, |fresh| fresh.opened)
    }

    pub(super) const fn ended(&self) -> Instant {
        self.ended
    }

    /// Whether it, the first on its connection, can be the same request as another one.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let same = match (&self.request, &other.request) {
            (Some(own), Some(other)) => own == other,
            (None, None) => (0..=FIRST_BYTES_MORE_MAX).contains(&self.bytes.wrapping_sub(other.bytes)),
            (Some(_), None) | (None, Some(_)) => false,
        };
        same && self.client == other.client
    }

    pub(super) fn tell(&self, whole: Whole, to: Events<'_>) {
        let Whole { request, first, failed } = whole;
        let connection = self.connection;
        let (name, connection_name) = (self.name(), self.connection_name());
        let mut say = |at, kind| to(Event { place: self.place, at: Some(at), kind, text: &self.text });
        if first {
            say(self.opened(), Kind::Created { request, name: &name });
        }
        say(self.opened(), Kind::Assigned { request, connection, name: &connection_name });
        if let Some(Fresh { stood, handshake, .. }) = self.fresh {
            say(stood, Kind::Connected { connection, peer: "" });
            if let Some([begun, done]) = handshake {
                let connection = Some(connection);
                say(begun, Kind::HandshakeBegun { connection });
                say(done, Kind::HandshakeDone { connection, extent: Extent::Unknown });
            }
        }
        let method = self.request.as_ref().map(|(method, _)| &**method).unwrap_or_default();
        say(self.asked, Kind::KnownAs { request, names: self.names.clone() });
        say(self.asked, Kind::Begun { request, method });
        say(self.sent, Kind::HeadSent { request, expects_continue: false, expires: None });
        if let Some((at, status)) = self.answered {
            say(at, Kind::Answered { request, status });
            say(at, Kind::Fields { request, after: self.after, clock: None });
        }
        match failed {
            Some((failure, heard)) => say(self.ended, Kind::Failed { request, failure, heard }),
            None => say(self.ended, Kind::Released { request }),
        }
    }
}

/// The names of what a record tells of.
pub(super) fn names(record: &Record<'_>, clock: Boot, acknowledged: Option<bool>) -> Option<Names> {
    let connection = record.repono.connection.as_ref()?;
    let id = record.http.as_ref().and_then(|http| http.request.id.as_deref());
    let onward: SocketAddr = record.source?.onward();
    Some(Names {
        connection: connection.key(),
        peer_connection: connection.peer_key(),
        source: Some(onward),
        trans_id: id.map(Into::into),
        acknowledged,
        clock: clock.0,
    })
}

/// The record of a connection that never stood, in a line.
pub(super) fn unconnected(record: &Record<'_>) -> String {
    let connection = record.repono.connection.as_ref();
    let word = |word: Option<&str>| word.unwrap_or("unknown").to_owned();
    format!(
        "recorder: connection {:024x}, ended in {} by {}, {}, after {}",
        connection.and_then(|connection| connection.key()).unwrap_or_default(),
        word(connection.and_then(|connection| connection.phase.as_deref())),
        word(connection.and_then(|connection| connection.closed_by.as_deref())),
        word(connection.and_then(|connection| connection.manner.as_deref())),
        in_words(record.ended().since(record.started())),
    )
}
