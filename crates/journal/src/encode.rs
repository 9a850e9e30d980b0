//! Records as JSON under the field names of the Elastic Common Schema.
//!
//! What ECS has no field for stands under `repono`. The names are a contract
//! with dashboards and with `repono diagnose`: they stand with their types in
//! `deploy/elk/mappings.json`, and a test holds records against it.
//!
//! *Source*: ECS 9.4, `generated/ecs/ecs_flat.yml`.

use std::net::SocketAddr;

use crate::change::{AuditRecord, Change, Decision};
use crate::connection::{ConnectionRecord, TcpSummary, Tls};
use crate::json::{Object, object};
use crate::request::{Outcome, Phases, RequestRecord, Reuse};
use crate::stamp::Stamp;

mod turn;

/// More than any line: every text of a record escaped to six bytes a byte.
pub(crate) const LINE_BYTES_MAX: usize = 8 << 10;

/// What is the same in each event of a kind, rendered.
const EVENT_OF_REQUEST: &str =
    r#""kind":"event","category":["web"],"type":["access"],"dataset":"repono.request","module":"repono""#;
const EVENT_OF_CONNECTION: &str = r#""kind":"event","category":["network"],"type":["connection","end"],"dataset":"repono.connection","module":"repono""#;
const EVENT_OF_TURN: &str =
    r#""kind":"event","category":["network"],"type":["info"],"dataset":"repono.turn","module":"repono""#;
const EVENT_OF_CHANGE: &str = r#""kind":"event","category":["configuration"],"type":["change"],"dataset":"repono.change","module":"repono""#;
const EVENT_OF_AUDIT: &str = r#""kind":"event","category":["authentication"],"type":["info"],"dataset":"repono.audit","module":"repono""#;

/// Who writes: the members that are the same in every record, rendered once.
pub(crate) struct Origin {
    members: Vec<u8>,
}

impl Origin {
    pub(crate) fn new(service: &str, instance: &str, boot_id: &str, pid: u32) -> Self {
        let mut out = Vec::new();
        object(&mut out, |o| {
            o.object("ecs", |o| o.text("version", "9.4.0"));
            o.object("service", |o| {
                o.text("name", format!("repono-{service}"));
                o.object("node", |o| o.text("name", instance));
            });
            o.object("host", |o| o.object("boot", |o| o.text("id", boot_id)));
            o.object("process", |o| o.number("pid", pid.into()));
        });
        let members = out.get(1..out.len().saturating_sub(1)).unwrap_or_default().to_vec();
        Self { members }
    }
}

/// What the journal knows of itself when it writes a line.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) sequence: u64,
    pub(crate) dropped: u64,
    pub(crate) sampled_out: u64,
}

pub(crate) fn request(
    out: &mut Vec<u8>,
    origin: &Origin,
    counts: Counts,
    record: &RequestRecord,
    one_in: u64,
) {
    let ended = record.started.at_mono(record.ended_mono_ns);
    line(out, origin, ended, |o| {
        o.object("event", |o| {
            event_kind(o, EVENT_OF_REQUEST, "request");
            o.text("outcome", request_outcome(record));
            span(o, record.started, ended);
            o.number("sequence", counts.sequence);
            if let Some(id) = record.trans_id {
                o.text("id", id.as_str());
            }
        });
        if let Some(trace) = record.trace {
            o.object("trace", |o| o.text("id", trace.trace.hex()));
            o.object("span", |o| o.text("id", trace.id.hex()));
        }
        http(o, record);
        o.object("url", |o| o.text("path", record.path.as_bytes()));
        for (name, end) in [("source", record.source), ("destination", record.destination)] {
            if let Some(end) = end {
                o.address(name, end);
            }
        }
        tls(o, record.tls);
        if !record.actor.is_empty() {
            o.object("user", |o| o.text("name", record.actor.as_bytes()));
        }
        if !record.user_agent.is_empty() {
            o.object("user_agent", |o| o.text("original", record.user_agent.as_bytes()));
        }
        match record.outcome {
            Outcome::Complete => {}
            Outcome::Refused(code) | Outcome::Failed(code) => o.object("error", |o| o.text("code", code)),
        }
        o.object("repono", |o| request_own(o, counts, record, one_in));
    });
}

