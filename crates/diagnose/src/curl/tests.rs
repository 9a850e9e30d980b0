//! What curl tells, from wordings of several versions and from the machine's own curl.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::finding::Confidence;
use crate::report;

const STALE: &str = include_str!("../../fixtures/curl-stale.log");
const RACE: &str = include_str!("../../fixtures/curl-near-miss.log");
const PARALLEL: &str = include_str!("../../fixtures/curl-parallel.log");

fn diagnosed(log: &[u8]) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("curl.log", log).expect("read");
    diagnoser.finish()
}

/// Rule, variant and count of what is found.
fn found(diagnosis: &Diagnosis) -> Vec<(&str, Option<&str>, u64)> {
    let findings = diagnosis.findings.iter();
    findings.map(|finding| (finding.rule.as_str(), finding.variant.as_deref(), finding.count)).collect()
}

/// The log without its times.
fn untimed(log: &str) -> String {
    log.lines().map(|line| format!("{}\n", line.get(16..).unwrap_or_default())).collect()
}

#[test]
fn the_report_of_a_dead_connection_reads_as_it_should() {
    let diagnosis = diagnosed(STALE.as_bytes());
    let said = report::text(&diagnosis);
    assert!(!said.contains("SECRET"), "{said}");
    insta::assert_snapshot!("curl_stale", said);
    assert_eq!(diagnosis.findings[0].confidence, Confidence::Likely);
}

#[test]
fn a_near_miss_is_none_and_one_among_others_is_found() {
    insta::assert_snapshot!("curl_near_miss", report::text(&diagnosed(RACE.as_bytes())));
    let among = diagnosed(PARALLEL.as_bytes());
    assert_eq!(found(&among), [("stale-keepalive", Some("silent-drop"), 1)]);
    insta::assert_snapshot!("curl_parallel", report::text(&among));
}

#[test]
fn without_times_the_rule_is_the_same() {
    let diagnosis = diagnosed(untimed(STALE).as_bytes());
    assert_eq!(found(&diagnosis), [("stale-keepalive", None, 1)]);
    assert!(report::text(&diagnosis).contains("--trace-time adds them"));
}

#[test]
fn foreign_lines_are_counted_and_shown() {
    let planted = format!("{STALE}{{\"a body\": 1}}\nand more\n");
    let diagnosis = diagnosed(planted.as_bytes());
    assert_eq!((diagnosis.inputs[0].unclassified, found(&diagnosis).len()), (2, 1));
}

#[test]
fn each_way_to_fail_is_told_apart() {
    let begun =
        "*   Trying 192.0.2.1:80...\n* Connected to a (192.0.2.1) port 80 (#0)\n> GET /a HTTP/1.1\n> \n";
    let answered = format!("{begun}< HTTP/1.1 200 OK\n< \n");
    let rows = [
        (format!("{begun}* Empty reply from server\n* Closing connection 0\n"), "fresh-connection-lost"),
        (format!("{begun}curl: (52) Empty reply from server\n"), "fresh-connection-lost"),
        (format!("{begun}* Operation timed out after 9 milliseconds with 0 bytes received\n* Closing connection 0\n"), "client-gave-up"),
        (format!("{answered}* transfer closed with 44 bytes remaining to read\n* Closing connection 0\n"), "reply-cut"),
        (format!("{answered}* Operation timed out after 9 milliseconds with 3 out of 9 bytes received\n"), "reply-stalled"),
        ("* Could not resolve host: a\n* Closing connection 0\n".to_owned(), "name-not-resolved"),
        ("*   Trying 192.0.2.1:80...\n* connect to 192.0.2.1 port 80 failed: Connection refused\n* Failed to connect to 192.0.2.1 port 80 after 0 ms: Couldn't connect to server\n".to_owned(), "no-connection"),
        ("*   Trying 192.0.2.1:443...\n* Connected to a (192.0.2.1) port 443 (#0)\n* SSL certificate problem: self-signed certificate\n* Closing connection 0\n".to_owned(), "tls-refused"),
    ];
    for (log, rule) in rows {
        assert_eq!(found(&diagnosed(log.as_bytes())), [(rule, None, 1)], "{log}");
    }
    assert_eq!(found(&diagnosed(answered.as_bytes())), []);
}

