//! What is known of one connection.

use std::collections::VecDeque;
use std::fmt::Write;
use std::net::SocketAddr;

use repono_journal::read::{Connection, Request, Session, Turn};
use repono_journal::{ClosedBy, Manner, Phase, Reuse, Side, TlsVersion, TurnKind, UrlPath};

use super::names::Names;

/// Requests and turns of each that are remembered, the last ones, of all sides together.
pub(super) const REQUESTS_MAX: usize = 48;
/// Ends of each: a client's, a recorder's, the balancer's and a head's.
const ENDS_MAX: usize = 4;
/// The longest text that is kept of a code, a cipher or a head's name.
const WORD_CHARS_MAX: usize = 48;
/// The longest method that is kept; a path has 200 bytes at most.
const METHOD_BYTES_MAX: usize = 48;

/// Everything that is told of it.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) names: Names,
    /// The client's end of it, and with a recorder on the way that one's end, which the
    /// balancer takes for the client's.
    pub(super) addresses: [Option<SocketAddr>; 2],
    /// From the beginning of the first thing to the end of the last, Unix nanoseconds.
    pub(super) span_ns: Option<(u64, u64)>,
    pub(super) opening: Option<Opening>,
    /// Which side between has told how long it took until its own connection stood.
    pub(super) reached: Option<(Option<Side>, u64)>,
    pub(super) ends: Vec<End>,
    pub(super) requests: VecDeque<Served>,
}

/// How a client came to it, as its first request tells.
#[derive(Debug)]
pub(super) struct Opening {
    /// When TCP began.
    pub(super) connect_at_ns: u64,
    pub(super) connect_ns: u64,
    pub(super) tls_ns: u64,
    pub(super) tls: Option<Tls>,
}

/// A TLS session.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) version: Option<TlsVersion>,
    pub(super) cipher: Box<str>,
    pub(super) resumed: bool,
}

/// A side's record of its end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) side: Option<Side>,
    pub(super) opened_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) idle_ns: u64,
    pub(super) client: SocketAddr,
    pub(super) head: Option<Box<str>>,
    pub(super) tls: Option<Tls>,
    pub(super) requests: u64,
    pub(super) by: Option<ClosedBy>,
    pub(super) manner: Option<Manner>,
    pub(super) phase: Option<Phase>,
    pub(super) late_bytes: u64,
}

/// A side's record of a request, or of a turn.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) side: Option<Side>,
    pub(super) what: What,
    pub(super) begun: Begun,
    pub(super) started_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) idle_ns: Option<u64>,
    pub(super) status: Option<u16>,
    pub(super) attempt: u8,
    pub(super) code: Option<Box<str>>,
    /// Method and path, or sizes.
    pub(super) said: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum What {
    #[default]
    Request,
    /// A turn of a handshake.
    Handshake,
    /// A turn whose bytes nobody has read.
    Turn,
}

/// Whether it is known when it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Begun {
    #[default]
    Known,
    /// Not before: an attempt that was given up, of which only the caller's question and the
    /// end are known.
    NotBefore,
}

impl Life {
    /// Two lives turn out to be one. Names and addresses are for whoever has the indexes.
    pub(super) fn absorb(&mut self, other: Self) {
        let Self { names: _, addresses: _, span_ns, opening, reached, ends, requests } = other;
        if let Some(span_ns) = span_ns {
            self.lasted(span_ns);
        }
        self.opening = self.opening.take().or(opening);
        self.reached = self.reached.or(reached);
        self.ends.extend(ends);
        self.ends.truncate(ENDS_MAX);
        self.requests.extend(requests);
        self.requests.make_contiguous().sort_by_key(|served| served.started_ns);
        let surplus = self.requests.len().saturating_sub(REQUESTS_MAX);
        self.requests.drain(..surplus);
    }

    /// Nothing is known any more. What it has held of memory is `spare`, or its next
    /// life's.
    pub(super) fn clear(&mut self, spare: &mut Vec<Served>, spare_max: usize) {
        let mut requests = std::mem::take(&mut self.requests);
        let room = spare_max.saturating_sub(spare.len());
        spare.extend(requests.drain(..).take(room));
        *self = Self { requests, ..Self::default() };
    }

    pub(super) fn lasted(&mut self, (from_ns, to_ns): (u64, u64)) {
        let (first, last) = self.span_ns.unwrap_or((from_ns, to_ns));
        self.span_ns = Some((first.min(from_ns), last.max(to_ns)));
    }

    pub(super) fn request(&mut self, request: &Request<'_>, spare: &mut Vec<Served>) {
        let mut served = self.next(spare);
        served.be_request(request);
        if self.opening.is_none() {
            self.opening = Opening::of(request, &served);
        }
        self.requests.push_back(served);
    }

    pub(super) fn turn(&mut self, turn: &Turn<'_>, spare: &mut Vec<Served>) {
        let mut served = self.next(spare);
        served.be_turn(turn);
        if let (None, Some(connect_ns)) = (self.reached, turn.connect_ns) {
            self.reached = Some((turn.side, connect_ns));
        }
        self.requests.push_back(served);
    }

    pub(super) fn ended(&mut self, connection: &Connection<'_>) {
        if self.ends.len() < ENDS_MAX {
            self.ends.push(End::of(connection));
        }
    }

