//! Stock clients with their defaults untouched, through what an operator does to a
//! running system: none fails, and none waits for a connection that is dead.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod client;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use repono_testkit::system::{System, send};
use repono_testkit::wait;
use repono_testkit::wire::Wire;
use rustix::process::Signal;
use serde_json::Value;

use crate::client::{CLIENTS, Client, Object, Request};

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
const HEADS: [&str; 3] = ["head-1", "head-2", "head-3"];
/// Of each client.
const REQUESTS: usize = 120;
/// A client pauses up to so long between two requests,
const GAP_MAX: Duration = Duration::from_millis(200);
/// and once in a while so long.
const PAUSE: Duration = Duration::from_secs(2);
/// One gap in so many is a pause.
const PAUSE_EVERY: u64 = 20;
const CURL_PER_MINUTE: usize = 300;
/// Who waits on a dead connection waits for seconds; what is shorter may be a busy
/// machine that starts twelve clients at once.
const STALL: Duration = Duration::from_secs(5);
/// How long a state may take, with all clients at work on two cores.
const LIMIT: Duration = Duration::from_secs(60);
/// Within this after a head's death the balancer has told its clients; until then a
/// request may meet it.
const TOLD: Duration = Duration::from_secs(1);

/// How far the clients are.
#[derive(Default)]
struct Progress {
    /// Clients with a first answer, and so with a connection.
    begun: AtomicUsize,
    answered: AtomicUsize,
    ended: AtomicUsize,
}

impl Progress {
    /// Waits for so many further answers, or the end of all clients.
    fn goes_on(&self, further: usize) {
        let before = self.answered.load(Ordering::Relaxed);
        let on = || self.answered.load(Ordering::Relaxed) >= before + further || self.is_over();
        wait::until("the clients go on", LIMIT, || on().then_some(())).expect("they do");
    }

    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Relaxed) == CLIENTS.len()
    }
}

/// Gaps that look random and are the same in every run.
struct Gaps(u64);

impl Gaps {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = self.0 >> 33;
        if drawn.is_multiple_of(PAUSE_EVERY) {
            PAUSE
        } else {
            GAP_MAX.mul_f64((drawn % 1000) as f64 / 1000.0)
        }
    }
}

fn object(system: &System) -> Object {
    let content: Vec<u8> = (0..50_000_usize).map(|n| (n * n % 251) as u8).collect();
    let file = system.path("object");
    fs::write(&file, &content).expect("written");
    system.ok(&["put", &file.display().to_string(), "demo/files/object"]).expect("put");
    let sum = Command::new("sha256sum").arg(&file).output().expect("sha256sum runs").stdout;
    let digest = String::from_utf8(sum).expect("text").split(' ').next().expect("a digest").to_owned();
    let mut wire = Wire::connect(system.balancer(), system.fact("ca").as_ref()).expect("connected");
    let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
    let request = format!("HEAD /v1/demo/files/object HTTP/1.1\r\nHost: h\r\n{ticket}\r\n\r\n");
    wire.send(request.as_bytes()).expect("sent");
    let reply = wire.response("HEAD").expect("a reply");
    let uri = reply.header("x-preauth-uri").expect("a link");
    Object { url: format!("{}{uri}", system.balancer()), digest, content }
}

/// What every client met while `change` was done again and again (at least once).
fn under(
    system: &System,
    object: &Object,
    mut change: impl FnMut(&Progress),
) -> Vec<(&'static str, Vec<Request>)> {
    let progress = Progress::default();
    thread::scope(|scope| {
        let runs: Vec<_> = (1..)
            .zip(CLIENTS)
            .map(|(seed, kind)| {
                let (progress, mut gaps) = (&progress, Gaps(seed));
                let run = scope.spawn(move || {
                    let _ended = Ended(progress);
                    let mut client = Client::start(system, kind);
                    let ask = |n| {
                        let request = client.ask(object);
                        if n == 0 {
                            progress.begun.fetch_add(1, Ordering::Relaxed);
                        }
                        progress.answered.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(gaps.next());
                        request
                    };
                    (0..REQUESTS).map(ask).collect::<Vec<Request>>()
                });
                (kind.0, run)
            })
            .collect();
        let curl = scope.spawn(|| client::curl(system, object, REQUESTS, CURL_PER_MINUTE));
        let all = || progress.begun.load(Ordering::Relaxed) == CLIENTS.len() || progress.is_over();
        wait::until("all clients have begun", LIMIT, || all().then_some(())).expect("they have");
        change(&progress);
        while !progress.is_over() {
            change(&progress);
        }
        let mut met: Vec<_> =
            runs.into_iter().map(|(name, run)| (name, run.join().expect("a client"))).collect();
        met.push(("curl", curl.join().expect("curl")));
        met
    })
}

