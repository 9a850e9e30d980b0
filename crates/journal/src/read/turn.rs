//! Turns.

use std::borrow::Cow;
use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use repono_core::refusal::After;

use crate::request::Side;
use crate::stamp::Stamp;
use crate::turn::TurnKind;

use super::ReadError;
use super::raw::{Raw, id, optional_id, side, text};

/// A turn, as [`crate::TurnRecord`] was written.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// Who recorded.
    pub side: Option<Side>,
    /// What was said.
    pub kind: Option<TurnKind>,
    /// The connection, as its side knows it.
    pub connection: ConnectionId,
    /// The client's end.
    pub source: SocketAddr,
    /// The relay's.
    pub destination: SocketAddr,
    /// The relay's own end towards the server.
    pub onward: Option<SocketAddr>,
    /// The head that served it.
    pub head: Option<Cow<'a, str>>,
    /// Which turn, from 1.
    pub number: u64,
    /// The client's first bytes.
    pub asked: Stamp,
    /// The client's last bytes, monotonic.
    pub asked_last_mono_ns: u64,
    /// The server's first bytes, monotonic.
    pub answered_mono_ns: Option<u64>,
    /// The last bytes.
    pub ended: Stamp,
    /// Of the first turn: how long it took until the server's end stood.
    pub connect_ns: Option<u64>,
    /// How long nothing had moved before it.
    pub idle_before_ns: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// Whether the server's kernel had acknowledged what was asked.
    pub acknowledged: Option<bool>,
    /// The request, on a side that reads HTTP.
    pub exchange: Option<Exchange<'a>>,
}

/// The request of a turn, as [`crate::TurnRequest`] was written.
#[derive(Clone, Debug)]
pub struct Exchange<'a> {
    /// The method.
    pub method: Cow<'a, str>,
    /// The path without its query.
    pub path: Cow<'a, str>,
    /// The status of the reply.
    pub status: Option<u16>,
    /// The reply's own id of the request.
    pub id: Option<Cow<'a, str>>,
    /// The connection, as the server knows it.
    pub peer_connection: Option<ConnectionId>,
    /// What becomes of the connection, as announced.
    pub connection_after: After,
}

pub(super) fn turn(raw: Raw<'_>) -> Result<Turn<'_>, ReadError> {
    let own = raw.repono;
    let (asked, ended) = (own.started(), own.ended());
    let connection = own.connection.ok_or(ReadError::Missing("repono.connection"))?;
    let turn = own.turn.ok_or(ReadError::Missing("repono.turn"))?;
    let source = raw.source.ok_or(ReadError::Missing("source"))?;
    let asked_last_mono_ns = asked.mono_ns.saturating_add(turn.send_ns);
    let peer_connection = optional_id(connection.balancer_id)?;
    let connection_after = if connection.closes == Some(true) { After::Close } else { After::Keep };
    let exchange = raw.http.map(|http| Exchange {
        method: text(http.request.method).unwrap_or_default(),
        path: raw.url.map(|url| url.path.0).unwrap_or_default(),
        status: http.response.status_code,
        id: text(http.request.id),
        peer_connection,
        connection_after,
    });
    Ok(Turn {
        side: side(own.side),
        kind: turn.kind.and_then(|word| TurnKind::of_word(&word.0)),
        connection: id(&connection.id)?,
        source: source.socket(),
        destination: raw.destination.ok_or(ReadError::Missing("destination"))?.socket(),
        onward: source.onward(),
        head: text(own.head),
        number: turn.number,
        asked,
        asked_last_mono_ns,
        answered_mono_ns: turn.wait_ns.map(|wait_ns| asked_last_mono_ns.saturating_add(wait_ns)),
        ended,
        connect_ns: turn.connect_ns,
        idle_before_ns: turn.idle_before_ns,
        bytes_in: connection.bytes_in,
        bytes_out: connection.bytes_out,
        acknowledged: turn.acknowledged,
        exchange,
    })
}