#[test]
fn summaries_tell_of_times_and_failures() {
    let line = |code: u16, status: u16, connects: u8, start: f64| {
        format!(
            "{{\"exitcode\":{code},\"method\":\"GET\",\"num_connects\":{connects},\"response_code\":{status},\"time_connect\":0.001,\"time_appconnect\":0.000000,\"time_pretransfer\":0.002,\"time_starttransfer\":{start},\"time_total\":5.1,\"url_effective\":\"http://a/b\"}}\n"
        )
    };
    assert_eq!(found(&diagnosed(line(0, 200, 1, 5.0).as_bytes())), [("slow-reply", None, 1)]);
    assert_eq!(found(&diagnosed(line(0, 200, 0, 0.5).as_bytes())), []);
    assert_eq!(found(&diagnosed(line(52, 0, 1, 0.0).as_bytes())), [("fresh-connection-lost", None, 1)]);
    let broken =
        diagnosed(format!("{}{}", line(0, 200, 1, 0.1), line(0, 200, 1, 0.1).replace("5.1", "x")).as_bytes());
    assert_eq!(broken.inputs[0].unclassified, 1);
}

/// Answers a request on each connection, and ends the connection at the next.
fn answer_one(mut stream: TcpStream) {
    let mut read = Vec::new();
    let mut answered = false;
    let mut piece = [0; 4_096];
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        read.extend_from_slice(&piece[..count]);
        if read.ends_with(b"\r\n\r\n") {
            if answered {
                return;
            }
            read.clear();
            answered = true;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").expect("a reply");
        }
    }
}

#[test]
fn the_curl_of_this_machine_is_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(|| answer_one(stream));
        }
    });
    let forms: [&[&str]; 5] = [
        &["-v"],
        &["-v", "--trace-time"],
        &["--trace-ascii", "-"],
        &["--trace", "-", "--trace-time"],
        &["--trace-ascii", "-", "--trace-time"],
    ];
    for form in forms {
        let mut curl = Command::new("curl");
        curl.args(["-q", "--noproxy", "*", "-o", "/dev/null", "-o", "/dev/null"])
            .args(form)
            .args([&url, &url]);
        let output = curl.output().expect("curl");
        let told = if form.contains(&"-v") { output.stderr } else { output.stdout };
        let diagnosis = diagnosed(&told);
        let text = String::from_utf8_lossy(&told);
        assert_eq!(diagnosis.inputs[0].shown, Vec::<u64>::new(), "{text}");
        assert_eq!((diagnosis.requests, diagnosis.attempts), (2, 3), "{text}");
        assert_eq!(found(&diagnosis).first().map(|(rule, _, _)| *rule), Some("stale-keepalive"), "{text}");
    }
}

proptest! {
    #[test]
    fn lines_of_any_kind_are_accounted_for(picks in proptest::collection::vec((0..200_usize, 0..80_usize), 0..60)) {
        let lines: Vec<_> = STALE.lines().chain(PARALLEL.lines()).chain(RACE.lines()).collect();
        let mut log = String::from("*   Trying 127.0.0.1:1...\n");
        for (at, cut) in picks {
            let line = lines[at % lines.len()];
            log.push_str(line.get(..line.len().saturating_sub(cut / 40 * cut)).unwrap_or(line));
            log.push('\n');
        }
        let diagnosis = diagnosed(log.as_bytes());
        prop_assert!(diagnosis.inputs[0].unclassified <= diagnosis.inputs[0].lines);
        prop_assert!(diagnosis.attempts >= diagnosis.findings.iter().map(|finding| finding.count).max().unwrap_or(0));
    }

    #[test]
    fn lines_of_others_between_change_no_verdict(after in proptest::collection::btree_set(0..40_usize, 0..8)) {
        let mut planted = String::new();
        let mut count = 0;
        for (at, line) in STALE.lines().enumerate() {
            planted.push_str(&format!("{line}\n"));
            if after.contains(&at) {
                planted.push_str("{\"a line of the body\"}\n");
                count += 1;
            }
        }
        let diagnosis = diagnosed(planted.as_bytes());
        prop_assert_eq!(diagnosis.inputs[0].unclassified, count);
        prop_assert_eq!(found(&diagnosis), [("stale-keepalive", Some("silent-drop"), 1)]);
    }
}
