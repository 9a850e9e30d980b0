//! A turn as JSON.

use super::{Counts, Origin, clocks, ends, event_kind, journal, line, span};
use crate::turn::TurnRecord;

pub(crate) fn turn(out: &mut Vec<u8>, origin: &Origin, counts: Counts, record: &TurnRecord) {
    let ended = record.asked.at_mono(record.ended_mono_ns);
    line(out, origin, ended, |o| {
        o.object("event", |o| {
            event_kind(o, &["network"], &["info"], "repono.turn", "turn");
            span(o, record.asked, ended);
            o.number("sequence", counts.sequence);
        });
        ends(o, record.source, record.destination);
        o.object("network", |o| {
            o.text("transport", "tcp");
            o.number("bytes", record.bytes_in.saturating_add(record.bytes_out));
        });
        o.object("repono", |o| {
            o.text("side", record.side.as_str());
            o.object("connection", |o| {
                o.text("id", record.connection.hex());
                o.number("bytes_in", record.bytes_in);
                o.number("bytes_out", record.bytes_out);
            });
            o.object("turn", |o| {
                o.number("number", record.number);
                o.text("kind", record.kind.as_str());
                o.number("idle_before_ns", record.idle_before_ns);
                o.number("send_ns", record.asked_last_mono_ns.saturating_sub(record.asked.mono_ns));
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
