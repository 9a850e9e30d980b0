//! What was written is what is read.

use super::{Fact, ReadError, Record, record};
use crate::change::{AuditRecord, Change, ChangeRecord, Decision};
use crate::connection::{ConnectionRecord, Manner, Tls};
use crate::encode::tests::{
    COUNTS, full_audit, full_change, full_connection, full_request, full_turn, lines, origin,
};
use crate::encode::{audit, change, connection, request, turn};
use crate::request::{Outcome, RequestRecord, Reuse};
use crate::turn::TurnRecord;

fn written(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    assert_eq!(out.pop(), Some(b'\n'));
    out
}

fn read(line: &[u8]) -> Record<'_> {
    let record = record(line).unwrap();
    let origin = &record.origin;
    assert_eq!((&*origin.service, &*origin.instance, origin.pid), ("repono-head", "head-1", 4242));
    assert_eq!(origin.boot, "6f2b1c1e-2222-4444-8888-0123456789ab");
    assert_eq!((origin.sequence, origin.dropped), (9, 2));
    record
}

fn same_tls(read: Option<&super::Session<'_>>, tls: Option<Tls>) {
    assert_eq!(
        read.map(|tls| (tls.version, &*tls.cipher, tls.resumed)),
        tls.map(|tls| (Some(tls.version), tls.cipher, tls.resumed))
    );
}

