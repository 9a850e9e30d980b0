//! What Prometheus is told, held against what is known.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use prost::Message as _;
use repono_core::id::ConnectionId;
use repono_journal::read::{Connection, Fact, Origin, Record, Request};
use repono_journal::{ClosedBy, Manner, Phase, Phases, Reuse, Side, Stamp};
use tokio::time::Instant;

use super::{Form, encode, families, probed, protobuf, timeouts};
use crate::board::Board;
use crate::heads::{Answer, HeadStatus, State};
use crate::limits::STALE;
use crate::path::Told;

const NOW_NS: u64 = 1_440_000_000_000_000_000;

fn answer(heads: &[(&str, State)]) -> Answer {
    let head = |(name, state): &(&str, State)| HeadStatus {
        name: (*name).to_owned(),
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
        state: *state,
        weight: 1,
        connections: 7,
        waiting: None,
        in_flight: None,
        only: false,
        failing: None,
        counters: BTreeMap::from([("requests-shed-by-age".to_owned(), 3)]),
        limits: None,
    };
    Answer { heads: heads.iter().map(head).collect(), asked: Instant::now() }
}

fn text(latest: Option<&Answer>, now: Instant) -> String {
    String::from_utf8(encode(&families(latest, None, now), Form::Text)).unwrap()
}

fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn a_fresh_answer_is_told_whole() {
    let mut answer = answer(&[("a", State::Ready), ("b", State::Draining), ("c", State::Down)]);
    (answer.heads[1].waiting, answer.heads[1].in_flight) = (Some(2), Some(3));
    let text = text(Some(&answer), answer.asked + Duration::from_millis(1250));
    assert!(text.starts_with(
        "# HELP repono_head_up Whether the head serves, as the balancer sees it.\n\
         # TYPE repono_head_up gauge\n\
         repono_head_up{head=\"a\"} 1\n"
    ));
    assert_eq!(
        samples(&text),
        [
            r#"repono_head_up{head="a"} 1"#,
            r#"repono_head_up{head="b"} 1"#,
            r#"repono_head_up{head="c"} 0"#,
            r#"repono_head_state{head="a",state="ready"} 1"#,
            r#"repono_head_state{head="b",state="draining"} 1"#,
            r#"repono_head_state{head="c",state="down"} 1"#,
            r#"repono_lb_connections{head="a",state="open"} 7"#,
            r#"repono_lb_connections{head="b",state="active"} 2"#,
            r#"repono_lb_connections{head="b",state="idle"} 5"#,
            r#"repono_lb_connections{head="c",state="open"} 7"#,
            r#"repono_head_requests_in_flight{head="b"} 3"#,
            r#"repono_head_events_total{head="a",event="requests-shed-by-age"} 3"#,
            r#"repono_head_events_total{head="b",event="requests-shed-by-age"} 3"#,
            r#"repono_head_events_total{head="c",event="requests-shed-by-age"} 3"#,
            "repono_lb_up 1",
            "repono_lb_scrape_age_seconds 1.25",
        ]
    );
}

