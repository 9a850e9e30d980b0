//! The record of one turn of a traced connection.

use std::net::SocketAddr;

use repono_core::id::ConnectionId;

use crate::request::Side;
use crate::stamp::Stamp;
use crate::text::Text;

/// What was said in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnKind {
    /// A part of the TLS handshake.
    Handshake,
    /// Anything else: a request and its reply.
    Exchange,
}

impl TurnKind {
    /// The word in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Exchange => "exchange",
        }
    }
}

/// One turn: what the client sent, and what the server sent after it. Sizes and
/// times only, never a byte of either.
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
    /// How long nothing had moved before it, in nanoseconds.
    pub idle_before_ns: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
}
