//! The client against a server whose every move the test decides.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use md5::{Digest, Md5};
use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_core::etag::ETag;
use repono_journal::{Journal, JournalConfig};
use serde_json::Value;

use crate::client::{Client, Options};
use crate::error::{ClientError, Stage};
use crate::limits::Limits;
use crate::pool::idle::IdleEnd;
use crate::pool::suspension::suspended;
use crate::profile::Profile;
use crate::progress::{Progress, Silent};
use crate::vending::TicketWish;

mod resume;
mod server;
mod transfers;

use server::{Heard, Move, Server, reply, serve};

const SECRETS: [&str; 3] = ["SENTINEL-user", "SENTINEL-application", "SENTINEL-ticket"];

/// What every ticket here is asked for with.
const SCOPE: &str = "p=/v1/demo/";

/// Answers what vending would, whatever the handler of the heads does.
fn with_vending(
    issued: Arc<AtomicUsize>,
    heads: impl Fn(Heard) -> Move + Send + Sync + 'static,
) -> impl Fn(Heard) -> Move + Send + Sync + 'static {
    move |heard| {
        if heard.target != "/v1/tickets" {
            return heads(heard);
        }
        let number = issued.fetch_add(1, Ordering::SeqCst);
        let wish: Value = serde_json::from_slice(&heard.body).unwrap();
        assert_eq!(wish["user"], "demo:demo");
        assert_eq!(wish["secret"], SECRETS[0]);
        assert_eq!((&wish["life_s"], &wish["scope"]), (&Value::from(300), &Value::from(SCOPE)));
        let body = format!(
            r#"{{"headers":{{"x-auth-user":"demo:demo","x-auth-ticket":"{}-{number}"}},"token":"RK1.x","expires":"2999-01-01T00:00:00Z"}}"#,
            SECRETS[2]
        );
        reply("200 OK", &[("Content-Type", "application/json")], body.as_bytes())
    }
}

struct Bench {
    client: Arc<Client>,
    dir: tempfile::TempDir,
    journal: Journal,
}

impl Bench {
    /// Heads and vending are one server here; the pools are two.
    fn new(server: &Server, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), &server.ca_pem).unwrap();
        let url = format!("https://{}", server.address);
        let profile = format!(
            "endpoint = \"{url}\"\nvending = \"{url}\"\nca = \"ca.pem\"\naccount = \"demo\"\nuser = \"demo\"\n\
             user_secret = \"{}\"\napplication = \"demo-app\"\napplication_secret = \"{}\"\n",
            SECRETS[0], SECRETS[1]
        );
        let path = dir.path().join("profile.toml");
        fs::write(&path, profile).unwrap();
        let profile = Profile::load(Some(&path), &|_| None).ok().unwrap();
        let journal =
            Journal::open(JournalConfig::new(dir.path().join("journal"), "client", "client-1")).unwrap();
        let options = Options {
            limits,
            recorder: Some(journal.shared()),
            random: StdRng::seed_from_u64(7),
            trace: None,
            ticket: TicketWish { life_s: Some(300), scope: Some(SCOPE.to_owned()) },
        };
        Self { client: Arc::new(Client::new(&profile, options).unwrap()), dir, journal }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How the requests ended that did not end well.
    fn codes(&self) -> Vec<String> {
        let lines = self.all_lines("request");
        lines.iter().filter_map(|line| line["error"]["code"].as_str().map(str::to_owned)).collect()
    }

    /// The journal's lines of one kind, those of vending left out.
    fn lines(&self, action: &str) -> Vec<Value> {
        let lines = self.all_lines(action).into_iter();
        lines.filter(|line| line["url"]["path"] != "/v1/tickets").collect()
    }

    fn all_lines(&self, action: &str) -> Vec<Value> {
        self.journal.flush();
        let text = fs::read_to_string(self.dir.path().join("journal/client-1.jsonl")).unwrap();
        assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "a secret is in the journal");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"]["action"] == action).collect()
    }
}

fn silent() -> Arc<dyn Progress> {
    Arc::new(Silent)
}

