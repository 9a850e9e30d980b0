//! Records of several sides become one life.

use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use repono_core::refusal::After;
use repono_journal::read::{Connection, Exchange, Fact, Request, Session, Turn};
use repono_journal::{ClosedBy, Manner, Phase, Phases, Reuse, Side, Stamp, TlsVersion, TurnKind};
use serde_json::{Value, json};

use super::super::Board;
use super::super::tests::{MS, NOW, SECOND, record, request};
use super::Connections;
use super::life::{REQUESTS_MAX, Served};
use super::shelf::{NOTABLE_MAX, PLAIN_MAX};

const BALANCER: ConnectionId = ConnectionId::from_bytes([9; 12]);
const CLIENT: ConnectionId = ConnectionId::from_bytes([1; 12]);
const RECORDER: ConnectionId = ConnectionId::from_bytes([4; 12]);

fn stamp(ns: u64) -> Stamp {
    Stamp { wall_ns: ns, mono_ns: ns }
}

fn end(side: Side, by: ClosedBy) -> Connection<'static> {
    let (source, destination) = (([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 443).into());
    Connection {
        side: Some(side),
        id: if side == Side::Balancer { BALANCER } else { CLIENT },
        balancer_id: (side != Side::Balancer).then_some(BALANCER),
        opened: stamp(NOW),
        ended: stamp(NOW + 660 * SECOND),
        source,
        destination,
        tls: None,
        requests: 2,
        bytes_in: 0,
        bytes_out: 0,
        closed_by: Some(by),
        manner: Some(if by == ClosedBy::Us { Manner::IdleExpiry } else { Manner::Fin }),
        phase: Some(Phase::Idle),
        idle_at_close_ns: 650 * SECOND,
        late_bytes: if side == Side::Head { 17 } else { 0 },
        end_code: None,
        turns: None,
        tcp: [None, None],
        head: (side == Side::Balancer).then(|| "head-2".into()),
    }
}

/// A turn without HTTP, as a relay sees it.
fn turn(side: Side, id: ConnectionId, number: u64, asked_ns: u64) -> Turn<'static> {
    let asked = stamp(asked_ns);
    Turn {
        side: Some(side),
        kind: Some(TurnKind::Exchange),
        connection: id,
        source: ([10, 0, 0, 1], 4000).into(),
        destination: ([10, 0, 0, 2], 443).into(),
        onward: None,
        head: None,
        number,
        asked,
        asked_last_mono_ns: asked.mono_ns,
        answered_mono_ns: Some(asked.mono_ns + 2 * MS),
        ended: stamp(asked_ns + 3 * MS),
        connect_ns: (number == 1).then_some(4 * MS),
        idle_before_ns: 0,
        bytes_in: 517,
        bytes_out: 4_096,
        acknowledged: None,
        exchange: None,
    }
}

fn of_kind<'v>(told: &'v Value, kind: &str) -> Vec<&'v Value> {
    told["events"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).collect()
}

fn at(ns: u64) -> Value {
    json!(ns / MS)
}

fn numbered(n: u64) -> ConnectionId {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&n.to_be_bytes());
    ConnectionId::from_bytes(id)
}

fn told(connections: &Connections, id: ConnectionId) -> Value {
    serde_json::to_value(connections.timeline(id)).unwrap()
}

