//! What the journals told lately of single connections, joined by the balancer's id.

use std::collections::{BTreeMap, HashMap, VecDeque};

use repono_core::id::ConnectionId;
use repono_journal::read::{Connection, Request};
use repono_journal::{ClosedBy, Manner, Phase, Reuse, Side, TlsVersion, UrlPath};

mod timeline;

pub(crate) use timeline::Timeline;

/// Connections that are remembered: those of which something was told last. With the
/// bounds below at most 40 MiB, and some 5 MiB where connections serve a few requests.
const CONNECTIONS_MAX: usize = 2_048;
/// Requests of each that are remembered, the last ones, of both sides together.
const REQUESTS_MAX: usize = 48;
/// Ends of each: a client's, a balancer's and a head's, and a recorder's between them.
const ENDS_MAX: usize = 4;
/// The longest text that is kept of a method, a code, a cipher or a head's name.
const WORD_CHARS_MAX: usize = 48;

/// The recent ones.
#[derive(Debug, Default)]
pub(super) struct Connections {
    lives: HashMap<ConnectionId, Life>,
    /// By when something was told of them last: the first is forgotten first.
    order: BTreeMap<u64, ConnectionId>,
    told: u64,
}

/// What is known of one connection.
#[derive(Debug, Default)]
struct Life {
    told: u64,
    ends: Vec<End>,
    requests: VecDeque<Served>,
}

/// A side's record of its end.
#[derive(Debug)]
struct End {
    side: Option<Side>,
    opened_ns: u64,
    ended_ns: u64,
    idle_ns: u64,
    client: String,
    head: Option<String>,
    tls: Option<(Option<TlsVersion>, String, bool)>,
    requests: u64,
    by: Option<ClosedBy>,
    manner: Option<Manner>,
    phase: Option<Phase>,
    late_bytes: u64,
}

/// A side's record of a request.
#[derive(Debug)]
struct Served {
    side: Option<Side>,
    started_ns: u64,
    duration_ns: u64,
    idle_ns: Option<u64>,
    tls_ns: u64,
    method: Option<String>,
    path: String,
    status: Option<u16>,
    code: Option<String>,
    attempt: u8,
}

impl Connections {
    pub(super) fn request(&mut self, request: &Request<'_>) {
        let life = self.life(request.balancer_id.unwrap_or(request.connection));
        if life.requests.len() >= REQUESTS_MAX {
            life.requests.pop_front();
        }
        life.requests.push_back(Served::of(request));
    }

    pub(super) fn ended(&mut self, connection: &Connection<'_>) {
        let life = self.life(connection.balancer_id.unwrap_or(connection.id));
        if life.ends.len() < ENDS_MAX {
            life.ends.push(End::of(connection));
        }
    }

    pub(super) fn timeline(&self, id: ConnectionId) -> Option<Timeline> {
        self.lives.get(&id).map(|life| Timeline::of(id, life))
    }

    fn life(&mut self, id: ConnectionId) -> &mut Life {
        self.told = self.told.saturating_add(1);
        if let Some(life) = self.lives.get(&id) {
            self.order.remove(&life.told);
        } else if self.lives.len() >= CONNECTIONS_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.lives.remove(&oldest);
        }
        self.order.insert(self.told, id);
        let life = self.lives.entry(id).or_default();
        life.told = self.told;
        life
    }
}

impl End {
    fn of(connection: &Connection<'_>) -> Self {
        Self {
            side: connection.side,
            opened_ns: connection.opened.wall_ns,
            ended_ns: connection.ended.wall_ns,
            idle_ns: connection.idle_at_close_ns,
            client: connection.source.to_string(),
            head: connection.head.as_deref().map(word),
            tls: connection.tls.as_ref().map(|tls| (tls.version, word(&tls.cipher), tls.resumed)),
            requests: connection.requests,
            by: connection.closed_by,
            manner: connection.manner,
            phase: connection.phase,
            late_bytes: connection.late_bytes,
        }
    }
}

impl Served {
    fn of(request: &Request<'_>) -> Self {
        // Whoever wrote it should have done so: no credential is shown.
        let path = UrlPath::of_target(request.path.as_bytes());
        Self {
            side: request.side,
            started_ns: request.ended.wall_ns.saturating_sub(request.duration_ns()),
            duration_ns: request.duration_ns(),
            idle_ns: match request.reuse {
                Reuse::New => None,
                Reuse::Reused { idle_before_ns, .. } => Some(idle_before_ns),
            },
            tls_ns: request.phases_ns.tls,
            method: request.method.as_deref().map(word),
            path: String::from_utf8_lossy(path.as_bytes()).into_owned(),
            status: request.status,
            code: request.code.as_deref().map(word),
            attempt: request.attempts,
        }
    }
}

fn word(text: &str) -> String {
    text.chars().take(WORD_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
