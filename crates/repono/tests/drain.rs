//! Heads that are drained, singled out or killed under load, and the end of
//! everything: what clients see of it.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use repono_testkit::system::{System, send};
use repono_testkit::wait;
use repono_testkit::wire::{End, Wire};
use rustix::process::Signal;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// Clients at a time: some keep their connection, some open one for each request.
const CLIENTS: usize = 8;

#[derive(Default)]
struct Tally {
    answered: AtomicUsize,
    failed: AtomicUsize,
    stop: AtomicBool,
}

struct Load {
    tally: Arc<Tally>,
    clients: Vec<std::thread::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(system: &System) -> Self {
        let tally = Arc::new(Tally::default());
        let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (url, ca) = (system.balancer().to_owned(), PathBuf::from(system.fact("ca")));
                let (ticket, tally) = (ticket.clone(), Arc::clone(&tally));
                std::thread::spawn(move || client(number, &url, &ca, &ticket, &tally))
            })
            .collect();
        Self { tally, clients }
    }

    /// Waits for so many further answers.
    fn goes_on(&self, further: usize) {
        let before = self.tally.answered.load(Ordering::Relaxed);
        wait::until("the load goes on", Duration::from_secs(30), || {
            (self.tally.answered.load(Ordering::Relaxed) >= before + further).then_some(())
        })
        .expect("answers");
    }

    /// Ends the load; gives the names that were acknowledged and how many
    /// requests failed.
    fn end(self) -> (Vec<String>, usize) {
        self.tally.stop.store(true, Ordering::Relaxed);
        let acknowledged = self.clients.into_iter().flat_map(|c| c.join().expect("a client")).collect();
        (acknowledged, self.tally.failed.load(Ordering::Relaxed))
    }
}

/// PUTs one name after another; a connection is kept as long as the replies allow
/// by every second client. Gives the acknowledged names.
fn client(number: usize, url: &str, ca: &Path, ticket: &str, tally: &Tally) -> Vec<String> {
    let (mut acknowledged, mut kept, mut count) = (Vec::new(), None, 0);
    while !tally.stop.load(Ordering::Relaxed) {
        count += 1;
        let name = format!("load/{number}/{count}");
        match put(kept.take(), url, ca, ticket, &name) {
            Some((wire, keep)) => {
                tally.answered.fetch_add(1, Ordering::Relaxed);
                acknowledged.push(name);
                kept = (keep && number.is_multiple_of(2)).then_some(wire);
            }
            None => {
                tally.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    acknowledged
}

/// One PUT, on a kept connection if there is one; gives the connection back and
/// whether the reply lets it be used again.
fn put(kept: Option<Wire>, url: &str, ca: &Path, ticket: &str, name: &str) -> Option<(Wire, bool)> {
    let mut wire = match kept {
        Some(wire) => wire,
        None => Wire::connect(url, ca).ok()?,
    };
    let head =
        format!("PUT /v1/demo/files/{name} HTTP/1.1\r\nHost: h\r\n{ticket}\r\nContent-Length: 4\r\n\r\nbody");
    wire.send(head.as_bytes()).ok()?;
    let response = wire.response("PUT").ok().filter(|response| response.status == 201)?;
    let keep = response.header("connection") != Some("close");
    Some((wire, keep))
}

fn heads(system: &System) -> Vec<Value> {
    let list = system.ok(&["--json", "admin", "head", "list"]).expect("a list");
    serde_json::from_str(&list).expect("JSON")
}

fn connections(system: &System, name: &str) -> u64 {
    let list = heads(system);
    let head = list.iter().find(|head| head["name"] == name);
    head.and_then(|head| head["connections"].as_u64()).expect("a number of connections")
}

fn all_read_back(system: &System, names: &[String]) {
    let listed = system.ok(&["ls", "--recursive", "demo/files/load/"]).expect("a listing");
    let listed: std::collections::HashSet<&str> = listed.lines().collect();
    let missing = names.iter().filter(|name| !listed.contains(name.as_str())).count();
    assert_eq!(missing, 0, "{missing} of {} acknowledged writes are gone", names.len());
}

#[test]
fn drain_and_only_fail_no_request() {
    let system = System::start(PROGRAM, &[]).expect("up");
    let load = Load::start(&system);
    load.goes_on(100);
    system.ok(&["admin", "head", "drain", "head-2"]).expect("drained");
    load.goes_on(200);
    system.ok(&["admin", "head", "ready", "head-2"]).expect("ready");
    load.goes_on(100);
    system.ok(&["admin", "head", "only", "head-3"]).expect("only");
    let before: Vec<u64> = ["head-1", "head-2", "head-4"].map(|name| connections(&system, name)).into();
    load.goes_on(200);
    let after: Vec<u64> = ["head-1", "head-2", "head-4"].map(|name| connections(&system, name)).into();
    assert!(after.iter().zip(&before).all(|(after, before)| after <= before), "{before:?} {after:?}");
    system.ok(&["admin", "head", "only", "off"]).expect("off");
    load.goes_on(100);
    let (acknowledged, failed) = load.end();
    assert_eq!(failed, 0, "of {} requests", acknowledged.len());
    all_read_back(&system, &acknowledged);
}

#[test]
fn a_killed_head_loses_nothing_that_was_acknowledged() {
    let system = System::start(PROGRAM, &[]).expect("up");
    let load = Load::start(&system);
    load.goes_on(100);
    send(system.pid("head-1"), Signal::KILL).expect("killed");
    load.goes_on(300);
    let (acknowledged, failed) = load.end();
    assert!(failed <= CLIENTS, "{failed} requests failed; only those on the killed head may");
    all_read_back(&system, &acknowledged);
}

#[test]
fn the_end_of_everything_is_in_order() {
    let mut system = System::start(PROGRAM, &[]).expect("up");
    let ca = PathBuf::from(system.fact("ca"));
    let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
    let (mut idle, _) =
        put(None, system.balancer(), &ca, &ticket, "load/idle/1").expect("an idle connection");
    let load = Load::start(&system);
    load.goes_on(100);
    let begun = Instant::now();
    assert_eq!(system.stop(Signal::TERM).expect("it ends"), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(35), "it took {:?}", begun.elapsed());
    // The balancer ends what is quiet; it has no part in the TLS, so FIN is all it can say.
    assert_eq!(idle.end().expect("no reset"), End::Fin);
    let (acknowledged, _refused_after_the_end) = load.end();
    system.restart().expect("up again");
    all_read_back(&system, &acknowledged);
}
