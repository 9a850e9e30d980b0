//! The life of one connection, in order.

use std::fmt::Write;

use repono_core::id::ConnectionId;
use repono_journal::{ClosedBy, Manner, Phase, Side};
use serde::Serialize;

use super::super::in_ms;
use super::life::{Begun, End, Life, Served, Tls, What};

/// Quiet that is shown: less is the time between two requests in a row.
const IDLE_SHOWN_NS: u64 = 1_000_000_000;

/// What is known of one connection.
#[derive(Debug, Serialize)]
pub(crate) struct Timeline {
    /// The balancer's, or the one that was asked for.
    id: String,
    /// All by which a party knows it.
    ids: Vec<String>,
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
    Turn,
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
        events.extend(life.requests.iter().map(|served| served.event(life)));
        events.extend(idle(life));
        events.extend(life.ends.iter().map(End::event));
        events.sort_by_key(|event| (event.at_ms, event.kind));
        let opened_ns = life.ends.iter().map(|end| end.opened_ns).min();
        let opened_ns = opened_ns.or_else(|| Some(life.opening.as_ref()?.connect_at_ns));
        Self {
            id: life.names.balancer.unwrap_or(id).to_string(),
            ids: life.names.all().map(|id| id.to_string()).collect(),
            opened_ms: opened_ns.map(in_whole_ms),
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

/// The client tells how long it took to connect; else the end that was opened first tells
/// of the beginning, and a relay between how long it took until its own connection stood.
fn opened(life: &Life) -> Vec<Event> {
    let first = life.ends.iter().min_by_key(|end| end.opened_ns);
    let head = life.ends.iter().find_map(|end| end.head.as_deref());
    let to = head.map(|head| format!(" to {head}")).unwrap_or_default();
    let client = first.map(|end| end.client).or_else(|| life.addresses.into_iter().flatten().next());
    let text = client.map_or_else(|| format!("opened{to}"), |client| format!("opened by {client}{to}"));
    let event = |at_ns, ms, side: Option<Side>, text| Event {
        at_ms: in_whole_ms(at_ns),
        kind: Kind::Open,
        ms,
        by: side.map(Side::as_str),
        text,
    };
    let reached = reached(life).map(|(end, connect_ns)| (end.opened_ns, Some(in_ms(connect_ns)), end.side));
    match (&life.opening, reached, first) {
        (Some(opening), reached, _) => {
            let ms = Some(in_ms(opening.connect_ns));
            let own = event(opening.connect_at_ns, ms, Some(Side::Client), text);
            let onward = reached.map(|(at, ms, side)| event(at, ms, side, format!("passed on{to}")));
            std::iter::once(own).chain(onward).collect()
        }
        (None, Some((at, ms, side)), _) => vec![event(at, ms, side, text)],
        (None, None, Some(first)) => vec![event(first.opened_ns, None, Some(Side::Client), text)],
        (None, None, None) => Vec::new(),
    }
}

/// The relay that told how long it took to connect onward, and how long. Its turns do not
/// tell since when.
fn reached(life: &Life) -> Option<(&End, u64)> {
    let (side, connect_ns) = life.reached?;
    life.ends.iter().find(|end| end.side == side).map(|end| (end, connect_ns))
}

/// The handshake, after the connection stood as far as a record tells.
fn tls(life: &Life) -> Option<Event> {
    let of_end = life.ends.iter().find_map(|end| end.tls.as_ref().map(|tls| (end, tls)));
    let event = |at_ns, ms, side: Option<Side>, tls: &Tls| {
        let version = tls.version.map_or("of an unknown version", |version| version.as_str());
        let resumed = if tls.resumed { ", resumed" } else { "" };
        let (at_ms, kind, by) = (in_whole_ms(at_ns), Kind::Tls, side.map(Side::as_str));
        Event { at_ms, kind, ms, by, text: format!("TLS {version}, {}{resumed}", tls.cipher) }
    };
    if let Some(opening) = life.opening.as_ref().filter(|opening| opening.tls_ns > 0)
        && let Some(tls) = opening.tls.as_ref().or(of_end.map(|(_, tls)| tls))
    {
        let at_ns = opening.connect_at_ns.saturating_add(opening.connect_ns);
        return Some(event(at_ns, Some(in_ms(opening.tls_ns)), Some(Side::Client), tls));
    }
    let (end, tls) = of_end?;
    let onward = reached(life).filter(|(reached, _)| reached.side == end.side);
    let after_ns = onward.map_or(0, |(_, connect_ns)| connect_ns);
    Some(event(end.opened_ns.saturating_add(after_ns), None, end.side, tls))
}

/// Quiet times as the side nearest to the requests saw them, and the one at the end.
fn idle(life: &Life) -> Vec<Event> {
    let Some(nearest) = life.requests.iter().map(|request| rank(request.side)).min() else {
        return last_idle(life).into_iter().collect();
    };
    let quiet = |request: &Served| {
        let idle_ns = request.idle_ns.filter(|idle| *idle >= IDLE_SHOWN_NS)?;
        Some(quiet(request.begun_ns(life), idle_ns, request.side))
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
    fn event(&self, life: &Life) -> Event {
        let mut text = self.said.clone();
        if self.attempt > 1 {
            // Writing to a string cannot fail.
            let _ = write!(text, ", attempt {}", self.attempt);
        }
        let _ = match (self.what, self.status) {
            (What::Handshake | What::Turn, _) => Ok(()),
            (What::Request, Some(status)) => write!(text, ": {status}"),
            (What::Request, None) => write!(text, ": no answer"),
        };
        if let Some(code) = &self.code {
            let _ = write!(text, " ({code})");
        }
        let kind = match self.what {
            What::Request => Kind::Request,
            What::Handshake => Kind::Tls,
            What::Turn => Kind::Turn,
        };
        let started_ns = self.begun_ns(life);
        Event {
            at_ms: in_whole_ms(started_ns),
            kind,
            ms: Some(in_ms(self.ended_ns.saturating_sub(started_ns))),
            by: self.side.map(Side::as_str),
            text,
        }
    }

    /// An attempt that does not tell when it began was not before its connection.
    fn begun_ns(&self, life: &Life) -> u64 {
        let own = life.ends.iter().find(|end| end.side == self.side).map(|end| end.opened_ns);
        match (self.begun, own) {
            (Begun::NotBefore, Some(opened_ns)) => self.started_ns.max(opened_ns).min(self.ended_ns),
            (Begun::NotBefore, None) | (Begun::Known, _) => self.started_ns,
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
