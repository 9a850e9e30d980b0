//! A whole balancer between real sockets: heads that answer, leave, die and hang.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod gray;
mod reload;
mod stage;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use repono_balancer::config::HeadAddress;
use repono_net::listen::bind;
use repono_net::socket::reset;
use serde_json::Value;
use stage::{DIE, LIMIT, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Reads to the end; what came is thrown away.
async fn end(stream: &mut TcpStream) -> io::Result<u64> {
    timeout(LIMIT, tokio::io::copy(stream, &mut tokio::io::sink())).await.expect("an end in time")
}

async fn rst(stream: &mut TcpStream) {
    let error = end(stream).await.expect_err("an RST, not a FIN");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// The RST may come before the connect has returned, and is its error then.
async fn turned_away(stage: &Stage) {
    match stage.tcp().await {
        Ok(mut stream) => rst(&mut stream).await,
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}

async fn fin(stream: &mut TcpStream) {
    end(stream).await.expect("a FIN, not an RST");
}

fn connections(journal: &[Value]) -> Vec<String> {
    journal.iter().map(Value::to_string).filter(|line| line.contains("\"idle_at_close_ns\"")).collect()
}

#[tokio::test]
async fn a_client_is_introduced_served_and_recorded() {
    let mut stage = Stage::new(1, |_| {}).await;
    let mut client = stage.client().await;
    assert_eq!(client.ask().await, "head-1");
    assert_eq!(client.ask().await, "head-1");
    let header = stage.heads[0].clients.recv().await.expect("introduced");
    assert_eq!((header.source, header.destination), (client.address, stage.bound.listen));
    let state = stage.state("head-1").await;
    assert_eq!(state["connections"], 1);
    assert_eq!(state["counters"], serde_json::json!({"requests-shed-by-age": 7}), "as the head says");
    assert_eq!(state["limits"], serde_json::json!({"idle_close_s": 650, "idle_advertised_s": 55}));
    assert_eq!(state["in_flight"], 3, "as the head says");
    client.stream.shutdown().await.expect("close_notify and FIN");
    fin(&mut client.into_tcp()).await;
    stage.stop();
    let journal = stage.ended().await;
    let record = connections(&journal).pop().expect("one connection");
    for part in
        [&header.id.to_string(), "head-1", "\"fin+close_notify\"", "\"client\"", "\"end_code\":\"--\""]
    {
        assert!(record.contains(part), "{part} in {record}");
    }
    let record: Value = serde_json::from_str(&record).expect("JSON");
    assert!(record.to_string().contains("\"rtt_us\""), "TCP_INFO of both sides: {record}");
}

#[tokio::test]
async fn a_refusing_head_costs_a_client_nothing() {
    let stage = Stage::new(1, |config| {
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let address = gone.local_addr().expect("bound");
        config.heads.insert(0, HeadAddress { name: "head-0".to_owned(), address, weight: 1 });
    })
    .await;
    assert_eq!(stage.served_by(20).await, ["head-1"]);
    stage.wait_for("head-0", "down").await;
    assert_eq!(stage.state("head-0").await["failing"], "tcp");
}

#[tokio::test]
async fn without_a_head_the_client_is_told_at_once() {
    let mut stage = Stage::new(0, |config| {
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let address = gone.local_addr().expect("bound");
        config.heads = vec![HeadAddress { name: "head-0".to_owned(), address, weight: 1 }];
    })
    .await;
    turned_away(&stage).await;
    stage.stop();
    let journal = stage.ended().await;
    let records = connections(&journal);
    assert!(records[0].contains("\"kill\"") && records[0].contains("\"connect\""), "{records:?}");
    assert!(records[0].contains("\"end_code\":\"SC\""), "{records:?}");
}

/// A listener whose queue is full: a connect to it is neither accepted nor refused.
fn full_listener() -> (TcpListener, Vec<std::net::TcpStream>) {
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into(), 0).expect("bind");
    let address = listener.local_addr().expect("bound");
    let connect = |_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let fillers = (0..8).map_while(connect).collect();
    (listener, fillers)
}

#[tokio::test]
async fn a_client_that_leaves_before_a_head_has_accepted_is_recorded_as_that() {
    let (listener, _fillers) = full_listener();
    let address = listener.local_addr().expect("bound");
    let mut stage = Stage::new(1, |_| {}).await;
    // In the place of the head, which it is like for all but this.
    stage.reload(|config| config.heads[0].address = address).await;
    let left = async {
        loop {
            let stream = stage.tcp().await.expect("connect");
            let asked = tokio::time::Instant::now();
            // The connect to the head takes a second, in which the client leaves.
            while stage.state("head-1").await["connections"] == 0 && asked.elapsed() < LIMIT / 20 {
                tokio::task::yield_now().await;
            }
            reset(stream);
            let path = stage.dir.path().join("journal/balancer.jsonl");
            let text = std::fs::read_to_string(path).expect("written");
            if let Some(line) = text.lines().find(|line| line.contains("\"end_code\":\"CC\"")) {
                return line.to_owned();
            }
        }
    };
    let line = timeout(LIMIT, left).await.expect("recorded in time");
    assert!(
        line.contains("\"client\"") && line.contains("\"rst\"") && line.contains("\"connect\""),
        "{line}"
    );
}

#[tokio::test]
async fn the_operator_drains_and_forces() {
    let mut stage = Stage::new(3, |_| {}).await;
    let mode = std::fs::metadata(&stage.bound.admin_socket).expect("socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(stage.served_by(60).await, ["head-1", "head-2", "head-3"]);

    let (status, list) = stage.admin("POST", "/v1/heads/head-2/only").await;
    assert_eq!((status, &list[1]["only"], &list[0]["only"]), (200, &true.into(), &false.into()));
    assert_eq!(stage.served_by(20).await, ["head-2"]);
    assert_eq!(stage.admin("POST", "/v1/heads/only/off").await.0, 200);

    let (status, list) = stage.admin("POST", "/v1/heads/head-1/drain").await;
    assert_eq!((status, &list[0]["state"], &list[0]["weight"]), (200, &"draining".into(), &1.into()));
    assert_eq!(stage.served_by(40).await, ["head-2", "head-3"]);
    let (status, refused) = stage.admin("POST", "/v1/heads/head-1/only").await;
    assert_eq!((status, &refused["error"]["code"]), (409, &"HeadTakesNone".into()));
    assert_eq!(stage.admin("POST", "/v1/heads/head-1/ready").await.0, 200);
    assert_eq!(stage.served_by(60).await.len(), 3);

    let (status, list) = stage.admin("POST", "/v1/heads/head-3/weight/0").await;
    assert_eq!((status, &list[2]["weight"]), (200, &0.into()));
    assert_eq!(stage.served_by(40).await, ["head-1", "head-2"]);
    for path in ["/v1/heads/head-3/weight/257", "/v1/heads/head-3/weight/-1"] {
        let (status, refused) = stage.admin("POST", path).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &"Weight".into()));
    }

    let (status, refused) = stage.admin("POST", "/v1/heads/head-9/drain").await;
    assert_eq!((status, &refused["error"]["code"]), (404, &"UnknownHead".into()));

    let person = "Repono-On-Behalf-Of: demo:ann\r\n";
    assert_eq!(stage.admin_with("POST", "/v1/heads/head-3/weight/2", person).await.0, 200);
    for nobody in
        ["Repono-On-Behalf-Of: \r\n".to_owned(), format!("Repono-On-Behalf-Of: {}\r\n", "x".repeat(514))]
    {
        let (status, refused) = stage.admin_with("POST", "/v1/heads/head-3/weight/3", &nobody).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &"OnBehalfOf".into()));
    }
    stage.stop();
    let journal = stage.ended().await;
    let by_her =
        journal.iter().map(Value::to_string).filter(|line| line.contains("\"demo:ann (uid ")).count();
    assert_eq!(by_her, 1, "{journal:?}");
    let by_operator = journal.iter().map(Value::to_string).filter(|line| line.contains("\"uid ")).count();
    assert_eq!(by_operator, 5, "only, off, drain, ready, weight");
}

