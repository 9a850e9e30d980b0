//! The record of one turn of a connection that is traced or recorded.

use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use repono_core::refusal::After;

use crate::request::Side;
use crate::stamp::Stamp;
use crate::text::{Text, UrlPath};
use crate::words::words;

/// What was said in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnKind {
    /// A part of the TLS handshake.
    Handshake,
    /// Anything else: a request and its reply.
    Exchange,
}

words! { TurnKind {
    Handshake => "handshake",
    Exchange => "exchange",
} }

/// The request of a turn, on a side that reads HTTP.
///
/// *Shape*: a plain value without heap. What the peer says is kept as it came, cut.
#[derive(Clone, Copy, Debug)]
pub struct TurnRequest {
    /// The method, which need not be one that we serve.
    pub method: Text<16>,
    /// The path without its query.
    pub path: UrlPath,
    /// The status of the reply, once there is one.
    pub status: Option<u16>,
    /// The reply's own id of the request (`X-Trans-Id`, `X-Amz-Request-Id`).
    pub id: Text<64>,
    /// The connection, as the server knows it, where the reply tells.
    pub peer_connection: Option<ConnectionId>,
    /// What becomes of the connection, as the reply announces it.
    pub connection_after: After,
}

impl TurnRequest {
    /// A request that has no reply yet.
    #[must_use]
    pub const fn new(method: Text<16>, path: UrlPath) -> Self {
        Self {
            method,
            path,
            status: None,
            id: Text::EMPTY,
            peer_connection: None,
            connection_after: After::Keep,
        }
    }
}

/// One turn: what the client sent, and what the server sent after it. Sizes and
/// times, and where HTTP is read what its heads say; never a byte of a body.
///
/// *Shape*: a plain value without heap.
#[derive(Clone, Copy, Debug)]
pub struct TurnRecord {
    /// Who records.
    pub side: Side,
    /// What was said, as far as the answer tells.
    pub kind: TurnKind,
    /// The connection, as this side knows it.
    pub connection: ConnectionId,
    /// The client's end.
    pub source: SocketAddr,
    /// The relay's end.
    pub destination: SocketAddr,
    /// The relay's own end towards the server, which the server takes for the client's.
    pub onward: Option<SocketAddr>,
    /// The head that serves it, where it is known.
    pub head: Text<32>,
    /// Which turn since the trace began, from 1.
    pub number: u64,
    /// The client's first bytes.
    pub asked: Stamp,
    /// The client's last bytes, monotonic.
    pub asked_last_mono_ns: u64,
    /// The server's first bytes, monotonic; `None` if they never came.
    pub answered_mono_ns: Option<u64>,
    /// The last bytes of the turn, monotonic.
    pub ended_mono_ns: u64,
    /// Of the first turn: from the connection's beginning until the server's end of it
    /// stood, in nanoseconds.
    pub connect_ns: Option<u64>,
    /// How long nothing had moved before it, in nanoseconds.
    pub idle_before_ns: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// Whether the server's kernel had acknowledged what was asked, when it was last
    /// looked at while no answer came; `None` where there was no need to look.
    pub acknowledged: Option<bool>,
    /// The request, on a side that reads HTTP.
    pub request: Option<TurnRequest>,
}