    /// Room for another: that of the oldest, or some that is at hand.
    fn next(&mut self, spare: &mut Vec<Served>) -> Served {
        let oldest = if self.requests.len() >= REQUESTS_MAX { self.requests.pop_front() } else { None };
        oldest.or_else(|| spare.pop()).unwrap_or_default()
    }
}

impl Opening {
    fn of(request: &Request<'_>, served: &Served) -> Option<Self> {
        let phases = &request.phases_ns;
        let is_of_client = request.side == Some(Side::Client) && request.reuse == Reuse::New;
        if !is_of_client || served.begun == Begun::NotBefore || phases.connect == 0 {
            return None;
        }
        Some(Self {
            connect_at_ns: served.started_ns.saturating_add(phases.queue).saturating_add(phases.dns),
            connect_ns: phases.connect,
            tls_ns: phases.tls,
            tls: request.tls.as_ref().map(Tls::of),
        })
    }
}

impl Tls {
    fn of(session: &Session<'_>) -> Self {
        Self { version: session.version, cipher: word(&session.cipher), resumed: session.resumed }
    }
}

impl End {
    fn of(connection: &Connection<'_>) -> Self {
        Self {
            side: connection.side,
            opened_ns: connection.opened.wall_ns,
            ended_ns: connection.ended.wall_ns,
            idle_ns: connection.idle_at_close_ns,
            client: connection.source,
            head: connection.head.as_deref().map(word),
            tls: connection.tls.as_ref().map(Tls::of),
            requests: connection.requests,
            by: connection.closed_by,
            manner: connection.manner,
            phase: connection.phase,
            late_bytes: connection.late_bytes,
        }
    }
}

impl Served {
    /// *Cost*: no allocation where there was a longer one in its place, except for a code.
    fn be_request(&mut self, request: &Request<'_>) {
        let (begun, started_ns) = began(request);
        let mut said = std::mem::take(&mut self.said);
        said.clear();
        push_line(&mut said, request.method.as_deref().unwrap_or("?"), &request.path);
        *self = Self {
            side: request.side,
            what: What::Request,
            begun,
            started_ns,
            ended_ns: request.ended.wall_ns,
            idle_ns: match request.reuse {
                Reuse::New => None,
                Reuse::Reused { idle_before_ns, .. } => Some(idle_before_ns),
            },
            status: request.status,
            attempt: request.attempts,
            code: request.code.as_deref().map(word),
            said,
        };
    }

    fn be_turn(&mut self, turn: &Turn<'_>) {
        let mut said = std::mem::take(&mut self.said);
        said.clear();
        let what = match (&turn.exchange, turn.kind) {
            (Some(exchange), _) => {
                push_line(&mut said, &exchange.method, &exchange.path);
                What::Request
            }
            (None, Some(TurnKind::Handshake)) => {
                said.push_str("handshake");
                What::Handshake
            }
            (None, Some(TurnKind::Exchange) | None) => {
                // Writing to a string cannot fail.
                let _ = write!(said, "turn {}", turn.number);
                What::Turn
            }
        };
        if what != What::Request {
            push_sizes(&mut said, turn);
        }
        *self = Self {
            side: turn.side,
            what,
            begun: Begun::Known,
            started_ns: turn.asked.wall_ns,
            ended_ns: turn.ended.wall_ns,
            idle_ns: Some(turn.idle_before_ns),
            status: turn.exchange.as_ref().and_then(|exchange| exchange.status),
            attempt: 1,
            code: None,
            said,
        };
    }
}

/// All attempts of a client are dated by the caller's question; a later one began itself
/// with its own phases.
fn began(request: &Request<'_>) -> (Begun, u64) {
    let whole = request.duration_ns();
    let since = |ns: u64| request.ended.wall_ns.saturating_sub(ns);
    if request.side != Some(Side::Client) || request.attempts <= 1 {
        return (Begun::Known, since(whole));
    }
    let phases = &request.phases_ns;
    let opening = [phases.queue, phases.dns, phases.connect, phases.tls];
    let exchange = [phases.send, phases.wait, phases.receive];
    let own = opening.into_iter().chain(exchange).fold(0, u64::saturating_add);
    // One that was given up tells how its connection was opened, and not how long it waited.
    // One that got none tells all.
    let is_told = request.source.is_none() || exchange.into_iter().any(|ns| ns > 0);
    if is_told && own > 0 { (Begun::Known, since(own.min(whole))) } else { (Begun::NotBefore, since(whole)) }
}

/// Method and path. Whoever wrote them should have done so: no credential is shown.
fn push_line(said: &mut String, method: &str, path: &str) {
    let method = method.get(..method.floor_char_boundary(METHOD_BYTES_MAX)).unwrap_or_default();
    let path = UrlPath::of_target(path.as_bytes());
    let path = String::from_utf8_lossy(path.as_bytes());
    said.reserve_exact(method.len() + 1 + path.len());
    said.push_str(method);
    said.push(' ');
    said.push_str(&path);
}

fn push_sizes(said: &mut String, turn: &Turn<'_>) {
    let _ = write!(said, ": {} bytes asked", turn.bytes_in);
    let _ = match (turn.answered_mono_ns, turn.acknowledged) {
        (Some(_), _) => write!(said, ", {} answered", turn.bytes_out),
        (None, Some(true)) => write!(said, ", acknowledged, no answer"),
        (None, Some(false)) => write!(said, ", not acknowledged, no answer"),
        (None, None) => write!(said, ", no answer"),
    };
}

fn word(text: &str) -> Box<str> {
    text.chars().take(WORD_CHARS_MAX).collect()
}