fn md5(bytes: &[u8]) -> ETag {
    ETag::from_md5(Md5::digest(bytes).into())
}

/// Waits for a state that must come; the test's own time limit is the bound.
async fn until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn object_head() -> Move {
    let tag = md5(b"abc").to_string();
    Move::Reply(server::head("200 OK", &[("ETag", &tag), ("Content-Length", "3")], 3), Vec::new())
}

#[tokio::test]
async fn a_get_or_head_on_a_connection_that_died_unseen_is_repeated_once_on_a_fresh_one() {
    let handler = |heard: Heard| {
        if heard.connection == 1 && heard.nth == 1 { Move::Close } else { object_head() }
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let object = "demo/files/k".parse().unwrap();
    bench.client.stat(&object).await.unwrap();
    bench.client.stat(&object).await.unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 3, "vending, the dead one, the fresh one");
    let lines = bench.lines("request");
    let seen = |line: usize| {
        let repono = &lines[line]["repono"];
        (repono["attempts"].as_u64(), repono["connection"]["reused"].as_bool(), &lines[line]["error"]["code"])
    };
    assert_eq!(lines.len(), 3, "each attempt is recorded");
    assert_eq!(seen(0), (Some(1), Some(false), &Value::Null));
    assert_eq!(seen(1), (Some(1), Some(true), &Value::from("ConnectionBroken")));
    assert_eq!(seen(2), (Some(2), Some(false), &Value::Null));
}

#[tokio::test]
async fn a_reader_does_not_wait_for_a_connection_that_has_fallen_silent() {
    let handler = |heard: Heard| {
        if heard.connection == 1 && heard.nth == 1 { Move::Silence } else { object_head() }
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let object = "demo/files/k".parse().unwrap();
    bench.client.stat(&object).await.unwrap();
    tokio::time::timeout(Limits::DEFAULT.first_byte / 2, bench.client.stat(&object)).await.unwrap().unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 3, "vending, the silent one, the fresh one");
    let lines = bench.lines("request");
    let mut codes: Vec<_> = lines.iter().filter_map(|line| line["error"]["code"].as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["PeerSilent"], "acknowledged by the kernel, and not answered");
    let last = lines.iter().find(|line| line["repono"]["attempts"] == 2).expect("the second attempt");
    assert_eq!(last["repono"]["connection"]["reused"], false);
}

/// Idle for longer than what dies in use: a close that meets a request tells of the
/// path, a peer that has the request and does not answer may only be slow.
#[tokio::test]
async fn a_connection_that_died_teaches_how_long_one_may_idle_and_a_slow_peer_does_not() {
    const REST: Duration = Duration::from_millis(1_200);
    for (dying, taught) in [(true, Some(IdleEnd::Fin)), (false, None)] {
        let handler = move |heard: Heard| match (heard.connection, heard.nth) {
            (1, 1) if dying => Move::Close,
            (1, 1) => Move::Silence,
            _ => object_head(),
        };
        let server = serve(with_vending(Arc::default(), handler)).await;
        let bench = Bench::new(&server, Limits::DEFAULT);
        let object = "demo/files/k".parse().unwrap();
        bench.client.stat(&object).await.unwrap();
        tokio::time::sleep(REST).await;
        bench.client.stat(&object).await.unwrap();
        let learned = bench.client.learned_idle();
        assert_eq!(learned.map(|learned| learned.manner), taught);
        assert!(learned.is_none_or(|learned| learned.limit >= REST * 4 / 5), "{learned:?}");
    }
}

#[tokio::test]
async fn a_pool_full_of_silent_connections_does_not_hold_its_readers_up() {
    let handler =
        |heard: Heard| if heard.connection == 1 && heard.nth == 1 { Move::Silence } else { object_head() };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits { connections_per_host: 1, ..Limits::DEFAULT });
    let object = "demo/files/k".parse().unwrap();
    bench.client.stat(&object).await.unwrap();
    tokio::time::timeout(Limits::DEFAULT.first_byte / 2, bench.client.stat(&object)).await.unwrap().unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 3, "vending, the silent one, the fresh one");
}

