//! HAR files, and what is found in them.

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::report;

const CUT: &str = include_str!("../../fixtures/cut.har");
const WELL: &str = include_str!("../../fixtures/near-miss.har");

fn diagnosed(file: &str) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("page.har", file.as_bytes()).expect("read");
    diagnoser.finish()
}

/// Rule, variant and count of what is found, in the order of their names.
fn found(file: &str) -> Vec<(String, Option<String>, u64)> {
    let findings = diagnosed(file).findings.into_iter();
    let mut found: Vec<_> = findings.map(|finding| (finding.rule, finding.variant, finding.count)).collect();
    found.sort();
    found
}

/// An entry; the last number of its times is that of the wait.
fn entry(method: &str, status: u16, error: &str, connection: &str, connect: i32, wait: i32) -> String {
    let error = if error.is_empty() { String::new() } else { format!(",\"_error\":\"net::{error}\"") };
    let ssl = if connect > 0 { connect / 2 } else { -1 };
    format!(
        "{{\"startedDateTime\":\"2026-03-02T10:10:00.000Z\",\"time\":1,\"connection\":\"{connection}\",\"request\":{{\"method\":\"{method}\",\"url\":\"https://files.example/o/b\",\"headers\":[]}},\"response\":{{\"status\":{status},\"content\":{{\"text\":\"]}}\"}}{error}}},\"timings\":{{\"blocked\":1.5,\"dns\":-1,\"connect\":{connect},\"ssl\":{ssl},\"send\":0.1,\"wait\":{wait},\"receive\":3}}}}"
    )
}

fn file(entries: &[String]) -> String {
    format!("{{\"log\": {{\"version\":\"1.2\",\"pages\":[],\n\"entries\":[{}]}}}}", entries.join(",\n"))
}

#[test]
fn the_reports_read_as_they_should() {
    let said = report::text(&diagnosed(CUT));
    assert!(!said.contains("SECRET"), "{said}");
    insta::assert_snapshot!("har", said);
    insta::assert_snapshot!("har_near_miss", report::text(&diagnosed(WELL)));
}

#[test]
fn each_cause_is_told_apart() {
    let rows = [
        (entry("GET", 200, "", "443", 20, 2_500), "slow-reply"),
        (entry("GET", 0, "ERR_EMPTY_RESPONSE", "443", 20, 5), "fresh-connection-lost"),
        (entry("GET", 0, "ERR_NAME_NOT_RESOLVED", "", -1, -1), "name-not-resolved"),
        (entry("GET", 0, "ERR_CONNECTION_REFUSED", "", -1, -1), "no-connection"),
        (entry("GET", 0, "ERR_CERT_AUTHORITY_INVALID", "", -1, -1), "tls-refused"),
        (entry("GET", 0, "ERR_TIMED_OUT", "443", -1, 60_000), "client-gave-up"),
        (entry("GET", 200, "ERR_INCOMPLETE_CHUNKED_ENCODING", "443", -1, 5), "reply-cut"),
        (entry("PUT", 0, "ERR_CONNECTION_RESET", "443", -1, 9_300), "stale-keepalive-write"),
    ];
    for (entry, rule) in rows {
        let found = found(&file(std::slice::from_ref(&entry)));
        assert_eq!(found.iter().map(|(rule, _, _)| rule.as_str()).collect::<Vec<_>>(), [rule], "{entry}");
    }
    for well in [
        entry("GET", 200, "", "443", 20, 900),
        entry("GET", 0, "ERR_BLOCKED_BY_CLIENT", "", -1, -1),
        entry("GET", 0, "", "", -1, 0),
    ] {
        assert_eq!(found(&file(std::slice::from_ref(&well))), [], "{well}");
    }
}

#[test]
fn what_is_no_entry_is_counted_and_shown() {
    let well = entry("GET", 200, "", "443", 20, 9);
    let diagnosis = diagnosed(&file(&[well.clone(), "{\"a\": 1}".to_owned(), well]));
    let input = &diagnosis.inputs[0];
    assert_eq!(
        (input.unit, input.lines, input.shown.as_slice(), diagnosis.requests),
        ("entry", 3, &[2][..], 2)
    );
}

proptest! {
    #[test]
    fn blanks_and_bodies_change_nothing(blanks in "[ \n\t\r]{0,5}", body in "[a-z\\[\\]{}]{0,5000}") {
        let lost = entry("GET", 0, "ERR_EMPTY_RESPONSE", "443", 20, 5);
        let loose = file(std::slice::from_ref(&lost)).replace("\"text\":\"]}\"", &format!("\"text\":\"{body}\""));
        let loose = loose.replace("\",\"", &format!("\",{blanks}\""));
        prop_assert_eq!(found(&loose), found(&file(&[lost])));
    }

    #[test]
    fn a_file_cut_anywhere_is_read(cut in 0..CUT.len()) {
        let diagnosis = diagnosed(CUT.get(..cut).unwrap_or_default());
        prop_assert!(diagnosis.inputs[0].unclassified <= diagnosis.inputs[0].lines);
    }
}