fn http(o: &mut Object<'_>, record: &RequestRecord) {
    o.object("http", |o| {
        o.object("request", |o| {
            if let Some(method) = record.method {
                o.text("method", method.as_str());
            }
            if let Some(id) = record.trans_id {
                o.text("id", id.as_str());
            }
            o.object("body", |o| o.number("bytes", record.bytes_in));
        });
        o.object("response", |o| {
            if let Some(status) = record.status {
                o.number("status_code", status.into());
            }
            o.object("body", |o| o.number("bytes", record.bytes_out));
        });
    });
}

fn request_outcome(record: &RequestRecord) -> &'static str {
    match (record.outcome, record.status) {
        (Outcome::Complete, Some(status)) if status < 400 => "success",
        (Outcome::Complete, None) => "unknown",
        (Outcome::Complete, Some(_)) | (Outcome::Refused(_) | Outcome::Failed(_), _) => "failure",
    }
}

fn request_own(o: &mut Object<'_>, counts: Counts, record: &RequestRecord, one_in: u64) {
    o.text("side", record.side.as_str());
    o.object("connection", |o| {
        o.text("id", record.connection.hex());
        if let Some(id) = record.balancer_id {
            o.text("balancer_id", id.hex());
        }
        match record.reuse {
            Reuse::New => o.truth("reused", false.into()),
            Reuse::Reused { idle_before_ns, requests_before } => {
                o.truth("reused", true.into());
                o.number("idle_before_ns", idle_before_ns);
                o.number("requests_before", requests_before.into());
            }
        }
    });
    o.number("attempts", record.attempts.into());
    if let Some(parent) = record.trace.and_then(|span| span.parent) {
        o.object("span", |o| o.text("parent_id", parent.hex()));
    }
    o.text_if_any("application", record.application.as_bytes());
    o.object("phase_ns", |o| phases(o, &record.phases_ns));
    clocks(o, record.started, record.ended_mono_ns);
    o.object("sample", |o| o.number("one_in", one_in));
    journal(o, counts);
}

fn phases(o: &mut Object<'_>, phases: &Phases) {
    let Phases { queue, dns, connect, tls, send, wait, authorize, store, receive } = *phases;
    for (name, ns) in [
        ("queue", queue),
        ("dns", dns),
        ("connect", connect),
        ("tls", tls),
        ("send", send),
        ("wait", wait),
        ("authorize", authorize),
        ("store", store),
        ("receive", receive),
    ] {
        o.number(name, ns);
    }
}

pub(crate) fn connection(out: &mut Vec<u8>, origin: &Origin, counts: Counts, record: &ConnectionRecord) {
    line(out, origin, record.ended, |o| {
        o.object("event", |o| {
            event_kind(o, EVENT_OF_CONNECTION, "connection");
            span(o, record.opened, record.ended);
            o.number("sequence", counts.sequence);
        });
        ends(o, record.source, None, record.destination);
        o.object("network", |o| {
            o.text("transport", "tcp");
            o.number("bytes", record.bytes_in.saturating_add(record.bytes_out));
        });
        tls(o, record.tls);
        o.object("repono", |o| connection_own(o, counts, record));
    });
}

fn connection_own(o: &mut Object<'_>, counts: Counts, record: &ConnectionRecord) {
    o.text("side", record.side.as_str());
    o.object("connection", |o| {
        o.text("id", record.id.hex());
        if let Some(id) = record.balancer_id {
            o.text("balancer_id", id.hex());
        }
        o.number("requests", record.requests);
        o.number("bytes_in", record.bytes_in);
        o.number("bytes_out", record.bytes_out);
        o.text("closed_by", record.closed_by.as_str());
        o.text("manner", record.manner.as_str());
        o.text("phase", record.phase.as_str());
        o.number("idle_at_close_ns", record.idle_at_close_ns);
        if record.late_bytes > 0 {
            o.number("late_bytes", record.late_bytes);
        }
        if let Some(code) = record.end_code {
            o.text("end_code", code.letters());
        }
        if let Some(turns) = record.turns {
            o.object("turns", |o| {
                o.number("count", turns.count);
                o.number("worst_ns", turns.worst_ns);
                o.number("last_ns", turns.last_ns);
            });
        }
    });
    let [source, destination] = record.tcp;
    for (name, summary) in [("tcp_source", source), ("tcp_destination", destination)] {
        if let Some(summary) = summary {
            o.object(name, |o| tcp(o, &summary));
        }
    }
    o.text_if_any("head", record.head.as_bytes());
    clocks(o, record.opened, record.ended.mono_ns);
    journal(o, counts);
}

