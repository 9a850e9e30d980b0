//! Lines that nginx 1.22 wrote, and what is found in them.

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::report;

const ACCESS: &str = include_str!("../../fixtures/nginx-access.log");
const ERRORS: &str = include_str!("../../fixtures/nginx-error.log");
const WELL: &str = include_str!("../../fixtures/nginx-near-miss.log");

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

fn access(status: u16, behind: &str) -> String {
    format!(
        "192.0.2.7 - - [02/Mar/2026:10:10:09 +0100] \"GET /o/b HTTP/1.1\" {status} 95 \"-\" \"curl/8.5.0\"{behind}\n"
    )
}

fn error(words: &str) -> String {
    format!(
        "2026/03/02 10:10:09 [error] 7#7: *45 {words}, client: 192.0.2.7, server: , request: \"GET /o/b HTTP/1.1\", upstream: \"http://198.51.100.4:80/o/b\", host: \"files.example\"\n"
    )
}

#[test]
fn the_reports_read_as_they_should() {
    insta::assert_snapshot!("nginx_access", report::text(&diagnosed(ACCESS)));
    insta::assert_snapshot!("nginx_error", report::text(&diagnosed(ERRORS)));
    insta::assert_snapshot!("nginx_near_miss", report::text(&diagnosed(WELL)));
}

#[test]
fn each_cause_is_told_apart() {
    let rows = [
        (access(499, ""), "proxy-front-left", None),
        (access(499, " rt=3.000 uct=\"0.000\" uht=\"-\" us=\"-\""), "proxy-front-left", Some("waiting")),
        (
            access(499, " request_time=3.000 upstream_connect_time=0.000 upstream_header_time=0.010"),
            "proxy-front-left",
            Some("in-the-reply"),
        ),
        (access(408, ""), "proxy-front-silent", Some("before-the-request")),
        (access(504, " rt=60.000 uct=\"0.000\" uht=\"-\""), "proxy-back-silent", Some("no-reply")),
        (access(200, " rt=2.500 uct=\"0.000\" uht=\"2.400\" us=\"200\""), "slow-reply", None),
        (
            access(200, " rt=0.500 uct=\"-, 0.000\" uht=\"-, 0.400\" us=\"502, 200\""),
            "proxy-connect-retried",
            None,
        ),
        (access(200, " rt=1.500 uct=\"1.010\" uht=\"1.400\" us=\"200\""), "proxy-connect-slow", None),
        (
            error("upstream prematurely closed connection while reading response header from upstream"),
            "proxy-back-closed",
            Some("before-the-reply"),
        ),
        (
            error(
                "recv() failed (104: Connection reset by peer) while reading response header from upstream",
            ),
            "proxy-back-closed",
            Some("before-the-reply"),
        ),
        (
            error("upstream prematurely closed connection while reading upstream"),
            "proxy-back-closed",
            Some("in-the-reply"),
        ),
        (
            error("connect() failed (111: Connection refused) while connecting to upstream"),
            "proxy-back-closed",
            Some("refused"),
        ),
        (
            error("upstream timed out (110: Connection timed out) while connecting to upstream"),
            "proxy-back-silent",
            Some("not-accepted"),
        ),
        (
            error(
                "upstream timed out (110: Connection timed out) while reading response header from upstream",
            ),
            "proxy-back-silent",
            Some("no-reply"),
        ),
        (error("no live upstreams while connecting to upstream"), "proxy-back-absent", None),
        (
            error("recv() failed (104: Connection reset by peer) while sending to client"),
            "proxy-front-left",
            Some("in-the-reply"),
        ),
        (
            error("SSL_do_handshake() failed (SSL: error) while SSL handshaking"),
            "proxy-front-malformed",
            None,
        ),
        (
            error("SSL_do_handshake() failed (SSL: error) while SSL handshaking to upstream"),
            "proxy-back-malformed",
            None,
        ),
    ];
    for (log, rule, variant) in rows {
        let expected = [(rule.to_owned(), variant.map(str::to_owned), 1)];
        assert_eq!(found(&log), expected, "{log}");
    }
    for well in [
        access(200, ""),
        access(502, ""),
        access(504, " uht=\"0.001\""),
        error("open() \"/x\" failed (2: No such file)"),
    ] {
        assert_eq!(found(&well), [], "{well}");
    }
}

#[test]
fn foreign_lines_are_counted_and_shown() {
    let diagnosis = diagnosed(&format!("{}a line of another\n", access(200, "")));
    assert_eq!((diagnosis.inputs[0].shown.as_slice(), diagnosis.requests), (&[2][..], 1));
}

proptest! {
    #[test]
    fn the_order_of_lines_changes_no_count(order in Just(ACCESS.lines().chain(ERRORS.lines()).collect::<Vec<_>>()).prop_shuffle()) {
        let log: String = order.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(found(&log), found(&format!("{ACCESS}{ERRORS}")));
    }

    #[test]
    fn lines_cut_anywhere_are_accounted_for(cut in 0..250_usize, at in 1..5_usize) {
        let mut log = String::new();
        for (n, line) in ACCESS.lines().enumerate() {
            log.push_str(if n == at { line.get(..cut).unwrap_or(line) } else { line });
            log.push('\n');
        }
        let diagnosis = diagnosed(&log);
        prop_assert!(diagnosis.requests + diagnosis.inputs[0].unclassified + 1 >= diagnosis.inputs[0].lines);
    }
}