#[tokio::test]
async fn open_connections_are_counted_with_the_balancers_own_limit() {
    let stage = Stage::new(1, |config| config.idle_ms = 700_000).await;
    let mut client = stage.client().await;
    assert_eq!(client.ask().await, "head-1");
    let (status, told) = stage.admin("GET", "/v1/connections").await;
    assert_eq!((status, &told["idle_limit_ms"], &told["total"]), (200, &700_000.into(), &1.into()));
    let listed = &told["sample"][0];
    assert_eq!((&listed["head"], &listed["client"]), (&"head-1".into(), &client.address.to_string().into()));
    let cells =
        told["counts"].as_array().expect("rows").iter().flat_map(|row| row.as_array().expect("cells"));
    assert_eq!(cells.filter_map(Value::as_u64).sum::<u64>(), 1);
    assert_eq!(stage.state("head-1").await["waiting"], 0);
    drop(client);
    let ended = async { while stage.admin("GET", "/v1/connections").await.1["total"] != 0 {} };
    timeout(LIMIT, ended).await.expect("ended in time");
}

#[tokio::test]
async fn a_leaving_head_keeps_what_it_has_and_gets_nothing_new() {
    let stage = Stage::new(2, |_| {}).await;
    assert_eq!(stage.admin("POST", "/v1/heads/head-1/only").await.0, 200);
    let mut staying = stage.client().await;
    assert_eq!(staying.ask().await, "head-1");
    stage.heads[0].status.store(503, Ordering::SeqCst);
    stage.wait_for("head-1", "draining").await;
    assert_eq!(stage.served_by(10).await, ["head-2"]);
    assert_eq!(staying.ask().await, "head-1");
    stage.heads[0].status.store(200, Ordering::SeqCst);
    stage.wait_for("head-1", "ready").await;
    assert_eq!(stage.served_by(10).await, ["head-1"], "`only` still stands");
}

