//! What is counted since counting began: as Prometheus wants it.

mod kept;
mod labels;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use repono_core::request::Method;
use repono_journal::read::{Audit, Connection, Origin, Request};
use repono_journal::{ClosedBy, Manner, Phase, Reuse, Side};

use super::durations::{Durations, IDLE_BOUNDS_S, REQUEST_BOUNDS_S, add};

pub(crate) use kept::KeptTotals;
use labels::service;
pub(crate) use labels::{OTHER, SERVICES, Server};
pub(crate) use labels::{error_type, status};

/// Durations are kept by side, method, status, kind of error and server: of some
/// thousand combinations a system has tens. What is beyond is counted by side and
/// method alone: those are 48.
const DURATIONS_MAX: usize = 512;
/// Servers that clients' requests are told apart by: the addresses of balancers.
const SERVERS_MAX: usize = 8;
/// Processes whose lost records are known; beyond that all are forgotten, and those of
/// a process that goes on are counted again.
const PROCESSES_MAX: usize = 1024;

/// What a duration is counted under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DurationKey {
    pub(crate) side: &'static str,
    pub(crate) method: &'static str,
    /// `None` where no reply came.
    pub(crate) status: Option<u16>,
    /// `None` where nothing went wrong, in the sense of OpenTelemetry.
    pub(crate) error_type: Option<&'static str>,
    /// Of clients alone.
    pub(crate) server: Server,
}

/// Ends of connections, by who wrote it, who ended it, and how.
pub(crate) type Closes = BTreeMap<[&'static str; 3], u64>;

/// Attempts of clients that died with a reused connection, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(crate) struct Stale {
    /// A GET or HEAD, which the client sends again by itself.
    pub(crate) repeated: u64,
    /// Anything else, which whoever asked was told of.
    pub(crate) returned: u64,
}

/// Attempts that clients sent again by themselves, by why the first was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(crate) struct Retries {
    pub(crate) broken: u64,
    pub(crate) path_silent: u64,
    pub(crate) peer_silent: u64,
}

/// Tickets that vending was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(crate) struct Tickets {
    pub(crate) issued: u64,
    pub(crate) refused: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(crate) durations: BTreeMap<DurationKey, Durations>,
    pub(crate) closes: Closes,
    /// Ends of the balancer's connections: who, how, and in which phase.
    pub(crate) lb_closes: BTreeMap<[&'static str; 3], u64>,
    /// How long the balancer's connections had idled when they ended.
    pub(crate) lb_idle: Durations,
    /// Connections of heads to which bytes of a request came after the head's FIN.
    pub(crate) late: u64,
    /// Requests by side, and whether their connection was `new` or `reused`.
    pub(crate) requests: BTreeMap<[&'static str; 2], u64>,
    /// Attempts of clients beyond the first.
    pub(crate) resent: u64,
    pub(crate) stale: Stale,
    pub(crate) retries: Retries,
    pub(crate) tickets: Tickets,
    /// Records that journals lost, by service.
    pub(crate) dropped: BTreeMap<&'static str, u64>,
    servers: Vec<SocketAddr>,
    /// What each process had lost when it was last heard of.
    dropped_by: HashMap<(Box<str>, u32), u64>,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            durations: BTreeMap::new(),
            closes: BTreeMap::new(),
            lb_closes: BTreeMap::new(),
            lb_idle: Durations::new(IDLE_BOUNDS_S),
            late: 0,
            requests: BTreeMap::new(),
            resent: 0,
            stale: Stale::default(),
            retries: Retries::default(),
            tickets: Tickets::default(),
            dropped: BTreeMap::new(),
            servers: Vec::new(),
            dropped_by: HashMap::new(),
        }
    }
}

impl Totals {
    pub(super) fn request(&mut self, request: &Request<'_>) {
        let side = request.side.map_or(OTHER, Side::as_str);
        let reuse = match request.reuse {
            Reuse::New => "new",
            Reuse::Reused { .. } => "reused",
        };
        add(self.requests.entry([side, reuse]).or_default(), request.one_in);
        if request.side == Some(Side::Client) {
            self.attempt(request);
        }
        let key = self.key(side, request);
        self.durations.entry(key).or_insert_with(|| Durations::new(REQUEST_BOUNDS_S)).take(
            REQUEST_BOUNDS_S,
            request.duration_ns(),
            request.one_in,
        );
    }

