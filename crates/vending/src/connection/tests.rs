//! The clocks of a connection, in virtual time over a pipe.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use repono_core::id::ConnectionId;
use repono_journal::{Journal, JournalConfig, Tls, TlsVersion};
use repono_net::drain::Drain;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::clock::{Clock, Clocked, Expired};
use super::service::{Exchange, Service};
use super::{Ending, converse};
use crate::door::TICKETS;
use crate::limits::{BODY_MAX, HEAD_MAX, IDLE_MAX, STRANGER_IDLE_MAX};
use crate::reply::{Documented, JsonBody};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

impl Documented for NoFields {
    const FORM: &'static str = "{}";
}

struct Line {
    client: DuplexStream,
    served: JoinHandle<Ending>,
    drain: Drain,
    _journal: Journal,
    _directory: TempDir,
}

impl Line {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let journal =
            Journal::open(JournalConfig::new(directory.path(), "vending", "vending")).expect("opened");
        let (client, server) = tokio::io::duplex(64 * 1024);
        let clock = Clock::new(Instant::now());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let exchange = Exchange {
            id: ConnectionId::from_bytes([1; 12]),
            source: address,
            destination: address,
            tls: Tls { version: TlsVersion::V13, cipher: "TLS_AES_128_GCM_SHA256", resumed: false },
            routes: Router::new()
                .route(TICKETS, post(async || "ticket"))
                .route("/", get(async || "root"))
                .route("/body", post(async |_: JsonBody<NoFields>| "root")),
            recorder: journal.shared(),
        };
        let drain = Drain::new();
        let signal = drain.signal();
        let service = Service::new(exchange, clock.clone());
        let served = tokio::spawn(async move {
            converse(Clocked::new(server, clock.clone()), service, &clock, signal).await.0
        });
        Self { client, served, drain, _journal: journal, _directory: directory }
    }

    /// Sends a request and reads its whole reply.
    async fn ask(&mut self, request: &str) -> String {
        self.client.write_all(request.as_bytes()).await.expect("sent");
        let mut reply = Vec::new();
        while !(reply.ends_with(b"ticket") || reply.ends_with(b"root")) {
            assert_ne!(self.client.read_buf(&mut reply).await.expect("read"), 0);
        }
        String::from_utf8(reply).expect("text")
    }

    /// How the connection ends, and after how long.
    async fn end(self) -> (Ending, Duration) {
        let since = Instant::now();
        let ending = self.served.await.expect("no panic");
        (ending, since.elapsed())
    }
}

const POST: &str = "POST /v1/tickets HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

fn about(span: Duration, expected: Duration) -> bool {
    span >= expected && span < expected + Duration::from_millis(10)
}

#[tokio::test(start_paused = true)]
async fn a_stranger_may_be_quiet_for_15_seconds() {
    let mut line = Line::new();
    line.ask(GET).await;
    let (ending, after) = line.end().await;
    assert_eq!(ending, Ending::Expired(Expired::Idle));
    assert!(about(after, STRANGER_IDLE_MAX), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn who_was_vended_a_ticket_may_be_quiet_for_650_seconds() {
    let mut line = Line::new();
    let reply = line.ask(POST).await.to_ascii_lowercase();
    for header in ["keep-alive: timeout=55\r\n", "x-trans-id: tx", "x-repono-connection: 010101"] {
        assert!(reply.contains(header), "{reply}");
    }
    line.ask(GET).await;
    let (ending, after) = line.end().await;
    assert_eq!(ending, Ending::Expired(Expired::Idle));
    assert!(about(after, IDLE_MAX), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_must_end_within_10_seconds_however_it_trickles() {
    let mut line = Line::new();
    line.ask(POST).await;
    line.client.write_all(b"GET / HTTP/1.1\r\n").await.expect("sent");
    tokio::time::sleep(HEAD_MAX / 2).await;
    line.client.write_all(b"Host:").await.expect("sent");
    let (ending, after) = line.end().await;
    assert_eq!(ending, Ending::Expired(Expired::Head));
    assert!(about(after, HEAD_MAX / 2), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_quiet_connections_at_once() {
    for requests in 0..2 {
        let mut line = Line::new();
        for _ in 0..requests {
            line.ask(POST).await;
        }
        tokio::task::yield_now().await;
        line.drain.begin(Instant::now());
        let (ending, after) = line.end().await;
        assert_eq!((ending, after), (Ending::Drained, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_is_answered_and_told_of_the_drain() {
    let mut line = Line::new();
    let (head, rest) = GET.split_at(10);
    line.client.write_all(head.as_bytes()).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(1)).await;
    line.drain.begin(Instant::now());
    tokio::time::sleep(Duration::from_millis(1)).await;
    let reply = line.ask(rest).await.to_ascii_lowercase();
    assert!(reply.contains("connection: close"), "{reply}");
    assert_eq!(line.end().await.0, Ending::Drained);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_ends_it_in_order() {
    let mut line = Line::new();
    line.ask(GET).await;
    line.client.shutdown().await.expect("closed");
    let (ending, after) = line.end().await;
    assert_eq!((ending, after), (Ending::Orderly, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_body_must_come_within_10_seconds() {
    let mut line = Line::new();
    let since = Instant::now();
    line.client
        .write_all(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
        .await
        .expect("sent");
    let mut reply = Vec::new();
    while line.client.read_buf(&mut reply).await.expect("read") != 0 && !reply.ends_with(b"}}") {}
    let reply = String::from_utf8(reply).expect("text");
    assert!(reply.starts_with("HTTP/1.1 408 ") && reply.contains("\"RequestTimeout\""), "{reply}");
    assert!(about(since.elapsed(), BODY_MAX));
}
