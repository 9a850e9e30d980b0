//! The record of one request.

use std::net::SocketAddr;

use repono_core::id::{ConnectionId, TransId};
use repono_core::refusal::After;
use repono_core::request::Method;
use repono_core::trace::Span;
use serde::Deserialize;

use crate::connection::Tls;
use crate::stamp::Stamp;
use crate::text::{Text, UrlPath};
use crate::words::words;

/// Which part of the system wrote a record: the same request has one from each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's library or command.
    Client,
    /// The balancer, which sees connections and turns, not requests.
    Balancer,
    /// A head.
    Head,
    /// The vending service.
    Vending,
    /// A relay beside a client, which records what passes through it.
    Recorder,
}

words! { Side {
    Client => "client",
    Balancer => "balancer",
    Head => "head",
    Vending => "vending",
    Recorder => "recorder",
} }

/// Where the time of a request went.
///
/// *Units*: nanoseconds; 0 where a phase did not take place on this side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Phases {
    /// Waiting for a place: in the client for a connection of the pool.
    pub queue: u64,
    /// Name look-up.
    pub dns: u64,
    /// TCP handshake.
    pub connect: u64,
    /// TLS handshake.
    pub tls: u64,
    /// Writing (client) or reading (head) the request, its body included.
    pub send: u64,
    /// From the request's last byte to the first of the reply.
    pub wait: u64,
    /// Checking the ticket and looking up the authorization.
    pub authorize: u64,
    /// Metadata and blobs.
    pub store: u64,
    /// Reading (client) or writing (head) the reply.
    pub receive: u64,
}

/// Whether the connection had served a request before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// The first request on its connection.
    New,
    /// A later one.
    Reused {
        /// How long the connection had been idle before it.
        idle_before_ns: u64,
        /// How many requests it had served.
        requests_before: u32,
    },
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The reply was wholly sent or received.
    Complete,
    /// It was refused, with the code of the refusal such as `NoSuchKey`.
    Refused(&'static str),
    /// It broke: the code says how, such as `ClientDisconnect`.
    Failed(&'static str),
}

/// One request, recorded when it has ended.
///
/// *Shape*: a plain value without heap, below 1 KiB, so that recording is a copy
/// into a ring.
#[derive(Clone, Copy, Debug)]
pub struct RequestRecord {
    /// Who records.
    pub side: Side,
    /// The id of the reply's `X-Trans-Id`, once there is one.
    pub trans_id: Option<TransId>,
    /// Which part of which trace it is; `None` where the caller named none.
    pub trace: Option<Span>,
    /// The connection, as this side knows it.
    pub connection: ConnectionId,
    /// The connection, as the balancer knows it, where that differs.
    pub balancer_id: Option<ConnectionId>,
    /// When the request began on this side.
    pub started: Stamp,
    /// When it ended, on the clock of [`Stamp::mono_ns`].
    pub ended_mono_ns: u64,
    /// The client's end of the connection; `None` where there was none.
    pub source: Option<SocketAddr>,
    /// The server's end of the connection, or where a connection was tried; `None`
    /// where no address was known.
    pub destination: Option<SocketAddr>,
    /// The method; `None` where the request could not be read that far.
    pub method: Option<Method>,
    /// The path without its query.
    pub path: UrlPath,
    /// The status of the reply, once there is one.
    pub status: Option<u16>,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the reply's body.
    pub bytes_out: u64,
    /// Where the time went.
    pub phases_ns: Phases,
    /// New connection, or reused.
    pub reuse: Reuse,
    /// How many times it was tried; 1 without a repetition.
    pub attempts: u8,
    /// How it ended.
    pub outcome: Outcome,
    /// `account:user`, once the ticket was verified.
    pub actor: Text<96>,
    /// The application of the dev-ticket, once it was verified.
    pub application: Text<64>,
    /// `User-Agent`, as sent.
    pub user_agent: Text<96>,
    /// The TLS session of the connection.
    pub tls: Option<Tls>,
    /// What becomes of the connection: [`After::Close`] marks its last request.
    pub connection_after: After,
}

impl RequestRecord {
    /// From this span on a request counts as slow, and is kept whatever the
    /// sampling: the incident's chart was in whole seconds.
    pub const SLOW_NS: u64 = 1_000_000_000;

    /// A record of a request that began now, to be filled as it goes on.
    #[must_use]
    pub const fn new(
        side: Side,
        connection: ConnectionId,
        started: Stamp,
        source: SocketAddr,
        destination: SocketAddr,
    ) -> Self {
        Self {
            source: Some(source),
            destination: Some(destination),
            ..Self::unconnected(side, connection, started)
        }
    }

    /// The same of a request for which there is no connection yet; `connection` is
    /// the one that was tried.
    #[must_use]
    pub const fn unconnected(side: Side, connection: ConnectionId, started: Stamp) -> Self {
        Self {
            side,
            trans_id: None,
            trace: None,
            connection,
            balancer_id: None,
            started,
            ended_mono_ns: started.mono_ns,
            source: None,
            destination: None,
            method: None,
            path: UrlPath::EMPTY,
            status: None,
            bytes_in: 0,
            bytes_out: 0,
            phases_ns: Phases::NONE,
            reuse: Reuse::New,
            attempts: 1,
            outcome: Outcome::Complete,
            actor: Text::EMPTY,
            application: Text::EMPTY,
            user_agent: Text::EMPTY,
            tls: None,
            connection_after: After::Keep,
        }
    }

    /// From the beginning to the end, by the monotonic clock.
    #[must_use]
    pub const fn duration_ns(&self) -> u64 {
        self.ended_mono_ns.saturating_sub(self.started.mono_ns)
    }

    /// Whether sampling must keep it, by what it is: slow, failed or refused, or
    /// known to be the first or the last of its connection.
    #[must_use]
    pub fn is_notable(&self) -> bool {
        self.duration_ns() >= Self::SLOW_NS
            || self.status.is_some_and(|status| status >= 500)
            || self.outcome != Outcome::Complete
            || self.reuse == Reuse::New
            || self.attempts > 1
            || self.connection_after == After::Close
    }
}

impl Phases {
    /// No phase has taken place.
    pub const NONE: Self =
        Self { queue: 0, dns: 0, connect: 0, tls: 0, send: 0, wait: 0, authorize: 0, store: 0, receive: 0 };
}
