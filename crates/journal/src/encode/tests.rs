//! What records look like as lines, and full ones for the table of fields.

use std::collections::BTreeMap;

use repono_core::id::{ConnectionId, TransId};
use repono_core::refusal::After;
use repono_core::request::Method;
use repono_core::trace::{Span, TraceContext};
use serde_json::Value;

use super::{Counts, LINE_BYTES_MAX, Origin, audit, change, connection, request, turn};
use crate::change::{AuditRecord, Change, ChangeRecord, Decision};
use crate::connection::{ClosedBy, ConnectionRecord, Manner, Phase, TcpSummary, Tls, TlsVersion, Turns};
use crate::end_code::{EndCause, EndCode, EndPhase};
use crate::request::{Outcome, Phases, RequestRecord, Reuse, Side};
use crate::stamp::Stamp;
use crate::text::{Text, UrlPath};
use crate::turn::{TurnKind, TurnRecord, TurnRequest};

mod fields;

pub(crate) const COUNTS: Counts = Counts { sequence: 9, dropped: 2, sampled_out: 5 };

pub(crate) fn origin() -> Origin {
    Origin::new("head", "head-1", "6f2b1c1e-2222-4444-8888-0123456789ab", 4242)
}

pub(crate) fn full_request() -> RequestRecord {
    let started = Stamp { wall_ns: 1_439_686_973_000_000_001, mono_ns: 5_000_000_000 };
    let id = ConnectionId::from_bytes([0xAB; 12]);
    let source = "10.0.0.7:56478".parse().unwrap();
    let destination = "[::ffff:10.0.1.10]:443".parse().unwrap();
    RequestRecord {
        trans_id: Some(TransId::new(
            repono_core::time::Timestamp::from_unix_seconds(1_439_686_983),
            &mut NoRandomness,
        )),
        trace: Some(trace()),
        balancer_id: Some(ConnectionId::from_bytes([0xCD; 12])),
        ended_mono_ns: started.mono_ns + 10_334_512_000,
        method: Some(Method::Head),
        path: UrlPath::of_target(b"/v1/repono/a/n/1/6/x?token=PREA_00"),
        status: Some(200),
        bytes_in: 3,
        bytes_out: 412,
        phases_ns: Phases { queue: 1, connect: 900_000, wait: 10_328_000_000, store: 7, ..Phases::NONE },
        reuse: Reuse::Reused { idle_before_ns: 361_000_000_000, requests_before: 12 },
        attempts: 2,
        outcome: Outcome::Refused("TicketExpired"),
        actor: Text::new("demo:demo"),
        application: Text::new("demo-app"),
        user_agent: Text::new("GetReponoAuthURL/2.4501"),
        tls: Some(Tls { version: TlsVersion::V13, cipher: "TLS_AES_128_GCM_SHA256", resumed: true }),
        connection_after: After::Keep,
        ..RequestRecord::new(Side::Client, id, started, source, destination)
    }
}

pub(crate) fn trace() -> Span {
    let parent = TraceContext::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    parent.request(&mut NoRandomness)
}

struct NoRandomness;

impl rand::RngCore for NoRandomness {
    fn next_u32(&mut self) -> u32 {
        0x1234_5678
    }

    fn next_u64(&mut self) -> u64 {
        0x1234_5678_9ABC_DEF0
    }

    fn fill_bytes(&mut self, to: &mut [u8]) {
        to.fill(0x72);
    }
}

pub(crate) fn full_connection() -> ConnectionRecord {
    let opened = Stamp { wall_ns: 1_439_686_973_000_000_001, mono_ns: 5_000_000_000 };
    let address = "127.0.0.1:7443".parse().unwrap();
    let summary = TcpSummary { rtt_us: 85, unacked: 1, retransmits: 4, ..TcpSummary::default() };
    ConnectionRecord {
        balancer_id: Some(ConnectionId::from_bytes([1; 12])),
        ended: opened.plus(std::time::Duration::from_secs(900)),
        tls: Some(Tls { version: TlsVersion::V12, cipher: "TLS_ECDHE", resumed: false }),
        requests: 12,
        bytes_in: 900,
        bytes_out: 100,
        closed_by: ClosedBy::Us,
        manner: Manner::IdleExpiry,
        phase: Phase::Idle,
        idle_at_close_ns: 55,
        late_bytes: 4,
        end_code: Some(EndCode { cause: EndCause::ServerTimeout, phase: EndPhase::Data }),
        turns: Some(Turns { count: 12, worst_ns: 9, last_ns: 3 }),
        tcp: [Some(summary), Some(summary)],
        head: Text::new("head-3"),
        ..ConnectionRecord::new(Side::Balancer, ConnectionId::from_bytes([2; 12]), opened, address, address)
    }
}

