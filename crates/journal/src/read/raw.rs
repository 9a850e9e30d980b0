//! A line as it stands there: every field that any kind of record has.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use repono_core::id::ConnectionId;
use serde::Deserialize;

use crate::connection::{TcpSummary, Turns};
use crate::request::{Phases, Side};
use crate::stamp::Stamp;

use super::ReadError;

/// Text, borrowed from the line where nothing in it is escaped: also within an
/// `Option`, where serde would copy a bare `Cow`.
#[derive(Deserialize)]
pub(super) struct Said<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

#[derive(Deserialize)]
pub(super) struct Raw<'a> {
    #[serde(borrow)]
    pub(super) service: Service<'a>,
    #[serde(borrow)]
    pub(super) host: Host<'a>,
    pub(super) process: Process,
    #[serde(borrow)]
    pub(super) event: Event<'a>,
    pub(super) source: Option<Address>,
    pub(super) destination: Option<Address>,
    #[serde(borrow)]
    pub(super) trace: Option<Id<'a>>,
    #[serde(borrow)]
    pub(super) span: Option<Id<'a>>,
    #[serde(borrow)]
    pub(super) http: Option<Http<'a>>,
    #[serde(borrow)]
    pub(super) url: Option<Url<'a>>,
    #[serde(borrow)]
    pub(super) tls: Option<Tls<'a>>,
    #[serde(borrow)]
    pub(super) user: Option<Node<'a>>,
    #[serde(borrow)]
    pub(super) user_agent: Option<UserAgent<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<Fault<'a>>,
    #[serde(borrow)]
    pub(super) repono: Own<'a>,
}

#[derive(Deserialize)]
pub(super) struct Service<'a> {
    #[serde(borrow)]
    pub(super) name: Said<'a>,
    #[serde(borrow)]
    pub(super) node: Node<'a>,
}

#[derive(Deserialize)]
pub(super) struct Node<'a> {
    #[serde(borrow)]
    pub(super) name: Said<'a>,
}

#[derive(Deserialize)]
pub(super) struct Host<'a> {
    #[serde(borrow)]
    pub(super) boot: Boot<'a>,
}

#[derive(Deserialize)]
pub(super) struct Boot<'a> {
    #[serde(borrow)]
    pub(super) id: Said<'a>,
}

#[derive(Deserialize)]
pub(super) struct Id<'a> {
    #[serde(borrow)]
    pub(super) id: Said<'a>,
}

#[derive(Deserialize)]
pub(super) struct Asker<'a> {
    #[serde(borrow)]
    pub(super) parent_id: Said<'a>,
}

#[derive(Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
}

#[derive(Deserialize)]
pub(super) struct Event<'a> {
    pub(super) dataset: Dataset,
    #[serde(borrow)]
    pub(super) action: Option<Said<'a>>,
    pub(super) sequence: u64,
}

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

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Address {
    ip: IpAddr,
    port: u16,
    nat: Option<Nat>,
}

#[derive(Clone, Copy, Deserialize)]
struct Nat {
    ip: IpAddr,
    port: u16,
}

impl Address {
    pub(super) const fn socket(self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }

    pub(super) fn onward(self) -> Option<SocketAddr> {
        self.nat.map(|nat| SocketAddr::new(nat.ip, nat.port))
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
    pub(super) method: Option<Said<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Said<'a>>,
    #[serde(default)]
    pub(super) body: Body,
}

#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct HttpResponse {
    pub(super) status_code: Option<u16>,
    #[serde(default)]
    pub(super) body: Body,
}

#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Body {
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Url<'a> {
    #[serde(borrow)]
    pub(super) path: Said<'a>,
}

#[derive(Deserialize)]
pub(super) struct Tls<'a> {
    #[serde(borrow)]
    pub(super) version: Said<'a>,
    #[serde(borrow)]
    pub(super) cipher: Said<'a>,
    pub(super) resumed: bool,
}

#[derive(Deserialize)]
pub(super) struct UserAgent<'a> {
    #[serde(borrow)]
    pub(super) original: Said<'a>,
}

#[derive(Deserialize)]
pub(super) struct Fault<'a> {
    #[serde(borrow)]
    pub(super) code: Said<'a>,
}

