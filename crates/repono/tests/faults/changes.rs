//! Rows 13, 16 and 28: changes that an operator makes while requests are under way.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use repono_client::{ClientError, Limits};
use repono_testkit::port;
use repono_testkit::system::{Site, System};
use repono_testkit::wait;
use repono_testkit::wire::Wire;
use tokio::task::JoinSet;

use crate::caller::Caller;
use crate::own::{self, Balancer, state};
use crate::stand::{Plain, ticket};
use crate::{LIMIT, PROGRAM};

/// Requests at a time.
const READERS: usize = 4;

#[derive(Default)]
struct Load {
    answered: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Waits for so many further answers.
    async fn goes_on(&self, further: usize) {
        let before = self.answered.load(Ordering::Relaxed);
        let enough = async {
            while self.answered.load(Ordering::Relaxed) < before + further {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT * 3, enough).await.expect("the load goes on");
    }
}

async fn reader(caller: Arc<Caller>, load: Arc<Load>) -> Vec<ClientError> {
    let mut failed = Vec::new();
    while !load.stop.load(Ordering::Relaxed) {
        match caller.get().await {
            Ok(()) => _ = load.answered.fetch_add(1, Ordering::Relaxed),
            Err(error) => failed.push(error),
        }
    }
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn drains_a_reload_and_a_successor_fail_no_request_of_our_client() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let addresses = own::balanced(&system);
    let heads = [("head-1", addresses[0]), ("head-2", addresses[1])];
    let mut balancer = Balancer::start(&system, &Site::HERE, port::free().expect("a port"), &heads, |_| {});
    let caller = Caller::new(&system, &balancer.url, Limits::DEFAULT).with_object(&system, 10_000);
    let (caller, load) = (Arc::new(caller), Arc::new(Load::default()));
    let mut readers = JoinSet::new();
    (0..READERS).for_each(|_| _ = readers.spawn(reader(Arc::clone(&caller), Arc::clone(&load))));
    load.goes_on(50).await;
    for name in ["head-1", "head-2"] {
        balancer.order(&system, &["drain", name]);
        balancer.wait(&system, "it drains", |heads| state(heads, name) == "draining");
        load.goes_on(50).await;
        balancer.order(&system, &["ready", name]);
        balancer.wait(&system, "it is back", |heads| state(heads, name) == "ready");
        load.goes_on(20).await;
    }
    balancer.reload();
    load.goes_on(50).await;
    balancer.succeed();
    load.goes_on(50).await;
    load.stop.store(true, Ordering::Relaxed);
    let failed: Vec<ClientError> = readers.join_all().await.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{} of {:?}: {failed:?}", failed.len(), load.answered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_lets_a_running_answer_end() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let caller = Caller::new(&system, system.balancer(), Limits::DEFAULT).with_object(&system, 32 << 20);
    let mut plain = Plain::connect(&system, system.balancer(), &ticket(&system)).expect("connected");
    plain.ask("object").expect("asked");
    plain.wire.exactly(1 << 20).expect("the beginning").expect("bytes");
    system.ok(&["admin", "head", "drain", "head-1"]).expect("drained");
    let drains = || (state(&own::heads(&system), "head-1") == "draining").then_some(());
    wait::until("it drains", LIMIT, drains).expect("in time");
    // What was read included the head of the answer: so much is left at least.
    let rest = caller.content.len() - (1 << 20);
    plain.wire.exactly(rest).expect("the rest").expect("bytes");
}

/// The head answers before the body has come. Its answer arrives although bytes of the
/// body are under way to it, which a socket closed at once would answer with RST.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_who_is_still_sending() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let ca = PathBuf::from(system.fact("ca"));
    for _ in 0..20 {
        let mut wire = Wire::connect(system.balancer(), &ca).expect("connected");
        let request = "PUT /v1/demo/files/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n";
        wire.send(&[request.as_bytes(), &[7; 100_000]].concat()).expect("sent");
        assert_eq!(wire.response("PUT").expect("the answer is not lost").status, 401);
    }
}
