//! Lines of `escape=json`, and what is found in them.

use proptest::prelude::*;

use super::instant_of;
use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::report;

const ENDS: &str = include_str!("../../../fixtures/nginx-json.log");
const WELL: &str = include_str!("../../../fixtures/nginx-json-near-miss.log");

fn diagnosed(log: &str) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("nginx.log", log.as_bytes()).expect("read");
    diagnoser.finish()
}

/// Rule, variant and count of what is found, in the order of their names.
fn found(log: &str) -> Vec<(String, Option<String>, u64)> {
    let findings = diagnosed(log).findings.into_iter();
    let mut found: Vec<_> = findings.map(|finding| (finding.rule, finding.variant, finding.count)).collect();
    found.sort();
    found
}

/// A line with these fields beside those that all have.
fn line(fields: &str) -> String {
    format!(
        "{{\"remote_addr\":\"192.0.2.7\",\"request_method\":\"GET\",\"request_uri\":\"/o/b\",{fields}}}\n"
    )
}

#[test]
fn seconds_with_a_fraction_are_a_time() {
    assert_eq!(instant_of("1772446209.123").unwrap().0, 1_772_446_209_123_000_000);
    assert_eq!(instant_of("1772446209.12345678901").unwrap().0, 1_772_446_209_123_456_789);
    assert_eq!(instant_of("1772446209").unwrap().0, 1_772_446_209_000_000_000);
    for none in ["", ".", "-1.5", "1.x", "99999999999.0", "1.é00000000"] {
        assert_eq!(instant_of(none), None, "{none}");
    }
}

#[test]
fn the_reports_read_as_they_should() {
    let said = report::text(&diagnosed(ENDS));
    assert!(!said.contains("SECRET"), "{said}");
    insta::assert_snapshot!("nginx_json", said);
    insta::assert_snapshot!("nginx_json_near_miss", report::text(&diagnosed(WELL)));
}

#[test]
fn any_of_the_variables_of_time_will_do() {
    for time in [
        r#""msec":1772446209.123"#,
        r#""time_iso8601":"2026-03-02T11:10:09+01:00""#,
        r#""time_local":"02/Mar/2026:11:10:09 +0100""#,
        r#""@timestamp":"2026-03-02T10:10:09+00:00""#,
    ] {
        let log =
            line(&format!("{time},\"status\":504,\"request_time\":60.0,\"upstream_connect_time\":\"0.000\""));
        let finding = diagnosed(&log).findings.remove(0);
        assert_eq!((&*finding.rule, finding.variant.as_deref()), ("proxy-back-silent", Some("no-reply")));
        assert_eq!(finding.worst.map(|worst| worst.as_secs()), Some(60), "{time}");
    }
}

#[test]
fn foreign_lines_are_counted_and_shown() {
    let well = line(r#""msec":"1772446209.123","status":"200","request_time":"0.001""#);
    let others = [
        line(r#""status":"200","request_time":"0.001""#),
        line(r#""msec":"1772446209.123","status":"7""#),
        well.get(..well.len() - 9).unwrap().to_owned() + "\n",
        "{\"level\":\"info\",\"status\":\"ready\",\"@timestamp\":\"2026-03-02T10:10:09Z\"}\n".to_owned(),
    ];
    let diagnosis = diagnosed(&format!("<190>nginx: {well}{}", others.concat()));
    assert_eq!((diagnosis.inputs[0].shown.as_slice(), diagnosis.requests), (&[2, 3, 4, 5][..], 1));
}

proptest! {
    #[test]
    fn the_order_of_lines_changes_no_count(order in Just(ENDS.lines().chain(WELL.lines()).collect::<Vec<_>>()).prop_shuffle()) {
        let log: String = order.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(found(&log), found(&format!("{ENDS}{WELL}")));
    }

    #[test]
    fn lines_cut_anywhere_are_accounted_for(cut in 0..500_usize, at in 1..5_usize) {
        let mut log = String::new();
        for (n, line) in ENDS.lines().enumerate() {
            log.push_str(if n == at { line.get(..cut).unwrap_or(line) } else { line });
            log.push('\n');
        }
        let diagnosis = diagnosed(&log);
        prop_assert!(diagnosis.requests + diagnosis.inputs[0].unclassified + 1 >= diagnosis.inputs[0].lines);
    }
}
