//! Connections.

use std::borrow::Cow;
use std::net::SocketAddr;

use repono_core::id::ConnectionId;

use crate::connection::{ClosedBy, Manner, Phase, TcpSummary, Turns};
use crate::request::Side;
use crate::stamp::Stamp;

use super::ReadError;
use super::raw::{Raw, id, optional_id, side, text};
use super::request::{Session, session};

/// A connection, as [`crate::ConnectionRecord`] was written.
#[derive(Clone, Debug)]
pub struct Connection<'a> {
    /// Who recorded.
    pub side: Option<Side>,
    /// The connection, as its side knows it.
    pub id: ConnectionId,
    /// The same, as the balancer knows it.
    pub balancer_id: Option<ConnectionId>,
    /// When it was accepted or begun.
    pub opened: Stamp,
    /// When it ended, reckoned from the beginning.
    pub ended: Stamp,
    /// The client's end.
    pub source: SocketAddr,
    /// The server's.
    pub destination: SocketAddr,
    /// The TLS session.
    pub tls: Option<Session<'a>>,
    /// Requests served.
    pub requests: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// Who ended it.
    pub closed_by: Option<ClosedBy>,
    /// How.
    pub manner: Option<Manner>,
    /// While it was doing what.
    pub phase: Option<Phase>,
    /// How long it had been idle.
    pub idle_at_close_ns: u64,
    /// Bytes of a request that raced its end.
    pub late_bytes: u64,
    /// The two letters of its end.
    pub end_code: Option<Cow<'a, str>>,
    /// Its turns.
    pub turns: Option<Turns>,
    /// `TCP_INFO` towards the source, and towards the destination.
    pub tcp: [Option<TcpSummary>; 2],
    /// The head that served it.
    pub head: Option<Cow<'a, str>>,
}

pub(super) fn connection(raw: Raw<'_>) -> Result<Connection<'_>, ReadError> {
    let own = raw.repono;
    let (opened, ended) = (own.started(), own.ended());
    let connection = own.connection.ok_or(ReadError::Missing("repono.connection"))?;
    let source = raw.source.ok_or(ReadError::Missing("source"))?;
    Ok(Connection {
        side: side(own.side),
        id: id(&connection.id)?,
        balancer_id: optional_id(connection.balancer_id)?,
        opened,
        ended,
        source: source.socket(),
        destination: raw.destination.ok_or(ReadError::Missing("destination"))?.socket(),
        tls: raw.tls.map(session),
        requests: connection.requests,
        bytes_in: connection.bytes_in,
        bytes_out: connection.bytes_out,
        closed_by: connection.closed_by.and_then(|word| ClosedBy::of_word(&word.0)),
        manner: connection.manner.and_then(|word| Manner::of_word(&word.0)),
        phase: connection.phase.and_then(|word| Phase::of_word(&word.0)),
        idle_at_close_ns: connection.idle_at_close_ns,
        late_bytes: connection.late_bytes,
        end_code: text(connection.end_code),
        turns: connection.turns,
        tcp: [own.tcp_source, own.tcp_destination],
        head: text(own.head),
    })
}
