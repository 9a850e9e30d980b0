//! Every rule: a case of it, a near miss, and the case among other threads; with times
//! and without.

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis, Limit};
use crate::finding::{Confidence, Hop};
use crate::report;
use crate::synthetic::{Listener, Story, Times, healthy, trace, written};

const KEPT_ALIVE: &str = "The underlying connection was closed: A connection that was expected to be kept alive was closed by the server.";
const CLOSED: &str = "The underlying connection was closed: The connection was closed unexpectedly.";

fn diagnosed(text: &str) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("trace.log", text.as_bytes()).expect("read");
    diagnoser.finish()
}

/// Rule, variant and count of what is found.
fn found(stories: &[Story], times: Times) -> Vec<(String, Option<String>, u64)> {
    let text = trace(stories, times);
    let diagnosis = diagnosed(&text);
    assert_eq!(diagnosis.inputs[0].unclassified, 0, "{text}");
    let findings = diagnosis.findings.into_iter();
    findings.map(|finding| (finding.rule, finding.variant, finding.count)).collect()
}

fn kept() -> Story {
    Story::new(11).create(1).assign(1, 1).open(1).send(1, "GET").reply(1, 20, 200, "").pause(90_000)
}

/// A request on a connection that died, sent again.
fn stale(failed_after_ms: u64, words: &str) -> Story {
    let story = kept().create(2).assign(2, 1).send(2, "HEAD").fail(2, failed_after_ms, words);
    story.assign(2, 2).open(2).send(2, "HEAD").reply(2, 20, 200, "")
}

struct Row {
    rule: &'static str,
    variant: Option<&'static str>,
    count: u64,
    case: Story,
    near_miss: Story,
}

fn rows() -> Vec<Row> {
    let row = |rule, variant, case, near_miss| Row { rule, variant, count: 1, case, near_miss };
    let fresh = || Story::new(11).create(1).assign(1, 1);
    let many = |fields: &str, count: u32| {
        (1..=count).fold(Story::new(11), |story, n| {
            story.create(n).assign(n, n).open(n).send(n, "GET").reply(n, 9, 200, fields).pause(300)
        })
    };
    vec![
        row("stale-keepalive", Some("silent-drop"), stale(10_000, KEPT_ALIVE), healthy(11)),
        row("stale-keepalive", Some("close-race"), stale(3, KEPT_ALIVE), kept()),
        // The words are another language's; the order is the same.
        row(
            "stale-keepalive",
            Some("silent-drop"),
            stale(9_300, "Die zugrunde liegende Verbindung wurde geschlossen."),
            stale(3, "The remote server returned an error: (500) Internal Server Error."),
        ),
        row(
            "stale-keepalive-write",
            Some("silent-drop"),
            kept().create(2).assign(2, 1).send(2, "PUT").body().throw(2, 4_000, CLOSED),
            kept().create(2).assign(2, 1).send(2, "PUT").body().reply(1, 4, 201, ""),
        ),
        row(
            "fresh-connection-lost",
            None,
            fresh().open(1).send(1, "GET").throw(1, 5, CLOSED),
            fresh().open(1).send(1, "GET").reply(1, 5, 200, "").throw(1, 5, CLOSED),
        ),
        row("no-connection", None, fresh().throw(1, 21_000, "Unable to connect to the remote server"), kept()),
        row(
            "name-not-resolved",
            None,
            fresh().throw(1, 12, "The remote name could not be resolved: 'files.example'"),
            kept(),
        ),
        row(
            "tls-refused",
            None,
            fresh().throw(
                1,
                12,
                "The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure channel.",
            ),
            kept(),
        ),
        row(
            "client-gave-up",
            None,
            kept().create(2).assign(2, 1).send(2, "GET").throw(2, 100_000, "The operation has timed out"),
            kept().create(2).assign(2, 1).send(2, "GET").reply(1, 900, 200, ""),
        ),
        row(
            "slow-reply",
            None,
            kept().create(2).assign(2, 1).send(2, "GET").reply(1, 2_500, 200, ""),
            kept().create(2).assign(2, 1).send(2, "GET").reply(1, 900, 200, ""),
        ),
        row(
            "connection-limit",
            None,
            kept().create(2).assign(2, 1).send(2, "GET").create(3).assign(3, 1).reply(1, 900, 200, "").send(3, "GET").reply(1, 5, 200, ""),
            kept().create(2).assign(2, 1).send(2, "GET").create(3).assign(3, 1).reply(1, 90, 200, "").send(3, "GET").reply(1, 5, 200, ""),
        ),
        row(
            "continue-ignored",
            None,
            kept().create(2).assign(2, 1).send_with(2, "PUT", CONTINUE).pause(350).body().reply(1, 5, 201, ""),
            kept().create(2).assign(2, 1).send_with(2, "PUT", CONTINUE).pause(20).body().reply(1, 5, 201, ""),
        ),
        row(
            "connect-slow",
            None,
            fresh().pause(3_000).open(1).send(1, "GET").reply(1, 5, 200, ""),
            fresh().pause(300).open(1).send(1, "GET").reply(1, 5, 200, ""),
        ),
        row(
            "handshake-slow",
            None,
            fresh().open_in(1, 2_000).send(1, "GET").reply(1, 5, 200, ""),
            fresh().open_in(1, 200).send(1, "GET").reply(1, 5, 200, ""),
        ),
        row(
            "renegotiation",
            None,
            fresh().open(1).send(1, "GET").renegotiate().reply(1, 5, 200, ""),
            fresh().open(1).send(1, "GET").reply(1, 5, 200, ""),
        ),
        row(
            "ticket-expired",
            None,
            kept().create(2).assign(2, 1).send_with(2, "GET", TICKET).reply(1, 5, 401, "Date: Mon, 02 Mar 2026 10:00:05 GMT\n"),
            kept().create(2).assign(2, 1).send_with(2, "GET", TICKET).reply(1, 5, 401, "Date: Mon, 02 Mar 2026 09:59:59 GMT\n"),
        ),
        row(
            "no-http",
            None,
            kept().create(2).assign(2, 1).send(2, "GET").throw(2, 5, "The server committed a protocol violation. Section=ResponseStatusLine"),
            kept(),
        ),
        row(
            "transfer-slow",
            None,
            kept().create(2).assign(2, 1).send(2, "GET").reply_open(1, 5, 200, "").pause(6_000).close(),
            kept().create(2).assign(2, 1).send(2, "GET").reply_open(1, 5, 200, "").pause(600).close(),
        ),
        row(
            "reply-cut",
            None,
            kept().create(2).assign(2, 1).send(2, "GET").reply_open(1, 5, 200, "").throw(2, 90, RECEIVE),
            kept().create(2).assign(2, 1).send(2, "GET").reply(1, 5, 200, "").throw(2, 90, RECEIVE),
        ),
        Row {
            rule: "response-never-closed",
            variant: None,
            count: 3,
            case: (2..5).fold(kept(), |story, n| story.create(n).assign(n, n).open(n).send(n, "GET").reply_open(n, 5, 200, "")),
            near_miss: (2..4).fold(kept(), |story, n| story.create(n).assign(n, n).open(n).send(n, "GET").reply_open(n, 5, 200, "")),
        },
        Row { rule: "unauthorized-first", variant: None, count: 3, case: refused(3), near_miss: refused(2) },
        Row { rule: "no-reuse", variant: None, count: 6, case: many("", 6), near_miss: many("", 4) },
        Row {
            rule: "keepalive-refused",
            variant: None,
            count: 6,
            case: many("Connection: close\n", 6),
            near_miss: many("Connection: close\n", 4),
        },
    ]
}

