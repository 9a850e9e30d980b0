//! The whole diagnosis: damage, shippers of logs, golden reports; each rule in
//! `every_rule`, lines of other programs in `foreign`.

mod cases;
mod every_rule;
mod foreign;

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::finding::{Confidence, Hop};
use crate::report;
use crate::synthetic::{Listener, Story, Times, healthy, trace, written};

const KEPT_ALIVE: &str = "The underlying connection was closed: A connection that was expected to be kept alive was closed by the server.";

fn diagnosed(text: &str) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("trace.log", text.as_bytes()).expect("read");
    diagnoser.finish()
}

/// A request on a connection that died, sent again.
fn stale(failed_after_ms: u64, words: &str) -> Story {
    let kept =
        Story::new(11).create(1).assign(1, 1).open(1).send(1, "GET").reply(1, 20, 200, "").pause(90_000);
    let story = kept.create(2).assign(2, 1).send(2, "HEAD").fail(2, failed_after_ms, words);
    story.assign(2, 2).open(2).send(2, "HEAD").reply(2, 20, 200, "")
}

/// Records as the product writes them, of the client and of the balancer.
const JOURNAL: &str = include_str!("../fixtures/journal.jsonl");

proptest! {
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
