//! What the journals tell, counted: response times, slow requests, ends of
//! connections, changes of configuration. All of it is bounded.

mod changes;
mod connections;
mod durations;
mod heads;
mod idle;
mod keep;
mod latency;
mod samples;
mod slowest;
mod totals;

use std::collections::HashMap;

use repono_core::id::ConnectionId;
use repono_journal::Side;
use repono_journal::read::{Fact, Record, Request};

pub(crate) use changes::ChangeSeen;
pub(crate) use connections::Timeline;
pub(crate) use durations::{Durations, IDLE_BOUNDS_S, REQUEST_BOUNDS_S, SCHEMA, ZERO_THRESHOLD_S};
pub(crate) use heads::Traffic;
pub(crate) use idle::IdleCloses;
pub(crate) use keep::KeptBoard;
pub(crate) use latency::{Latency, Point, ROW_BOUNDS_MS, Rows, Step, in_ms};
pub(crate) use samples::{Sampled, Selection};
pub(crate) use slowest::{Attempt, SlowRequest, Wanted};
pub(crate) use totals::{DurationKey, OTHER, SERVICES, Server, Totals};
#[cfg(feature = "otlp")]
pub(crate) use totals::{error_type, status};

use changes::Changes;
use connections::Connections;
use heads::Heads;
use latency::Sample;
use samples::Samples;
use slowest::Slowest;

/// A record that ended so long before one of the same journal is late: some were held
/// back by sampling, or the wall clock was set back.
const LATE_NS: u64 = 60_000_000_000;
/// A record that says it ended so much later than now is of a host whose clock is wrong:
/// it would make room for itself at the cost of the present.
const AHEAD_NS: u64 = 60_000_000_000;
/// Journals whose newest record is remembered; beyond that all are forgotten.
const JOURNALS_MAX: usize = 1024;

/// Whose response times are kept: those that callers see, and those that heads see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum View {
    Client,
    Head,
}

impl View {
    const fn side(self) -> Side {
        match self {
            Self::Client => Side::Client,
            Self::Head => Side::Head,
        }
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Board {
    client: Latency,
    head: Latency,
    heads: Heads,
    slowest: Slowest,
    samples: Samples,
    idle: IdleCloses,
    connections: Connections,
    changes: Changes,
    totals: Totals,
    lines: Lines,
    newest_ns: HashMap<Box<str>, u64>,
}

/// How the reading goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Lines {
    pub(crate) read: u64,
    pub(crate) damaged: u64,
    pub(crate) late: u64,
    /// Records that say they ended later than now; they are not counted.
    pub(crate) ahead: u64,
    /// How old what was read last is while there is more; 0 when all is read.
    pub(crate) lag_s: f64,
}

impl Board {
    /// Counts a record, at the time `now_ns` of the wall clock.
    pub(crate) fn take(&mut self, record: &Record<'_>, now_ns: u64) {
        self.lines.read += 1;
        self.totals.origin(&record.origin);
        let Some(ended) = record.fact.ended() else { return };
        if ended.wall_ns > now_ns.saturating_add(AHEAD_NS) {
            self.lines.ahead += 1;
            return;
        }
        self.look_for_lateness(&record.origin.instance, ended.wall_ns);
        match &record.fact {
            Fact::Request(request) => self.request(record, request, now_ns),
            Fact::Connection(connection) => {
                self.totals.connection(connection);
                self.idle.take(connection);
                self.connections.ended(connection);
            }
            Fact::Change(change) => self.changes.take(change),
            Fact::Audit(audit) => self.totals.audit(audit),
            Fact::Turn(turn) => self.connections.turn(turn),
            Fact::Other => {}
        }
    }

    pub(crate) fn damaged(&mut self) {
        self.lines.read += 1;
        self.lines.damaged += 1;
    }

    pub(crate) fn lag(&mut self, lag_s: f64) {
        self.lines.lag_s = lag_s;
    }

    fn request(&mut self, record: &Record<'_>, request: &Request<'_>, now_ns: u64) {
        self.totals.request(request);
        let sample = Sample::of(request);
        let view = match request.side {
            Some(Side::Client) => {
                self.client.take(&sample, now_ns);
                View::Client
            }
            Some(Side::Head) => {
                self.head.take(&sample, now_ns);
                self.heads.take(&record.origin.instance, &sample);
                View::Head
            }
            // Vending has its own metrics; the others write no requests.
            Some(Side::Vending | Side::Balancer | Side::Recorder) | None => return,
        };
        self.connections.request(request);
        self.samples.take(view, &record.origin, request, now_ns);
        self.slowest.take(&record.origin, request, now_ns);
    }

    fn look_for_lateness(&mut self, instance: &str, ended_ns: u64) {
        if let Some(newest) = self.newest_ns.get_mut(instance) {
            if ended_ns.saturating_add(LATE_NS) < *newest {
                self.lines.late += 1;
            }
            *newest = (*newest).max(ended_ns);
            return;
        }
        if self.newest_ns.len() >= JOURNALS_MAX {
            self.newest_ns.clear();
        }
        self.newest_ns.insert(instance.into(), ended_ns);
    }

    pub(crate) const fn latency(&self, view: View) -> &Latency {
        match view {
            View::Client => &self.client,
            View::Head => &self.head,
        }
    }

    /// What a head did in the last minute; `None` where its journal is not followed.
    pub(crate) fn traffic(&self, head: &str, now_s: u64) -> Option<Traffic> {
        self.heads.traffic(head, now_s)
    }

    /// The slowest requests of the last hour.
    pub(crate) const fn slowest(&self) -> &Slowest {
        &self.slowest
    }

    /// Something has changed that no journal tells of.
    pub(crate) fn changed(&mut self, change: ChangeSeen) {
        self.changes.push(change);
    }

    /// Single requests, to be compared with each other.
    pub(crate) fn samples(&self, view: View) -> Sampled {
        self.samples.of(view)
    }

    /// The life of a connection, by the id of any party; `None` if nothing is known of it.
    pub(crate) fn timeline(&self, id: ConnectionId) -> Option<Timeline> {
        self.connections.timeline(id)
    }

    /// After how long idle connections were closed, and by whom.
    pub(crate) const fn idle_closes(&self) -> &IdleCloses {
        &self.idle
    }

    /// Changes of configuration, the newest first.
    pub(crate) fn changes(&self) -> Vec<ChangeSeen> {
        self.changes.list()
    }

    pub(crate) const fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(crate) const fn lines(&self) -> Lines {
        self.lines
    }
}

#[cfg(test)]
mod tests;
