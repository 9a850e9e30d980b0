//! Captures of conversations that are played, and what is found in them.

mod talk;
mod tls;
mod writer;

use std::io::Write;

use proptest::prelude::*;

use crate::diagnosis::{Diagnoser, Diagnosis};
use crate::finding::Confidence;
use crate::report;
use crate::wire::Side::{Client, Peer};
use talk::{Sent, Talk, together};
use writer::{ALL, Form, LINKS, LINKS_V6, Order, capture, in_v6, linked};

const MICROS: (Form, Order) = (Form::Micros, Order::Little);

pub(super) fn read(bytes: &[u8]) -> Diagnosis {
    let mut diagnoser = Diagnoser::new().expect("rules");
    diagnoser.read("capture.pcap", bytes).expect("read");
    diagnoser.finish()
}

fn diagnosed(packets: &[Sent]) -> Diagnosis {
    read(&capture(packets, MICROS))
}

type Found = Vec<(String, Option<String>, u64)>;

fn named(diagnosis: &Diagnosis) -> Found {
    let findings = diagnosis.findings.iter();
    let mut found: Found = findings.map(|it| (it.rule.clone(), it.variant.clone(), it.count)).collect();
    found.sort();
    found
}

fn found(talks: &[Talk]) -> Found {
    named(&diagnosed(&together(talks)))
}

fn one(rule: &str, variant: Option<&str>, count: u64) -> Found {
    vec![(rule.to_owned(), variant.map(str::to_owned), count)]
}

/// A connection that had a turn, and was quiet since.
fn kept(port: u16) -> Talk {
    Talk::new(port).open().turn("/a").wait(90_000)
}

/// The same request on another connection, after so long.
fn another(after_ms: u64) -> Talk {
    Talk::new(50_200).wait(90_040 + after_ms).open().turn("/b")
}

fn silent() -> Talk {
    let talk = kept(50_122).ask("/b");
    talk.wait(300).again(Client).wait(600).again(Client).wait(1_200).again(Client)
}

fn nagle(delay_ms: u64, turns: u32) -> Talk {
    (0..turns).fold(Talk::new(50_122).open(), |talk, _| {
        let talk = talk.say(Client, b"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\n");
        talk.wait(delay_ms + 10).ack(Peer).say(Client, b"body").wait(15).reply().wait(5)
    })
}