    fn key(&mut self, side: &'static str, request: &Request<'_>) -> DurationKey {
        let method = request.method.as_deref().and_then(|name| Method::parse(name.as_bytes()));
        let server = match (request.side, request.destination) {
            (Some(Side::Client), Some(address)) => self.known_server(address),
            (Some(Side::Client), None) => Server::Other,
            (Some(Side::Balancer | Side::Head | Side::Vending | Side::Recorder) | None, _) => Server::Own,
        };
        let key = DurationKey {
            side,
            method: method.map_or(OTHER, Method::as_str),
            status: status(request.status),
            error_type: error_type(request),
            server,
        };
        if self.durations.len() < DURATIONS_MAX || self.durations.contains_key(&key) {
            return key;
        }
        let server = if server == Server::Own { Server::Own } else { Server::Other };
        DurationKey { status: None, error_type: None, server, ..key }
    }

    fn known_server(&mut self, address: SocketAddr) -> Server {
        if !self.servers.contains(&address) {
            if self.servers.len() >= SERVERS_MAX {
                return Server::Other;
            }
            self.servers.push(address);
        }
        Server::At(address)
    }

    fn attempt(&mut self, request: &Request<'_>) {
        if request.attempts > 1 {
            add(&mut self.resent, 1);
        }
        let count = match request.code.as_deref() {
            Some("ConnectionBroken") => &mut self.retries.broken,
            Some("PathSilent") => &mut self.retries.path_silent,
            Some("PeerSilent") => &mut self.retries.peer_silent,
            Some(_) | None => return,
        };
        if request.status.is_some() || request.reuse == Reuse::New {
            return;
        }
        if matches!(request.method.as_deref(), Some("GET" | "HEAD")) {
            add(count, 1);
            add(&mut self.stale.repeated, 1);
        } else {
            add(&mut self.stale.returned, 1);
        }
    }

    pub(super) fn connection(&mut self, connection: &Connection<'_>) {
        let side = connection.side.map_or(OTHER, Side::as_str);
        let by = connection.closed_by.map_or(OTHER, ClosedBy::as_str);
        let how = connection.manner.map_or(OTHER, Manner::as_str);
        add(self.closes.entry([side, by, how]).or_default(), 1);
        match connection.side {
            Some(Side::Balancer) => {
                let phase = connection.phase.map_or(OTHER, Phase::as_str);
                add(self.lb_closes.entry([by, how, phase]).or_default(), 1);
                self.lb_idle.take(IDLE_BOUNDS_S, connection.idle_at_close_ns, 1);
            }
            Some(Side::Head) => add(&mut self.late, u64::from(connection.late_bytes > 0)),
            Some(Side::Client | Side::Vending | Side::Recorder) | None => {}
        }
    }

    pub(super) fn audit(&mut self, audit: &Audit<'_>) {
        match (audit.action.as_deref(), &audit.refused) {
            (Some("ticket-issue"), None) => add(&mut self.tickets.issued, 1),
            (Some("ticket-issue"), Some(_)) => add(&mut self.tickets.refused, 1),
            (Some(_) | None, _) => {}
        }
    }

    /// What the writer of a record had lost by then.
    pub(super) fn origin(&mut self, origin: &Origin<'_>) {
        if origin.dropped == 0 {
            return;
        }
        let process = (Box::from(origin.instance.as_ref()), origin.pid);
        if self.dropped_by.len() >= PROCESSES_MAX && !self.dropped_by.contains_key(&process) {
            self.dropped_by.clear();
        }
        let known = self.dropped_by.entry(process).or_default();
        let more = origin.dropped.saturating_sub(*known);
        *known = origin.dropped.max(*known);
        add(self.dropped.entry(service(&origin.service)).or_default(), more);
    }
}