#[test]
fn after_5_s_no_head_is_up() {
    let answer = answer(&[("a", State::Ready)]);
    let just_before = text(Some(&answer), answer.asked + STALE - Duration::from_nanos(1));
    assert!(just_before.contains("repono_head_up{head=\"a\"} 1\n"));
    assert_eq!(
        samples(&text(Some(&answer), answer.asked + STALE)),
        [r#"repono_head_up{head="a"} 0"#, "repono_lb_up 0", "repono_lb_scrape_age_seconds 5"]
    );
}

#[test]
fn a_head_that_was_started_again_counts_from_zero() {
    let mut answer = answer(&[("a", State::Ready)]);
    answer.heads[0].counters.insert("requests-shed-by-age".to_owned(), 0);
    let text = text(Some(&answer), answer.asked);
    assert!(text.contains("# TYPE repono_head_events_total counter\n"), "a reset is the reader's to see");
    assert!(text.contains("event=\"requests-shed-by-age\"} 0\n"), "{text}");
}

#[test]
fn without_an_answer_there_is_no_age() {
    assert_eq!(samples(&text(None, Instant::now())), ["repono_lb_up 0"]);
}

#[test]
fn a_name_cannot_leave_its_label() {
    let answer = answer(&[("a\\\"} 1\nb", State::Ready)]);
    let text = text(Some(&answer), answer.asked);
    assert!(text.contains("repono_head_up{head=\"a\\\\\\\"} 1\\nb\"} 1\n"), "{text}");
    assert_eq!(samples(&text).len(), 6);
}

fn record(fact: Fact<'static>, dropped: u64) -> Record<'static> {
    let (service, instance, boot) = ("repono-client", "client", "boot");
    let (service, instance, boot) = (Cow::Borrowed(service), Cow::Borrowed(instance), Cow::Borrowed(boot));
    Record { origin: Origin { service, instance, boot, pid: 7, sequence: 1, dropped }, fact }
}

fn request(side: Side, duration_ns: u64) -> Request<'static> {
    let at = |ns| Stamp { wall_ns: ns, mono_ns: ns };
    Request {
        side: Some(side),
        trans_id: None,
        trace: None,
        connection: ConnectionId::from_bytes([1; 12]),
        balancer_id: None,
        started: at(NOW_NS - duration_ns),
        ended: at(NOW_NS),
        source: None,
        destination: Some(([127, 0, 0, 1], 7443).into()),
        method: Some(Cow::Borrowed("GET")),
        path: Cow::Borrowed("/v1/demo/files/x"),
        status: Some(200),
        bytes_in: 0,
        bytes_out: 0,
        phases_ns: Phases::NONE,
        reuse: Reuse::New,
        attempts: 1,
        code: None,
        actor: None,
        application: None,
        user_agent: None,
        tls: None,
        one_in: 1,
    }
}

const fn stale() -> Reuse {
    Reuse::Reused { idle_before_ns: 361_000_000_000, requests_before: 3 }
}

fn told(board: &Board) -> String {
    String::from_utf8(encode(&families(None, Some(board), Instant::now()), Form::Text)).unwrap()
}

#[test]
fn what_died_with_a_reused_connection_is_told_apart() {
    let mut board = Board::default();
    let died = |method, code, reuse| Request {
        method: Some(Cow::Borrowed(method)),
        code: Some(Cow::Borrowed(code)),
        status: None,
        reuse,
        ..request(Side::Client, 4_000_000_000)
    };
    for (dropped, request) in [
        died("HEAD", "ConnectionBroken", stale()),
        died("GET", "PathSilent", stale()),
        died("PUT", "ConnectionBroken", stale()),
        died("GET", "ConnectionBroken", Reuse::New),
        died("GET", "Abandoned", stale()),
        Request { attempts: 2, ..request(Side::Client, 1) },
    ]
    .into_iter()
    .enumerate()
    {
        board.take(&record(Fact::Request(request), dropped as u64 / 2), NOW_NS);
    }
    let text = told(&board);
    for line in [
        r#"repono_client_stale_reuse_total{outcome="repeated"} 2"#,
        r#"repono_client_stale_reuse_total{outcome="returned"} 1"#,
        r#"repono_client_retries_total{cause="connection-broken"} 1"#,
        r#"repono_client_retries_total{cause="path-silent"} 1"#,
        r#"repono_client_retries_total{cause="peer-silent"} 0"#,
        "repono_requests_resent_total 1",
        r#"repono_journal_dropped_total{service="client"} 2"#,
        r#"repono_journal_dropped_total{service="head"} 0"#,
        r#"http_client_request_duration_seconds_count{side="client",http_request_method="PUT",error_type="ConnectionBroken",server_address="127.0.0.1",server_port="7443"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
}

/// Fields as somebody might write them who wants to fill the memory of Prometheus.
#[test]
fn whatever_the_journals_say_there_are_so_many_series() {
    let mut board = Board::default();
    let mut state: u64 = 1;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let sides = [Side::Client, Side::Balancer, Side::Head, Side::Vending, Side::Recorder];
    for n in 0..30_000_u64 {
        let side = sides[(n % 5) as usize];
        let hostile = |what| Cow::Owned(format!("{what}-hostile-{n}\"}} 1\n"));
        let method = if n % 2 == 0 { hostile("M") } else { Cow::Borrowed("COPY") };
        let mut hostile_request = Request {
            method: Some(method),
            path: hostile("/v1"),
            status: (n % 3 > 0).then(|| (next() % 65_536) as u16),
            code: Some(hostile("Code")),
            actor: Some(hostile("actor")),
            destination: Some(SocketAddr::from((Ipv4Addr::from_bits(n as u32), (n % 65_536) as u16))),
            ..request(side, next() * 1_000)
        };
        if n % 7 == 0 {
            hostile_request.status = Some(100 + (n % 500) as u16);
        }
        let mut line = record(Fact::Request(hostile_request), n);
        line.origin.instance = hostile("instance");
        line.origin.service = hostile("service");
        board.take(&line, NOW_NS);
        let at = Stamp { wall_ns: NOW_NS, mono_ns: NOW_NS };
        let connection = Connection {
            side: Some(side),
            id: ConnectionId::from_bytes([2; 12]),
            balancer_id: None,
            opened: at,
            ended: at,
            source: ([127, 0, 0, 1], 1).into(),
            destination: ([127, 0, 0, 1], 2).into(),
            tls: None,
            requests: n,
            bytes_in: n,
            bytes_out: n,
            closed_by: ClosedBy::of_word(["client", "head", "balancer", "strange"][(n % 4) as usize]),
            manner: Manner::of_word(["fin", "rst", "drain", "odd", "age"][(n % 5) as usize]),
            phase: Phase::of_word(["idle", "reply", "new"][(n % 3) as usize]),
            idle_at_close_ns: next(),
            late_bytes: n,
            end_code: Some(hostile("end")),
            turns: None,
            tcp: [None, None],
            head: Some(hostile("head")),
        };
        board.take(&record(Fact::Connection(connection), 0), NOW_NS);
    }
    let text = told(&board);
    assert!(!text.contains("hostile"), "{text}");
    let series = samples(&text).len();
    // 512 histograms and 48 that take what is beyond, of 21 series each; the rest is fixed.
    assert!((5_000..(512 + 48) * 21 + 600).contains(&series), "{series} series");
    let servers: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split("server_address=").nth(1)).collect();
    let servers: BTreeSet<&str> = servers.iter().filter_map(|rest| rest.split('"').nth(1)).collect();
    assert_eq!(servers.len(), 9, "eight and the rest: {servers:?}");
    let requests: u64 = samples(&text)
        .iter()
        .filter(|line| line.contains("_request_duration_seconds_count{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum();
    assert_eq!(requests, 30_000, "none is lost");
}

#[test]
fn protobuf_says_what_the_text_says_and_more_finely() {
    let mut board = Board::default();
    for ms in [0, 1, 1, 2, 900, 10_334, 400_000] {
        board.take(&record(Fact::Request(request(Side::Head, ms * 1_000_000)), 0), NOW_NS);
    }
    let answer = answer(&[("a", State::Ready)]);
    let families = families(Some(&answer), Some(&board), answer.asked);
    let encoded = encode(&families, Form::Protobuf);
    let (mut rest, mut decoded) = (encoded.as_slice(), Vec::new());
    while !rest.is_empty() {
        decoded.push(protobuf::MetricFamily::decode_length_delimited(&mut rest).unwrap());
    }
    let filled: Vec<&str> =
        families.iter().filter(|family| !family.samples.is_empty()).map(|family| family.name).collect();
    assert_eq!(decoded.iter().map(|family| family.name.as_str()).collect::<Vec<_>>(), filled);
    let server = decoded.iter().find(|family| family.name == "http_server_request_duration_seconds").unwrap();
    let histogram = server.metric[0].histogram.as_ref().unwrap();
    assert_eq!(
        (histogram.sample_count, histogram.zero_count, histogram.bucket.len()),
        (Some(7), Some(1), 18)
    );
    // As Prometheus reads it: spans say where buckets are, deltas how full.
    let mut counts = Vec::new();
    let (mut number, mut count, mut deltas) = (0, 0, histogram.positive_delta.iter());
    for span in &histogram.positive_span {
        number += span.offset.unwrap();
        for _ in 0..span.length.unwrap() {
            count += deltas.next().unwrap();
            counts.push((f64::from(number) / 8.0, count));
            number += 1;
        }
    }
    assert!(deltas.next().is_none());
    let wanted = [0.001, 0.002, 0.9, 10.334, 400.0].map(|s: f64| (s.log2() * 8.0).ceil() / 8.0);
    assert_eq!(counts, wanted.into_iter().zip([2, 1, 1, 1, 1]).collect::<Vec<_>>());
}

fn path_told() -> Told {
    Told {
        target: "https://store.example/".to_owned(),
        probed_ms: Some(1_764_543_012_345),
        next_ms: None,
        running: false,
        limit_s: Some(60.2),
        tested_to_s: Some(360.0),
        manner: Some("rst-on-send"),
        changed: None,
        changed_ms: Some(1_764_543_000_000),
        failed: None,
    }
}

#[test]
fn the_path_is_told_as_far_as_it_is_known() {
    let text = |told: &Told| String::from_utf8(encode(&probed(told), Form::Text)).unwrap();
    let known = text(&path_told());
    assert_eq!(
        samples(&known),
        [
            "repono_path_idle_limit_seconds 60.2",
            "repono_path_idle_tested_seconds 360",
            r#"repono_path_idle_end{manner="rst-on-send"} 1"#,
            "repono_path_probe_up 1",
            "repono_path_probe_timestamp_seconds 1764543012.345",
            "repono_path_changed_timestamp_seconds 1764543000",
        ]
    );
    assert!(!known.contains("store.example"), "{known}");
    let nothing = Told { probed_ms: None, limit_s: None, tested_to_s: None, manner: None, ..path_told() };
    let nothing = Told { changed_ms: None, ..nothing };
    assert!(samples(&text(&nothing)).is_empty(), "before the first probe");
    let failed = Told { failed: Some("why".to_owned()), ..nothing };
    assert_eq!(samples(&text(&failed)), ["repono_path_probe_up 0"]);
    let unlimited = text(&Told { limit_s: None, manner: Some("none"), ..path_told() });
    assert_eq!(samples(&unlimited)[0], "repono_path_idle_tested_seconds 360");
}

#[test]
fn protobuf_tells_the_path_too() {
    let mut families = probed(&path_told());
    families.push(timeouts([("balancer", 900_000), ("head", 650_500)]));
    let encoded = encode(&families, Form::Protobuf);
    let (mut rest, mut told) = (encoded.as_slice(), Vec::new());
    while !rest.is_empty() {
        let family = protobuf::MetricFamily::decode_length_delimited(&mut rest).unwrap();
        for metric in family.metric {
            let label = metric.label.first().map(|label| label.value.clone());
            told.push((family.name.clone(), label, metric.gauge.and_then(|gauge| gauge.value).unwrap()));
        }
    }
    assert_eq!(told.len(), 8, "{told:?}");
    let of = |name: &str| told.iter().filter(|(told, ..)| told == name).cloned().collect::<Vec<_>>();
    let limit = "repono_path_idle_limit_seconds";
    assert_eq!(of(limit), [(limit.to_owned(), None, 60.2)]);
    let timeout = "repono_idle_timeout_seconds".to_owned();
    let expected = [("balancer", 900.0), ("head", 650.5)]
        .map(|(party, seconds)| (timeout.clone(), Some(party.to_owned()), seconds));
    assert_eq!(of(&timeout), expected);
}
