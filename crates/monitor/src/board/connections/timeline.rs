//! The life of one connection, in order.

use std::fmt::Write;

use repono_core::id::ConnectionId;
use repono_journal::{ClosedBy, Manner, Phase, Side};
use serde::Serialize;

use super::super::in_ms;
use super::{End, Life, Served};

/// Quiet that is shown: less is the time between two requests in a row.
const IDLE_SHOWN_NS: u64 = 1_000_000_000;

/// What is known of one connection.
#[derive(Debug, Serialize)]
pub(crate) struct Timeline {
    id: String,
    opened_ms: Option<u64>,
    ended_ms: Option<u64>,
    by: Option<&'static str>,
    how: Option<&'static str>,
    phase: Option<&'static str>,
    events: Vec<Event>,
}

#[derive(Debug, Serialize)]
struct Event {
    at_ms: u64,
    kind: Kind,
    ms: Option<f64>,
    by: Option<&'static str>,
    text: String,
}

/// In the order of events of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Open,
    Tls,
    Request,
    Idle,
    Close,
}

impl Timeline {
    pub(super) fn of(id: ConnectionId, life: &Life) -> Self {
        // Whoever says that it was itself knows; the others have seen it from outside.
        let known = |end: &&End| (end.by != Some(ClosedBy::Us), rank(end.side));
        let best = life.ends.iter().min_by_key(known);
        let mut events: Vec<Event> = Vec::new();
        events.extend(opened(life));
        events.extend(tls(life));
        events.extend(life.requests.iter().map(Served::event));
        events.extend(idle(life));
        events.extend(life.ends.iter().map(End::event));
        events.sort_by_key(|event| (event.at_ms, event.kind));
        Self {
            id: id.to_string(),
            opened_ms: life.ends.iter().map(|end| in_whole_ms(end.opened_ns)).min(),
            ended_ms: life.ends.iter().map(|end| in_whole_ms(end.ended_ns)).max(),
            by: best.and_then(End::by),
            how: best.and_then(|end| end.manner).map(Manner::as_str),
            phase: best.and_then(|end| end.phase).map(Phase::as_str),
            events,
        }
    }
}

/// How near a side is to the requests: a head knows most of a connection's end.
const fn rank(side: Option<Side>) -> u8 {
    match side {
        Some(Side::Head) => 0,
        Some(Side::Balancer) => 1,
        Some(Side::Client) => 2,
        Some(Side::Vending | Side::Recorder) | None => 3,
    }
}

/// The end that was opened first tells of the beginning.
fn opened(life: &Life) -> Option<Event> {
    let first = life.ends.iter().min_by_key(|end| end.opened_ns)?;
    let head = life.ends.iter().find_map(|end| end.head.as_deref());
    let to = head.map(|head| format!(" to {head}")).unwrap_or_default();
    Some(Event {
        at_ms: in_whole_ms(first.opened_ns),
        kind: Kind::Open,
        ms: None,
        by: Some(Side::Client.as_str()),
        text: format!("opened by {}{to}", first.client),
    })
}

fn tls(life: &Life) -> Option<Event> {
    let (end, (version, cipher, resumed)) =
        life.ends.iter().find_map(|end| end.tls.as_ref().map(|tls| (end, tls)))?;
    let version = version.map_or("of an unknown version", |version| version.as_str());
    let resumed = if *resumed { ", resumed" } else { "" };
    let took = life.requests.iter().map(|request| request.tls_ns).find(|ns| *ns > 0);
    Some(Event {
        at_ms: in_whole_ms(end.opened_ns),
        kind: Kind::Tls,
        ms: took.map(in_ms),
        by: end.side.map(Side::as_str),
        text: format!("TLS {version}, {cipher}{resumed}"),
    })
}

/// Quiet times as the side nearest to the requests saw them, and the one at the end.
fn idle(life: &Life) -> Vec<Event> {
    let Some(nearest) = life.requests.iter().map(|request| rank(request.side)).min() else {
        return last_idle(life).into_iter().collect();
    };
    let quiet = |request: &Served| {
        let idle_ns = request.idle_ns.filter(|idle| *idle >= IDLE_SHOWN_NS)?;
        Some(quiet(request.started_ns, idle_ns, request.side))
    };
    let between = life.requests.iter().filter(|request| rank(request.side) == nearest).filter_map(quiet);
    between.chain(last_idle(life)).collect()
}

fn last_idle(life: &Life) -> Option<Event> {
    let end = life.ends.iter().min_by_key(|end| rank(end.side))?;
    (end.idle_ns >= IDLE_SHOWN_NS).then(|| quiet(end.ended_ns, end.idle_ns, end.side))
}

fn quiet(until_ns: u64, idle_ns: u64, side: Option<Side>) -> Event {
    Event {
        at_ms: in_whole_ms(until_ns.saturating_sub(idle_ns)),
        kind: Kind::Idle,
        ms: Some(in_ms(idle_ns)),
        by: side.map(Side::as_str),
        text: "nothing moved".to_owned(),
    }
}

impl Served {
    fn event(&self) -> Event {
        let mut text = format!("{} {}", self.method.as_deref().unwrap_or("?"), self.path);
        if self.attempt > 1 {
            // Writing to a string cannot fail.
            let _ = write!(text, ", attempt {}", self.attempt);
        }
        let _ = match self.status {
            Some(status) => write!(text, ": {status}"),
            None => write!(text, ": no answer"),
        };
        if let Some(code) = &self.code {
            let _ = write!(text, " ({code})");
        }
        Event {
            at_ms: in_whole_ms(self.started_ns),
            kind: Kind::Request,
            ms: Some(in_ms(self.duration_ns)),
            by: self.side.map(Side::as_str),
            text,
        }
    }
}

impl End {
    /// Who ended it, by name where that can be told.
    fn by(&self) -> Option<&'static str> {
        match (self.by, self.side) {
            (Some(ClosedBy::Us), Some(side)) => Some(side.as_str()),
            (by, _) => by.map(ClosedBy::as_str),
        }
    }

    fn event(&self) -> Event {
        let how = self.manner.map_or("in a way that is not known", Manner::as_str);
        let by = self.by().unwrap_or("unknown");
        let mut text = format!("closed by {by}, {how}");
        if let Some(phase) = self.phase {
            let _ = write!(text, ", in phase {}", phase.as_str());
        }
        if self.requests > 0 {
            let _ = write!(text, ", after {} requests", self.requests);
        }
        if self.late_bytes > 0 {
            let _ = write!(text, "; {} bytes of a request came too late", self.late_bytes);
        }
        Event {
            at_ms: in_whole_ms(self.ended_ns),
            kind: Kind::Close,
            ms: None,
            by: self.side.map(Side::as_str),
            text,
        }
    }
}

const fn in_whole_ms(ns: u64) -> u64 {
    ns / 1_000_000
}
