//! Lines that HAProxy 2.6 wrote, and what is found in them.

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::report;

const ENDS: &str = include_str!("../../fixtures/haproxy.log");
const WELL: &str = include_str!("../../fixtures/haproxy-near-miss.log");

fn diagnosed(log: &str) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("haproxy.log", log.as_bytes()).expect("read");
    diagnoser.finish()
}

/// Rule, variant and count of what is found, in the order of their names.
fn found(log: &str) -> Vec<(String, Option<String>, u64)> {
    let findings = diagnosed(log).findings.into_iter();
    let mut found: Vec<_> = findings.map(|finding| (finding.rule, finding.variant, finding.count)).collect();
    found.sort();
    found
}

fn one(rule: &str, variant: Option<&str>) -> Vec<(String, Option<String>, u64)> {
    vec![(rule.to_owned(), variant.map(str::to_owned), 1)]
}

fn http(times: &str, status: &str, state: &str, retries: &str) -> String {
    format!(
        "Mar  2 10:10:09 lb haproxy[77]: 192.0.2.7:50122 [02/Mar/2026:10:10:00.000] h b/s1 {times} {status} 217 - - {state}-- 1/1/0/0/{retries} 0/0 {{files.example|}} \"GET /o/b HTTP/1.1\"\n"
    )
}

fn tcp(times: &str, state: &str) -> String {
    format!("192.0.2.7:50122 [02/Mar/2026:10:10:00.000] t b/s1 {times} 517 {state} 1/1/0/0/0 0/0\n")
}

#[test]
fn the_reports_read_as_they_should() {
    insta::assert_snapshot!("haproxy", report::text(&diagnosed(ENDS)));
    insta::assert_snapshot!("haproxy_near_miss", report::text(&diagnosed(WELL)));
}

#[test]
fn each_side_and_phase_is_told_apart() {
    let rows = [
        (http("0/0/0/-1/9300", "504", "sH", "0"), "proxy-back-silent", Some("no-reply")),
        (http("0/0/-1/-1/500", "503", "sC", "0"), "proxy-back-silent", Some("not-accepted")),
        (http("0/300/-1/-1/300", "503", "sQ", "0"), "proxy-back-silent", Some("queued")),
        (http("0/0/-1/-1/5", "503", "SC", "0"), "proxy-back-closed", Some("refused")),
        (http("0/0/0/-1/5", "502", "SH", "0"), "proxy-back-closed", Some("before-the-reply")),
        (http("0/0/0/4/5", "200", "SD", "0"), "proxy-back-closed", Some("in-the-reply")),
        (http("0/0/0/-1/5", "-1", "CH", "0"), "proxy-front-left", Some("waiting")),
        (http("0/9/-1/-1/9", "-1", "CQ", "0"), "proxy-front-left", Some("queued")),
        (http("0/0/-1/-1/9", "-1", "CC", "0"), "proxy-front-left", Some("connecting")),
        (http("0/0/0/4/+9", "200", "CD", "0"), "proxy-front-left", Some("in-the-reply")),
        (http("-1/-1/-1/-1/700", "408", "cR", "0"), "proxy-front-silent", Some("before-the-request")),
        (http("0/0/0/4/9", "403", "PH", "0"), "proxy-refused", None),
        (http("0/0/0/4/9", "500", "RC", "0"), "proxy-exhausted", None),
        (http("0/0/0/4/9", "200", "DD", "0"), "proxy-withdrawn", None),
        (http("0/0/0/4/9", "500", "IH", "0"), "proxy-internal", None),
        (http("0/1500/0/4/1510", "200", "--", "0"), "proxy-queue", None),
        (http("0/0/1010/4/1020", "200", "--", "0"), "proxy-connect-slow", None),
        (http("0/0/10/4/20", "200", "--", "+1"), "proxy-connect-retried", None),
        (http("0/0/0/2500/2600", "200", "--", "0"), "slow-reply", None),
        (http("0/0/-1/-1/5", "503", "SC", "0").replace("b/s1", "b/<NOSRV>"), "proxy-back-absent", None),
        (tcp("1/0/350000", "cD"), "proxy-front-silent", Some("in-the-data")),
        (tcp("1/0/350000", "sD"), "proxy-back-silent", Some("in-the-data")),
        (tcp("1/0/350000", "SD"), "proxy-back-closed", Some("in-the-reply")),
        (tcp("1/0/350000", "UD"), "proxy-withdrawn", None),
    ];
    for (log, rule, variant) in rows {
        assert_eq!(found(&log), one(rule, variant), "{log}");
    }
    for well in [
        http("0/0/0/4/9", "200", "--", "0"),
        http("-1/-1/-1/-1/5", "-1", "CR", "0"),
        tcp("1/0/5", "--"),
        http("0/0/0/-1/9", "302", "LR", "0"),
    ] {
        assert_eq!(found(&well), [], "{well}");
    }
}

#[test]
fn a_failed_handshake_and_foreign_lines() {
    let shake = "192.0.2.7:50122 [02/Mar/2026:10:10:00.000] h/1: SSL handshake failure\n";
    let log = format!("{}{shake}Server b/s1 is on fire\n", tcp("1/0/5", "--"));
    assert_eq!(found(&log), one("proxy-front-malformed", None));
    let diagnosis = diagnosed(&log);
    assert_eq!((diagnosis.inputs[0].unclassified, diagnosis.inputs[0].shown.as_slice()), (1, &[3][..]));
}

#[test]
fn nobody_behind_a_peer_is_named() {
    let said = report::text(&diagnosed(&tcp("1/0/350000", "cD")));
    assert!(said.contains("the peer before the proxy") && !said.contains("the server closed"), "{said}");
}

proptest! {
    #[test]
    fn the_order_of_lines_changes_no_count(order in Just(ENDS.lines().chain(WELL.lines()).collect::<Vec<_>>()).prop_shuffle()) {
        let log: String = order.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(found(&log), found(&format!("{ENDS}{WELL}")));
    }

    #[test]
    fn lines_cut_anywhere_are_accounted_for(cut in 0..200_usize, at in 0..8_usize) {
        let mut log = String::new();
        for (n, line) in ENDS.lines().enumerate() {
            log.push_str(if n == at { line.get(..cut).unwrap_or(line) } else { line });
            log.push('\n');
        }
        let diagnosis = diagnosed(&log);
        prop_assert_eq!(diagnosis.inputs[0].lines, ENDS.lines().count() as u64);
        prop_assert!(diagnosis.requests + diagnosis.inputs[0].unclassified >= diagnosis.inputs[0].lines - 1);
    }
}
