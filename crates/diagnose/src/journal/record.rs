//! One line of a journal, as far as it is read here.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use crate::event::Instant;

/// A record of any kind.
#[derive(Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub(super) service: Service<'a>,
    #[serde(borrow)]
    pub(super) host: Host<'a>,
    pub(super) process: Process,
    pub(super) event: Event,
    pub(super) source: Option<End>,
    #[serde(borrow)]
    pub(super) http: Option<Http<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Url<'a>>,
    pub(super) tls: Option<Tls>,
    #[serde(borrow)]
    pub(super) error: Option<Fault<'a>>,
    #[serde(borrow)]
    pub(super) repono: Own<'a>,
}

#[derive(Deserialize)]
pub(super) struct Service<'a> {
    #[serde(borrow)]
    pub(super) node: Node<'a>,
}

#[derive(Deserialize)]
pub(super) struct Node<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Host<'a> {
    #[serde(borrow)]
    pub(super) boot: Boot<'a>,
}

#[derive(Deserialize)]
pub(super) struct Boot<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
}

#[derive(Deserialize)]
pub(super) struct Event {
    pub(super) dataset: Dataset,
    #[serde(default)]
    pub(super) duration: u64,
}

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Dataset {
    #[serde(rename = "repono.request")]
    Request,
    #[serde(rename = "repono.connection")]
    Connection,
    #[serde(rename = "repono.turn")]
    Turn,
    #[serde(rename = "repono.change")]
    Change,
    #[serde(rename = "repono.audit")]
    Audit,
    #[serde(other)]
    Other,
}

/// Who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Client,
    Balancer,
    Head,
    Vending,
    Recorder,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct End {
    ip: IpAddr,
    port: u16,
    nat: Option<Onward>,
}

/// Where a relay stands in between: its own end.
#[derive(Clone, Copy, Deserialize)]
struct Onward {
    ip: IpAddr,
    port: u16,
}

impl End {
    pub(super) const fn address(self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }

    /// As the other side sees it.
    pub(super) fn onward(self) -> SocketAddr {
        self.nat.map_or_else(|| self.address(), |nat| SocketAddr::new(nat.ip, nat.port))
    }
}

#[derive(Deserialize)]
pub(super) struct Http<'a> {
    #[serde(borrow)]
    pub(super) request: HttpRequest<'a>,
    #[serde(default)]
    pub(super) response: HttpResponse,
}

#[derive(Deserialize)]
pub(super) struct HttpRequest<'a> {
    #[serde(borrow)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) id: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
pub(super) struct HttpResponse {
    pub(super) status_code: Option<u16>,
}

#[derive(Deserialize)]
pub(super) struct Url<'a> {
    #[serde(borrow)]
    pub(super) path: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Tls {
    pub(super) resumed: bool,
}

#[derive(Deserialize)]
pub(super) struct Fault<'a> {
    #[serde(borrow)]
    pub(super) code: Cow<'a, str>,
}

/// What ECS has no field for.
#[derive(Deserialize)]
pub(super) struct Own<'a> {
    pub(super) side: Option<Side>,
    #[serde(borrow)]
    pub(super) connection: Option<Connection<'a>>,
    pub(super) attempts: Option<u8>,
    pub(super) phase_ns: Option<Phases>,
    pub(super) tcp_source: Option<Tcp>,
    pub(super) tcp_destination: Option<Tcp>,
    pub(super) turn: Option<Turn>,
    #[serde(borrow)]
    pub(super) change: Option<Change<'a>>,
    #[serde(borrow)]
    pub(super) head: Option<Cow<'a, str>>,
    wall_ns: i64,
    pub(super) mono_ns: Mono,
}

#[derive(Deserialize)]
pub(super) struct Connection<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    balancer_id: Option<Cow<'a, str>>,
    pub(super) reused: Option<bool>,
    #[serde(default)]
    pub(super) idle_before_ns: u64,
    #[serde(borrow)]
    pub(super) closed_by: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) manner: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) end_code: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) idle_at_close_ns: u64,
    #[serde(borrow)]
    pub(super) phase: Option<Cow<'a, str>>,
    pub(super) closes: Option<bool>,
    #[serde(default)]
    pub(super) bytes_in: u64,
    pub(super) turns: Option<Turns>,
}

impl Connection<'_> {
    /// Its id on the side that wrote.
    pub(super) fn key(&self) -> Option<u128> {
        key(&self.id)
    }

    /// Its id on the other side.
    pub(super) fn peer_key(&self) -> Option<u128> {
        key(self.balancer_id.as_deref()?)
    }
}

fn key(hex: &str) -> Option<u128> {
    u128::from_str_radix(hex, 16).ok()
}

/// A turn of a connection that was traced or recorded.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Turn {
    pub(super) number: u64,
    pub(super) kind: Option<TurnKind>,
    pub(super) connect_ns: Option<u64>,
    pub(super) idle_before_ns: u64,
    pub(super) send_ns: u64,
    pub(super) wait_ns: Option<u64>,
    pub(super) acknowledged: Option<bool>,
}

/// What was said in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TurnKind {
    Handshake,
    Exchange,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Turns {
    pub(super) worst_ns: u64,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Phases {
    pub(super) queue: u64,
    pub(super) dns: u64,
    pub(super) connect: u64,
    pub(super) tls: u64,
    pub(super) send: u64,
    pub(super) wait: u64,
    pub(super) authorize: u64,
    pub(super) store: u64,
    pub(super) receive: u64,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Tcp {
    pub(super) retransmits: u64,
    pub(super) unacked: u64,
}

#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    pub(super) who: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) what: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) from: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) to: Cow<'a, str>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Mono {
    pub(super) start: u64,
}

impl Record<'_> {
    /// When what it tells of began, by the wall clock of its host.
    pub(super) fn started(&self) -> Instant {
        Instant(self.repono.wall_ns.into())
    }

    /// When it ended.
    pub(super) fn ended(&self) -> Instant {
        self.started().after(Duration::from_nanos(self.event.duration))
    }
}
