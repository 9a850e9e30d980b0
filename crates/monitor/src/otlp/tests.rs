//! Spans held against what was done.

use std::num::NonZeroU16;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span as Told;
use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_core::id::ConnectionId;
use repono_core::trace::{Span, TraceContext};
use repono_journal::{Phases, Reuse};
use tokio::time::Instant;

use super::Collector;
use super::assembly::{Assembly, Rule};
use super::seen::{Part, Seen, Service};
use crate::config::Otlp;

const MS: u64 = 1_000_000;
const NOW_NS: u64 = 1_440_000_000_000_000_000;
const RULE: Rule = Rule { slow: Duration::from_secs(1), share: 0.0, held_max: 2_000 };

fn seen(trace: Option<Span>, took_ns: u64) -> Seen {
    Seen {
        service: Service { name: "repono-client".to_owned(), instance: "client".to_owned() },
        part: Part::Client,
        trace,
        connection: ConnectionId::from_bytes([9; 12]),
        balancer_id: None,
        started_ns: NOW_NS - took_ns,
        ended_ns: NOW_NS,
        method: "GET",
        path: "/v1/demo/files/x".to_owned(),
        status: Some(200),
        error_type: None,
        phases_ns: Phases { wait: MS, ..Phases::NONE },
        reuse: Reuse::Reused { idle_before_ns: 1, requests_before: 1 },
        attempt: 1,
        source: None,
        destination: Some(([127, 0, 0, 1], 7443).into()),
        agent: None,
        trans_id: None,
    }
}

fn assembly(rule: Rule) -> Assembly {
    Assembly::new(rule, StdRng::seed_from_u64(1))
}

fn later(now: Instant) -> Instant {
    now + Duration::from_secs(5)
}

fn names(spans: &[super::Told]) -> Vec<&str> {
    spans.iter().map(|(_, span)| span.name.as_str()).collect()
}

#[test]
fn a_trace_is_sent_whole_when_one_of_its_requests_is_notable_and_else_by_its_share() {
    let mut random = StdRng::seed_from_u64(2);
    let now = Instant::now();
    let mut assembly = assembly(RULE);
    for (notable, sent) in [
        (Seen { started_ns: NOW_NS - 1_000 * MS, ..seen(None, 0) }, 2),
        (Seen { error_type: Some("503"), ..seen(None, MS) }, 2),
        (Seen { attempt: 2, ..seen(None, MS) }, 2),
        (seen(None, 999 * MS), 0),
    ] {
        let context = TraceContext::new(&mut random);
        let plain = seen(Some(context.request(&mut random)), MS);
        let notable = Seen { trace: Some(context.request(&mut random)), ..notable };
        assert!(assembly.take(plain, now).is_empty() && assembly.take(notable, now).is_empty());
        assert!(assembly.due(now + Duration::from_millis(4_999)).is_empty(), "held");
        assert_eq!(assembly.due(later(now)).len(), sent);
        assert_eq!(assembly.left_out(), 2 - sent as u64);
    }
    for (share, least, most) in [(0.0, 0, 0), (0.25, 200, 300), (1.0, 1_000, 1_000)] {
        let mut assembly = self::assembly(Rule { share, ..RULE });
        for _ in 0..1_000 {
            assembly.take(seen(None, MS), now);
        }
        let sent = assembly.due(later(now)).len();
        assert!((least..=most).contains(&sent), "{share}: {sent}");
    }
}

#[test]
fn so_many_requests_are_held() {
    let now = Instant::now();
    let mut assembly = assembly(Rule { share: 1.0, ..RULE });
    let early: usize = (0..2_100).map(|_| assembly.take(seen(None, MS), now).len()).sum();
    assert_eq!((early, assembly.due(later(now)).len()), (100, 2_000));
}

#[test]
fn the_set_up_of_a_connection_is_a_trace_of_its_own_that_requests_link_to() {
    let now = Instant::now();
    let mut assembly = assembly(RULE);
    let phases =
        Phases { queue: MS, dns: 2 * MS, connect: 3 * MS, tls: 4 * MS, wait: 5 * MS, ..Phases::NONE };
    assembly.take(Seen { phases_ns: phases, reuse: Reuse::New, ..seen(None, 15 * MS) }, now);
    assert!(assembly.due(later(now)).is_empty(), "nobody links to it yet");
    assembly.take(seen(None, 2_000 * MS), later(now));
    let spans = assembly.due(later(later(now)));
    assert_eq!(
        names(&spans),
        ["HTTP connection_setup", "DNS lookup", "socket connect", "TLS handshake", "GET"]
    );
    let spans: Vec<&Told> = spans.iter().map(|(_, span)| span).collect();
    let [root, dns, connect, tls, request] = spans[..] else { panic!("five") };
    assert!(root.parent_span_id.is_empty());
    for part in [dns, connect, tls] {
        assert_eq!((&part.trace_id, &part.parent_span_id), (&root.trace_id, &root.span_id));
    }
    let times =
        |span: &Told| [span.start_time_unix_nano, span.end_time_unix_nano].map(|ns| ns + 15 * MS - NOW_NS);
    assert_eq!(
        [root, dns, connect, tls].map(times),
        [[MS, 10 * MS], [MS, 3 * MS], [3 * MS, 6 * MS], [6 * MS, 10 * MS]]
    );
    assert_eq!((&request.links[0].trace_id, &request.links[0].span_id), (&root.trace_id, &root.span_id));
    assert_ne!(request.trace_id, root.trace_id);
    assert_eq!((root.trace_id.len(), root.span_id.len()), (16, 8));
    assembly.take(seen(None, 2_000 * MS), later(now));
    assert_eq!(names(&assembly.due(later(later(now)))), ["GET"], "once");
}

#[test]
fn an_endpoint_that_is_none_is_told_without_its_password() {
    let config = |endpoint: &str, share| Otlp {
        endpoint: endpoint.to_owned(),
        ca: None,
        slow_ms: 1,
        share,
        metrics_s: NonZeroU16::MIN,
    };
    assert!(Collector::open(&config("http://127.0.0.1:4318", 1.0)).is_ok());
    assert!(Collector::open(&config("http://[::1]:4318/", 0.0)).is_ok());
    for wrong in [
        "collector:4318",
        "grpc://collector:4317",
        "http://c:4318/v1/traces",
        "http://c/?x",
        "http://u:canary@c",
    ] {
        let error = Collector::open(&config(wrong, 0.5)).err().unwrap().to_string();
        assert!(error.contains("otlp.endpoint") && !error.contains("canary"), "{error}");
    }
    for share in [-0.1, 1.1, f64::NAN] {
        assert!(
            Collector::open(&config("http://c", share)).err().unwrap().to_string().contains("otlp.share")
        );
    }
    let unreadable = Otlp { ca: Some("/nonexistent".into()), ..config("https://c", 0.5) };
    assert!(Collector::open(&unreadable).err().unwrap().to_string().contains("/nonexistent"));
}
