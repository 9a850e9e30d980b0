//! What is found in journals, over the interface.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use repono_core::id::ConnectionId;
use repono_core::request::Method;
use repono_journal::{Journal, JournalConfig, Outcome, Phases, RequestRecord, Reuse, Side, Stamp, UrlPath};
use repono_monitor::Config;

use crate::site::Site;

const MS: u64 = 1_000_000;

/// From the record of a stalled request to the verdict.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// What a client writes of a request that waited 10.3 s on a connection which the path
/// had forgotten, and was sent again.
fn stalled(number: u8) -> [RequestRecord; 2] {
    let (now, address) = (Stamp::now(), ([127, 0, 0, 1], u16::from(number)).into());
    let started = Stamp { wall_ns: now.wall_ns - 10_303 * MS, mono_ns: now.mono_ns - 10_303 * MS };
    let attempt = |id: u8, took_ns: u64| RequestRecord {
        method: Some(Method::Get),
        path: UrlPath::of_target(b"/v1/demo/files/x?token=PREA_canary"),
        ended_mono_ns: started.mono_ns + took_ns,
        ..RequestRecord::new(Side::Client, ConnectionId::from_bytes([id; 12]), started, address, address)
    };
    let lost = RequestRecord {
        reuse: Reuse::Reused { idle_before_ns: 361_000 * MS, requests_before: 1 },
        outcome: Outcome::Failed("PathSilent"),
        ..attempt(number, 10_300 * MS)
    };
    let again = RequestRecord {
        attempts: 2,
        status: Some(200),
        outcome: Outcome::Complete,
        phases_ns: Phases { connect: MS, wait: 2 * MS, ..Phases::NONE },
        ..attempt(100 + number, 10_303 * MS)
    };
    [lost, again]
}

#[tokio::test]
async fn a_stall_turns_the_verdict_and_outlives_the_monitor() {
    let site = Site::new();
    let balancer = site.balancer();
    let config = || Config {
        journals: vec![site.path("journal")],
        state_dir: Some(site.path("state")),
        ..site.config()
    };
    let monitor = site.start_with(config()).await;
    let before = monitor.until("/api/v1/findings", |told| told.json()["verdict"]["level"] == "bad").await;
    let sentence = before.json()["verdict"]["sentence"].as_str().expect("text").to_owned();
    assert_eq!(sentence, "head-2 is down; 1 of 2 heads are ready.");
    assert_eq!((before.status, &before.json()["path"]), (StatusCode::OK, &serde_json::Value::Null));

    let journal =
        Journal::open(JournalConfig::new(site.path("journal"), "client", "app")).expect("a journal");
    stalled(1).iter().chain(&stalled(2)).for_each(|record| journal.shared().request(record));
    journal.flush();
    let written = Instant::now();
    let told = monitor.until("/api/v1/findings", |told| !told.json()["findings"][0].is_null()).await;
    assert!(written.elapsed() < TOLD_WITHIN, "{:?}", written.elapsed());
    let json = told.json();
    let (verdict, finding) = (&json["verdict"], &json["findings"][0]);
    assert_eq!((&verdict["level"], &finding["hop"]), (&"bad".into(), &"path".into()), "{json:#}");
    assert!(
        verdict["sentence"]
            .as_str()
            .is_some_and(|text| text.starts_with("2 requests waited up to 10.3 s on kept")),
        "{verdict}"
    );
    assert!(!told.text().contains("canary"), "{json:#}");
    monitor.end().await;

    let monitor = site.start_with(config()).await;
    let again = monitor.get("/api/v1/findings").await.json();
    assert_eq!((&again["findings"][0], &again["verdict"]["level"]), (finding, &verdict["level"]));
    monitor.end().await;
    balancer.stop().await;
}
