//! Journals as the product writes them, of one attempt after the other.

use std::fs;
use std::net::SocketAddr;

use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_core::id::{ConnectionId, TransId};
use repono_core::request::Method;
use repono_core::time::Timestamp;
use repono_journal::{
    ClosedBy, ConnectionRecord, EndCause, EndCode, EndPhase, Journal, JournalConfig, Manner, Outcome, Phases,
    RequestRecord, Reuse, Side, Stamp, Text, Turns, UrlPath,
};

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::finding::{Confidence, Hop};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// A wall clock of 2026; all clocks of one host run alike.
const EPOCH_S: u64 = 1_795_000_000;

/// What happens on one connection of client, balancer and head.
#[derive(Clone, Copy)]
struct Attempt {
    number: u8,
    /// Which attempt at its request it is.
    attempt: u8,
    asked_ns: u64,
    sent_ns: u64,
    client: Client,
    balancer: Balancer,
    /// When the head read the request, and how long it worked.
    head: Option<(u64, u64)>,
}

#[derive(Clone, Copy)]
enum Client {
    Answered { after_ns: u64 },
    Lost { after_ns: u64, code: &'static str, by: ClosedBy },
}

#[derive(Clone, Copy)]
struct Balancer {
    heard_ns: u64,
    ended_ns: u64,
    by: ClosedBy,
    worst_turn_ns: u64,
}

/// The difference of the head's host's clock, and its own boot id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heads {
    OnTheSameHost,
    Behind(u64),
    Silent,
}

fn at(ns: u64, behind_ns: u64) -> Stamp {
    Stamp { wall_ns: EPOCH_S * S + ns - behind_ns, mono_ns: 1_000 * S + ns }
}

fn ids(number: u8) -> (ConnectionId, ConnectionId, TransId) {
    let mut random = StdRng::seed_from_u64(number.into());
    let trans = TransId::new(Timestamp::from_unix_seconds(EPOCH_S), &mut random);
    (ConnectionId::from_bytes([number; 12]), ConnectionId::from_bytes([100 + number; 12]), trans)
}

fn ends() -> (SocketAddr, SocketAddr) {
    ("10.0.0.7:56478".parse().unwrap(), "10.0.1.10:443".parse().unwrap())
}

impl Attempt {
    fn healthy(number: u8, sent_ns: u64) -> Self {
        let ended_ns = sent_ns + 10 * S;
        Self {
            number,
            attempt: 1,
            asked_ns: sent_ns,
            sent_ns,
            client: Client::Answered { after_ns: 4 * MS },
            balancer: Balancer {
                heard_ns: sent_ns + 4 * MS,
                ended_ns,
                by: ClosedBy::Client,
                worst_turn_ns: 3 * MS,
            },
            head: Some((sent_ns + MS, 2 * MS)),
        }
    }

    fn client(&self) -> (RequestRecord, ConnectionRecord) {
        let (own, peer, trans) = ids(self.number);
        let (source, destination) = ends();
        let started = at(self.asked_ns, 0);
        let sent_ns = started.mono_ns + self.sent_ns - self.asked_ns;
        let request = RequestRecord {
            attempts: self.attempt,
            balancer_id: Some(peer),
            method: Some(Method::Get),
            path: UrlPath::of_target(b"/v1/demo/files/a"),
            reuse: Reuse::Reused { idle_before_ns: 90 * S, requests_before: 3 },
            ..RequestRecord::new(Side::Client, own, started, source, destination)
        };
        let connection = ConnectionRecord {
            balancer_id: Some(peer),
            ..ConnectionRecord::new(Side::Client, own, at(self.sent_ns - S, 0), source, destination)
        };
        match self.client {
            Client::Answered { after_ns } => (
                RequestRecord {
                    trans_id: Some(trans),
                    ended_mono_ns: sent_ns + after_ns,
                    status: Some(200),
                    phases_ns: Phases { wait: after_ns, ..Phases::NONE },
                    outcome: Outcome::Complete,
                    ..request
                },
                ConnectionRecord {
                    ended: at(self.sent_ns + after_ns + S, 0),
                    closed_by: ClosedBy::Us,
                    ..connection
                },
            ),
            Client::Lost { after_ns, code, by } => (
                RequestRecord {
                    ended_mono_ns: sent_ns + after_ns,
                    outcome: Outcome::Failed(code),
                    ..request
                },
                ConnectionRecord { ended: at(self.sent_ns + after_ns, 0), closed_by: by, ..connection },
            ),
        }
    }

    fn balancer(&self) -> ConnectionRecord {
        let (_, id, _) = ids(self.number);
        let (source, destination) = ends();
        let Balancer { heard_ns, ended_ns, by, worst_turn_ns } = self.balancer;
        ConnectionRecord {
            ended: at(ended_ns, 0),
            closed_by: by,
            manner: Manner::Fin,
            idle_at_close_ns: ended_ns - heard_ns,
            turns: Some(Turns { count: 2, worst_ns: worst_turn_ns, last_ns: worst_turn_ns }),
            ..ConnectionRecord::new(Side::Balancer, id, at(self.sent_ns - S, 0), source, destination)
        }
    }

    fn head(&self, behind_ns: u64) -> Option<RequestRecord> {
        let (_, id, trans) = ids(self.number);
        let (source, destination) = ends();
        let (begun_ns, took_ns) = self.head?;
        let started = at(begun_ns, behind_ns);
        Some(RequestRecord {
            trans_id: Some(trans),
            balancer_id: Some(id),
            ended_mono_ns: started.mono_ns + took_ns,
            status: Some(200),
            phases_ns: Phases { wait: took_ns, authorize: took_ns / 2, ..Phases::NONE },
            outcome: Outcome::Complete,
            ..RequestRecord::new(Side::Head, id, started, source, destination)
        })
    }
}

/// What is said of these attempts, from the journals of all.
fn said(attempts: &[Attempt], heads: Heads) -> Diagnosis {
    let dir = tempfile::tempdir().unwrap();
    let [client, balancer, head] = ["client", "balancer", "head"]
        .map(|name| Journal::open(JournalConfig::new(dir.path(), name, name)).unwrap());
    let behind_ns = if let Heads::Behind(ns) = heads { ns } else { 0 };
    for attempt in attempts {
        let (request, connection) = attempt.client();
        client.shared().request(&request);
        client.shared().connection(&connection);
        balancer.shared().connection(&attempt.balancer());
        attempt.head(behind_ns).iter().for_each(|work| head.shared().request(work));
    }
    [client, balancer, head].into_iter().for_each(Journal::close);
    let mut diagnoser = Diagnoser::new().unwrap();
    for name in ["client", "balancer", "head"] {
        let text = fs::read_to_string(dir.path().join(format!("{name}.jsonl"))).unwrap_or_default();
        let text = match (name, heads) {
            ("head", Heads::Silent) => continue,
            ("head", Heads::Behind(_)) => text.replace("\"boot\":{\"id\":\"", "\"boot\":{\"id\":\"another-"),
            _ => text,
        };
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
