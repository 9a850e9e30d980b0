//! What the page reads while it is open.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::journals::{following, series, write};
use crate::site::{LIMIT, Monitor, Site};

/// An event stream that is read.
struct Events {
    body: Incoming,
    read: String,
}

/// One event.
struct Event {
    id: u64,
    data: Value,
}

async fn opened(monitor: &Monitor) -> (StatusCode, Events) {
    let request = Request::get("/api/v1/events").header("host", "localhost");
    let request = request.header("cookie", monitor.cookie()).body(Body::empty());
    let sent = monitor.connect().await.send_request(request.expect("a request"));
    let reply = timeout(LIMIT, sent).await.expect("in time").expect("answered");
    let status = reply.status();
    (status, Events { body: reply.into_body(), read: String::new() })
}

impl Events {
    /// The next event; `None` when the stream has ended in order.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).expect("told");
                assert_eq!((field("event: "), field("retry: ")), ("state", "1000"));
                let data = serde_json::from_str(field("data: ")).expect("JSON");
                let event = Event { id: field("id: ").parse().expect("a number"), data };
                self.read = rest.to_owned();
                return Some(event);
            }
            let frame = timeout(LIMIT, self.body.frame()).await.expect("in time")?;
            let data = frame.expect("whole").into_data().expect("data");
            self.read.push_str(std::str::from_utf8(&data).expect("text"));
        }
    }
}

#[tokio::test]
async fn the_state_is_told_each_second_and_the_stream_ends_in_order() {
    let site = Site::new();
    let balancer = site.balancer();
    let monitor = site.start_with(following(&site)).await;
    let (status, mut events) = opened(&monitor).await;
    assert_eq!(status, StatusCode::OK);
    let mut before = 0;
    loop {
        let Event { id, data } = events.next().await.expect("an event");
        assert!(id > before, "{id} after {before}");
        before = id;
        if data["heads"]["heads"][0]["name"] == "head-1" {
            break;
        }
    }
    // A second may go by untold, and what is read may be the half of it: so in every one.
    let told = loop {
        write(&site.path("journal"), 200);
        let Event { data, .. } = events.next().await.expect("an event");
        if data["latency"]["head"]["count"].as_u64() >= Some(200) {
            break data;
        }
    };
    assert_eq!(told["latency"]["head"]["max"], 200.0);
    let traffic = &told["heads"]["heads"][0]["traffic"];
    assert!(traffic["failed"] == 0 && traffic["rate"].as_f64() >= Some(200.0 / 60.0), "{traffic}");
    assert!((traffic["p99_ms"].as_f64().expect("known") - 198.0).abs() < 3.0, "{traffic}");
    assert!(told["heads"]["heads"][1].get("traffic").is_none(), "head-2 has no journal here");

    let ended = tokio::spawn(monitor.end());
    while events.next().await.is_some() {}
    ended.await.expect("in order");
    balancer.stop().await;
}

#[tokio::test]
async fn no_more_streams_than_there_are_seats() {
    let site = Site::new();
    let monitor = site.start().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        let (status, events) = opened(&monitor).await;
        assert_eq!(status, StatusCode::OK);
        open.push(events);
    }
    assert_eq!(opened(&monitor).await.0, StatusCode::SERVICE_UNAVAILABLE);
    // Whose seat is free is known when the end of the stream's connection is.
    drop(open.pop());
    let seated = async { while opened(&monitor).await.0 != StatusCode::OK {} };
    timeout(LIMIT, seated).await.expect("a seat");
    monitor.end().await;
}

#[tokio::test]
async fn a_heatmap_has_every_request_in_its_row() {
    let site = Site::new();
    let monitor = site.start_with(following(&site)).await;
    write(&site.path("journal"), 200);
    series(&monitor, "step=hour&side=head", 200).await;
    let told = monitor.get("/api/v1/heatmap?step=minute&side=head").await.json();
    assert_eq!((&told["bounds_ms"][0], &told["bounds_ms"][19]), (&json!(1), &json!(524_288)));
    let columns = told["counts"].as_array().expect("columns");
    assert_eq!(columns.len(), told["t"].as_array().expect("times").len());
    let row = |row: usize| columns.iter().filter_map(|column| column[row].as_u64()).sum::<u64>();
    let rows: Vec<_> = (0..21).map(row).collect();
    // Requests of 1 ms, 2 ms … 200 ms.
    assert_eq!(rows[..10], [1, 1, 2, 4, 8, 16, 32, 64, 72, 0]);
    assert_eq!(rows.iter().sum::<u64>(), 200);
    let client = monitor.get("/api/v1/heatmap?step=hour&side=client").await.json();
    let beyond_8_s = client["counts"].as_array().expect("columns").iter().any(|column| column[14] == 1);
    assert!(beyond_8_s, "{client}");
    monitor.end().await;
}

#[tokio::test]
async fn slow_requests_are_filtered_and_go_into_a_har() {
    let site = Site::new();
    let monitor = site.start_with(following(&site)).await;
    write(&site.path("journal"), 20);
    series(&monitor, "step=hour&side=head", 20).await;
    for (query, count) in [
        ("", 21),
        ("side=client", 1),
        ("side=head", 20),
        ("head=head-1", 20),
        ("head=head-2", 0),
        ("method=GET&status=2xx", 21),
        ("method=PUT", 0),
        ("status=404", 0),
        ("status=200", 21),
        ("reused=true", 0),
        ("reused=false&side=client", 1),
        ("to=1000", 0),
        ("from=1000", 21),
    ] {
        let told = monitor.get(&format!("/api/v1/slowest?{query}")).await.json();
        assert_eq!(told["requests"].as_array().map(Vec::len), Some(count), "{query}");
        let har = monitor.get(&format!("/api/v1/slowest.har?{query}")).await.json();
        assert_eq!(har["log"]["entries"].as_array().map(Vec::len), Some(count), "{query}");
    }
    for query in ["status=9", "status=axx", "reused=maybe", "side=vending", "header=1", "from=now"] {
        for path in ["slowest", "slowest.har"] {
            let reply = monitor.get(&format!("/api/v1/{path}?{query}")).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
        }
    }
    let har = monitor.get("/api/v1/slowest.har?side=client").await.json();
    let entry = &har["log"]["entries"][0];
    assert_eq!((&entry["time"], &entry["request"]["method"]), (&json!(10_300.0), &json!("GET")));
    let part = |name: &str| entry["timings"][name].as_f64().expect("a number").max(0.0);
    let sum: f64 = ["blocked", "dns", "connect", "send", "wait", "receive"].map(part).iter().sum();
    assert!((sum - 10_300.0).abs() < 0.01, "{entry}");
    assert!(!har.to_string().contains("canary"), "{har}");
    monitor.end().await;
}
