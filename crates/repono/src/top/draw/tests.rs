use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::plain;
use super::words::{ms, phases_bar};
use crate::top::facts::Facts;
use crate::top::poll::Told;
use crate::top::view::{Key, Next, Paint, View};

fn facts() -> Facts {
    let head = |name: &str, state: &str, p99: f64| {
        json!({"name": name, "state": state, "weight": 1, "connections": 3, "in_flight": 1, "only": false,
               "failing": null, "traffic": {"rate": 41.7, "failed": 0, "p99_ms": p99}})
    };
    let slow = |path: &str, duration: f64, idle: Option<f64>, hidden: Value| {
        json!({"ended_ms": 1_764_543_012_345_u64, "duration_ms": duration, "side": "client", "instance": "client",
               "method": "HEAD", "path": path, "status": 200, "code": null, "idle_before_ms": idle,
               "phases_ms": {"connect": 0.05 * duration, "wait": 0.9 * duration}, "connection": "ab", "attempt": 2, "request": "tx1", "hidden": hidden})
    };
    let hidden = json!({"ended_ms": 1_764_543_012_000_u64, "duration_ms": 10_000.0, "side": "client", "attempt": 1,
                        "instance": "client", "path": "/v1/demo/files/a", "status": null, "code": "PathSilent\u{1b}",
                        "idle_before_ms": 361_000.0, "phases_ms": {"wait": 9_990.0}, "connection": "cd\u{61c}"});
    let series = json!({"count": [5, 0, 7], "failed": [0, 0, 1], "reused": [5, 0, 6],
                        "p50": [1.2, null, 1.5], "p95": [3.0, null, 4.0], "p99": [9.0, null, 10_334.5],
                        "max": [9.0, null, 10_334.5]});
    Facts {
        heads: json!({"heads": [head("head-1", "ready", 3.0), head("head-2", "down", 12.0)]}),
        head: series.clone(),
        client: Value::Null,
        slowest: json!({"requests": [
            slow("/v1/demo/files/a", 10_334.5, Some(361_000.0), json!([hidden])),
            slow("/v1/demo/files/\u{1b}[2J\u{202e}b", 12.0, None, json!([])),
        ]}),
        closes: json!({"closes": [{"side": "balancer", "by": "client", "how": "fin", "count": 12}]}),
        changes: json!({"changes": [
            {"at_ms": 1_764_543_012_345_u64, "who": "demo:demo", "what": "head-1.state", "from": "ready", "to": "draining"},
        ]}),
        findings: json!({"verdict": {"level": "bad", "sentence": "12 requests waited 10 s."}}),
    }
}

fn view(facts: Facts) -> (View, Instant) {
    let now = Instant::now();
    let mut view = View::new("https://127.0.0.1:7445".to_owned(), Paint::Plain);
    view.take(Told::Facts(Box::new(facts)), now);
    (view, now)
}

#[test]
fn everything_has_its_place_at_both_sizes() {
    let (view, now) = view(facts());
    insta::assert_snapshot!("top_120", plain(&view, now, 120, 40));
    insta::assert_snapshot!("top_80", plain(&view, now, 80, 24));
}

#[test]
fn nothing_known_is_no_trouble_and_trouble_is_told() {
    let now = Instant::now();
    let mut view = View::new("https://127.0.0.1:7445".to_owned(), Paint::Plain);
    let told = plain(&view, now, 80, 24);
    assert!(told.contains("asking …") && told.contains("0.0/s"), "{told}");
    view.take(Told::Nothing("the service is away\u{7}".to_owned()), now);
    let told = plain(&view, now, 80, 24);
    assert!(told.contains("no answer") && told.contains("the service is away\\u{7}"), "{told}");
    view.take(Told::Facts(Box::default()), now);
    assert!(plain(&view, now, 80, 24).contains("live"));
    view.take(Told::Nothing("away".to_owned()), now);
    let told = plain(&view, now + Duration::from_secs(7), 80, 24);
    assert!(told.contains("no answer, 7 s old"), "{told}");
    for (columns, lines) in [(1, 1), (20, 5), (300, 100)] {
        plain(&view, now, columns, lines);
    }
}

#[test]
fn nothing_of_strangers_steers_the_terminal() {
    let mut hostile = facts();
    hostile.heads = json!({"heads": [{"name": "a\u{1b}]0;x\u{7}", "state": "\u{9b}31m", "failing": "\r"}]});
    hostile.changes =
        json!({"changes": [{"who": "\u{1b}c", "what": "\n", "from": "\u{85}", "to": "\u{2028}"}]});
    hostile.closes = json!({"closes": [{"side": "\u{8}", "by": "\t", "how": "\u{0}", "count": 1}]});
    hostile.findings = json!({"verdict": {"level": "worse", "sentence": "\u{1b}[H"}});
    let (mut view, now) = view(hostile);
    view.take(Told::Nothing("\u{1b}[H".to_owned()), now);
    view.filter = "\u{1b}".to_owned();
    for columns in [80, 120] {
        let told = plain(&view, now, columns, 40);
        assert!(told.chars().all(|it| it == '\n' || !it.is_control()), "{told:?}");
        assert!(!told.contains(['\u{202e}', '\u{2028}', '\u{61c}']), "{told:?}");
    }
}