#[tokio::test]
async fn a_hanging_head_is_found_and_its_connections_are_reset() {
    let stage = Stage::new(2, |_| {}).await;
    let (mut clients, mut hanging, mut other) = (Vec::new(), None, None);
    while hanging.is_none() || other.is_none() {
        let mut client = stage.client().await;
        match client.ask().await.as_str() {
            "head-1" if hanging.is_none() => hanging = Some(client),
            "head-2" if other.is_none() => other = Some(client),
            _ => clients.push(client),
        }
    }
    // It accepts and acknowledges still: only a check through TLS can tell.
    stage.heads[0].mute.store(true, Ordering::SeqCst);
    rst(&mut hanging.expect("one").into_tcp()).await;
    assert_eq!(stage.state("head-1").await["state"], "down");
    assert_eq!(stage.state("head-1").await["failing"], "tls");
    assert_eq!(other.expect("one").ask().await, "head-2", "the others go on");
    assert_eq!(stage.served_by(5).await, ["head-2"]);
}

#[tokio::test]
async fn a_trace_journals_turns_and_nothing_of_their_bytes() {
    let mut stage = Stage::new(1, |_| {}).await;
    let mut client = stage.client().await;
    assert_eq!(client.ask().await, "head-1");
    assert_eq!(stage.admin("POST", "/v1/heads/head-7/trace/60").await.0, 404);
    assert_eq!(stage.admin("POST", "/v1/heads/head-1/trace/99999999").await.0, 400);
    let (status, list) = stage.admin("POST", "/v1/heads/127.0.0.0%2F8/trace/60").await;
    assert_eq!((status, &list[0]["target"]), (200, &"127.0.0.0/8".into()));
    assert_eq!(client.ask().await, "head-1");
    assert_eq!(client.ask().await, "head-1");
    assert_eq!(stage.admin("POST", "/v1/heads/127.0.0.0%2F8/trace/0").await.1, Value::Array(Vec::new()));
    assert_eq!(client.ask().await, "head-1");
    let id = stage.heads[0].clients.recv().await.expect("introduced").id.to_string();
    stage.stop();
    fin(&mut client.into_tcp()).await;
    let journal = stage.ended().await;
    let turns: Vec<_> = journal.iter().filter(|line| line["event"]["dataset"] == "repono.turn").collect();
    assert_eq!(turns.len(), 2, "while it was traced: {turns:?}");
    for (number, turn) in (1..).zip(turns) {
        let own = &turn["repono"];
        assert_eq!((&own["turn"]["number"], &own["head"]), (&Value::from(number), &"head-1".into()));
        assert_eq!(own["connection"]["id"], id.as_str());
        assert!(
            own["connection"]["bytes_in"].as_u64() > Some(4) && own["turn"]["wait_ns"].as_u64() > Some(0)
        );
    }
}

