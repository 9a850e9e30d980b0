//! Heads behind the balancers of others, with stock clients: what a balancer's short
//! idle time-out costs, that ours lose no more to it than a plain nginx does, and that
//! the configurations of `deploy/` lose nothing.
//!
//! `cargo xtask foreign` runs it with all clients and writes `docs/foreign.md`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod balancer;
#[expect(dead_code, reason = "wget tells whole seconds, which is too coarse here")]
#[path = "../stock/batch.rs"]
mod batch;
#[expect(dead_code, reason = "these tests do not ask when a request was sent")]
#[path = "../stock/client.rs"]
mod client;
mod origin;
mod report;
mod stand;
mod tally;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use repono_testkit::system::System;
use repono_testkit::wait;

use crate::client::{CLIENTS, Client, Request};
use crate::report::Extent;
use crate::stand::{Arrangement, Origins, Promise, Stand};
use crate::tally::{Met, Place, Share};

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// A client pauses at least so long between two requests,
const GAP_MIN: Duration = Duration::from_millis(4_850);
/// and up to so much more. Those that begin within the last 100 ms before the 5 s are
/// under way when the balancer ends the connection: half of them.
const GAP_SPREAD: Duration = Duration::from_millis(200);
/// Start to start of curl's requests, which tell no gap: each comes when the connection
/// has been quiet for 5 s and a few ms.
const CURL_RATE: &str = "719/h";
/// Who waits on a dead connection waits for seconds; what is shorter may be a busy machine.
const STALL: Duration = Duration::from_secs(5);
/// How long all clients may take to begin: more than two hundred processes on two cores.
const BEGUN_WITHIN: Duration = Duration::from_secs(480);
/// Ours are worse when chance explains their failures less often than this.
const CHANCE: f64 = 0.001;

/// Gaps that look random and are the same in every arrangement and run.
struct Gaps(u64);

impl Gaps {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        GAP_MIN + GAP_SPREAD.mul_f64(((self.0 >> 33) % 1000) as f64 / 1000.0)
    }
}

/// One client in one stand, from its first request to its last.
fn ask(system: &System, stand: &Stand, number: usize, requests: usize, begun: &Begun) -> Vec<Request> {
    let mut gaps = Gaps(number as u64);
    let (mut client, first) = begun.in_turn(number, || {
        let mut client = Client::start(system, CLIENTS[number]);
        let first = client.ask(&stand.object);
        (client, first)
    });
    let mut all = vec![first];
    begun.wait();
    while all.len() < requests {
        thread::sleep(gaps.next());
        let request = client.ask(&stand.object);
        if tally::is_hung(&request) {
            client = Client::start(system, CLIENTS[number]);
        }
        all.push(request);
    }
    all
}

/// The start of all clients: two at a time, because a hundred at once take minutes for a
/// handshake, and none goes on before the last, so that starts disturb nobody's gaps.
struct Begun {
    turns: [Mutex<()>; 2],
    clients: AtomicUsize,
    of: usize,
}

impl Begun {
    fn in_turn<T>(&self, number: usize, start: impl FnOnce() -> T) -> T {
        let turn = self.turns[number % 2].lock().expect("no client failed to start");
        let started = start();
        drop(turn);
        self.clients.fetch_add(1, Ordering::Relaxed);
        started
    }

    fn wait(&self) {
        let all = || (self.clients.load(Ordering::Relaxed) == self.of).then_some(());
        wait::until("all clients have begun", BEGUN_WITHIN, all).expect("they have");
    }
}

/// What these clients, and curl, meet in all stands at once.
fn met(system: &System, stands: &[Stand], clients: &[usize], requests: usize) -> Vec<Met> {
    let begun =
        Begun { turns: Default::default(), clients: AtomicUsize::new(0), of: clients.len() * stands.len() };
    let begun = &begun;
    thread::scope(|scope| {
        let mut runs = Vec::new();
        for stand in stands {
            let at = |client| Place { client, kind: stand.kind, arrangement: stand.arrangement };
            for &number in clients {
                let run = scope.spawn(move || ask(system, stand, number, requests, begun));
                runs.push((at(CLIENTS[number].name), run));
            }
            let name = format!("curl-{:?}-{:?}", stand.kind, stand.arrangement);
            let run = scope.spawn(move || {
                begun.wait();
                batch::curl(system, &stand.object, &name, requests, CURL_RATE)
            });
            runs.push((at("curl"), run));
        }
        let end = |(place, run): (Place, thread::ScopedJoinHandle<'_, Vec<Request>>)| Met {
            place,
            requests: run.join().expect("a client"),
        };
        runs.into_iter().map(end).collect()
    })
}

/// What is wrong, in a line each.
fn wrong(all: &[Met]) -> Vec<String> {
    let mut lines = Vec::new();
    for met in all {
        let Place { client, kind, arrangement } = met.place;
        let failed: Vec<&Request> = met.requests.iter().filter(|r| r.failure.is_some()).collect();
        match arrangement.promise() {
            Promise::None => {}
            Promise::NotWorse => {
                let [ours, theirs] = [arrangement, Arrangement::Nginx].map(|a| Share::of(all, client, a));
                if ours.chance_beside(theirs) < CHANCE {
                    lines.push(format!("{client}: {ours:?} failed with ours, {theirs:?} with nginx"));
                }
            }
            Promise::Zero => {
                if !failed.is_empty() || met.worst() >= STALL {
                    let worst = met.worst();
                    lines.push(format!("{client}, {kind:?}, {arrangement:?}: worst {worst:?}, {failed:#?}"));
                }
            }
        }
    }
    lines
}

#[test]
fn what_a_short_time_out_costs_and_that_deploy_costs_nothing() {
    let extent = Extent::from_environment();
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let object = client::Object::put(&system);
    let origins = Origins::start(&system);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let stands: Vec<Stand> = balancer::ALL
        .into_iter()
        .flat_map(|kind| stand::ALL.map(|arrangement| (kind, arrangement)))
        .map(|place| runtime.block_on(Stand::start(&system, &origins, &object, place)))
        .collect();
    let all = met(&system, &stands, &extent.clients(), extent.requests());
    println!("{}", tally::tables(&all));
    extent.write(&all);

    // The clients met the race; without it the rest would say nothing.
    let with_nginx = all.iter().filter(|met| met.place.arrangement == Arrangement::Nginx);
    assert!(with_nginx.map(Met::failed).sum::<usize>() > 0, "no time-out raced a request");
    // And `deploy/` keeps connections, rather than opening one for each request.
    for met in all.iter().filter(|met| met.place.client == "requests") {
        if met.place.arrangement == Arrangement::Deployed {
            assert_eq!(met.connections(), Some(1), "{:?}", met.place);
        }
    }
    let wrong = wrong(&all);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_balancer_takes_its_configuration_of_deploy() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    for kind in balancer::ALL {
        let said = kind.checked(&system);
        let text = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{}: {text}", kind.name());
        assert!(!text.to_lowercase().contains("warn"), "{}: {text}", kind.name());
    }
}