#[tokio::test]
async fn a_silent_connection_is_waited_for_where_a_repetition_could_have_an_effect() {
    let deletes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&deletes);
    let handler = move |heard: Heard| {
        if heard.method == "DELETE" {
            counted.fetch_add(1, Ordering::SeqCst);
            return Move::Silence;
        }
        object_head()
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let limits = Limits { first_byte: Duration::from_secs(2), ..Limits::DEFAULT };
    let bench = Bench::new(&server, limits);
    let object = "demo/files/k".parse().unwrap();
    bench.client.stat(&object).await.unwrap();
    let ended = bench.client.remove(&object).await;
    assert!(matches!(ended, Err(ClientError::TimedOut(Stage::FirstByte))), "{ended:?}");
    assert_eq!(deletes.load(Ordering::SeqCst), 3, "one after another, under one key");
}

#[tokio::test]
async fn a_second_death_is_an_error_and_a_delete_is_repeated_under_its_key() {
    let keys = Notes::default();
    let seen = Arc::clone(&keys);
    let handler = move |heard: Heard| match (heard.method.as_str(), heard.nth) {
        ("DELETE", _) => {
            let key = heard.field("idempotency-key").expect("a key").to_owned();
            seen.lock().unwrap().push(key);
            Move::Close
        }
        ("HEAD", _) if heard.target.ends_with("/dead") => Move::Close,
        _ => object_head(),
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let (live, dead) = ("demo/files/k".parse().unwrap(), "demo/files/dead".parse().unwrap());
    bench.client.stat(&live).await.unwrap();
    assert!(matches!(bench.client.stat(&dead).await, Err(ClientError::Broken(_))));
    bench.client.stat(&live).await.unwrap();
    assert!(matches!(bench.client.remove(&live).await, Err(ClientError::Broken(_))));
    let keys = keys.lock().unwrap().clone();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 34), "{keys:?}");
    let last: Vec<_> = bench.lines("request").into_iter().rev().take(3).collect();
    for (line, attempt) in last.iter().zip([3, 2, 1]) {
        assert_eq!(line["error"]["code"], "ConnectionBroken");
        assert_eq!(line["repono"]["attempts"], attempt, "{line}");
    }
    assert_eq!(last[2]["repono"]["connection"]["reused"], true);
}

