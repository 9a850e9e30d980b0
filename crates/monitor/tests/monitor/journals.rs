//! What journals tell, over the interface.

use std::path::Path;

use axum::http::StatusCode;
use repono_core::id::ConnectionId;
use repono_core::request::Method;
use repono_journal::{
    ChangeRecord, ClosedBy, ConnectionRecord, Journal, JournalConfig, Manner, RequestRecord, Side, Stamp,
    UrlPath,
};
use repono_monitor::Config;
use serde_json::{Value, json};

use crate::site::{Monitor, Site};

const MS: u64 = 1_000_000;

pub(crate) fn following(site: &Site) -> Config {
    Config { journals: vec![site.path("journal")], state_dir: Some(site.path("state")), ..site.config() }
}

/// Requests of 1 ms, 2 ms … of a head, one of a client, a connection's end, a change.
pub(crate) fn write(folder: &Path, requests: u64) {
    let journal = Journal::open(JournalConfig::new(folder, "head", "head-1")).expect("a journal");
    let mut recorder = journal.recorder();
    let (now, address) = (Stamp::now(), ([127, 0, 0, 1], 7).into());
    let id = ConnectionId::from_bytes([5; 12]);
    let request = |side, ms: u64| {
        let started = Stamp { wall_ns: now.wall_ns - ms * MS, mono_ns: now.mono_ns - ms * MS };
        let mut record = RequestRecord::new(side, id, started, address, address);
        record.ended_mono_ns = now.mono_ns;
        record.path = UrlPath::of_target(b"/v1/demo/files/x%3Ftoken=PREA_canary?token=PREA_canary");
        record.method = Some(Method::Get);
        record.status = Some(200);
        record
    };
    for ms in 1..=requests {
        recorder.request(&request(Side::Head, ms));
    }
    recorder.request(&RequestRecord { attempts: 2, ..request(Side::Client, 10_300) });
    recorder.connection(&ConnectionRecord {
        closed_by: ClosedBy::Client,
        manner: Manner::FinCloseNotify,
        ended: now,
        ..ConnectionRecord::new(Side::Head, id, now, address, address)
    });
    journal.shared().change(ChangeRecord {
        at: now,
        who: "uid 0",
        what: "head-1.state",
        from: "ready",
        to: "draining",
    });
    journal.close();
}

fn total(series: &Value, column: &str) -> u64 {
    series[column].as_array().expect("a column").iter().filter_map(Value::as_u64).sum()
}

pub(crate) async fn series(monitor: &Monitor, query: &str, count: u64) -> Value {
    let path = format!("/api/v1/series?{query}");
    monitor.until(&path, |reply| total(&reply.json(), "count") == count).await.json()
}

#[tokio::test]
async fn what_the_journals_tell_is_counted_and_outlives_the_monitor() {
    let site = Site::new();
    let monitor = site.start_with(following(&site)).await;
    write(&site.path("journal"), 200);

    let told = series(&monitor, "step=hour&side=head", 200).await;
    assert_eq!((&told["step_s"], &told["side"]), (&json!(3600), &json!("head")));
    let filled = told["count"].as_array().expect("counts").iter().position(|count| *count != 0).expect("one");
    assert_eq!((&told["max"][filled], &told["p50"][0]), (&json!(200.0), &Value::Null));
    for (name, exact) in [("p50", 100.0), ("p95", 190.0), ("p99", 198.0)] {
        let value = told[name][filled].as_f64().expect("a number");
        assert!((value - exact).abs() <= exact * 0.01, "{name}: {value}");
    }
    let client = series(&monitor, "step=minute&side=client", 1).await;
    assert_eq!(client["t"].as_array().map(Vec::len), Some(1_440));

    let slowest = monitor.get("/api/v1/slowest").await.json();
    let first = &slowest["requests"][0];
    assert_eq!(
        (&first["side"], &first["attempt"], &first["duration_ms"]),
        (&json!("client"), &json!(2), &json!(10_300.0))
    );
    assert_eq!(slowest["requests"].as_array().map(Vec::len), Some(50));
    let closes = monitor.get("/api/v1/closes").await.json();
    assert_eq!(
        closes["closes"],
        json!([{"side": "head", "by": "client", "how": "fin+close_notify", "count": 1}])
    );
    let changes = monitor.get("/api/v1/changes").await.json();
    assert_eq!(
        (&changes["changes"][0]["what"], &changes["changes"][0]["to"]),
        (&json!("head-1.state"), &json!("draining"))
    );

    let metrics = monitor.get("/metrics").await.text().to_owned();
    for line in [
        r#"http_server_request_duration_seconds_bucket{side="head",http_request_method="GET",http_response_status_code="200",url_scheme="https",le="0.1"} 100"#,
        r#"http_client_request_duration_seconds_bucket{side="client",http_request_method="GET",http_response_status_code="200",server_address="127.0.0.1",server_port="7",le="10"} 0"#,
        r#"http_client_request_duration_seconds_bucket{side="client",http_request_method="GET",http_response_status_code="200",server_address="127.0.0.1",server_port="7",le="30"} 1"#,
        r#"http_client_request_duration_seconds_count{side="client",http_request_method="GET",http_response_status_code="200",server_address="127.0.0.1",server_port="7"} 1"#,
        r#"repono_connections_closed_total{side="head",by="client",how="fin+close_notify"} 1"#,
        "repono_requests_resent_total 1",
        "repono_monitor_lines_read_total 203",
        "repono_monitor_lines_damaged_total 0",
        "repono_monitor_lag_seconds 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
    let all = format!("{slowest}{closes}{changes}{metrics}");
    assert!(!all.contains("canary"), "{all}");
    monitor.end().await;
    let state = std::fs::read_to_string(site.path("state/counts.json")).expect("kept");
    assert!(!state.contains("canary"), "{state}");

    write(&site.path("journal"), 10);
    let monitor = site.start_with(following(&site)).await;
    series(&monitor, "step=hour", 210).await;
    assert!(monitor.get("/metrics").await.text().contains("repono_requests_resent_total 2\n"));
    monitor.end().await;
}

#[tokio::test]
async fn wrong_questions_and_no_journals_are_told() {
    let site = Site::new();
    let monitor = site.start_with(following(&site)).await;
    let empty = monitor.get("/api/v1/series?from=10&to=5&step=second").await;
    assert_eq!((empty.status, &empty.json()["t"]), (StatusCode::OK, &json!([])));
    for query in ["step=day", "side=balancer", "from=yesterday", "form=1"] {
        let reply = monitor.get(&format!("/api/v1/series?{query}")).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(reply.json()["error"]["code"], "InvalidQuery");
    }
    monitor.end().await;
    let monitor = site.start().await;
    for path in ["/api/v1/series", "/api/v1/slowest", "/api/v1/closes", "/api/v1/changes", "/api/v1/compare"]
    {
        let reply = monitor.get(path).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (StatusCode::NOT_FOUND, &json!("NoJournals"))
        );
    }
    monitor.end().await;
}

