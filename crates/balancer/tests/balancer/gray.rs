//! Heads that pass their checks and let their clients wait.

use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::stage::{Client, LIMIT, Stage};

/// More connections than a judgement needs at one head, when two share them.
const CONNECTIONS: usize = 16;

/// So many clients that were answered once.
async fn clients(stage: &Stage) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = stage.client().await;
        client.ask().await;
        clients.push(client);
    }
    clients
}

/// Asks on all of them at once; the heads that answered.
async fn ask_all(clients: Vec<Client>) -> Vec<String> {
    let mut asking = JoinSet::new();
    for mut client in clients {
        asking.spawn(async move { client.ask().await });
    }
    let mut names = asking.join_all().await;
    names.sort();
    names.dedup();
    names
}

#[tokio::test]
async fn a_head_with_slow_turns_is_ejected_though_its_checks_and_handshakes_are_quick() {
    let mut stage = Stage::new(2, |_| {}).await;
    let ejected = async {
        while stage.state("head-1").await["state"] != "ejected" {
            stage.heads[0].delay_ms.store(0, Ordering::SeqCst);
            let clients = clients(&stage).await;
            stage.heads[0].delay_ms.store(1_500, Ordering::SeqCst);
            ask_all(clients).await;
        }
    };
    timeout(LIMIT, ejected).await.expect("ejected in time");
    assert_eq!(stage.state("head-2").await["state"], "ready");
    assert_eq!(stage.served_by(10).await, ["head-2"]);
    stage.stop();
    let journal = stage.ended().await;
    let change = journal.iter().map(ToString::to_string).find(|line| line.contains("\"ejected\""));
    assert!(change.expect("recorded").contains("slow turns"));
}

#[tokio::test]
async fn a_head_that_never_answers_is_ejected_while_its_clients_still_wait() {
    let stage = Stage::new(2, |_| {}).await;
    let mut waiting = clients(&stage).await;
    // An hour: no client sees an answer, and none gives up either.
    stage.heads[0].delay_ms.store(3_600_000, Ordering::SeqCst);
    for client in &mut waiting {
        client.stream.write_all(b"who?").await.expect("write");
    }
    stage.wait_for("head-1", "ejected").await;
    assert_eq!(stage.served_by(10).await, ["head-2"]);
    drop(waiting);
}

#[tokio::test]
async fn the_first_request_has_its_turn_though_session_tickets_come_before_its_answer() {
    let mut stage = Stage::new(1, |_| {}).await;
    stage.heads[0].delay_ms.store(300, Ordering::SeqCst);
    // Written with the end of the handshake: the tickets are under way meanwhile.
    let mut client = stage.client().await;
    assert_eq!(client.ask().await, "head-1");
    stage.stop();
    drop(client);
    let journal = stage.ended().await;
    let own = journal.iter().map(|line| &line["repono"]["connection"]).find(|own| !own["turns"].is_null());
    let worst = own.expect("recorded")["turns"]["worst_ns"].as_u64().expect("a number");
    assert!(worst >= 300_000_000, "{worst} ns");
}

#[tokio::test]
async fn heads_that_are_slow_together_stay() {
    let mut stage = Stage::new(2, |_| {}).await;
    let clients = clients(&stage).await;
    stage.heads.iter().for_each(|head| head.delay_ms.store(1_500, Ordering::SeqCst));
    assert_eq!(ask_all(clients).await, ["head-1", "head-2"]);
    stage.stop();
    let journal = stage.ended().await;
    assert!(!journal.iter().any(|line| line.to_string().contains("\"ejected\"")));
}