fn nagle_reply(delay_ms: u64, turns: u32) -> Talk {
    (0..turns).fold(Talk::new(50_122).open(), |talk, _| {
        let talk = talk.ask("/a").wait(2).hears(Peer);
        let talk = talk.say(Peer, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
        talk.wait(delay_ms + 10).ack(Client).wait(10).say(Peer, b"body").ack(Client).wait(5)
    })
}

fn healthy() -> Talk {
    (0..20)
        .fold(Talk::new(50_300).open(), |talk, _| talk.turn("/x").wait(5_000))
        .fin(Client)
        .hears(Peer)
        .fin(Peer)
}

struct Row {
    rule: &'static str,
    variant: Option<&'static str>,
    count: u64,
    case: Vec<Talk>,
    near_miss: Vec<Talk>,
}

fn rows() -> Vec<Row> {
    let row = |rule, variant, case: &[Talk], near_miss: &[Talk]| Row {
        rule,
        variant,
        count: 1,
        case: case.to_vec(),
        near_miss: near_miss.to_vec(),
    };
    let large = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nbegun";
    let begun = || kept(50_122).ask("/b").wait(10).hears(Peer).say(Peer, large).ack(Client);
    let lossy = |every: usize| {
        (0..400).fold(begun(), |talk, n| {
            let talk = talk.say(Peer, &[7; 20]);
            if n % every == 0 { talk.wait(30).again(Peer) } else { talk }.ack(Client)
        })
    };
    vec![
        row("stale-keepalive", Some("silent-drop"), &[silent(), another(3_000)], &[kept(50_122).turn("/b")]),
        row(
            "stale-keepalive",
            Some("forgotten"),
            &[kept(50_122).ask("/b").wait(9).unknown(Peer), another(30)],
            &[kept(50_122).unknown(Peer), another(30)],
        ),
        row(
            "kept-connection-lost",
            Some("silent-drop"),
            &[silent()],
            &[kept(50_122).ask("/b").wait(300).again(Client).wait(10).reply()],
        ),
        row(
            "kept-connection-lost",
            Some("close-race"),
            &[kept(50_122).ask("/b").wait(3).fin(Peer)],
            &[kept(50_122).fin(Peer)],
        ),
        row(
            "kept-connection-lost",
            Some("reset-between"),
            &[kept(50_122).ask("/b").wait(3).ttl(Peer, 244).rst(Peer)],
            &[kept(50_122).ttl(Peer, 244).rst(Peer)],
        ),
        row(
            "kept-connection-lost",
            Some("ended-after-request"),
            &[kept(50_122).ask("/b").wait(3).hears(Peer).fin(Peer)],
            &[kept(50_122).turn("/b").hears(Peer).fin(Peer)],
        ),
        row(
            "fresh-connection-lost",
            Some("ended-after-request"),
            &[Talk::new(1).open().ask("/").hears(Peer).rst(Peer)],
            &[Talk::new(1).open().turn("/").rst(Peer)],
        ),
        row(
            "half-closed-used",
            None,
            &[kept(50_122).fin(Peer).ack(Client).wait(2_000).ask("/b").wait(9).unknown(Peer)],
            &[kept(50_122).fin(Peer).ack(Client).wait(2_000).fin(Client)],
        ),
        row(
            "client-gave-up",
            Some("acknowledged"),
            &[kept(50_122).ask("/b").wait(9).ack(Peer).wait(8_000).rst(Client)],
            &[kept(50_122).ask("/b").wait(9).ack(Peer).wait(200).rst(Client)],
        ),
        row(
            "slow-reply",
            Some("peer-slow"),
            &[kept(50_122).ask("/b").wait(40).ack(Peer).wait(4_000).reply()],
            &[kept(50_122).ask("/b").wait(40).ack(Peer).wait(400).reply()],
        ),
        row(
            "slow-reply",
            Some("request-lost"),
            &[kept(50_122).ask("/b").wait(1_500).again(Client).wait(9).reply()],
            &[kept(50_122).ask("/b").wait(500).again(Client).wait(9).reply()],
        ),
        row(
            "no-connection",
            Some("refused"),
            &[Talk::new(1).syn().wait(9).hears(Peer).rst(Peer)],
            &[Talk::new(1).open()],
        ),
        row(
            "no-connection",
            Some("unanswered"),
            &[Talk::new(1).syn().wait(1_000).syn().wait(2_000).syn()],
            &[Talk::new(1).syn()],
        ),
        row(
            "connect-slow",
            Some("syn-lost"),
            &[Talk::new(1).syn().wait(1_000).open().turn("/")],
            &[Talk::new(1).syn().wait(300).open().turn("/")],
        ),
        row(
            "reply-cut",
            Some("peer-reset"),
            &[begun().wait(5).rst(Peer)],
            &[begun().say(Peer, &[7; 8_995]).rst(Peer)],
        ),
        row(
            "reply-cut",
            Some("peer-closed"),
            &[begun().wait(5).fin(Peer)],
            &[begun().say(Peer, &[7; 8_995]).fin(Peer)],
        ),
        row(
            "reply-cut",
            Some("reset-between"),
            &[begun().wait(5).ttl(Peer, 63).rst(Peer)],
            &[begun().say(Peer, &[7; 8_995]).ttl(Peer, 63).rst(Peer)],
        ),
        row(
            "reply-stalled",
            Some("no-room"),
            &[begun().window(Client, 0).ack(Client).wait(9_000).rst(Client)],
            &[begun().window(Client, 0).ack(Client).wait(500).rst(Client)],
        ),
        row(
            "reply-stalled",
            Some("peer-idle"),
            &[begun().wait(9_000).rst(Client)],
            &[begun().wait(500).rst(Client)],
        ),
        row(
            "reply-stalled",
            Some("loss"),
            &[begun().say(Peer, b"on").wait(3_000).again(Peer).wait(6_000).rst(Client)],
            &[begun().say(Peer, b"on").wait(300).again(Peer).wait(600).rst(Client)],
        ),
        row(
            "transfer-slow",
            Some("no-room"),
            &[begun()
                .window(Client, 0)
                .ack(Client)
                .wait(6_000)
                .window(Client, 9_000)
                .ack(Client)
                .say(Peer, b"on")],
            &[begun()
                .window(Client, 0)
                .ack(Client)
                .wait(600)
                .window(Client, 9_000)
                .ack(Client)
                .say(Peer, b"on")],
        ),
        row(
            "transfer-slow",
            Some("peer-idle"),
            &[begun().wait(6_000).say(Peer, b"on")],
            &[begun().wait(600).say(Peer, b"on")],
        ),
        row(
            "transfer-slow",
            Some("loss"),
            &[begun().say(Peer, b"on").wait(6_000).again(Peer).ack(Client)],
            &[begun().say(Peer, b"on").wait(600).again(Peer).ack(Client)],
        ),
        row(
            "keepalive-unanswered",
            None,
            &[kept(50_122).probe(Client).wait(9_000).probe(Client).wait(9_000).probe(Client)],
            &[kept(50_122).probe(Client).ack(Peer).wait(9_000).probe(Client).ack(Peer)],
        ),
        row("packet-loss", None, &[lossy(20)], &[lossy(100)]),
        Row {
            rule: "nagle-delayed-ack-request",
            variant: None,
            count: 3,
            case: vec![nagle(40, 3)],
            near_miss: vec![nagle(40, 2), nagle(3, 9)],
        },
        Row {
            rule: "nagle-delayed-ack-reply",
            variant: None,
            count: 3,
            case: vec![nagle_reply(40, 3)],
            near_miss: vec![nagle_reply(40, 2), nagle_reply(3, 9)],
        },
        Row {
            rule: "half-closed-kept",
            variant: None,
            count: 3,
            case: (1..=3).map(half_closed).collect(),
            near_miss: (1..=2).map(half_closed).collect(),
        },
    ]
}

fn half_closed(port: u16) -> Talk {
    kept(port).fin(Peer).ack(Client).wait(20_000).fin(Client)
}

/// The rules and variants that have a case here.
pub(crate) fn verdicts() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    rows().into_iter().map(|row| (row.rule, row.variant)).chain(tls::VERDICTS)
}

