//! A turn as JSON.

use repono_core::refusal::After;

use super::{Counts, EVENT_OF_TURN, Origin, clocks, ends, event_kind, journal, line, span};
use crate::json::Object;
use crate::turn::{TurnRecord, TurnRequest};

pub(crate) fn turn(out: &mut Vec<u8>, origin: &Origin, counts: Counts, record: &TurnRecord) {
    let ended = record.asked.at_mono(record.ended_mono_ns);
    line(out, origin, ended, |o| {
        o.object("event", |o| {
            event_kind(o, EVENT_OF_TURN, "turn");
            span(o, record.asked, ended);
            o.number("sequence", counts.sequence);
        });
        if let Some(request) = &record.request {
            http(o, request);
        }
        ends(o, record.source, record.onward, record.destination);
        o.object("network", |o| {
            o.text("transport", "tcp");
            o.number("bytes", record.bytes_in.saturating_add(record.bytes_out));
        });
        o.object("repono", |o| {
            o.text("side", record.side.as_str());
            o.object("connection", |o| {
                o.text("id", record.connection.hex());
                if let Some(request) = &record.request {
                    if let Some(id) = request.peer_connection {
                        o.text("balancer_id", id.hex());
                    }
                    o.truth("closes", matches!(request.connection_after, After::Close).into());
                }
                o.number("bytes_in", record.bytes_in);
                o.number("bytes_out", record.bytes_out);
            });
            o.object("turn", |o| {
                o.number("number", record.number);
                o.text("kind", record.kind.as_str());
                if let Some(connect_ns) = record.connect_ns {
                    o.number("connect_ns", connect_ns);
                }
                o.number("idle_before_ns", record.idle_before_ns);
                o.number("send_ns", record.asked_last_mono_ns.saturating_sub(record.asked.mono_ns));
                if let Some(acknowledged) = record.acknowledged {
                    o.truth("acknowledged", acknowledged.into());
                }
                if let Some(answered) = record.answered_mono_ns {
                    o.number("wait_ns", answered.saturating_sub(record.asked_last_mono_ns));
                    o.number("receive_ns", record.ended_mono_ns.saturating_sub(answered));
                }
            });
            o.text_if_any("head", record.head.as_bytes());
            clocks(o, record.asked, record.ended_mono_ns);
            journal(o, counts);
        });
    });
}

fn http(o: &mut Object<'_>, request: &TurnRequest) {
    o.object("http", |o| {
        o.object("request", |o| {
            o.text("method", request.method.as_bytes());
            o.text_if_any("id", request.id.as_bytes());
        });
        if let Some(status) = request.status {
            o.object("response", |o| o.number("status_code", status.into()));
        }
    });
    o.object("url", |o| o.text("path", request.path.as_bytes()));
}
