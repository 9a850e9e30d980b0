//! What is said of journals, whoever's records there are.

use std::fs;

use repono_journal::{
    ClosedBy, ConnectionRecord, EndCause, EndCode, EndPhase, Journal, JournalConfig, Manner, Side, Text,
};

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::finding::{Confidence, Hop};
use crate::synthetic::journals::{Attempt, Balancer, Client, Heads, MS, S, at, ends, ids, journals};

/// What is said of these attempts, from the journals of all.
fn said(attempts: &[Attempt], heads: Heads) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().unwrap();
    for (name, text) in journals(attempts, heads) {
        diagnoser.read(name, text.as_bytes()).unwrap();
    }
    let diagnosis = diagnoser.finish();
    assert!(diagnosis.inputs.iter().all(|input| input.unclassified == 0), "{:?}", diagnosis.inputs);
    diagnosis
}

fn verdict(attempts: &[Attempt], heads: Heads) -> Option<(String, Option<String>, Hop, Confidence)> {
    let mut findings = said(attempts, heads).findings;
    assert!(findings.len() < 2, "{findings:?}");
    findings.pop().map(|it| (it.rule, it.variant, it.hop, it.confidence))
}

fn answered(after_ns: u64, worst_turn_ns: u64, head: (u64, u64)) -> Attempt {
    let healthy = Attempt::healthy(1, 100 * S);
    let balancer = Balancer { heard_ns: healthy.sent_ns + after_ns, worst_turn_ns, ..healthy.balancer };
    let head = Some((healthy.sent_ns + head.0, head.1));
    Attempt { client: Client::Answered { after_ns }, balancer, head, ..healthy }
}

fn lost(code: &'static str, balancer: Balancer, by: ClosedBy) -> Attempt {
    let healthy = Attempt::healthy(1, 100 * S);
    Attempt { client: Client::Lost { after_ns: 300 * MS, code, by }, balancer, head: None, ..healthy }
}

fn some(
    rule: &str,
    variant: &str,
    hop: Hop,
    confidence: Confidence,
) -> Option<(String, Option<String>, Hop, Confidence)> {
    Some((rule.to_owned(), Some(variant.to_owned()), hop, confidence))
}

#[test]
fn a_slow_reply_is_of_the_hop_that_took_the_time() {
    let head = answered(2 * S, 2 * S - MS, (MS, 1_900 * MS));
    let late = answered(2 * S, 2 * S - MS, (1_900 * MS, 50 * MS));
    let path = answered(2 * S, 3 * MS, (900 * MS, 2 * MS));
    let certain = Confidence::Certain;
    for heads in [Heads::OnTheSameHost, Heads::Behind(90 * S)] {
        // A clock that differs is known from requests that were well.
        let among = |attempt| {
            let healthy = (2..22).map(|n| Attempt::healthy(n, (200 + u64::from(n)) * S));
            std::iter::once(attempt).chain(healthy).collect::<Vec<_>>()
        };
        assert_eq!(verdict(&among(head), heads), some("slow-reply", "head-slow", Hop::Head, certain));
        assert_eq!(verdict(&among(late), heads), some("slow-reply", "head-stood-still", Hop::Head, certain));
        assert_eq!(verdict(&among(path), heads), some("slow-reply", "path-slow", Hop::Path, certain));
        assert_eq!(verdict(&among(Attempt::healthy(1, 100 * S)), heads), None);
    }
    let likely = Confidence::Likely;
    assert_eq!(verdict(&[head], Heads::Silent), some("slow-reply", "behind-balancer", Hop::Head, likely));
}

