//! Lines of Envoy's default format, and what is found in them.

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::report;

const ENDS: &str = include_str!("../../fixtures/envoy.log");
const WELL: &str = include_str!("../../fixtures/envoy-near-miss.log");

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

fn http(status: u16, flags: &str, took: u32, service: &str) -> String {
    format!(
        "[2026-03-02T10:10:00.000Z] \"GET /o/b HTTP/1.1\" {status} {flags} 0 95 {took} {service} \"192.0.2.7\" \"curl/8.5.0\" \"6f0c\" \"files.example\" \"198.51.100.4:80\"\n"
    )
}

fn tcp(flags: &str, sent: u32, took: u32) -> String {
    format!(
        "[2026-03-02T10:10:00.000Z] \"- - -\" 0 {flags} 517 {sent} {took} - \"-\" \"-\" \"-\" \"-\" \"198.51.100.4:443\"\n"
    )
}

#[test]
fn the_reports_read_as_they_should() {
    let said = report::text(&diagnosed(ENDS));
    assert!(!said.contains("SECRET"), "{said}");
    insta::assert_snapshot!("envoy", said);
    insta::assert_snapshot!("envoy_near_miss", report::text(&diagnosed(WELL)));
}

#[test]
fn each_flag_is_told_apart() {
    let rows = [
        (http(503, "UC", 9_300, "-"), "proxy-back-closed", Some("before-the-reply")),
        (http(200, "UC", 930, "4"), "proxy-back-closed", Some("in-the-reply")),
        (http(503, "UF,URX", 300, "-"), "proxy-back-closed", Some("refused")),
        (http(503, "URX", 300, "-"), "proxy-back-closed", Some("refused")),
        (http(504, "UT", 15_000, "-"), "proxy-back-silent", Some("no-reply")),
        (http(0, "DC", 700, "-"), "proxy-front-left", Some("waiting")),
        (http(200, "DC", 700, "4"), "proxy-front-left", Some("in-the-reply")),
        (http(503, "UH", 0, "-"), "proxy-back-absent", None),
        (http(503, "NC", 0, "-"), "proxy-back-absent", None),
        (http(404, "NR", 0, "-"), "proxy-refused", None),
        (http(429, "RL", 0, "-"), "proxy-refused", None),
        (http(503, "UO", 0, "-"), "proxy-exhausted", None),
        (http(400, "DPE", 0, "-"), "proxy-front-malformed", None),
        (http(502, "UPE", 5, "-"), "proxy-back-malformed", None),
        (http(408, "SI", 300_000, "-"), "proxy-aged", None),
        (http(503, "LR", 5, "-"), "proxy-internal", None),
        (http(200, "-", 2_600, "2500"), "slow-reply", None),
        (tcp("UF", 0, 5_000), "proxy-back-closed", Some("refused")),
        (tcp("DC", 400, 5_000), "proxy-front-left", Some("in-the-reply")),
        (tcp("DT", 400, 5_000), "proxy-aged", None),
    ];
    for (log, rule, variant) in rows {
        assert_eq!(found(&log), [(rule.to_owned(), variant.map(str::to_owned), 1)], "{log}");
    }
    for well in [http(200, "-", 9, "8"), http(500, "-", 9, "8"), tcp("-", 400, 350_000)] {
        assert_eq!(found(&well), [], "{well}");
    }
}

#[test]
fn foreign_lines_are_counted_and_shown() {
    let strange = http(200, "XYZZY", 9, "8");
    let diagnosis = diagnosed(&format!(
        "{}[2026-03-02 10:10:00.000][1][info] starting\n{strange}",
        http(200, "-", 9, "8")
    ));
    assert_eq!(diagnosis.inputs[0].shown, [2, 3]);
}

proptest! {
    #[test]
    fn the_order_of_lines_changes_no_count(order in Just(ENDS.lines().chain(WELL.lines()).collect::<Vec<_>>()).prop_shuffle()) {
        let log: String = order.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(found(&log), found(&format!("{ENDS}{WELL}")));
    }

    #[test]
    fn lines_cut_anywhere_are_accounted_for(cut in 0..250_usize, at in 1..6_usize) {
        let mut log = String::new();
        for (n, line) in ENDS.lines().enumerate() {
            log.push_str(if n == at { line.get(..cut).unwrap_or(line) } else { line });
            log.push('\n');
        }
        let diagnosis = diagnosed(&log);
        prop_assert!(diagnosis.requests + diagnosis.inputs[0].unclassified + 1 >= diagnosis.inputs[0].lines);
    }
}
