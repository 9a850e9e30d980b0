//! Nothing is refused and nothing is dropped while the configuration or the program
//! changes under the connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::stage::{LIMIT, Stage};
use crate::{connections, fin};

/// Connects without a pause until told to stop, one connection after the other: more at
/// once would pile up, and run into limits that are not the subject here.
struct Knocking {
    stop: Arc<AtomicBool>,
    connects: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Knocking {
    fn at(address: std::net::SocketAddr) -> Self {
        let (stop, connects) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&connects));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                let mut stream = TcpStream::connect(address).await.expect("no connect is refused");
                stream.shutdown().await.expect("FIN");
                // Nothing was asked for, so how it ends does not matter.
                _ = timeout(LIMIT, stream.read(&mut [0; 16])).await.expect("it ends");
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { stop, connects, task }
    }

    /// Waits for so many more connects.
    async fn more(&self, count: usize) {
        let goal = self.connects.load(Ordering::SeqCst) + count;
        let reached = async {
            while self.connects.load(Ordering::SeqCst) < goal {
                tokio::task::yield_now().await;
            }
        };
        timeout(LIMIT, reached).await.expect("connects go on");
    }

    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("no connect was refused");
    }
}

#[tokio::test]
async fn a_successor_takes_over_and_no_connect_is_refused() {
    let mut stage = Stage::new(1, |_| {}).await;
    let mut staying = stage.client().await;
    assert_eq!(staying.ask().await, "head-1");
    let address = stage.bound.listen;
    let knocking = Knocking::at(address);
    knocking.more(20).await;
    for _ in 0..2 {
        let old = stage.succeed().await;
        assert_eq!(stage.bound.listen, address);
        knocking.more(50).await;
        stage.wait_for("head-1", "ready").await;
        assert_eq!(stage.client().await.ask().await, "head-1", "the new one serves");
        assert_eq!(staying.ask().await, "head-1", "the connection of the first one goes on");
        drop(old);
    }
    knocking.end().await;
    let socket = stage.bound.admin_socket.clone();
    assert!(socket.exists());
    stage.stop();
    let journal = stage.ended().await;
    assert!(!socket.exists());
    assert!(connections(&journal).len() > 100);
}

#[tokio::test]
async fn the_old_one_ends_with_its_last_connection() {
    let mut stage = Stage::new(1, |_| {}).await;
    let mut staying = stage.client().await;
    assert_eq!(staying.ask().await, "head-1");
    let old = stage.succeed().await;
    assert_eq!(staying.ask().await, "head-1");
    assert!(!old.is_finished(), "it still has a connection");
    drop(staying);
    timeout(LIMIT, old).await.expect("in time").expect("no panic").expect("no error");
    assert_eq!(stage.admin("GET", "/v1/heads").await.0, 200, "the socket is the successor's");
}

#[tokio::test]
async fn a_reload_moves_new_connections_and_keeps_old_ones() {
    let mut stage = Stage::new(2, |config| config.heads.truncate(1)).await;
    let mut staying = stage.client().await;
    assert_eq!(staying.ask().await, "head-1");
    let knocking = Knocking::at(stage.bound.listen);
    let second = stage.heads[1].address.clone();
    stage.reload(|config| config.heads = vec![second]).await;
    stage.wait_until_listed(&["head-2"]).await;
    stage.wait_for("head-2", "ready").await;
    assert_eq!(stage.served_by(10).await, ["head-2"]);
    assert_eq!(staying.ask().await, "head-1", "it is drained, not dropped");
    stage.reload(|config| config.heads.clear()).await;
    knocking.more(5).await;
    assert_eq!(stage.served_by(3).await, ["head-2"], "what cannot be used changes nothing");
    knocking.end().await;
    stage.stop();
    fin(&mut staying.into_tcp()).await;
    let journal = stage.ended().await;
    let changes = journal.iter().map(ToString::to_string).filter(|line| line.contains("\"configuration\""));
    assert!(changes.filter(|line| line.contains("head-1.state") && line.contains("removed")).count() == 1);
}

#[tokio::test]
async fn limits_are_reloaded_for_the_connections_that_come() {
    let mut stage = Stage::new(1, |_| {}).await;
    let mut staying = stage.client().await;
    assert_eq!(staying.ask().await, "head-1");
    stage.reload(|config| (config.idle_ms, config.threads) = (100, 7)).await;
    let ended = async {
        // The reload takes a moment; a connection from before it does not end.
        loop {
            let mut tcp = stage.client().await.into_tcp();
            if timeout(Duration::from_secs(2), fin(&mut tcp)).await.is_ok() {
                return;
            }
        }
    };
    timeout(LIMIT, ended).await.expect("idle for long enough");
    assert_eq!(staying.ask().await, "head-1", "it keeps the limits that it came under");
    stage.reload(|config| (config.idle_ms, config.connections_max) = (900_000, 1)).await;
    let turned_away = async {
        while let Ok(mut tcp) = stage.tcp().await {
            // Only one that is turned away ends without a word of the client's.
            if timeout(Duration::from_secs(2), tcp.read(&mut [0; 1])).await.is_ok_and(|read| read.is_err()) {
                return;
            }
        }
    };
    timeout(LIMIT, turned_away).await.expect("one too many");
    stage.stop();
    fin(&mut staying.into_tcp()).await;
    let journal = stage.ended().await;
    let changed = |key: &str| {
        let text = journal.iter().map(ToString::to_string);
        text.filter(|line| line.contains("\"configuration\"") && line.contains(&format!("\"{key}\""))).count()
    };
    assert_eq!((changed("idle_ms"), changed("connections_max"), changed("threads")), (2, 1, 0));
}