pub(crate) fn full_turn() -> TurnRecord {
    TurnRecord {
        side: Side::Balancer,
        kind: TurnKind::Exchange,
        connection: ConnectionId::from_bytes([0xab; 12]),
        source: "10.0.0.7:56478".parse().unwrap(),
        destination: "10.0.1.10:443".parse().unwrap(),
        onward: Some("10.0.0.8:50000".parse().unwrap()),
        connect_ns: Some(90),
        head: Text::new("head-1"),
        number: 3,
        asked: Stamp { wall_ns: 5, mono_ns: 100 },
        asked_last_mono_ns: 110,
        answered_mono_ns: Some(150),
        ended_mono_ns: 190,
        idle_before_ns: 7,
        bytes_in: 300,
        bytes_out: 5_000,
        acknowledged: Some(true),
        request: Some(TurnRequest {
            status: Some(404),
            id: Text::new("tx00"),
            peer_connection: Some(ConnectionId::from_bytes([3; 12])),
            ..TurnRequest::new(Text::new("MKCOL"), UrlPath::of_target(b"/a?token=b"))
        }),
    }
}

#[test]
fn a_turn_tells_its_three_spans_and_an_end_its_two_letters() {
    let read = |record: &TurnRecord| {
        let mut out = Vec::new();
        turn(&mut out, &origin(), COUNTS, record);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let whole = read(&full_turn());
    let own = &whole["repono"]["turn"];
    let spans = ["number", "idle_before_ns", "send_ns", "wait_ns", "receive_ns"].map(|name| &own[name]);
    assert_eq!(spans, [3, 7, 10, 40, 40]);
    assert_eq!(whole["event"]["duration"], 90);
    assert_eq!((&whole["http"]["request"]["method"], &whole["url"]["path"]), (&"MKCOL".into(), &"/a".into()));
    assert_eq!(whole["repono"]["connection"]["closes"], false);
    let unanswered = read(&TurnRecord { answered_mono_ns: None, ..full_turn() });
    assert_eq!(unanswered["repono"]["turn"]["wait_ns"], Value::Null);
    let mut out = Vec::new();
    connection(&mut out, &origin(), COUNTS, &full_connection());
    let record: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(record["repono"]["connection"]["end_code"], "sD");
    assert_eq!(EndCode::NORMAL.letters(), *b"--");
}

pub(crate) fn full_change() -> ChangeRecord<'static> {
    let at = Stamp { wall_ns: 5, mono_ns: 6 };
    ChangeRecord { at, who: "uid 1000", what: "head-1.state", from: "ready", to: "draining" }
}

pub(crate) fn full_audit() -> AuditRecord {
    AuditRecord {
        at: Stamp { wall_ns: 5, mono_ns: 6 },
        action: "ticket-issue",
        decision: Decision::Refused("SlowDown"),
        source: Some("127.0.0.1:7443".parse().unwrap()),
        actor: Text::new("demo:demo"),
        application: Text::new("demo-app"),
        subject: Text::new("0123"),
    }
}

pub(crate) fn lines() -> Vec<u8> {
    let (origin, mut out) = (origin(), Vec::new());
    request(&mut out, &origin, COUNTS, &full_request(), 3);
    connection(&mut out, &origin, COUNTS, &full_connection());
    turn(&mut out, &origin, COUNTS, &full_turn());
    change(&mut out, &origin, COUNTS, &Change::from(full_change()));
    audit(&mut out, &origin, COUNTS, &full_audit());
    out
}

fn leaves(prefix: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                leaves(&path, member, into);
            }
        }
        leaf => {
            into.insert(prefix.to_owned(), leaf.clone());
        }
    }
}