/// Requests on one connection that are sent again with credentials.
fn refused(count: u32) -> Story {
    (2..2 + count).fold(kept(), |story, n| {
        let story = story.create(n).assign(n, 1).send(n, "GET").reply(1, 5, 401, "");
        story.assign(n, 1).send(n, "GET").reply(1, 5, 200, "").pause(50)
    })
}

/// Rules that look at times alone find nothing without.
const TIMED: [&str; 6] =
    ["slow-reply", "connection-limit", "continue-ignored", "connect-slow", "handshake-slow", "transfer-slow"];

/// Records as the product writes them, of the client and of the balancer.
const JOURNAL: &str = include_str!("../fixtures/journal.jsonl");

const CONTINUE: &str = "Expect: 100-continue\n";
const TICKET: &str = "x-auth-expiry: 2026-03-02T10:00:00Z\n";
const RECEIVE: &str = "The underlying connection was closed: An unexpected error occurred on a receive.";

#[test]
fn each_rule_finds_its_case_and_no_near_miss() {
    for row in rows() {
        let expected = vec![(row.rule.to_owned(), row.variant.map(str::to_owned), row.count)];
        assert_eq!(found(std::slice::from_ref(&row.case), Times::Given), expected);
        let missed = found(&[row.near_miss], Times::Given);
        assert!(missed.iter().all(|(rule, _, _)| rule != row.rule), "{}: {missed:?}", row.rule);
        let untimed = found(&[row.case], Times::Missing);
        match TIMED.contains(&row.rule) {
            true => assert_eq!(untimed, []),
            false => assert_eq!(untimed, [(row.rule.to_owned(), None, row.count)]),
        }
    }
}

