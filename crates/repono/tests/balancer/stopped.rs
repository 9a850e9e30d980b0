//! A head that is stopped: its kernel goes on accepting and acknowledging.

use repono_testkit::system::{System, send, stop};
use rustix::process::Signal;

use crate::stage::{
    Balancer, PROGRAM, admin, ask, client, command, configuration, is_reset, recorded, wait_until,
};

#[test]
fn clients_of_a_stopped_head_are_told_and_others_do_not_meet_it() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let (config, table) = configuration(&system, |_| {});
    let _balancer = Balancer::started(command(&config, &[]));
    wait_until(&system, "head-1", "ready");
    admin(&system, &["only", "head-1"]);
    let (mut asking, mut idle) = (client(&system, &table), client(&system, &table));
    admin(&system, &["only", "off"]);
    wait_until(&system, "head-2", "ready");

    stop(system.pid("head-1")).expect("stopped");
    assert!(is_reset(&ask(&mut asking).expect_err("no answer")));
    assert!(is_reset(&idle.end().expect_err("no end in order")));
    recorded(&system, "DD");
    (0..8).for_each(|_| drop(client(&system, &table)));

    send(system.pid("head-1"), Signal::CONT).expect("goes on");
    wait_until(&system, "head-1", "ready");
}