/// Four idle connections that their side closed, each after about as long.
fn write_closes(folder: &Path, service: &'static str, side: Side, idle_s: u64) {
    let journal = Journal::open(JournalConfig::new(folder, service, service)).expect("a journal");
    let (now, address) = (Stamp::now(), ([127, 0, 0, 1], 7).into());
    for number in 0..4_u8 {
        let id = ConnectionId::from_bytes([number; 12]);
        journal.recorder().connection(&ConnectionRecord {
            closed_by: ClosedBy::Us,
            manner: Manner::IdleExpiry,
            ended: now,
            idle_at_close_ns: idle_s * 1_000 * MS + u64::from(number) * MS,
            ..ConnectionRecord::new(side, id, now, address, address)
        });
    }
    journal.close();
}

#[tokio::test]
async fn open_connections_are_shown_with_limits_and_their_inversion() {
    let site = Site::new();
    let monitor = site.start_with(following(&site)).await;
    let none = monitor.get("/api/v1/connections").await;
    assert_eq!(none.status, StatusCode::SERVICE_UNAVAILABLE);
    let _balancer = site.balancer();
    write_closes(&site.path("journal"), "client", Side::Client, 700);
    let path = "/api/v1/connections";
    let all = |told: &Value| told["limits"].as_array().is_some_and(|limits| limits.len() == 4);
    let told = monitor.until(path, |reply| all(&reply.json())).await.json();
    assert_eq!((&told["total"], &told["counts"]), (&json!(3), &json!([[1, 0], [0, 2]])));
    assert_eq!(told["sample"][0]["head"], "head-1");
    // No head has closed one yet: it says itself after how long it would.
    assert_eq!(
        told["limits"],
        json!([
            {"party": "balancer", "what": "idle", "s": 900.0},
            {"party": "head", "what": "idle", "s": 650.0},
            {"party": "head", "what": "advertised", "s": 55.0},
            {"party": "client", "what": "seen", "s": told["limits"][3]["s"]},
        ])
    );
    let inversions = told["inversions"].as_array().expect("sentences");
    assert!(inversions.len() == 1 && inversions[0].as_str().is_some_and(|told| told.contains("Heads close")));
    monitor.end().await;
}

#[tokio::test]
async fn a_box_is_compared_with_the_rest() {
    let site = Site::new();
    let monitor = site.start_with(following(&site)).await;
    write(&site.path("journal"), 200);
    let told =
        monitor.until("/api/v1/compare?low_ms=150.5", |reply| reply.json()["selected"] == 50).await.json();
    assert_eq!(told["rest"], 150);
    assert_eq!(told["sentence"], "Nothing that is known of a request tells the selected from the rest.");
    for query in ["low_ms=-1", "high_ms=NaN", "side=balancer", "low=1"] {
        let reply = monitor.get(&format!("/api/v1/compare?{query}")).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("InvalidQuery"))
        );
    }
    monitor.end().await;
}

#[tokio::test]
async fn a_connection_has_a_life() {
    let site = Site::new();
    let monitor = site.start_with(following(&site)).await;
    write(&site.path("journal"), 3);
    let path = format!("/api/v1/connection/{}", "05".repeat(12));
    let told = monitor.until(&path, |reply| reply.json()["ended_ms"].is_u64()).await.json();
    assert_eq!((&told["by"], &told["how"]), (&json!("client"), &json!("fin+close_notify")));
    assert_eq!(told["events"].as_array().map(Vec::len), Some(6), "{told}");
    assert!(!told.to_string().contains("canary"), "{told}");
    for (id, status, code) in
        [("0909".repeat(6), 404, "UnknownConnection"), ("x".to_owned(), 400, "InvalidConnectionId")]
    {
        let reply = monitor.get(&format!("/api/v1/connection/{id}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (status, &json!(code)));
    }
    monitor.end().await;
}