#[test]
fn keys_freeze_filter_sort_and_end() {
    let (mut view, now) = view(facts());
    let press = |view: &mut View, keys: &str| {
        keys.chars().for_each(|key| assert_eq!(view.press(Key::Character(key)), Next::GoOn));
    };
    press(&mut view, " ");
    view.take(Told::Facts(Box::default()), now);
    assert_eq!(view.heads().len(), 2, "frozen");
    assert!(plain(&view, now, 80, 24).contains("frozen"));
    press(&mut view, " ");
    view.take(Told::Facts(Box::new(facts())), now);
    press(&mut view, "H");
    assert_eq!(view.heads()[0].name, "head-2", "by p99");
    press(&mut view, "ss");
    assert_eq!(view.slowest()[0].idle_before_ms, Some(361_000.0));
    press(&mut view, "/q2");
    assert_eq!(view.press(Key::Backspace), Next::GoOn);
    assert_eq!((view.filter.as_str(), view.heads().len()), ("q", 0));
    view.press(Key::Backspace);
    press(&mut view, "files/a");
    view.press(Key::Enter);
    assert_eq!((view.slowest().len(), view.heads().len()), (1, 0));
    view.press(Key::Escape);
    assert_eq!(view.slowest().len(), 2);
    press(&mut view, "?");
    assert!(plain(&view, now, 80, 24).contains("authorize"));
    press(&mut view, "qc");
    assert!(plain(&view, now, 80, 24).contains("as clients saw it"));
    assert_eq!(view.press(Key::Character('q')), Next::End);
    press(&mut view, "/");
    assert_eq!(view.press(Key::Interrupt), Next::End);
}

#[test]
fn a_bar_has_all_its_columns() {
    let phases = |json: Value| json.as_object().cloned().expect("an object");
    assert_eq!(phases_bar(&phases(json!({"connect": 5.0, "wait": 5.0})), 10.0, 10), "cccccwwwww");
    assert_eq!(phases_bar(&phases(json!({"wait": 5.0})), 10.0, 10), "wwwww.....");
    assert_eq!(phases_bar(&phases(json!({"wait": 50.0, "dns": -1.0})), 10.0, 4), "wwww");
    assert_eq!(phases_bar(&phases(json!({})), 0.0, 3), "...");
    assert_eq!(
        [0.214, 8.44, 119.6, 10_334.5, 361_000.0].map(ms),
        ["0.21 ms", "8.4 ms", "120 ms", "10.3 s", "6.0 min"]
    );
}

#[test]
fn a_slow_request_is_chosen_and_shown_whole() {
    let (mut view, now) = view(facts());
    let told = plain(&view, now, 100, 40);
    assert!(!told.contains('▸'), "nothing is chosen: {told}");
    assert_eq!(view.press(Key::Down), Next::GoOn);
    assert!(plain(&view, now, 100, 40).lines().any(|line| line.starts_with("▸ 10.3 s")));
    view.press(Key::Down);
    view.press(Key::Down);
    assert!(plain(&view, now, 100, 40).lines().any(|line| line.starts_with("▸ 12 ms")), "the last");
    view.press(Key::Up);
    view.press(Key::Enter);
    let told = plain(&view, now, 100, 40);
    for part in [
        "HEAD /v1/demo/files/a",
        "10.3 s to 22:50:12 UTC",
        "200, attempt 2",
        "client, client",
        "connect   517 ms",
        "ab, reused, idle 6.0 min before",
        "tx1",
        "hidden attempt 1 of 1",
        "no reply, PathSilent\\u{1b}, attempt 1",
        "cd\\u{61c}, reused",
        "wait      10.0 s",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    // It stays what it is when others come, and the arrows go on from its place.
    view.take(Told::Facts(Box::default()), now);
    assert!(plain(&view, now, 100, 40).contains("hidden attempt 1 of 1"));
    view.take(Told::Facts(Box::new(facts())), now);
    view.press(Key::Down);
    assert!(plain(&view, now, 100, 40).contains("12 ms to"));
    assert_eq!(view.press(Key::Character('q')), Next::GoOn, "back");
    assert!(plain(&view, now, 100, 40).contains("▸ 12 ms"));
    view.press(Key::Escape);
    assert!(!plain(&view, now, 100, 40).contains('▸'));
    // Where there is none, none is shown.
    view.take(Told::Facts(Box::default()), now);
    view.press(Key::Down);
    view.press(Key::Enter);
    assert!(!plain(&view, now, 100, 40).contains("slow request "), "nothing to show");
    for (columns, lines) in [(1, 1), (20, 5)] {
        plain(&view, now, columns, lines);
    }
}

#[test]
fn a_head_that_tells_nothing_shows_who_waits() {
    let told = |head: Value| {
        let (view, now) = view(Facts { heads: json!({"heads": [head]}), ..Facts::default() });
        plain(&view, now, 120, 40)
    };
    let silent =
        json!({"name": "head-1", "state": "suspect", "in_flight": null, "waiting": 7, "failing": "http"});
    assert!(told(silent).contains("7 wait, last check failed"));
    assert!(
        !told(json!({"name": "head-1", "state": "ready", "in_flight": 7, "waiting": 7})).contains("7 wait")
    );
}