/// Counts a client as ended, also one that panicked.
struct Ended<'a>(&'a Progress);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until the balancer says so of a head.
fn state(system: &System, head: &str, wanted: &str) {
    let is_so = || {
        let text = system.ok(&["--json", "admin", "head", "list"]).ok()?;
        let heads: Value = serde_json::from_str(&text).ok()?;
        heads.as_array()?.iter().find(|h| h["name"] == head && h["state"] == wanted).map(|_| ())
    };
    wait::until(&format!("{head} is {wanted}"), LIMIT, is_so).expect("in time");
}

/// How many connections these requests used.
fn connections(requests: &[Request]) -> usize {
    requests.iter().map(|r| r.connection.as_str()).collect::<HashSet<_>>().len()
}

/// How many clients had to leave a connection.
fn moved(met: &[(&str, Vec<Request>)]) -> usize {
    met.iter().filter(|(_, requests)| connections(requests) > 1).count()
}

/// That nobody stalled, and no more requests failed than these.
fn judge(met: &[(&str, Vec<Request>)], may_fail: impl Fn(&Request) -> bool) {
    let mut wrong = Vec::new();
    for (name, requests) in met {
        assert_eq!(requests.len(), REQUESTS, "{name}");
        // The first request pays for the start of a client, many at once; it must end, as all must.
        let (first, rest) = requests.split_first().expect("some");
        let worst = rest.iter().map(|r| r.took).max().expect("some");
        let failed = requests.iter().filter(|r| r.failure.is_some()).count();
        // curl does not tell, so it counts as one.
        let on = connections(requests);
        let first = first.took;
        println!("{name}: {REQUESTS} requests on {on}, {failed} failed, worst {worst:?}, first {first:?}");
        for request in requests {
            if request.took >= STALL || (request.failure.is_some() && !may_fail(request)) {
                wrong.push((name, request));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rolling_drains_and_reloads_fail_and_stall_no_stock_client() {
    let system = System::start(PROGRAM, &["--heads", "3"]).expect("up");
    let object = object(&system);
    let mut rolled: Vec<(&str, u32)> = HEADS.map(|head| (head, system.pid(head))).into();
    let met = under(&system, &object, |progress| {
        // The head announces the end in every reply, and ends when its connections have; `up` starts it again.
        for (head, pid) in rolled.drain(..) {
            send(pid, Signal::TERM).expect("sent");
            let gone = || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(());
            wait::until(&format!("{head} ends"), LIMIT, gone).expect("in time");
            state(&system, head, "ready");
        }
        send(system.pid("balancer"), Signal::HUP).expect("sent");
        progress.goes_on(5 * CLIENTS.len());
    });
    judge(&met, |_| false);
    assert!(moved(&met) > 0, "the heads ended, and no client had to leave its connection");
}

#[test]
fn a_killed_head_fails_only_requests_in_flight() {
    let system = System::start(PROGRAM, &["--heads", "3"]).expect("up");
    let object = object(&system);
    let mut killed: Option<Instant> = None;
    let met = under(&system, &object, |progress| {
        if killed.is_none() {
            progress.goes_on(10 * CLIENTS.len());
            killed = Some(Instant::now());
            send(system.pid("head-1"), Signal::KILL).expect("sent");
        }
        progress.goes_on(10 * CLIENTS.len());
    });
    let killed = killed.expect("a head was killed");
    for (name, requests) in &met {
        assert!(requests.iter().filter(|r| r.failure.is_some()).count() <= 1, "{name}: {requests:#?}");
    }
    assert!(moved(&met) > 0, "no client was at the head that was killed");
    judge(&met, |request| {
        request.sent.is_none_or(|sent| sent < killed + TOLD && sent + request.took >= killed)
    });
}
