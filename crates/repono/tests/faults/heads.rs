//! Rows 14, 18 and 25: heads that die in an answer, never answer, or stop.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use repono_client::Limits;
use repono_relay::faults::{Door, FaultRelay, Pace, Plan, Rate};
use repono_testkit::port;
use repono_testkit::system::{Site, System, send, stop};
use repono_testkit::wait;
use rustix::process::Signal;

use crate::own::{self, Balancer, state};
use crate::stand::{Plain, Stand, relay_to, ticket};
use crate::{LIMIT, PROGRAM};

/// Clients that come right after a head has gone bad.
const CLIENTS: usize = 8;

/// A connect over loopback that takes longer is not going to be answered.
const KNOCK: Duration = Duration::from_millis(500);

/// A balancer whose heads are behind relays.
struct Stage {
    relays: Vec<FaultRelay>,
    balancer: Balancer,
    ticket: String,
    system: System,
}

impl Stage {
    async fn start() -> Self {
        let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
        put_small(&system);
        let mut relays = Vec::new();
        for address in own::balanced(&system) {
            relays.push(relay_to(address, Plan::default()).await);
        }
        let heads = [("head-1", relays[0].address()), ("head-2", relays[1].address())];
        let balancer = Balancer::start(&system, &Site::HERE, port::free().expect("a port"), &heads, |_| {});
        let ticket = ticket(&system);
        Self { relays, balancer, ticket, system }
    }

    fn wait_for(&self, head: &str, wanted: &[&str]) {
        let what = format!("{head} is {wanted:?}");
        self.balancer.wait(&self.system, &what, |heads| wanted.contains(&state(heads, head)));
    }

    fn answers(&self) -> Vec<anyhow::Result<u16>> {
        answers(&self.system, &self.balancer.url, &self.ticket)
    }
}

/// A file of 100 bytes under the name `small`.
pub(crate) fn put_small(system: &System) {
    let file = system.path("small");
    std::fs::write(&file, [7; 100]).expect("written");
    system.ok(&["put", &file.display().to_string(), "demo/files/small"]).expect("put");
}

/// What clients get that come all at once, each on a connection of its own.
pub(crate) fn answers(system: &System, url: &str, ticket: &str) -> Vec<anyhow::Result<u16>> {
    let one = || Ok(Plain::connect(system, url, ticket)?.get("small")?.status);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
        clients.into_iter().map(|client| client.join().expect("a client")).collect()
    })
}

/// Answered, or told at once by RST: never left in silence.
fn is_told(answer: &anyhow::Result<u16>) -> bool {
    match answer {
        Ok(status) => *status == 200,
        Err(error) => is_reset(error),
    }
}

pub(crate) fn is_reset(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::ConnectionReset)
}

pub(crate) fn all_served(answers: &[anyhow::Result<u16>]) {
    assert!(answers.iter().all(|a| a.as_ref().is_ok_and(|status| *status == 200)), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_accepts_and_never_answers_is_left_out() {
    let stage = Stage::start().await;
    stage.relays[0].set_plan(Plan::door(Door::Unanswered));
    let first = stage.answers();
    assert!(first.iter().all(is_told), "{first:?}");
    stage.wait_for("head-1", &["down", "ejected"]);
    all_served(&stage.answers());
    stage.relays[0].set_plan(Plan::default());
    stage.wait_for("head-1", &["ready"]);
    all_served(&stage.answers());
}

/// Nothing of a client's has been sent to the head that refuses it, so the next one
/// takes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_or_a_refusal_is_not_seen_by_any_client() {
    let stage = Stage::start().await;
    for door in [Door::QueueFull, Door::Refused] {
        stage.relays[0].set_plan(Plan::door(door));
        // Not before: what waits in the queue of a listener that is closed is reset.
        let knock = || TcpStream::connect_timeout(&stage.relays[0].address(), KNOCK).err();
        wait::until("the door is shut", LIMIT, knock).expect("in time");
        all_served(&stage.answers());
        stage.wait_for("head-1", &["down", "ejected"]);
        all_served(&stage.answers());
        stage.relays[0].set_plan(Plan::default());
        stage.wait_for("head-1", &["ready"]);
    }
}

/// Its kernel still accepts and acknowledges: only an answer shows that it lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_head_is_found_and_its_clients_are_told() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    put_small(&system);
    let ticket = ticket(&system);
    system.ok(&["admin", "head", "only", "head-1"]).expect("only");
    let mut caught = Plain::connect(&system, system.balancer(), &ticket).expect("connected");
    assert_eq!(caught.get("small").expect("answered").status, 200);
    system.ok(&["admin", "head", "only", "off"]).expect("off");
    stop(system.pid("head-1")).expect("stopped");
    let error = caught.get("small").expect_err("nobody answers");
    assert!(is_reset(&error), "{error:?}");
    let told = answers(&system, system.balancer(), &ticket);
    assert!(told.iter().all(is_told), "{told:?}");
    let found = |wanted: &'static [&str]| {
        let what = format!("head-1 is {wanted:?}");
        wait::until(&what, LIMIT, || wanted.contains(&state(&own::heads(&system), "head-1")).then_some(()))
    };
    found(&["down", "ejected"]).expect("in time");
    all_served(&answers(&system, system.balancer(), &ticket));
    send(system.pid("head-1"), Signal::CONT).expect("goes on");
    found(&["ready"]).expect("in time");
}

/// The kernel of a killed head says FIN; passed on as FIN, a body without a length
/// would look whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_killed_in_an_answer_tears_it_visibly() {
    let stand = Stand::start(64 << 20, Limits::DEFAULT).await;
    let ticket = ticket(&stand.system);
    let mut plain = Plain::connect(&stand.system, stand.system.balancer(), &ticket).expect("connected");
    plain.ask("object").expect("asked");
    plain.wire.exactly(1 << 20).expect("the beginning");
    send(stand.system.pid("head-1"), Signal::KILL).expect("killed");
    let error = plain.wire.exactly(64 << 20).expect_err("torn");
    assert!(is_reset(&error), "{error:?}");
}

/// The client resumes what the killed head had begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_killed_in_an_answer_costs_a_download_nothing() {
    let stand = Stand::start(24 << 20, Limits::DEFAULT).await;
    let rate = std::num::NonZeroU32::new(6 << 20).expect("not zero");
    let down = Pace { rate: Some(Rate::bytes_per_second(rate)), ..Pace::default() };
    stand.relay.set_plan(Plan { down, ..Plan::default() });
    let part = stand.system.path("got.part");
    let killer = async {
        while std::fs::metadata(&part).map_or(0, |m| m.len()) < 1 << 20 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        send(stand.system.pid("head-1"), Signal::KILL).expect("killed");
        stand.relay.set_plan(Plan::default());
    };
    let (got, ()) = tokio::join!(stand.caller.get_file(&stand.system), killer);
    got.expect("resumed on the head that came back");
}
