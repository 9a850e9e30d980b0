//! Lines of Istio's and of Envoy Gateway's JSON, and what is found in them.

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::report;

const ENDS: &str = include_str!("../../../fixtures/envoy-json.log");
const WELL: &str = include_str!("../../../fixtures/envoy-json-near-miss.log");

fn diagnosed(log: &str) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("envoy.log", log.as_bytes()).expect("read");
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
    format!("{{\"start_time\":\"2026-03-02T10:10:00.000Z\",\"method\":\"PUT\",\"path\":\"/o/b\",{fields}}}\n")
}

#[test]
fn the_reports_read_as_they_should() {
    let said = report::text(&diagnosed(ENDS));
    assert!(!said.contains("SECRET"), "{said}");
    insta::assert_snapshot!("envoy_json", said);
    insta::assert_snapshot!("envoy_json_near_miss", report::text(&diagnosed(WELL)));
}

#[test]
fn durations_are_read_whatever_of_them_the_log_has() {
    let rows = [
        (r#""response_code":200,"response_flags":"-","duration":9,"upstream_service_time":"8""#, None),
        (
            r#""response_code":"200","response_flags":null,"duration":"2600","upstream_service_time":2500"#,
            Some("slow-reply"),
        ),
        // The client took its time to send, and not the server to reply.
        (
            r#""response_code":200,"response_flags":"-","duration":5000,"request_duration":4900,"upstream_service_time":"50""#,
            None,
        ),
        (
            r#""response_code":200,"response_flags":"-","duration":5000,"request_duration":10,"response_duration":4900"#,
            Some("slow-reply"),
        ),
        (
            r#""response_code":200,"response_flags":"-","duration":9000,"response_tx_duration":8990"#,
            Some("transfer-slow"),
        ),
    ];
    for (fields, rule) in rows {
        let found: Vec<_> = found(&line(fields)).into_iter().map(|(rule, _, _)| rule).collect();
        assert_eq!(found.first().map(String::as_str), rule, "{fields}");
    }
}

#[test]
fn the_same_is_found_as_in_the_text_form() {
    let text = "[2026-03-02T10:10:00.000Z] \"PUT /o/b HTTP/1.1\" 503 UC 0 95 9300 - \"-\" \"-\" \"-\" \"-\" \"198.51.100.4:80\"\n";
    let json = line(
        r#""response_code":503,"response_flags":"UC","duration":9300,"upstream_host":"198.51.100.4:80""#,
    );
    let [text, json] = [text, &json].map(|log| diagnosed(log).findings.remove(0));
    assert_eq!((&text.rule, &text.variant, text.worst), (&json.rule, &json.variant, json.worst));
    assert_eq!(text.summary, json.summary);
}

#[test]
fn foreign_lines_are_counted_and_shown() {
    let well = line(r#""response_code":200,"response_flags":"-","duration":9"#);
    let others = [
        line(r#""response_code":200,"response_flags":"XYZZY","duration":9"#),
        line(r#""response_code":200,"response_flags":"-""#),
        well.replace("2026-03-02", "yesterday"),
        well.get(..well.len() - 9).unwrap().to_owned() + "\n",
        "{\"level\":\"info\",\"msg\":\"ready\"}\n".to_owned(),
    ];
    let diagnosis = diagnosed(&format!("istio-proxy | {well}{}", others.concat()));
    assert_eq!((diagnosis.inputs[0].shown.as_slice(), diagnosis.requests), (&[2, 3, 4, 5, 6][..], 1));
}

proptest! {
    #[test]
    fn the_order_of_lines_changes_no_count(order in Just(ENDS.lines().chain(WELL.lines()).collect::<Vec<_>>()).prop_shuffle()) {
        let log: String = order.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(found(&log), found(&format!("{ENDS}{WELL}")));
    }

    #[test]
    fn lines_cut_anywhere_are_accounted_for(cut in 0..900_usize, at in 1..6_usize) {
        let mut log = String::new();
        for (n, line) in ENDS.lines().enumerate() {
            log.push_str(if n == at { line.get(..cut).unwrap_or(line) } else { line });
            log.push('\n');
        }
        let diagnosis = diagnosed(&log);
        prop_assert!(diagnosis.requests + diagnosis.inputs[0].unclassified + 1 >= diagnosis.inputs[0].lines);
    }
}