/// What ECS has no field for.
#[derive(Deserialize)]
pub(super) struct Own<'a> {
    #[serde(borrow)]
    pub(super) side: Option<Said<'a>>,
    #[serde(borrow)]
    pub(super) connection: Option<Connection<'a>>,
    #[serde(default = "once")]
    pub(super) attempts: u8,
    #[serde(borrow)]
    pub(super) span: Option<Asker<'a>>,
    #[serde(borrow)]
    pub(super) application: Option<Said<'a>>,
    #[serde(borrow)]
    pub(super) subject: Option<Said<'a>>,
    #[serde(borrow)]
    pub(super) head: Option<Said<'a>>,
    #[serde(default)]
    pub(super) phase_ns: Phases,
    pub(super) tcp_source: Option<TcpSummary>,
    pub(super) tcp_destination: Option<TcpSummary>,
    #[serde(borrow)]
    pub(super) turn: Option<Turn<'a>>,
    #[serde(borrow)]
    pub(super) change: Option<Change<'a>>,
    wall_ns: u64,
    mono_ns: Mono,
    #[serde(default)]
    pub(super) sample: Sample,
    #[serde(default)]
    pub(super) journal: Journal,
}

fn once() -> u8 {
    1
}

impl Own<'_> {
    pub(super) const fn started(&self) -> Stamp {
        Stamp { wall_ns: self.wall_ns, mono_ns: self.mono_ns.start }
    }

    pub(super) const fn ended(&self) -> Stamp {
        self.started().at_mono(self.mono_ns.end)
    }
}

#[derive(Clone, Copy, Deserialize)]
struct Mono {
    start: u64,
    end: u64,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Sample {
    pub(super) one_in: u64,
}

impl Default for Sample {
    fn default() -> Self {
        Self { one_in: 1 }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Journal {
    pub(super) dropped: u64,
}

#[derive(Deserialize)]
pub(super) struct Connection<'a> {
    #[serde(borrow)]
    pub(super) id: Said<'a>,
    #[serde(borrow)]
    pub(super) balancer_id: Option<Said<'a>>,
    pub(super) reused: Option<bool>,
    #[serde(default)]
    pub(super) idle_before_ns: u64,
    #[serde(default)]
    pub(super) requests_before: u32,
    #[serde(default)]
    pub(super) requests: u64,
    #[serde(default)]
    pub(super) bytes_in: u64,
    #[serde(default)]
    pub(super) bytes_out: u64,
    #[serde(borrow)]
    pub(super) closed_by: Option<Said<'a>>,
    #[serde(borrow)]
    pub(super) manner: Option<Said<'a>>,
    #[serde(borrow)]
    pub(super) phase: Option<Said<'a>>,
    #[serde(default)]
    pub(super) idle_at_close_ns: u64,
    #[serde(default)]
    pub(super) late_bytes: u64,
    #[serde(borrow)]
    pub(super) end_code: Option<Said<'a>>,
    pub(super) turns: Option<Turns>,
    pub(super) closes: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Turn<'a> {
    pub(super) number: u64,
    #[serde(borrow)]
    pub(super) kind: Option<Said<'a>>,
    pub(super) connect_ns: Option<u64>,
    #[serde(default)]
    pub(super) idle_before_ns: u64,
    pub(super) send_ns: u64,
    pub(super) wait_ns: Option<u64>,
    pub(super) acknowledged: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    pub(super) who: Said<'a>,
    #[serde(borrow)]
    pub(super) what: Said<'a>,
    #[serde(borrow)]
    pub(super) from: Said<'a>,
    #[serde(borrow)]
    pub(super) to: Said<'a>,
}

pub(super) fn text(said: Option<Said<'_>>) -> Option<Cow<'_, str>> {
    said.map(|said| said.0)
}

pub(super) fn side(said: Option<Said<'_>>) -> Option<Side> {
    said.and_then(|word| Side::of_word(&word.0))
}

pub(super) fn id(hex: &Said<'_>) -> Result<ConnectionId, ReadError> {
    ConnectionId::parse(hex.0.as_bytes()).ok_or(ReadError::Connection)
}

pub(super) fn optional_id(hex: Option<Said<'_>>) -> Result<Option<ConnectionId>, ReadError> {
    hex.map(|hex| id(&hex)).transpose()
}
