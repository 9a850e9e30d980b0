//! The record of one connection.

use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use serde::Deserialize;

use crate::end_code::EndCode;
use crate::request::Side;
use crate::stamp::Stamp;
use crate::text::Text;
use crate::words::words;

/// The version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

words! { TlsVersion {
    V12 => "1.2",
    V13 => "1.3",
} }

/// The TLS session of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Version.
    pub version: TlsVersion,
    /// Cipher suite by its IANA name, such as `TLS_AES_128_GCM_SHA256`.
    pub cipher: &'static str,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

/// Which party ended the connection, as far as this side can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosedBy {
    /// The client.
    Client,
    /// The head.
    Head,
    /// The balancer.
    Balancer,
    /// The part that writes this record.
    Us,
    /// The other end of this side's connection; a client cannot tell whether that
    /// was the balancer or a head.
    Peer,
    /// The operating system gave the connection up, or the evidence does not say.
    Unknown,
}

words! { ClosedBy {
    Client => "client",
    Head => "head",
    Balancer => "balancer",
    Us => "us",
    Peer => "peer",
    Unknown => "unknown",
} }

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manner {
    /// FIN without close_notify.
    Fin,
    /// close_notify, then FIN.
    FinCloseNotify,
    /// RST.
    Rst,
    /// Our idle limit ran out.
    IdleExpiry,
    /// Another of our clocks ran out: header, body, progress, acknowledgement.
    Timeout,
    /// A drain ended it.
    Drain,
    /// It had reached the age that a connection may have.
    Age,
    /// It had served as many requests as a connection may.
    RequestLimit,
    /// Too many connections were open.
    Overload,
    /// We ended it by force.
    Kill,
    /// An error of the socket or of TLS.
    Error,
}

words! { Manner {
    Fin => "fin",
    FinCloseNotify => "fin+close_notify",
    Rst => "rst",
    IdleExpiry => "idle-expiry",
    Timeout => "timeout",
    Drain => "drain",
    Age => "age",
    RequestLimit => "request-limit",
    Overload => "overload",
    Kill => "kill",
    Error => "error",
} }

/// What the connection was doing when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Connecting: TCP or the PROXY header.
    Connect,
    /// TLS handshake.
    Handshake,
    /// Between requests, or before the first.
    Idle,
    /// Within a request's head.
    RequestHead,
    /// Within a request's body.
    RequestBody,
    /// Between the request's end and the reply's first byte.
    Wait,
    /// Within the reply.
    Reply,
    /// Relaying bytes in both directions, on a side that reads no HTTP.
    Relay,
}

words! { Phase {
    Connect => "connect",
    Handshake => "handshake",
    Idle => "idle",
    RequestHead => "request-head",
    RequestBody => "request-body",
    Wait => "wait",
    Reply => "reply",
    Relay => "relay",
} }

/// What the kernel knew about one TCP connection when it ended, from `TCP_INFO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TcpSummary {
    /// Smoothed round-trip time, in microseconds.
    pub rtt_us: u32,
    /// Its mean deviation, in microseconds.
    pub rttvar_us: u32,
    /// Unanswered retransmissions of the oldest segment.
    pub retransmits: u32,
    /// Retransmissions in the whole life.
    pub total_retrans: u32,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Doublings of the retransmission timer.
    pub backoff: u32,
    /// Since the last acknowledgement arrived, in milliseconds.
    pub last_ack_recv_ms: u32,
    /// Since the last data arrived, in milliseconds.
    pub last_data_recv_ms: u32,
}

/// The turns of a connection: from bytes of the client to the first bytes that
/// the server sent after them. What a side that reads no HTTP can time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Turns {
    /// How many there were.
    pub count: u64,
    /// The longest, in nanoseconds.
    pub worst_ns: u64,
    /// The last, in nanoseconds.
    pub last_ns: u64,
}

/// One connection, recorded when it has ended.
///
/// *Shape*: a plain value without heap, below 1 KiB.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionRecord {
    /// Who records.
    pub side: Side,
    /// The connection, as this side knows it.
    pub id: ConnectionId,
    /// The connection, as the balancer knows it, where that differs.
    pub balancer_id: Option<ConnectionId>,
    /// When it was accepted or begun.
    pub opened: Stamp,
    /// When it ended.
    pub ended: Stamp,
    /// The client's end.
    pub source: SocketAddr,
    /// The server's end.
    pub destination: SocketAddr,
    /// The TLS session, on a side that sees it.
    pub tls: Option<Tls>,
    /// Requests served.
    pub requests: u64,
    /// Bytes from the client, as this side counts them.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// Who ended it.
    pub closed_by: ClosedBy,
    /// How.
    pub manner: Manner,
    /// While it was doing what.
    pub phase: Phase,
    /// How long it had been idle.
    pub idle_at_close_ns: u64,
    /// Bytes of a request that came after our FIN: it raced the close of a quiet
    /// connection, and whoever sent it must send it again.
    pub late_bytes: u64,
    /// How it ended in two letters, on a side that relays.
    pub end_code: Option<EndCode>,
    /// Its turns, on a side that times them.
    pub turns: Option<Turns>,
    /// `TCP_INFO` at the end: towards the source, and towards the destination.
    pub tcp: [Option<TcpSummary>; 2],
    /// The name of the head that served it, where it is known.
    pub head: Text<32>,
}

impl ConnectionRecord {
    /// A record of a connection that began now, to be filled when it ends.
    #[must_use]
    pub const fn new(
        side: Side,
        id: ConnectionId,
        opened: Stamp,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Self {
        Self {
            side,
            id,
            balancer_id: None,
            opened,
            ended: opened,
            source,
            destination,
            tls: None,
            requests: 0,
            bytes_in: 0,
            bytes_out: 0,
            closed_by: ClosedBy::Unknown,
            manner: Manner::Error,
            phase: Phase::Connect,
            idle_at_close_ns: 0,
            late_bytes: 0,
            end_code: None,
            turns: None,
            tcp: [None, None],
            head: Text::EMPTY,
        }
    }
}