#[test]
fn a_request_without_a_reply_is_lost_where_it_was_heard_of_last() {
    let sent = 100 * S;
    let held = Balancer {
        heard_ns: sent - 90 * S,
        ended_ns: sent + 60 * S,
        by: ClosedBy::Client,
        worst_turn_ns: MS,
    };
    let had_ended = Balancer { ended_ns: sent - 10 * S, ..held };
    let raced = Balancer { ended_ns: sent - MS, by: ClosedBy::Us, ..held };
    let heard = Balancer { heard_ns: sent + MS, ..held };
    let rows = [
        ("PathSilent", held, ClosedBy::Us, "client-gave-up", "silent-drop", Hop::Path),
        ("PeerSilent", held, ClosedBy::Us, "client-gave-up", "swallowed", Hop::Path),
        ("ConnectionBroken", had_ended, ClosedBy::Us, "stale-keepalive", "end-not-heard", Hop::Path),
        ("ConnectionBroken", heard, ClosedBy::Peer, "stale-keepalive", "cut-between", Hop::Path),
        ("ConnectionBroken", raced, ClosedBy::Peer, "stale-keepalive", "close-race", Hop::Balancer),
        (
            "PeerSilent",
            Balancer { by: ClosedBy::Us, ..heard },
            ClosedBy::Us,
            "client-gave-up",
            "balancer-ended",
            Hop::Balancer,
        ),
        (
            "PeerSilent",
            Balancer { by: ClosedBy::Head, ..heard },
            ClosedBy::Us,
            "client-gave-up",
            "head-gone",
            Hop::Head,
        ),
    ];
    for (code, balancer, by, rule, variant, hop) in rows {
        let again = Attempt { attempt: 2, asked_ns: sent, ..Attempt::healthy(2, sent + 300 * MS) };
        let findings = said(&[lost(code, balancer, by), again], Heads::OnTheSameHost).findings;
        let found: Vec<_> = findings.iter().map(|it| (&*it.rule, it.variant.as_deref(), it.hop)).collect();
        assert_eq!(found, [(rule, Some(variant), hop)], "{code}");
        assert!(findings[0].summary.contains("was sent again unseen"), "{}", findings[0].summary);
    }
}

/// A long journal of the client, read before those of the others.
#[test]
fn witnesses_are_heard_for_requests_that_were_read_long_before() {
    let dir = tempfile::tempdir().unwrap();
    let [client, balancer] =
        ["client", "balancer"].map(|name| Journal::open(JournalConfig::new(dir.path(), name, name)).unwrap());
    let sent = 100 * S;
    let silent = Balancer {
        heard_ns: sent - 90 * S,
        ended_ns: sent + 60 * S,
        by: ClosedBy::Client,
        worst_turn_ns: MS,
    };
    let lost = lost("PathSilent", silent, ClosedBy::Us);
    balancer.shared().connection(&lost.balancer());
    let (request, connection) = lost.client();
    client.shared().request(&request);
    client.shared().connection(&connection);
    for n in 0..10_000 {
        client.shared().request(&Attempt::healthy(2, 200 * S + n * MS).client().0);
        if n % 1_000 == 0 {
            client.flush();
        }
    }
    [client, balancer].into_iter().for_each(Journal::close);
    let mut diagnoser = Diagnoser::new().unwrap();
    for name in ["client", "balancer"] {
        let text = fs::read_to_string(dir.path().join(format!("{name}.jsonl"))).unwrap();
        assert_eq!(text.lines().count(), if name == "client" { 10_002 } else { 1 });
        diagnoser.read(name, text.as_bytes()).unwrap();
    }
    let found = diagnoser.finish().findings;
    assert_eq!(
        found.first().map(|it| (it.variant.as_deref(), it.hop)),
        Some((Some("silent-drop"), Hop::Path))
    );
}

#[test]
fn without_a_clients_journal_the_balancer_tells_of_bad_ends() {
    let (source, destination) = ends();
    let ended = |number: u8, cause, phase| ConnectionRecord {
        ended: at(100 * S, 0),
        closed_by: ClosedBy::Head,
        manner: Manner::Rst,
        end_code: Some(EndCode { cause, phase }),
        head: Text::new("head-2"),
        ..ConnectionRecord::new(Side::Balancer, ids(number).1, at(90 * S, 0), source, destination)
    };
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(JournalConfig::new(dir.path(), "balancer", "balancer")).unwrap();
    for (number, cause, phase) in [
        (1, EndCause::Normal, EndPhase::Over),
        (2, EndCause::Server, EndPhase::Data),
        (3, EndCause::Client, EndPhase::Data),
        (4, EndCause::Killed, EndPhase::Data),
        (5, EndCause::Server, EndPhase::Data),
    ] {
        journal.shared().connection(&ended(number, cause, phase));
    }
    journal.close();
    let text = fs::read_to_string(dir.path().join("balancer.jsonl")).unwrap();
    let mut diagnoser = Diagnoser::new().unwrap();
    diagnoser.read("balancer", text.as_bytes()).unwrap();
    let diagnosis = diagnoser.finish();
    let found: Vec<_> = diagnosis.findings.iter().map(|it| (&*it.rule, it.count)).collect();
    assert_eq!(found, [("proxy-back-closed", 2)], "orderly ends and clients' own are none");
    assert!(diagnosis.findings[0].steps[0].mark.text.contains("head-2"), "{:?}", diagnosis.findings[0].steps);
}