#[test]
fn a_request_reads_like_this() {
    let mut out = Vec::new();
    request(&mut out, &origin(), COUNTS, &full_request(), 3);
    let expected = concat!(
        r#"{"@timestamp":"2015-08-16T01:03:03.334512001Z","ecs":{"version":"9.4.0"},"#,
        r#""service":{"name":"repono-head","node":{"name":"head-1"}},"#,
        r#""host":{"boot":{"id":"6f2b1c1e-2222-4444-8888-0123456789ab"}},"process":{"pid":4242},"#,
        r#""event":{"kind":"event","category":["web"],"type":["access"],"dataset":"repono.request","#,
        r#""module":"repono","action":"request","outcome":"failure","#,
        r#""start":"2015-08-16T01:02:53.000000001Z","end":"2015-08-16T01:03:03.334512001Z","#,
        r#""duration":10334512000,"sequence":9,"id":"tx787878787878787878787-0055cfe147"},"#,
        r#""trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"},"span":{"id":"123456789abcdef1"},"#,
        r#""http":{"request":{"method":"HEAD","id":"tx787878787878787878787-0055cfe147","body":{"bytes":3}},"#,
        r#""response":{"status_code":200,"body":{"bytes":412}}},"url":{"path":"/v1/repono/a/n/1/6/x"},"#,
        r#""source":{"ip":"10.0.0.7","port":56478},"destination":{"ip":"10.0.1.10","port":443},"#,
        r#""tls":{"version":"1.3","version_protocol":"tls","cipher":"TLS_AES_128_GCM_SHA256","#,
        r#""established":true,"resumed":true},"user":{"name":"demo:demo"},"#,
        r#""user_agent":{"original":"GetReponoAuthURL/2.4501"},"error":{"code":"TicketExpired"},"#,
        r#""repono":{"side":"client","connection":{"id":"abababababababababababab","#,
        r#""balancer_id":"cdcdcdcdcdcdcdcdcdcdcdcd","reused":true,"idle_before_ns":361000000000,"#,
        r#""requests_before":12},"attempts":2,"span":{"parent_id":"00f067aa0ba902b7"},"application":"demo-app","phase_ns":{"queue":1,"dns":0,"#,
        r#""connect":900000,"tls":0,"send":0,"wait":10328000000,"authorize":0,"store":7,"receive":0},"#,
        r#""wall_ns":1439686973000000001,"mono_ns":{"start":5000000000,"end":15334512000},"#,
        r#""sample":{"one_in":3},"journal":{"dropped":2,"sampled_out":5}}}"#,
        "\n",
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn what_is_absent_is_left_out() {
    let mut out = Vec::new();
    let address = "127.0.0.1:1".parse().unwrap();
    let id = ConnectionId::from_bytes([0; 12]);
    let record = RequestRecord::new(Side::Head, id, Stamp::default(), address, address);
    let counts = Counts { sequence: 1, dropped: 0, sampled_out: 0 };
    request(&mut out, &origin(), counts, &record, 1);
    let mut found = BTreeMap::new();
    leaves("", &serde_json::from_slice(&out).unwrap(), &mut found);
    for name in ["http.request.method", "http.response.status_code", "user.name", "error.code", "tls.version"]
    {
        assert!(!found.contains_key(name), "{name}");
    }
    assert_eq!(found["event.outcome"], "unknown");
}

#[test]
fn the_longest_line_fits_and_strangers_bytes_stay_in_their_strings() {
    let hostile = [b'\x1b'; 300];
    let record = RequestRecord {
        path: UrlPath::of_target(&hostile),
        actor: Text::new(hostile),
        application: Text::new(hostile),
        user_agent: Text::new(b"curl\"\r\n{\"event\":1}\\"),
        ..full_request()
    };
    let mut out = Vec::new();
    request(&mut out, &origin(), COUNTS, &record, u64::MAX);
    assert!(out.len() <= LINE_BYTES_MAX, "{}", out.len());
    assert_eq!(out.iter().filter(|b| **b < b' ').count(), 1, "the line feed at the end");
    let read: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(read["user_agent"]["original"], "curl\"\r\n{\"event\":1}\\");
    assert_eq!(read["url"]["path"], "\u{1b}".repeat(200));
}
