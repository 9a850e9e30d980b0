//! Lines of other programs, between any two lines of a log of any format: each is counted
//! and shown, and changes nothing. (A HAR file has no lines; its tests have entries that
//! are none.)

use crate::diagnosis::{Diagnoser, Diagnosis, Limit};
use crate::report;
use crate::synthetic::{Listener, Story, healthy, written};

/// Like nothing that any of the formats has.
const STRANGER: &str = "[cache-3] is fine, and says so!";

const LOGS: [(&str, &str); 11] = [
    ("system.net", include_str!("../../fixtures/stale-keepalive.log")),
    ("journal", include_str!("../../fixtures/journal.jsonl")),
    ("curl", include_str!("../../fixtures/curl-stale.log")),
    ("curl, several", include_str!("../../fixtures/curl-parallel.log")),
    ("curl, near miss", include_str!("../../fixtures/curl-near-miss.log")),
    ("haproxy", include_str!("../../fixtures/haproxy.log")),
    ("envoy", include_str!("../../fixtures/envoy.log")),
    ("envoy, JSON", include_str!("../../fixtures/envoy-json.log")),
    ("nginx", include_str!("../../fixtures/nginx-access.log")),
    ("nginx, errors", include_str!("../../fixtures/nginx-error.log")),
    ("nginx, JSON", include_str!("../../fixtures/nginx-json.log")),
];

fn diagnosed(text: &str) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("a.log", text.as_bytes()).expect("read");
    diagnoser.finish()
}

fn said(diagnosis: &Diagnosis) -> Vec<(&str, Option<&str>, u64)> {
    diagnosis.findings.iter().map(|it| (&*it.rule, it.variant.as_deref(), it.count)).collect()
}

/// The text with a strange line behind its first so many lines.
fn planted(text: &str, behind: usize) -> String {
    let mut planted = String::new();
    for (at, line) in text.lines().enumerate() {
        if at == behind {
            planted.push_str(STRANGER);
            planted.push('\n');
        }
        planted.push_str(line);
        planted.push('\n');
    }
    if behind == text.lines().count() {
        planted.push_str(STRANGER);
    }
    planted
}

#[test]
fn a_strange_line_anywhere_is_counted_and_shown_and_changes_nothing() {
    for (name, text) in LOGS {
        let whole = diagnosed(text);
        assert_eq!(whole.inputs[0].unclassified, 0, "{name}");
        for behind in 0..=text.lines().count() {
            let diagnosis = diagnosed(&planted(text, behind));
            let input = &diagnosis.inputs[0];
            assert_eq!(input.shown, [behind as u64 + 1], "{name}");
            assert_eq!(input.unclassified, 1, "{name} behind {behind}");
            assert_eq!(said(&diagnosis), said(&whole), "{name} behind {behind}");
            assert!(diagnosis.limits.contains(&Limit::Unclassified(1)), "{name}");
        }
        let shown = report::text(&diagnosed(&planted(text, 1)));
        assert!(shown.contains("1 of no known form (line 2)"), "{name}: {shown}");
    }
}

/// Between events that are no lines, and between those that are several.
#[test]
fn a_strange_line_between_events_of_any_listener_is_counted() {
    let stale = Story::new(11).create(1).assign(1, 1).open(1).send(1, "GET").reply(1, 2_500, 200, "");
    for (listener, event) in [(Listener::Xml, "<E2ETraceEvent"), (Listener::Delimited, "\"System.Net\";")] {
        let text = written(&[stale.clone(), healthy(21)], listener);
        let whole = diagnosed(&text);
        assert_eq!(said(&whole), [("slow-reply", None, 1)]);
        for (at, _) in text.match_indices(event).skip(1) {
            let (before, after) = text.split_at(at);
            let diagnosis = diagnosed(&format!("{before}{STRANGER}\n{after}"));
            assert_eq!(diagnosis.inputs[0].unclassified, 1, "{listener:?} at {at}");
            assert_eq!(said(&diagnosis), said(&whole), "{listener:?} at {at}");
        }
    }
}
