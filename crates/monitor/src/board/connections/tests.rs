//! Records of several sides become one life.

use repono_core::id::ConnectionId;
use repono_journal::read::Connection;
use repono_journal::{ClosedBy, Manner, Phase, Reuse, Side, Stamp};
use serde_json::{Value, json};

use super::super::tests::{MS, NOW, SECOND, request};
use super::{CONNECTIONS_MAX, Connections, REQUESTS_MAX};

const BALANCER: ConnectionId = ConnectionId::from_bytes([9; 12]);

fn stamp(ns: u64) -> Stamp {
    Stamp { wall_ns: ns, mono_ns: ns }
}

fn end(side: Side, by: ClosedBy) -> Connection<'static> {
    let (source, destination) = (([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 443).into());
    Connection {
        side: Some(side),
        id: if side == Side::Balancer { BALANCER } else { ConnectionId::from_bytes([1; 12]) },
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
    assert!(connections.timeline(ConnectionId::from_bytes([1; 12])).is_none(), "known by the balancer's id");
}

#[test]
fn connections_and_their_requests_are_bounded_and_the_quiet_ones_forgotten_first() {
    let mut connections = Connections::default();
    let id = |n: u64| {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&n.to_be_bytes());
        ConnectionId::from_bytes(id)
    };
    let busy = |connections: &mut Connections, n| {
        let mut one = request(Side::Head, NOW, MS);
        one.connection = id(n);
        connections.request(&one);
    };
    for n in 1..=5_000 {
        busy(&mut connections, 0);
        busy(&mut connections, n);
    }
    assert_eq!((connections.lives.len(), connections.order.len()), (CONNECTIONS_MAX, CONNECTIONS_MAX));
    let kept = told(&connections, id(0));
    assert_eq!(kept["events"].as_array().map(Vec::len), Some(REQUESTS_MAX));
    assert!(connections.timeline(id(1)).is_none() && connections.timeline(id(5_000)).is_some());
}
