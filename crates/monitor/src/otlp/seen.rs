//! A request, as far as a span needs it.

use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use repono_core::request::Method;
use repono_core::trace::Span;
use repono_journal::read::{Origin, Request};
use repono_journal::{Phases, Reuse, Side, UrlPath};

use crate::board::{OTHER, error_type, status};

/// Bytes of a `User-Agent` that are passed on.
const AGENT_BYTES_MAX: usize = 96;
/// Bytes of the name of a service or of one of its processes.
const NAME_BYTES_MAX: usize = 64;

/// Which process a span is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) instance: String,
}

#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) service: Service,
    pub(super) part: Part,
    pub(super) trace: Option<Span>,
    pub(super) connection: ConnectionId,
    pub(super) balancer_id: Option<ConnectionId>,
    /// Unix time.
    pub(super) started_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) status: Option<u16>,
    pub(super) error_type: Option<&'static str>,
    pub(super) phases_ns: Phases,
    pub(super) reuse: Reuse,
    pub(super) attempt: u8,
    pub(super) source: Option<SocketAddr>,
    pub(super) destination: Option<SocketAddr>,
    pub(super) agent: Option<String>,
    pub(super) trans_id: Option<String>,
}

/// Which end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Client,
    Server,
}

impl Seen {
    /// `None` of what is no request of a client, a head or vending.
    pub(super) fn of(origin: &Origin<'_>, request: &Request<'_>) -> Option<Self> {
        let part = match request.side? {
            Side::Client => Part::Client,
            Side::Head | Side::Vending => Part::Server,
            Side::Balancer | Side::Recorder => return None,
        };
        let method = request.method.as_deref().and_then(|name| Method::parse(name.as_bytes()));
        // Whoever wrote it should have done so: no credential is sent.
        let path = UrlPath::of_target(request.path.as_bytes());
        Some(Self {
            service: Service {
                name: cut(&origin.service, NAME_BYTES_MAX),
                instance: cut(&origin.instance, NAME_BYTES_MAX),
            },
            part,
            trace: request.trace,
            connection: request.connection,
            balancer_id: request.balancer_id,
            started_ns: request.started.wall_ns,
            ended_ns: request.ended.wall_ns,
            method: method.map_or(OTHER, Method::as_str),
            path: String::from_utf8_lossy(path.as_bytes()).into_owned(),
            status: status(request.status),
            error_type: error_type(request),
            phases_ns: request.phases_ns,
            reuse: request.reuse,
            attempt: request.attempts,
            source: request.source,
            destination: request.destination,
            agent: request.user_agent.as_deref().map(|agent| cut(agent, AGENT_BYTES_MAX)),
            trans_id: request.trans_id.as_deref().map(|id| cut(id, NAME_BYTES_MAX)),
        })
    }

    pub(super) const fn duration_ns(&self) -> u64 {
        self.ended_ns.saturating_sub(self.started_ns)
    }

    /// When this attempt began: a record of a later one tells when its caller asked.
    pub(super) fn begun_ns(&self) -> u64 {
        if self.attempt <= 1 {
            return self.started_ns;
        }
        let Phases { queue, dns, connect, tls, send, wait, authorize: _, store: _, receive } = self.phases_ns;
        let own = [queue, dns, connect, tls, send, wait, receive].into_iter().fold(0, u64::saturating_add);
        self.ended_ns.saturating_sub(own).max(self.started_ns)
    }

    /// Whether it opened its connection, or tried to.
    pub(super) fn set_up(&self) -> bool {
        let Phases { dns, connect, tls, .. } = self.phases_ns;
        self.part == Part::Client && self.reuse == Reuse::New && (dns > 0 || connect > 0 || tls > 0)
    }
}

fn cut(text: &str, bytes: usize) -> String {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default().to_owned()
}
