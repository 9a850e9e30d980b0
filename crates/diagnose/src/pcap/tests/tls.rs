//! Conversations in TLS, of which records alone are seen.

use super::talk::Talk;
use super::{found, one};
use crate::wire::Side::{Client, Peer};

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [&[kind, 3, 3][..], &length, body].concat()
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

fn hello(kind: u8, middle: &[u8], extensions: &[u8]) -> Vec<u8> {
    let body = [&[3, 3][..], &[9; 32], &[0], middle, &counted(extensions)].concat();
    let length = (body.len() as u32).to_be_bytes();
    record(22, &[&[kind], &length[1..], &body].concat())
}

fn client_hello() -> Vec<u8> {
    let name = counted(&[&[0][..], &counted(b"files.example")].concat());
    hello(1, &[0, 2, 0x13, 1, 1, 0], &[&[0, 0][..], &counted(&name)].concat())
}

fn server_hello_13() -> Vec<u8> {
    hello(2, &[0x13, 1, 0], &[0, 43, 0, 2, 3, 4])
}

/// A connection of TLS 1.3 after its handshake, whose server took so long for its hello.
fn open(wait_ms: u64) -> Talk {
    opened(Talk::tls(50_122), wait_ms)
}

fn opened(talk: Talk, wait_ms: u64) -> Talk {
    let talk = talk.open().say(Client, &client_hello()).wait(10).ack(Peer).wait(wait_ms);
    let talk = talk.hears(Peer).say(Peer, &server_hello_13()).say(Peer, &record(23, &[7; 900])).hears(Client);
    talk.say(Client, &record(23, &[7; 69]))
}

fn ask(talk: Talk) -> Talk {
    talk.say(Client, &record(23, &[7; 180]))
}

fn reply(talk: Talk, bytes: usize) -> Talk {
    talk.hears(Peer).say(Peer, &record(23, &vec![7; bytes])).ack(Client)
}

/// Tickets come at once, and the reply late.
pub(super) fn slow() -> Talk {
    let talk =
        ask(open(5)).wait(10).hears(Peer).say(Peer, &record(23, &[7; 250])).say(Peer, &record(23, &[7; 250]));
    reply(talk.ack(Client).wait(3_000), 120)
}

#[test]
fn tickets_are_no_reply() {
    assert_eq!(found(&[slow()]), one("slow-reply", Some("peer-slow"), 1));
    let quick = ask(open(5)).wait(10).hears(Peer).say(Peer, &record(23, &[7; 250]));
    assert_eq!(found(&[reply(quick.ack(Client), 120).wait(60_000).fin(Client)]), []);
}

/// The rules and variants that have a case here.
pub(super) const VERDICTS: [(&str, Option<&str>); 4] = [
    ("handshake-slow", Some("waits-for-peer")),
    ("handshake-slow", Some("waits-for-client")),
    ("handshake-slow", Some("waits-for-lost")),
    ("handshake-cut", None),
];

#[test]
fn a_slow_handshake_tells_who_was_waited_for() {
    assert_eq!(
        found(&[reply(ask(open(2_000)).wait(20), 800)]),
        one("handshake-slow", Some("waits-for-peer"), 1)
    );
    let client = Talk::tls(50_122).open().say(Client, &client_hello()).wait(10).hears(Peer);
    let client =
        client.say(Peer, &server_hello_13()).say(Peer, &record(23, &[7; 900])).ack(Client).wait(2_000);
    let client = ask(client.say(Client, &record(23, &[7; 69]))).wait(10);
    assert_eq!(found(&[reply(client, 800)]), one("handshake-slow", Some("waits-for-client"), 1));
    let lost = Talk::tls(50_122).open().say(Client, &client_hello()).wait(1_000).again(Client).wait(10);
    let lost = lost.hears(Peer).say(Peer, &server_hello_13()).say(Peer, &record(23, &[7; 900])).ack(Client);
    let lost = ask(lost.say(Client, &record(23, &[7; 69]))).wait(10);
    assert_eq!(found(&[reply(lost, 800)]), one("handshake-slow", Some("waits-for-lost"), 1));
}

#[test]
fn a_stale_connection_is_found_and_its_other_attempt() {
    let stale = ask(reply(ask(open(5)).wait(20), 800).wait(90_000));
    let stale =
        stale.wait(300).again(Client).wait(600).again(Client).wait(600).again(Client).wait(9_000).fin(Client);
    assert_eq!(found(std::slice::from_ref(&stale)), one("kept-connection-lost", Some("silent-drop"), 1));
    let other = reply(ask(opened(Talk::tls(50_200).wait(102_000), 5)).wait(20), 800);
    assert_eq!(found(&[stale, other]), one("stale-keepalive", Some("silent-drop"), 1));
}

#[test]
fn a_handshake_that_is_cut_and_one_that_is_refused() {
    let begun = || Talk::tls(50_122).open().say(Client, &client_hello()).wait(10).hears(Peer);
    assert_eq!(found(&[begun().rst(Peer)]), one("handshake-cut", None, 1));
    assert_eq!(found(&[begun().say(Peer, &record(21, &[2, 40])).fin(Peer)]), one("tls-refused", None, 1));
}

#[test]
fn alerts_and_pings_are_no_requests() {
    let quiet = reply(ask(open(5)).wait(20), 800).wait(5_000);
    let ping =
        quiet.say(Client, &record(23, &[7; 34])).wait(5_000).say(Client, &record(23, &[7; 19])).fin(Client);
    assert_eq!(found(&[ping]), []);
}

#[test]
fn a_reply_that_ends_within_a_record_is_cut() {
    let cut = ask(open(5)).wait(20).hears(Peer).say(Peer, &record(23, &[7; 900])).wait(5);
    let within = cut.clone().say(Peer, &record(23, &[7; 900])[..400]).fin(Peer);
    assert_eq!(found(&[within]), one("reply-cut", Some("peer-closed"), 1));
    assert_eq!(found(&[cut.fin(Peer)]), []);
}