#[tokio::test]
async fn a_head_that_fails_every_client_is_ejected_though_its_checks_pass() {
    let mut stage = Stage::new(2, |_| {}).await;
    stage.heads[0].rude.store(true, Ordering::SeqCst);
    let hello = [22, 3, 1, 0, 4, 1, 0, 0, 0];
    let ejected = async {
        while stage.state("head-1").await["state"] != "ejected" {
            let mut stream = stage.tcp().await.expect("connect");
            stream.write_all(&hello).await.expect("write");
            // Head-2 answers with an alert, head-1 with RST.
            let _ = end(&mut stream).await;
        }
    };
    timeout(LIMIT, ejected).await.expect("ejected in time");
    assert_eq!(stage.state("head-1").await["ejections"], 1);
    assert_eq!(stage.served_by(10).await, ["head-2"]);
    stage.stop();
    let journal = stage.ended().await;
    let change = journal.iter().map(Value::to_string).find(|line| line.contains("\"ejected\""));
    assert!(change.expect("recorded").contains("resets before the first byte"));
}

#[tokio::test]
async fn a_head_that_dies_within_an_answer_is_not_taken_for_one_that_closed() {
    let mut stage = Stage::new(1, |_| {}).await;
    let mut client = stage.client().await;
    assert_eq!(client.ask().await, "head-1");
    client.stream.write_all(DIE).await.expect("write");
    rst(&mut client.into_tcp()).await;
    stage.stop();
    let journal = stage.ended().await;
    let records = connections(&journal);
    assert!(records[0].contains("\"head\"") && records[0].contains("\"wait\""), "{records:?}");
    assert!(records[0].contains("\"end_code\":\"SD\""), "{records:?}");
}

#[tokio::test]
async fn an_idle_connection_ends_with_fin() {
    let mut stage = Stage::new(1, |config| config.idle_ms = 100).await;
    let mut client = stage.client().await;
    assert_eq!(client.ask().await, "head-1");
    let mut tcp = client.into_tcp();
    fin(&mut tcp).await;
    drop(tcp);
    stage.stop();
    let records = connections(&stage.ended().await);
    assert!(
        records[0].contains("\"idle-expiry\"") && records[0].contains("\"end_code\":\"cD\""),
        "{records:?}"
    );
}

#[tokio::test]
async fn one_connection_too_many_is_turned_away() {
    let stage = Stage::new(1, |config| config.connections_max = 2).await;
    let (mut first, mut second) = (stage.client().await, stage.client().await);
    assert_eq!((first.ask().await, second.ask().await), ("head-1".into(), "head-1".into()));
    turned_away(&stage).await;
    second.stream.shutdown().await.expect("close");
    fin(&mut second.into_tcp()).await;
    let again = async {
        // Its place is free once the balancer has seen both ends.
        while stage.state("head-1").await["connections"] != 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, again).await.expect("the place is free");
    assert_eq!(first.ask().await, "head-1");
}

#[tokio::test]
async fn stopping_lets_an_answer_come_and_closes_what_is_quiet() {
    let mut stage = Stage::new(1, |_| {}).await;
    let mut quiet = stage.client().await;
    assert_eq!(quiet.ask().await, "head-1");
    let mut asking = stage.client().await;
    assert_eq!(asking.ask().await, "head-1");
    let socket = stage.bound.admin_socket.clone();
    stage.stop();
    let mut quiet = quiet.into_tcp();
    let (_, ()) = tokio::join!(asking.ask(), fin(&mut quiet));
    drop(quiet);
    let mut asking = asking.into_tcp();
    fin(&mut asking).await;
    drop(asking);
    let refused = TcpStream::connect(stage.bound.listen).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let journal = stage.ended().await;
    assert!(!socket.exists());
    let drained = connections(&journal).iter().filter(|line| line.contains("\"drain\"")).count();
    assert_eq!(drained, 2, "{journal:?}");
}

#[tokio::test]
async fn a_half_closed_client_still_gets_its_answer() {
    let stage = Stage::new(1, |_| {}).await;
    let mut client = stage.client().await;
    client.stream.write_all(b"who?").await.expect("write");
    client.stream.shutdown().await.expect("close_notify and FIN");
    let mut name = Vec::new();
    client.stream.read_to_end(&mut name).await.expect("close_notify of the head");
    assert_eq!(name, b"head-1");
}