fn tcp(o: &mut Object<'_>, summary: &TcpSummary) {
    let TcpSummary {
        rtt_us,
        rttvar_us,
        retransmits,
        total_retrans,
        unacked,
        backoff,
        last_ack_recv_ms,
        last_data_recv_ms,
    } = *summary;
    for (name, value) in [
        ("rtt_us", rtt_us),
        ("rttvar_us", rttvar_us),
        ("retransmits", retransmits),
        ("total_retrans", total_retrans),
        ("unacked", unacked),
        ("backoff", backoff),
        ("last_ack_recv_ms", last_ack_recv_ms),
        ("last_data_recv_ms", last_data_recv_ms),
    ] {
        o.number(name, value.into());
    }
}

pub(crate) use turn::turn;

pub(crate) fn change(out: &mut Vec<u8>, origin: &Origin, counts: Counts, record: &Change) {
    line(out, origin, record.at, |o| {
        o.object("event", |o| {
            event_kind(o, EVENT_OF_CHANGE, "configuration-change");
            o.number("sequence", counts.sequence);
        });
        o.object("repono", |o| {
            o.object("change", |o| {
                o.text("who", record.who.as_bytes());
                o.text("what", record.what.as_bytes());
                o.text("from", record.from.as_bytes());
                o.text("to", record.to.as_bytes());
            });
            clocks(o, record.at, record.at.mono_ns);
            journal(o, counts);
        });
    });
}

pub(crate) fn audit(out: &mut Vec<u8>, origin: &Origin, counts: Counts, record: &AuditRecord) {
    line(out, origin, record.at, |o| {
        o.object("event", |o| {
            event_kind(o, EVENT_OF_AUDIT, record.action);
            o.text(
                "outcome",
                match record.decision {
                    Decision::Granted => "success",
                    Decision::Refused(_) => "failure",
                },
            );
            o.number("sequence", counts.sequence);
        });
        if let Some(source) = record.source {
            o.address("source", source);
        }
        if !record.actor.is_empty() {
            o.object("user", |o| o.text("name", record.actor.as_bytes()));
        }
        match record.decision {
            Decision::Granted => {}
            Decision::Refused(code) => o.object("error", |o| o.text("code", code)),
        }
        o.object("repono", |o| {
            o.text_if_any("application", record.application.as_bytes());
            o.text_if_any("subject", record.subject.as_bytes());
            clocks(o, record.at, record.at.mono_ns);
            journal(o, counts);
        });
    });
}

fn line(out: &mut Vec<u8>, origin: &Origin, at: Stamp, fields: impl FnOnce(&mut Object<'_>)) {
    object(out, |o| {
        o.instant("@timestamp", at.wall_ns);
        o.rendered(&origin.members);
        fields(o);
    });
    out.push(b'\n');
}

fn event_kind(o: &mut Object<'_>, event: &str, action: &str) {
    o.rendered(event.as_bytes());
    o.text("action", action);
}

fn span(o: &mut Object<'_>, start: Stamp, end: Stamp) {
    o.instant("start", start.wall_ns);
    o.instant("end", end.wall_ns);
    o.number("duration", end.mono_ns.saturating_sub(start.mono_ns));
}

fn ends(o: &mut Object<'_>, source: SocketAddr, onward: Option<SocketAddr>, destination: SocketAddr) {
    o.translated("source", source, onward);
    o.address("destination", destination);
}

fn tls(o: &mut Object<'_>, tls: Option<Tls>) {
    let Some(tls) = tls else { return };
    o.object("tls", |o| {
        o.text("version", tls.version.as_str());
        o.text("version_protocol", "tls");
        o.text("cipher", tls.cipher);
        o.truth("established", true.into());
        o.truth("resumed", tls.resumed.into());
    });
}

/// Both clocks as numbers: `@timestamp` is text, and dates of many readers end
/// at milliseconds.
fn clocks(o: &mut Object<'_>, start: Stamp, end_mono_ns: u64) {
    o.number("wall_ns", start.wall_ns);
    o.object("mono_ns", |o| {
        o.number("start", start.mono_ns);
        o.number("end", end_mono_ns);
    });
}

/// Only where there is something to tell, which is seldom.
fn journal(o: &mut Object<'_>, counts: Counts) {
    if counts.dropped > 0 || counts.sampled_out > 0 {
        o.object("journal", |o| {
            o.number("dropped", counts.dropped);
            o.number("sampled_out", counts.sampled_out);
        });
    }
}

#[cfg(test)]
pub(crate) mod tests;