#[test]
fn head_balancer_and_client_are_joined_and_who_closed_is_named() {
    let mut connections = Connections::default();
    for side in [Side::Head, Side::Client] {
        let mut first = request(side, NOW + SECOND, 10 * MS);
        first.balancer_id = Some(BALANCER);
        let mut second = request(side, NOW + 9 * SECOND, 5 * MS);
        second.balancer_id = Some(BALANCER);
        second.path = "/v1/a/c/x?token=canary".into();
        second.reuse = Reuse::Reused { idle_before_ns: 7 * SECOND, requests_before: 1 };
        connections.request(&first);
        connections.request(&second);
    }
    let open = told(&connections, BALANCER);
    assert_eq!(
        (&open["opened_ms"], &open["ended_ms"], &open["by"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    connections.ended(&end(Side::Client, ClosedBy::Peer));
    connections.ended(&end(Side::Balancer, ClosedBy::Head));
    connections.ended(&end(Side::Head, ClosedBy::Us));
    let told = told(&connections, BALANCER);
    assert_eq!(
        (&told["by"], &told["how"], &told["phase"]),
        (&json!("head"), &json!("idle-expiry"), &json!("idle"))
    );
    assert_eq!(told["ended_ms"], (NOW + 660 * SECOND) / MS);
    let events = told["events"].as_array().unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let expected =
        ["open", "request", "request", "idle", "request", "request", "idle", "close", "close", "close"];
    assert_eq!(kinds, expected);
    assert_eq!(events[0]["text"], "opened by 10.0.0.1:4000 to head-2");
    assert_eq!((&events[3]["ms"], &events[3]["by"]), (&json!(7_000.0), &json!("head")));
    assert!(told.to_string().contains("17 bytes of a request came too late"));
    assert!(!told.to_string().contains("canary"));
    assert_eq!(super::tests::told(&connections, CLIENT), told, "by whatever id");
    assert!(connections.timeline(ConnectionId::from_bytes([7; 12])).is_none());
}

#[test]
fn a_later_attempt_begins_with_its_own_phases_and_not_with_the_question() {
    let mut connections = Connections::default();
    // Asked 6 s ago; the first attempt was given up after 5 s, the second took 20 ms.
    let phases_ns =
        Phases { queue: MS, dns: 2 * MS, connect: 3 * MS, tls: 4 * MS, wait: 10 * MS, ..Phases::NONE };
    let second = Request { attempts: 2, phases_ns, ..request(Side::Client, NOW, 6 * SECOND) };
    connections.request(&second);
    let told = told(&connections, CLIENT);
    let served = of_kind(&told, "request")[0];
    assert_eq!((&served["at_ms"], &served["ms"]), (&at(NOW - 20 * MS), &json!(20.0)));
    let open = of_kind(&told, "open")[0];
    assert_eq!((&open["at_ms"], &open["ms"]), (&at(NOW - 17 * MS), &json!(3.0)));
    assert_eq!(told["opened_ms"], at(NOW - 17 * MS), "known while it is open");

    // One that was given up does not tell how long it had waited: not before its connection.
    let phases_ns = Phases { connect: 3 * MS, ..Phases::NONE };
    let lost = Request {
        attempts: 2,
        status: None,
        code: Some("Abandoned".into()),
        source: Some(([10, 0, 0, 1], 4001).into()),
        connection: numbered(8),
        phases_ns,
        ..request(Side::Client, NOW + 9 * SECOND, 9 * SECOND)
    };
    connections.request(&lost);
    let begun = |connections: &Connections| {
        of_kind(&super::tests::told(connections, numbered(8)), "request")[0]["at_ms"].clone()
    };
    assert_eq!(begun(&connections), at(NOW));
    let mut ended = end(Side::Client, ClosedBy::Us);
    (ended.id, ended.balancer_id, ended.opened) = (numbered(8), None, stamp(NOW + 6 * SECOND));
    connections.ended(&ended);
    assert_eq!(begun(&connections), at(NOW + 6 * SECOND));
}

#[test]
fn opening_and_handshake_are_where_the_clients_phases_put_them() {
    let mut connections = Connections::default();
    let tls =
        Session { version: Some(TlsVersion::V13), cipher: "TLS_AES_128_GCM_SHA256".into(), resumed: false };
    let phases_ns = Phases { dns: 5 * MS, connect: 30 * MS, tls: 40 * MS, wait: 25 * MS, ..Phases::NONE };
    let first = Request {
        balancer_id: Some(BALANCER),
        phases_ns,
        tls: Some(tls.clone()),
        ..request(Side::Client, NOW + 100 * MS, 100 * MS)
    };
    connections.request(&first);
    let mut of_head = end(Side::Head, ClosedBy::Us);
    (of_head.tls, of_head.opened) = (Some(tls), stamp(NOW + 34 * MS));
    connections.ended(&of_head);
    // The balancer's turn tells how long it took to reach a head.
    connections.turn(&turn(Side::Balancer, BALANCER, 1, NOW + 80 * MS));
    let mut of_balancer = end(Side::Balancer, ClosedBy::Head);
    of_balancer.opened = stamp(NOW + 33 * MS);
    connections.ended(&of_balancer);
    let told = told(&connections, BALANCER);
    let [own, onward] = of_kind(&told, "open")[..] else { panic!("two: {told}") };
    assert_eq!((&own["at_ms"], &own["ms"], &own["by"]), (&at(NOW + 5 * MS), &json!(30.0), &json!("client")));
    assert_eq!(
        (&onward["at_ms"], &onward["ms"], &onward["by"]),
        (&at(NOW + 33 * MS), &json!(4.0), &json!("balancer"))
    );
    let [tls] = of_kind(&told, "tls")[..] else { panic!("one: {told}") };
    assert_eq!((&tls["at_ms"], &tls["ms"], &tls["by"]), (&at(NOW + 35 * MS), &json!(40.0), &json!("client")));

    // Without a client's record the balancer's is told.
    let mut connections = Connections::default();
    connections.turn(&turn(Side::Balancer, BALANCER, 1, NOW + 80 * MS));
    assert!(of_kind(&super::tests::told(&connections, BALANCER), "open").is_empty(), "nobody knows when");
    connections.ended(&of_balancer);
    let told = super::tests::told(&connections, BALANCER);
    let [open] = of_kind(&told, "open")[..] else { panic!("one: {told}") };
    assert_eq!(
        (&open["at_ms"], &open["ms"], &open["by"]),
        (&at(NOW + 33 * MS), &json!(4.0), &json!("balancer"))
    );
}

#[test]
fn a_board_passes_turns_on() {
    let mut board = Board::default();
    board.take(&record("balancer", Fact::Turn(turn(Side::Balancer, BALANCER, 1, NOW))), NOW);
    let told = serde_json::to_value(board.timeline(BALANCER)).unwrap();
    let [turn] = of_kind(&told, "turn")[..] else { panic!("one: {told}") };
    assert_eq!((&turn["text"], &turn["ms"]), (&json!("turn 1: 517 bytes asked, 4096 answered"), &json!(3.0)));
}

#[test]
fn turns_are_told_and_a_recorder_is_joined_by_its_own_address() {
    let onward: SocketAddr = ([10, 0, 0, 5], 50_000).into();
    let mut connections = Connections::default();
    let recorders =
        |number, asked_ns| Turn { onward: Some(onward), ..turn(Side::Recorder, RECORDER, number, asked_ns) };
    connections.turn(&Turn { kind: Some(TurnKind::Handshake), ..recorders(1, NOW) });
    let mut served = request(Side::Head, NOW + SECOND, 2 * MS);
    (served.connection, served.balancer_id, served.source) = (BALANCER, Some(BALANCER), Some(onward));
    connections.request(&served);
    // An unanswered one after a long quiet, of which the balancer has a trace as well.
    let quiet = 8 * SECOND;
    let lost =
        |turn| Turn { answered_mono_ns: None, acknowledged: Some(true), idle_before_ns: quiet, ..turn };
    connections.turn(&lost(recorders(2, NOW + 9 * SECOND)));
    connections.turn(&lost(turn(Side::Balancer, BALANCER, 1, NOW + 9 * SECOND + MS)));
    let told = told(&connections, RECORDER);
    assert_eq!((&told["id"], told["ids"].as_array().map(Vec::len)), (&json!(BALANCER.to_string()), Some(2)));
    assert_eq!(super::tests::told(&connections, BALANCER), told);
    assert_eq!(of_kind(&told, "tls")[0]["text"], "handshake: 517 bytes asked, 4096 answered");
    assert_eq!(of_kind(&told, "request").len(), 1);
    let turns: Vec<&Value> = of_kind(&told, "turn").iter().map(|turn| &turn["by"]).collect();
    assert_eq!(turns, ["recorder", "balancer"]);
    assert_eq!(of_kind(&told, "turn")[0]["text"], "turn 2: 517 bytes asked, acknowledged, no answer");
    assert_eq!(connections.shelf.counts(), (0, 1));

    // One that opens TLS reads HTTP, and learns the balancer's id from a reply.
    let exchange = Exchange {
        method: "GET".into(),
        path: "/v1/a/c/x?token=canary".into(),
        status: Some(200),
        id: None,
        peer_connection: Some(BALANCER),
        connection_after: After::Keep,
    };
    let opened = turn(Side::Recorder, numbered(5), 1, NOW + 40 * SECOND);
    connections.turn(&Turn { exchange: Some(exchange), source: ([10, 0, 0, 9], 1).into(), ..opened });
    let told = super::tests::told(&connections, numbered(5));
    assert_eq!(of_kind(&told, "request")[1]["text"], "GET /v1/a/c/x: 200", "without a query");
}

#[test]
fn records_from_before_an_id_was_known_are_joined() {
    // A client that never had an answer does not know the balancer's id: its address tells.
    let address: SocketAddr = ([10, 0, 0, 1], 4000).into();
    let lost = Request {
        status: None,
        source: Some(address),
        ..request(Side::Client, NOW + 10 * SECOND, 10 * SECOND)
    };
    let mut connections = Connections::default();
    connections.request(&lost);
    connections.ended(&end(Side::Balancer, ClosedBy::Head));
    assert_eq!(told(&connections, CLIENT), told(&connections, BALANCER));
    assert_eq!(told(&connections, CLIENT)["by"], "head");
    // The same the other way round, and with the id coming by a later record.
    let mut connections = Connections::default();
    let mut of_head = request(Side::Head, NOW + SECOND, MS);
    (of_head.connection, of_head.source) = (BALANCER, Some(address));
    connections.request(&of_head);
    connections.request(&Request { source: Some(([172, 16, 0, 1], 9).into()), ..lost.clone() });
    assert_eq!(of_kind(&told(&connections, CLIENT), "request").len(), 1, "behind another address");
    connections
        .request(&Request { balancer_id: Some(BALANCER), ..request(Side::Client, NOW + 11 * SECOND, MS) });
    assert_eq!(of_kind(&told(&connections, CLIENT), "request").len(), 3);
    assert_eq!(told(&connections, CLIENT), told(&connections, BALANCER));

    // A port that comes back is another connection, and so is one that the balancer knows.
    let mut connections = Connections::default();
    connections.ended(&end(Side::Balancer, ClosedBy::Head));
    let later = NOW + 800 * SECOND;
    connections.request(&Request { source: Some(address), ..request(Side::Client, later, MS) });
    let mut other = end(Side::Balancer, ClosedBy::Head);
    other.id = numbered(2);
    connections.ended(&other);
    for id in [BALANCER, CLIENT, numbered(2)] {
        assert_eq!(told(&connections, id)["events"].as_array().map(|events| events.len() <= 3), Some(true));
    }
    assert_eq!(connections.shelf.counts(), (3, 0));

    // Where an address was mistaken for another's, the id that comes later is believed.
    let mut connections = Connections::default();
    connections.ended(&end(Side::Balancer, ClosedBy::Head));
    connections.request(&lost);
    assert_eq!(told(&connections, CLIENT)["id"], BALANCER.to_string());
    let right = Request { balancer_id: Some(numbered(2)), ..request(Side::Client, NOW + 11 * SECOND, MS) };
    connections.request(&right);
    let told_of = |id| told(&connections, id);
    assert_eq!(of_kind(&told_of(numbered(2)), "request").len(), 1);
    assert_eq!(told_of(BALANCER)["ids"], json!([BALANCER.to_string(), CLIENT.to_string()]));
}

#[test]
fn a_connection_of_a_proxy_that_many_clients_share_is_one_and_bounded() {
    let mut connections = Connections::default();
    for n in 10..30 {
        let of = |n, ended| Request { connection: numbered(n), ..request(Side::Client, ended, MS) };
        connections.request(&of(n, NOW));
        connections.request(&Request { balancer_id: Some(BALANCER), ..of(n, NOW + SECOND) });
    }
    let told = told(&connections, BALANCER);
    assert_eq!(told["ids"].as_array().map(Vec::len), Some(4));
    assert!(connections.timeline(numbered(29)).is_some());
    assert_eq!(connections.names.len(), 21);
}

#[test]
fn connections_and_their_requests_are_bounded_and_the_quiet_ones_forgotten_first() {
    let mut connections = Connections::default();
    let busy = |connections: &mut Connections, n| {
        let mut one = request(Side::Head, NOW, MS);
        one.connection = numbered(n);
        one.source = Some(SocketAddr::from(([10, 0, 0, 1], u16::try_from(n).unwrap())));
        connections.request(&one);
    };
    for n in 1..=5_000 {
        busy(&mut connections, 0);
        busy(&mut connections, n);
    }
    assert_eq!(connections.shelf.counts(), (PLAIN_MAX, 0));
    assert_eq!((connections.names.len(), connections.addresses.len()), (PLAIN_MAX, PLAIN_MAX));
    let kept = told(&connections, numbered(0));
    assert_eq!(kept["events"].as_array().map(Vec::len), Some(REQUESTS_MAX));
    let first = 5_000 - PLAIN_MAX as u64 + 2;
    let is_known = |n| connections.timeline(numbered(n)).is_some();
    assert!(!is_known(first - 1) && is_known(first) && is_known(5_000), "in the order of the last record");
    assert!(size_of::<Served>() <= 112, "{} bytes, as the sum of memory has it", size_of::<Served>());
}

#[test]
fn slow_failed_and_oddly_ended_connections_outlive_plain_ones() {
    let mut connections = Connections::default();
    let on = |n, request: Request<'static>| Request { connection: numbered(n), ..request };
    connections.request(&on(1, request(Side::Head, NOW, SECOND)));
    connections.request(&on(2, Request { status: Some(503), ..request(Side::Head, NOW, MS) }));
    connections
        .request(&on(3, Request { code: Some("ClientDisconnect".into()), ..request(Side::Head, NOW, MS) }));
    let ended = |n, manner, late_bytes, end_code: Option<&'static str>| Connection {
        id: numbered(n),
        manner: Some(manner),
        late_bytes,
        end_code: end_code.map(Into::into),
        source: SocketAddr::from(([10, 0, 0, 3], u16::try_from(n).unwrap())),
        ..end(Side::Balancer, ClosedBy::Head)
    };
    connections.ended(&ended(4, Manner::Rst, 0, Some("SD")));
    connections.ended(&ended(5, Manner::Fin, 0, Some("SD")));
    connections.ended(&ended(6, Manner::IdleExpiry, 17, None));
    connections.ended(&ended(7, Manner::FinCloseNotify, 0, Some("--")));
    connections.request(&on(
        8,
        Request { status: Some(404), code: Some("NoSuchKey".into()), ..request(Side::Head, NOW, MS) },
    ));
    let goodbye = Turn { answered_mono_ns: None, ..turn(Side::Balancer, numbered(9), 3, NOW) };
    connections.turn(&goodbye);
    let slow = stamp(NOW + SECOND).mono_ns;
    connections.turn(&Turn { answered_mono_ns: Some(slow), ..turn(Side::Balancer, numbered(10), 3, NOW) });
    for n in 100..6_000 {
        connections.request(&on(n, request(Side::Head, NOW, MS)));
    }
    let known: Vec<u64> = (1..=10).filter(|n| connections.timeline(numbered(*n)).is_some()).collect();
    assert_eq!(known, [1, 2, 3, 4, 5, 6, 10]);
    // They have bounds of their own, and leave the others theirs.
    for n in 6_000..10_000 {
        connections.request(&on(n, request(Side::Head, NOW, 2 * SECOND)));
    }
    assert_eq!(connections.shelf.counts(), (PLAIN_MAX, NOTABLE_MAX));
    assert!(connections.timeline(numbered(1)).is_none() && connections.timeline(numbered(5_999)).is_some());
    assert_eq!(connections.names.len(), PLAIN_MAX + NOTABLE_MAX);
}