#[test]
fn each_case_is_found_and_no_near_miss() {
    for row in rows() {
        let Row { rule, variant, count, case, near_miss } = row;
        assert_eq!(found(&case), one(rule, variant, count), "{rule} {variant:?}");
        let missed = found(&near_miss);
        let is_told = missed.iter().any(|(name, said, _)| name == rule && said.as_deref() == variant);
        assert!(!is_told, "{rule} {variant:?}: {missed:?}");
    }
}

#[test]
fn other_connections_change_no_verdict() {
    for Row { rule, variant, count, case, .. } in rows() {
        let mut among = case.clone();
        among.insert(0, healthy());
        // That the peer's address was heard elsewhere makes it surer, not another.
        assert_eq!(found(&among), one(rule, variant, count), "{rule} {variant:?}");
    }
}

#[test]
fn a_peer_that_is_heard_elsewhere_makes_a_silent_drop_certain() {
    let alone = diagnosed(&together(&[silent()]));
    assert_eq!(alone.findings[0].confidence, Confidence::Likely);
    let among = diagnosed(&together(&[silent(), healthy()]));
    assert_eq!(among.findings[0].confidence, Confidence::Certain);
}

#[test]
fn the_reports_read_as_they_should() {
    for (name, talks) in [
        ("pcap_silent_drop", vec![silent(), another(3_000), healthy()]),
        ("pcap_reset_on_send", vec![kept(50_122).ask("/b?token=SECRET").wait(9).unknown(Peer)]),
        ("pcap_close_race", vec![kept(50_122).ask("/b").wait(3).fin(Peer).ack(Client).fin(Client)]),
        ("pcap_slow_peer", vec![kept(50_122).ask("/b").wait(40).ack(Peer).wait(4_000).reply()]),
        ("pcap_refused", vec![Talk::new(50_122).syn().wait(9).hears(Peer).rst(Peer)]),
        ("pcap_lost_syn", vec![Talk::new(50_122).syn().wait(1_000).open().turn("/")]),
        ("pcap_nagle", vec![nagle(40, 3)]),
        ("pcap_reset_between", vec![kept(50_122).ask("/b").wait(3).ttl(Peer, 244).rst(Peer)]),
        (
            "pcap_loss",
            rows().into_iter().find(|row| row.rule == "packet-loss").map(|row| row.case).expect("a row"),
        ),
    ] {
        let diagnosis = diagnosed(&together(&talks));
        let said = report::text(&diagnosis);
        let finding = &diagnosis.findings[0];
        // Who accepted the connection may be a balancer.
        let is_named = finding.steps.iter().any(|step| step.what.contains("server"));
        assert!(!said.contains("SECRET") && !is_named, "{said}");
        insta::assert_snapshot!(name, said);
    }
}