#[test]
fn whichever_listener_writes_the_trace_the_verdict_is_the_same() {
    for row in rows() {
        let expected = vec![(row.rule.to_owned(), row.variant.map(str::to_owned), row.count)];
        for listener in [Listener::Text, Listener::Xml, Listener::Delimited] {
            let among = [row.case.clone(), healthy(21)];
            let stories = if row.count == 1 { &among[..] } else { &among[..1] };
            let diagnosis = diagnosed(&written(stories, listener));
            assert_eq!(diagnosis.inputs[0].unclassified, 0, "{listener:?}");
            let found = diagnosis.findings.into_iter().map(|it| (it.rule, it.variant, it.count));
            assert_eq!(found.collect::<Vec<_>>(), expected, "{listener:?}");
        }
    }
}

#[test]
fn other_threads_change_no_verdict() {
    for row in rows().into_iter().filter(|row| row.count == 1) {
        let expected = vec![(row.rule.to_owned(), row.variant.map(str::to_owned), 1)];
        for times in [Times::Given, Times::Missing] {
            let among = [healthy(21), row.case.clone(), healthy(31)];
            let mut verdict = found(&among, times);
            if times == Times::Missing {
                verdict.iter_mut().for_each(|(_, variant, _)| *variant = row.variant.map(str::to_owned));
            }
            if !(TIMED.contains(&row.rule) && times == Times::Missing) {
                assert_eq!(verdict, expected);
            }
        }
    }
}

proptest! {
    /// However the threads are interleaved.
    #[test]
    fn shuffled_threads_give_the_same_verdict(pauses in prop::collection::vec(0_u64..20_000, 3)) {
        let stories = [
            healthy(21).pause(0),
            Story::new(41).pause(pauses[0]).create(1).assign(1, 1).open(1).send(1, "GET").reply(1, 9, 200, ""),
            stale(10_000, KEPT_ALIVE).pause(pauses[1]),
            healthy(31).pause(pauses[2]),
        ];
        let expected = vec![("stale-keepalive".to_owned(), Some("silent-drop".to_owned()), 1)];
        prop_assert_eq!(found(&stories, Times::Given), expected);
    }

    /// Wherever a log was split, and however often.
    #[test]
    fn files_of_one_log_give_the_same_verdict(cuts in prop::collection::vec(0.0_f64..1.0, 1..4)) {
        let text = trace(&[healthy(21), stale(10_000, KEPT_ALIVE), healthy(31)], Times::Given);
        let begins: Vec<_> = text.match_indices("System.Net ").map(|(at, _)| at).collect();
        let mut ends: Vec<_> = cuts.iter().map(|cut| begins[(cut * begins.len() as f64) as usize]).collect();
        ends.extend([0, text.len()]);
        ends.sort_unstable();
        let mut diagnoser = Diagnoser::new().expect("rules");
        for (number, cut) in ends.windows(2).enumerate() {
            diagnoser.read(&format!("net.log.{number}"), &text.as_bytes()[cut[0]..cut[1]]).expect("read");
        }
        let diagnosis = diagnoser.finish();
        let found: Vec<_> = diagnosis.findings.iter().map(|it| (&*it.rule, it.variant.as_deref(), it.count)).collect();
        prop_assert_eq!(found, [("stale-keepalive", Some("silent-drop"), 1)]);
        prop_assert!(diagnosis.inputs.iter().all(|input| input.unclassified == 0));
    }

    /// Whatever befalls a log on its way here: pieces cut out, doubled, and overwritten.
    #[test]
    fn damaged_logs_are_read(
        which in 0_usize..5,
        damages in prop::collection::vec((0.0_f64..1.0, 0_usize..200, any::<u8>(), 0_u8..3), 1..12),
    ) {
        let stories = [healthy(21), stale(10_000, KEPT_ALIVE)];
        let mut log = match which {
            0 => crate::system_net::tests::STALE.to_owned(),
            1 => written(&stories, Listener::Text),
            2 => written(&stories, Listener::Xml),
            3 => written(&stories, Listener::Delimited),
            _ => JOURNAL.repeat(9),
        }
        .into_bytes();
        for (at, length, byte, kind) in damages {
            let from = (at * log.len() as f64) as usize;
            let piece = from..(from + length).min(log.len());
            match kind {
                0 => drop(log.drain(piece)),
                1 => log.extend_from_within(piece),
                _ => log[piece].fill(byte),
            }
        }
        let mut diagnoser = Diagnoser::new().expect("rules");
        diagnoser.read("damaged.log", &log[..]).expect("read");
        let diagnosis = diagnoser.finish();
        prop_assert!(diagnosis.inputs[0].unclassified <= diagnosis.inputs[0].lines);
        let _ = (report::text(&diagnosis), report::html(&diagnosis), report::json(&diagnosis));
    }

    /// Nothing that is read can stop the reader.
    #[test]
    fn any_text_is_read(lines in prop::collection::vec("(System\\.Net (Information|Error): 0 : \\[[0-9]{1,4}\\] )?(Associating |Connection#1|HttpWebRequest#2|::|\\(|\\)| - |\\{|\\}\\.|[ -~]{0,12})*", 0..40)) {
        let text = lines.join("\n");
        let diagnosis = diagnosed(&text);
        let _ = (report::text(&diagnosis), report::markdown(&diagnosis), report::json(&diagnosis));
    }
}