#[tokio::test]
async fn an_announced_end_evicts_the_connection_before_the_next_request() {
    let handler = |heard: Heard| match (heard.method.as_str(), heard.nth) {
        ("HEAD", _) => match object_head() {
            Move::Reply(head, body) => Move::ReplyAndClose(head, body),
            other => other,
        },
        _ => reply("204 No Content", &[], b""),
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let object = "demo/files/k".parse().unwrap();
    bench.client.stat(&object).await.unwrap();
    until(|| bench.client.idle_connections() == 0).await;
    // Not repeatable: it succeeds because the dead connection is out of the pool.
    bench.client.remove(&object).await.unwrap();
    until(|| !bench.lines("connection").is_empty()).await;
    let ended = bench.lines("connection").remove(0);
    assert_eq!(ended["repono"]["connection"]["closed_by"], "peer");
    assert_eq!(ended["repono"]["connection"]["requests"], 1);
}

#[tokio::test]
async fn no_connection_is_reused_beyond_the_time_that_the_server_advertises() {
    let handler = |heard: Heard| {
        let timeout = if heard.target.ends_with("/short") { "timeout=2" } else { "timeout=3" };
        let tag = md5(b"abc").to_string();
        let fields = [("ETag", tag.as_str()), ("Content-Length", "3"), ("Keep-Alive", timeout)];
        Move::Reply(server::head("200 OK", &fields, 3), Vec::new())
    };
    let server = serve(with_vending(Arc::default(), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    bench.client.stat(&"demo/files/short".parse().unwrap()).await.unwrap();
    assert_eq!(bench.client.idle_connections(), 0, "2 s less the margin is no time");
    bench.client.stat(&"demo/files/long".parse().unwrap()).await.unwrap();
    assert_eq!(bench.client.idle_connections(), 1);
    until(|| bench.client.idle_connections() == 0).await;
    until(|| server.polite_ends.load(Ordering::SeqCst) == 2).await;
    until(|| bench.lines("connection").len() == 2).await;
    let expired = bench.lines("connection").pop().unwrap();
    assert_eq!(expired["repono"]["connection"]["closed_by"], "us");
    assert_eq!(expired["repono"]["connection"]["manner"], "idle-expiry");
}

#[tokio::test]
async fn the_pool_is_bounded_and_whoever_waits_too_long_is_told() {
    let server = serve(with_vending(Arc::default(), |_| object_head())).await;
    let bench = Bench::new(&server, Limits { connections_per_host: 2, ..Limits::DEFAULT });
    let mut running = tokio::task::JoinSet::new();
    for n in 0..20 {
        let client = Arc::clone(&bench.client);
        running.spawn(async move { client.stat(&format!("demo/files/{n}").parse().unwrap()).await });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap().unwrap();
    }
    assert!(server.open_max.load(Ordering::SeqCst) <= 3, "two, and one to vending");

    let stuck = serve(with_vending(Arc::default(), |_| Move::Silence)).await;
    let limits = Limits { connections_per_host: 1, queue: Duration::from_millis(50), ..Limits::DEFAULT };
    let bench = Bench::new(&stuck, limits);
    let client = Arc::clone(&bench.client);
    let holder = tokio::spawn(async move { client.stat(&"demo/files/k".parse().unwrap()).await });
    until(|| stuck.connections.load(Ordering::SeqCst) == 2).await;
    let waited = bench.client.stat(&"demo/files/k".parse().unwrap()).await;
    assert!(matches!(waited, Err(ClientError::Busy)), "{waited:?}");
    holder.abort();
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_and_its_connection_with_it() {
    let server = serve(with_vending(Arc::default(), |_| Move::Silence)).await;
    let limits = Limits { first_byte: Duration::from_millis(50), ..Limits::DEFAULT };
    let bench = Bench::new(&server, limits);
    let silence = bench.client.stat(&"demo/files/k".parse().unwrap()).await;
    assert!(matches!(silence, Err(ClientError::TimedOut(Stage::FirstByte))), "{silence:?}");
    assert_eq!(bench.client.idle_connections(), 0);
    assert_eq!(bench.lines("request")[0]["error"]["code"], "TimedOut");
}

#[tokio::test]
async fn a_request_ends_by_its_deadline_whatever_it_waits_for() {
    let server = serve(with_vending(Arc::default(), |_| Move::Silence)).await;
    // Longer than the handshakes with vending and a head take on a busy machine.
    let bench = Bench::new(&server, Limits { request: Duration::from_secs(3), ..Limits::DEFAULT });
    let object = "demo/files/k".parse().unwrap();
    let ended = tokio::time::timeout(Limits::DEFAULT.first_byte / 2, bench.client.stat(&object)).await;
    let ended = ended.expect("long before a single answer is given up");
    assert!(matches!(ended, Err(ClientError::TimedOut(Stage::Request))), "{ended:?}");
    assert_eq!(bench.lines("request")[0]["error"]["code"], "Abandoned");
    assert_eq!(bench.client.idle_connections(), 0);
}

#[tokio::test]
async fn whoever_comes_at_once_shakes_hands_one_after_another_and_shares_what_stands() {
    let server = serve(with_vending(Arc::default(), |_| object_head())).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let mut running = tokio::task::JoinSet::new();
    for n in 0..16 {
        let client = Arc::clone(&bench.client);
        running.spawn(async move { client.stat(&format!("demo/files/{n}").parse().unwrap()).await });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap().unwrap();
    }
    let lines = bench.lines("request");
    assert_eq!(lines.len(), 16);
    let resumed = |line: &Value| line["tls"]["resumed"] == true;
    let fresh: Vec<_> = lines.iter().filter(|l| l["repono"]["connection"]["reused"] == false).collect();
    let full = fresh.iter().filter(|line| !resumed(line)).count();
    // On a machine that takes so long for a handshake nobody waits for it.
    let impatient = |line: &&&Value| line["repono"]["phase_ns"]["queue"].as_u64() > Some(250_000_000);
    let gave_up = fresh.iter().filter(impatient).count();
    assert!(full <= 1 + gave_up, "{full} of {} handshakes were full, {gave_up} gave up", fresh.len());
}

#[tokio::test]
async fn a_ticket_is_kept_and_fetched_anew_once_when_it_has_expired() {
    let issued = Arc::new(AtomicUsize::new(0));
    let handler = |heard: Heard| match heard.field("x-auth-ticket") {
        Some("SENTINEL-ticket-0") if heard.target.ends_with("/late") => {
            reply("401 Unauthorized", &[], b"<Error><Code>TicketExpired</Code></Error>")
        }
        _ if heard.target.ends_with("/never") => {
            reply("401 Unauthorized", &[], b"<Error><Code>TicketExpired</Code></Error>")
        }
        _ if heard.target.ends_with("/wrong") => {
            reply("401 Unauthorized", &[("X-Trans-Id", "tx1")], b"<Error><Code>Unauthorized</Code></Error>")
        }
        _ => reply("204 No Content", &[], b""),
    };
    let server = serve(with_vending(Arc::clone(&issued), handler)).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let remove = async |key: &str| bench.client.remove(&format!("demo/files/{key}").parse().unwrap()).await;
    remove("a").await.unwrap();
    remove("b").await.unwrap();
    assert_eq!(issued.load(Ordering::SeqCst), 1);
    remove("late").await.unwrap();
    assert_eq!(issued.load(Ordering::SeqCst), 2);
    assert!(matches!(remove("never").await, Err(ClientError::Unauthorized(_))));
    assert_eq!(issued.load(Ordering::SeqCst), 3, "once, not for ever");
    let wrong = remove("wrong").await.unwrap_err();
    assert_eq!(wrong.to_string(), "the credentials were refused (401 Unauthorized, tx1)");
}

#[tokio::test]
async fn an_untrusted_server_and_a_closed_port_are_told_apart() {
    let server = serve(|_| Move::Close).await;
    let other = serve(|_| Move::Close).await;
    let distrusting = Server { ca_pem: other.ca_pem.clone(), ..server };
    let bench = Bench::new(&distrusting, Limits::DEFAULT);
    let object = "demo/files/k".parse().unwrap();
    assert!(matches!(bench.client.stat(&object).await, Err(ClientError::Tls { .. })));
    assert_eq!(bench.codes(), ["HandshakeFailed"], "asked of vending, for a ticket");
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let bench = Bench::new(&Server { address: unused, ..other }, Limits::DEFAULT);
    assert!(matches!(bench.client.stat(&object).await, Err(ClientError::Unreachable { .. })));
    assert_eq!(bench.codes(), ["ConnectRefused"; 3]);
    let line = bench.all_lines("request").pop().unwrap();
    assert_eq!(line["destination"]["port"], unused.port());
    assert!(
        line.get("source").is_none() && line["repono"]["phase_ns"]["connect"].as_u64() > Some(0),
        "{line}"
    );
}

/// Whoever slept does not know what has become of his connections.
#[tokio::test]
async fn what_was_kept_through_a_suspension_is_not_used() {
    let server = serve(with_vending(Arc::default(), |_| object_head())).await;
    let bench = Bench::new(&server, Limits::DEFAULT);
    let object = "demo/files/k".parse().unwrap();
    let connections = || server.connections.load(Ordering::SeqCst);
    bench.client.stat(&object).await.unwrap();
    bench.client.stat(&object).await.unwrap();
    assert_eq!(connections(), 2, "vending, and the one that is kept");
    bench.client.storage.notice_suspension(suspended() + Duration::from_secs(300));
    bench.client.stat(&object).await.unwrap();
    assert_eq!(connections(), 3);
}

/// What a test wants to know of the requests that a server heard.
type Notes = Arc<Mutex<Vec<String>>>;
