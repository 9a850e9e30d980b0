//! Requests.

use std::borrow::Cow;
use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use repono_core::trace::{Span, SpanId, TraceId};

use crate::connection::TlsVersion;
use crate::request::{Phases, Reuse, Side};
use crate::stamp::Stamp;

use super::ReadError;
use super::raw::{self, Raw, id, optional_id, side, text};

/// A TLS session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session<'a> {
    /// Its version.
    pub version: Option<TlsVersion>,
    /// Its cipher suite by its IANA name.
    pub cipher: Cow<'a, str>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

/// A request, as [`crate::RequestRecord`] was written.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Who recorded.
    pub side: Option<Side>,
    /// `X-Trans-Id` of the reply.
    pub trans_id: Option<Cow<'a, str>>,
    /// Which part of which trace it is.
    pub trace: Option<Span>,
    /// The connection, as its side knows it.
    pub connection: ConnectionId,
    /// The same, as the balancer knows it.
    pub balancer_id: Option<ConnectionId>,
    /// When the caller asked.
    pub started: Stamp,
    /// When it ended, reckoned from the beginning.
    pub ended: Stamp,
    /// The client's end of the connection.
    pub source: Option<SocketAddr>,
    /// The server's.
    pub destination: Option<SocketAddr>,
    /// The method.
    pub method: Option<Cow<'a, str>>,
    /// The path without its query.
    pub path: Cow<'a, str>,
    /// The status of the reply.
    pub status: Option<u16>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the reply's body.
    pub bytes_out: u64,
    /// Where the time went.
    pub phases_ns: Phases,
    /// New connection, or reused.
    pub reuse: Reuse,
    /// Which attempt at the request it was, from 1.
    pub attempts: u8,
    /// Why it was refused or broke; `None` of a reply that was wholly passed on.
    pub code: Option<Cow<'a, str>>,
    /// `account:user`.
    pub actor: Option<Cow<'a, str>>,
    /// The application of the dev-ticket.
    pub application: Option<Cow<'a, str>>,
    /// `User-Agent`.
    pub user_agent: Option<Cow<'a, str>>,
    /// The TLS session.
    pub tls: Option<Session<'a>>,
    /// For how many requests it stands, where they are sampled.
    pub one_in: u64,
}

impl Request<'_> {
    /// From the beginning to the end.
    #[must_use]
    pub const fn duration_ns(&self) -> u64 {
        self.ended.mono_ns.saturating_sub(self.started.mono_ns)
    }

    /// Whether it broke, or the service was at fault; a refusal is neither.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        match self.status {
            None => true,
            Some(status) => status >= 500 || (status < 400 && self.code.is_some()),
        }
    }
}

pub(super) fn request(raw: Raw<'_>) -> Result<Request<'_>, ReadError> {
    let own = raw.repono;
    let (started, ended) = (own.started(), own.ended());
    let connection = own.connection.ok_or(ReadError::Missing("repono.connection"))?;
    let trace = span(raw.trace.as_ref(), raw.span.as_ref(), own.span.as_ref());
    let http = raw.http.ok_or(ReadError::Missing("http"))?;
    Ok(Request {
        side: side(own.side),
        trans_id: text(http.request.id),
        trace,
        connection: id(&connection.id)?,
        balancer_id: optional_id(connection.balancer_id)?,
        started,
        ended,
        source: raw.source.map(raw::Address::socket),
        destination: raw.destination.map(raw::Address::socket),
        method: text(http.request.method),
        path: raw.url.ok_or(ReadError::Missing("url.path"))?.path.0,
        status: http.response.status_code,
        bytes_in: http.request.body.bytes,
        bytes_out: http.response.body.bytes,
        phases_ns: own.phase_ns,
        reuse: match connection.reused {
            Some(true) => Reuse::Reused {
                idle_before_ns: connection.idle_before_ns,
                requests_before: connection.requests_before,
            },
            Some(false) | None => Reuse::New,
        },
        attempts: own.attempts,
        code: raw.error.map(|error| error.code.0),
        actor: raw.user.map(|user| user.name.0),
        application: text(own.application),
        user_agent: raw.user_agent.map(|agent| agent.original.0),
        tls: raw.tls.map(session),
        one_in: own.sample.one_in,
    })
}

/// What is no id is passed over: a trace is worth less than the record.
fn span(
    trace: Option<&raw::Id<'_>>,
    span: Option<&raw::Id<'_>>,
    asker: Option<&raw::Asker<'_>>,
) -> Option<Span> {
    Some(Span {
        trace: TraceId::parse(trace?.id.0.as_bytes())?,
        id: SpanId::parse(span?.id.0.as_bytes())?,
        parent: asker.and_then(|asker| SpanId::parse(asker.parent_id.0.as_bytes())),
    })
}

pub(super) fn session(tls: raw::Tls<'_>) -> Session<'_> {
    Session { version: TlsVersion::of_word(&tls.version.0), cipher: tls.cipher.0, resumed: tls.resumed }
}