fn text(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn request_is_read(record: &RequestRecord) {
    let line = written(|out| request(out, &origin(), COUNTS, record, 3));
    let Fact::Request(read) = read(&line).fact else { panic!("a request") };
    assert_eq!((read.side, read.connection), (Some(record.side), record.connection));
    assert_eq!(read.balancer_id, record.balancer_id);
    assert_eq!((read.started, read.duration_ns()), (record.started, record.duration_ns()));
    assert_eq!(read.ended, record.started.at_mono(record.ended_mono_ns));
    let canonical = |end: Option<std::net::SocketAddr>| end.map(|end| (end.ip().to_canonical(), end.port()));
    assert_eq!(canonical(read.source), canonical(record.source));
    assert_eq!(canonical(read.destination), canonical(record.destination));
    assert_eq!(read.method.as_deref(), record.method.map(|method| method.as_str()));
    assert_eq!(*read.path, *String::from_utf8_lossy(record.path.as_bytes()));
    assert_eq!(
        (read.status, read.bytes_in, read.bytes_out),
        (record.status, record.bytes_in, record.bytes_out)
    );
    assert_eq!(read.trace, record.trace);
    assert_eq!(read.trans_id.as_deref(), record.trans_id.as_ref().map(|id| id.as_str()));
    assert_eq!(
        (read.phases_ns, read.reuse, read.attempts),
        (record.phases_ns, record.reuse, record.attempts)
    );
    let code = match record.outcome {
        Outcome::Complete => None,
        Outcome::Refused(code) | Outcome::Failed(code) => Some(code),
    };
    assert_eq!(read.code.as_deref(), code);
    assert_eq!(read.actor.map(Into::into), text(record.actor.as_bytes()));
    assert_eq!(read.application.map(Into::into), text(record.application.as_bytes()));
    assert_eq!(read.user_agent.map(Into::into), text(record.user_agent.as_bytes()));
    same_tls(read.tls.as_ref(), record.tls);
    assert_eq!(read.one_in, 3);
}

#[test]
fn a_request_is_read_as_it_was_written() {
    let full = full_request();
    request_is_read(&full);
    let bare = RequestRecord::unconnected(full.side, full.connection, full.started);
    request_is_read(&bare);
    request_is_read(&RequestRecord { reuse: Reuse::New, outcome: Outcome::Complete, ..full });
}

fn connection_is_read(record: &ConnectionRecord) {
    let line = written(|out| connection(out, &origin(), COUNTS, record));
    let Fact::Connection(read) = read(&line).fact else { panic!("a connection") };
    assert_eq!((read.side, read.id), (Some(record.side), record.id));
    assert_eq!(
        (read.balancer_id, read.opened, read.ended),
        (record.balancer_id, record.opened, record.ended)
    );
    assert_eq!((read.source, read.destination), (record.source, record.destination));
    same_tls(read.tls.as_ref(), record.tls);
    assert_eq!((read.requests, read.bytes_in), (record.requests, record.bytes_in));
    assert_eq!((read.bytes_out, read.late_bytes), (record.bytes_out, record.late_bytes));
    let end = (read.closed_by, read.manner, read.phase);
    assert_eq!(end, (Some(record.closed_by), Some(record.manner), Some(record.phase)));
    assert_eq!(read.idle_at_close_ns, record.idle_at_close_ns);
    assert_eq!(read.end_code.map(Into::into), record.end_code.and_then(|code| text(&code.letters())));
    assert_eq!((read.turns, read.tcp), (record.turns, record.tcp));
    assert_eq!(read.head.map(Into::into), text(record.head.as_bytes()));
}

#[test]
fn a_connection_is_read_as_it_was_written() {
    let full = ConnectionRecord { late_bytes: 7, ..full_connection() };
    connection_is_read(&full);
    connection_is_read(&ConnectionRecord::new(
        full.side,
        full.id,
        full.opened,
        full.source,
        full.destination,
    ));
    connection_is_read(&ConnectionRecord { manner: Manner::FinCloseNotify, ..full });
}

fn turn_is_read(record: &TurnRecord) {
    let line = written(|out| turn(out, &origin(), COUNTS, record));
    let Fact::Turn(read) = read(&line).fact else { panic!("a turn") };
    assert_eq!((read.side, read.kind), (Some(record.side), Some(record.kind)));
    assert_eq!((read.connection, read.number), (record.connection, record.number));
    assert_eq!(read.connect_ns, record.connect_ns);
    let ends = (read.source, read.destination, read.onward);
    assert_eq!(ends, (record.source, record.destination, record.onward));
    let times = (read.asked, read.asked_last_mono_ns, read.answered_mono_ns, read.ended.mono_ns);
    let written = (record.asked, record.asked_last_mono_ns, record.answered_mono_ns, record.ended_mono_ns);
    assert_eq!(times, written);
    assert_eq!((read.idle_before_ns, read.bytes_in), (record.idle_before_ns, record.bytes_in));
    assert_eq!((read.bytes_out, read.acknowledged), (record.bytes_out, record.acknowledged));
    assert_eq!(read.head.map(Into::into), text(record.head.as_bytes()));
    let (Some(exchange), Some(request)) = (&read.exchange, &record.request) else {
        return assert_eq!(read.exchange.is_some(), record.request.is_some());
    };
    assert_eq!(exchange.method.as_bytes(), request.method.as_bytes());
    assert_eq!(exchange.path.as_bytes(), request.path.as_bytes());
    assert_eq!((exchange.status, exchange.connection_after), (request.status, request.connection_after));
    assert_eq!(exchange.id.as_deref().map(Into::into), text(request.id.as_bytes()));
    assert_eq!(exchange.peer_connection, request.peer_connection);
}

#[test]
fn a_turn_is_read_as_it_was_written() {
    turn_is_read(&full_turn());
    turn_is_read(&TurnRecord { answered_mono_ns: None, acknowledged: None, request: None, ..full_turn() });
}

#[test]
fn changes_and_decisions_are_read_as_they_were_written() {
    let made = full_change();
    let line = written(|out| change(out, &origin(), COUNTS, &Change::from(made)));
    let Fact::Change(read_change) = read(&line).fact else { panic!("a change") };
    let ChangeRecord { at, who, what, from, to } = made;
    let expected = super::Change { at, who: who.into(), what: what.into(), from: from.into(), to: to.into() };
    assert_eq!(read_change, expected);

    for record in [full_audit(), AuditRecord { decision: Decision::Granted, source: None, ..full_audit() }] {
        let line = written(|out| audit(out, &origin(), COUNTS, &record));
        let Fact::Audit(read) = read(&line).fact else { panic!("a decision") };
        let refused = match record.decision {
            Decision::Granted => None,
            Decision::Refused(code) => Some(code.into()),
        };
        let expected = super::Audit {
            at: record.at,
            action: Some(record.action.into()),
            refused,
            source: record.source,
            actor: text(record.actor.as_bytes()).map(Into::into),
            application: text(record.application.as_bytes()).map(Into::into),
            subject: text(record.subject.as_bytes()).map(Into::into),
        };
        assert_eq!(read, expected);
    }
}

#[test]
fn newer_writers_are_understood_as_far_as_they_can_be() {
    let lines = String::from_utf8(lines()).unwrap();
    let request = lines.lines().next().unwrap();
    let newer = request
        .replace("\"repono\":{", "\"repono\":{\"weather\":[1,{\"rain\":null}],")
        .replace("\"side\":\"client\"", "\"side\":\"mirror\"");
    let Fact::Request(read) = record(newer.as_bytes()).unwrap().fact else { panic!("a request") };
    assert_eq!((read.side, read.status), (None, Some(200)));
    let other = request.replace("repono.request", "repono.tide");
    assert!(matches!(record(other.as_bytes()).unwrap().fact, Fact::Other));
}

#[test]
fn damage_is_an_error_wherever_it_strikes() {
    let text = lines();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        assert!(record(line).is_ok());
        for cut in 0..line.len() {
            assert!(matches!(record(&line[..cut]), Err(ReadError::Form(_))), "cut at {cut}");
        }
        for at in 0..line.len() {
            let mut damaged = line.to_vec();
            damaged[at] ^= 0x80;
            let _whatever = record(&damaged);
        }
    }
    let whole = String::from_utf8(text).unwrap();
    let line = |number: usize| whole.lines().nth(number).unwrap();
    let missing = record(line(0).replace("\"url\"", "\"uri\"").as_bytes()).map(|_| ()).unwrap_err();
    assert!(matches!(missing, ReadError::Missing("url.path")), "{missing}");
    let id = record(line(1).replace("0202", "02zz").as_bytes()).map(|_| ()).unwrap_err();
    assert!(matches!(id, ReadError::Connection), "{id}");
}