#[test]
fn what_happens_twice_is_likelier_and_times_tell_the_hop() {
    let once = diagnosed(&trace(&[stale(10_000, KEPT_ALIVE)], Times::Missing)).findings.remove(0);
    assert_eq!((once.confidence, once.hop, once.candidates.len()), (Confidence::Possible, Hop::Unknown, 2));
    let again = Story::new(12).create(1).assign(1, 1).send(1, "GET").fail(1, 10_000, KEPT_ALIVE);
    let again = again.assign(1, 2).open(2).send(1, "GET").reply(2, 5, 200, "");
    let twice = diagnosed(&trace(&[stale(10_000, KEPT_ALIVE), again], Times::Missing)).findings.remove(0);
    assert_eq!((twice.confidence, twice.count), (Confidence::Likely, 2));
    let timed = diagnosed(&trace(&[stale(10_000, KEPT_ALIVE)], Times::Given)).findings.remove(0);
    assert_eq!((timed.confidence, timed.hop), (Confidence::Likely, Hop::Path));
    assert_eq!(timed.worst.map(|worst| worst.as_secs()), Some(10));
}

#[test]
fn foreign_lines_are_counted_and_shown_and_change_nothing() {
    let text = trace(&[stale(10_000, KEPT_ALIVE)], Times::Given);
    let mut planted = String::from("a heading\n");
    for (at, line) in text.lines().enumerate() {
        planted.push_str(line);
        planted.push('\n');
        if at % 20 == 19 && !line.starts_with(['{', 'x', 'H', 'C']) {
            planted.push_str("[nginx] upstream is fine\n");
        }
    }
    let count = planted.matches("nginx").count() as u64 + 1;
    let diagnosis = diagnosed(&planted);
    assert_eq!(diagnosis.inputs[0].unclassified, count, "{planted}");
    assert_eq!(diagnosis.inputs[0].shown[0], 1);
    assert_eq!(diagnosis.findings[0].variant.as_deref(), Some("silent-drop"));
    assert!(diagnosis.limits.contains(&Limit::Unclassified(count)));
}

#[test]
fn a_shipper_and_its_prefixes_change_nothing() {
    let text = trace(&[stale(10_000, KEPT_ALIVE)], Times::Missing);
    let numbered = |prefix: &dyn Fn(usize) -> String| -> String {
        text.lines().enumerate().map(|(at, line)| format!("{}{line}\r\n", prefix(at))).collect()
    };
    let shipped = [
        numbered(&|at| format!("{} ", at + 1)),
        numbered(&|_| "[6624] ".into()),
        numbered(&|at| format!("2026-03-02T10:00:00.{at:03}Z app-1 middleware: ")),
    ];
    for log in &shipped {
        let diagnosis = diagnosed(log);
        assert_eq!(diagnosis.inputs[0].unclassified, 0, "{log}");
        assert_eq!(diagnosis.findings[0].rule, "stale-keepalive");
    }
    let timed = diagnosed(&shipped[2]);
    assert!(timed.findings[0].worst.is_some(), "the shipper's clock is one");
}

#[test]
fn the_report_of_the_incident_reads_as_it_should() {
    let diagnosis = diagnosed(crate::system_net::tests::STALE);
    let said = report::text(&diagnosis);
    assert!(!said.contains("SECRET") && !said.contains("PREA_0011"), "{said}");
    insta::assert_snapshot!("incident", said);
    insta::assert_snapshot!("incident_markdown", report::markdown(&diagnosis));
    let page = report::html(&diagnosis);
    assert!(
        page.contains("HttpWebRequest#11429296") && page.contains("<svg") && !page.contains("SECRET"),
        "{page}"
    );
    assert!(
        !page.contains("<script") && !page.contains("http://") && !page.contains("src="),
        "it needs nothing else"
    );
    let json = report::json(&diagnosis);
    assert_eq!(json["findings"][0]["rule"], "stale-keepalive");
    assert_eq!(json["inputs"][0]["format"], "system.net");
}

#[test]
fn the_report_of_journals_reads_as_it_should() {
    let diagnosis = diagnosed(JOURNAL);
    assert_eq!(diagnosis.inputs[0].unclassified, 0);
    insta::assert_snapshot!("journal", report::text(&diagnosis));
}