#[test]
fn every_form_order_and_link_gives_the_same_finding() {
    let packets = together(&[silent(), another(3_000), healthy()]);
    let expected = report::text(&diagnosed(&packets));
    for form in ALL {
        assert_eq!(report::text(&read(&capture(&packets, form))), expected, "{form:?}");
    }
    for link in LINKS {
        assert_eq!(report::text(&read(&linked(&packets, MICROS, link))), expected, "{link:?}");
    }
    let plain = capture(&packets, MICROS);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&plain).unwrap();
    assert_eq!(report::text(&read(&packed.finish().unwrap())), expected);
    let zstd = ruzstd::encoding::compress_to_vec(&plain[..], ruzstd::encoding::CompressionLevel::Fastest);
    assert_eq!(report::text(&read(&zstd)), expected);
}

#[test]
fn ipv6_tells_the_same() {
    let packets = in_v6(&together(&[silent(), another(3_000)]));
    for link in LINKS_V6 {
        let diagnosis = read(&linked(&packets, MICROS, link));
        assert_eq!(named(&diagnosis), one("stale-keepalive", Some("silent-drop"), 1), "{link:?}");
        assert!(report::text(&diagnosis).contains("[2001:db8::"), "{}", report::text(&diagnosis));
    }
}

#[test]
fn a_capture_may_be_split_and_may_be_empty() {
    let packets = together(&[silent(), another(3_000)]);
    for cut in 0..=packets.len() {
        let mut diagnoser = Diagnoser::new().expect("rules");
        let (first, second) = packets.split_at(cut);
        diagnoser.read("a.pcap", &capture(first, MICROS)[..]).expect("read");
        diagnoser.read("b.pcap", &capture(second, MICROS)[..]).expect("read");
        let diagnosis = diagnoser.finish();
        assert_eq!(named(&diagnosis), one("stale-keepalive", Some("silent-drop"), 1), "{cut}");
        assert_eq!(report::json(&diagnosis)["inputs"][1]["format"], "pcap");
    }
}

#[test]
fn what_is_not_shown_is_told() {
    let mut packets = together(&[kept(50_122), healthy()]);
    let late = packets.split_off(4);
    let mut udp = late[0].clone();
    udp.ip[9] = 17;
    let mut piece = late[0].clone();
    piece.ip[6] = 0x20;
    let mut short = late[0].clone();
    short.ip.truncate(30);
    let all = [vec![udp, piece, short], late].concat();
    let diagnosis = diagnosed(&all);
    let said = report::text(&diagnosis);
    assert_eq!(diagnosis.inputs[0].unclassified, 1, "{said}");
    for word in [
        "1 packets are not TCP",
        "1 packets are pieces",
        "1 connections stood before",
        "damaged or cut off",
        "(packet 3)",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn one_direction_alone_proves_nothing() {
    let packets: Vec<_> = together(&[silent()]).into_iter().filter(|sent| sent.ip[15] == 7).collect();
    let diagnosis = diagnosed(&packets);
    assert_eq!(named(&diagnosis), []);
    assert!(report::text(&diagnosis).contains("one direction was captured alone"));
}

#[test]
fn truncated_anywhere_it_is_read_and_told() {
    let packets = together(&[silent(), another(3_000)]);
    for form in [MICROS, (Form::Blocks, Order::Big)] {
        let whole = capture(&packets, form);
        for cut in 4..whole.len() {
            let diagnosis = read(&whole[..cut]);
            assert!(
                diagnosis.inputs[0].unclassified <= 1 && diagnosis.inputs[0].lines as usize <= packets.len()
            );
        }
    }
}

proptest! {
    #[test]
    fn damaged_captures_are_read(
        form in 0..ALL.len(),
        flips in prop::collection::vec((0.0_f64..1.0, any::<u8>()), 1..24),
    ) {
        let mut bytes = capture(&together(&[silent(), another(3_000), nagle(40, 3), tls::slow()]), ALL[form]);
        for (at, byte) in flips {
            let at = 4 + (at * (bytes.len() - 4) as f64) as usize;
            bytes[at] = byte;
        }
        let diagnosis = read(&bytes);
        prop_assert!(diagnosis.inputs[0].unclassified <= diagnosis.inputs[0].lines);
        let _ = (report::text(&diagnosis), report::html(&diagnosis), report::json(&diagnosis));
    }
}
