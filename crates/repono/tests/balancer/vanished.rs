//! A head whose host vanishes without a word, shown by a network that loses every
//! packet to it and from it.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;

use repono_testkit::network::{Network, Packets, Place, Rules, inside};
use repono_testkit::system::System;

use crate::stage::{
    Balancer, PROGRAM, admin, ask, client, command, configuration, is_reset, recorded, wait_until,
};

/// Where the far head listens for its balancer.
fn far() -> SocketAddr {
    SocketAddr::new(Place::HeadA.address(), 7461)
}

/// A further head of the system, on a host of its own.
fn start_far_head(system: &System) -> Balancer {
    let text = fs::read_to_string(system.data().join("run/head-1.toml")).expect("written");
    let mut table: toml::Table = text.parse().expect("TOML");
    table.insert("name".into(), "far".into());
    table.insert("direct".into(), SocketAddr::new(Place::HeadA.address(), 7451).to_string().into());
    table.insert("balanced".into(), far().to_string().into());
    let path = system.path("far.toml");
    fs::write(&path, toml::to_string(&table).expect("TOML")).expect("written");
    let through = Place::HeadA.through();
    let mut starting = Command::new(&through[0]);
    starting.args(&through[1..]).args([PROGRAM, "head", "--config"]).arg(&path);
    Balancer::started(starting)
}

fn far_address() -> toml::Value {
    let mut head = toml::Table::new();
    head.insert("name".into(), "far".into());
    head.insert("address".into(), far().to_string().into());
    head.into()
}

/// The host is gone: nothing reaches it, and nothing comes.
fn vanish(network: &mut Network) {
    let drops =
        vec![(Place::Client, Place::HeadA, Packets::All), (Place::HeadA, Place::Client, Packets::All)];
    network.set(Rules { drops, ..Rules::default() }).expect("set");
}

#[test]
fn an_asking_client_is_told_by_the_evidence_of_its_own_connection() {
    inside("vanished::an_asking_client_is_told_by_the_evidence_of_its_own_connection", |network| {
        let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
        let _far = start_far_head(&system);
        // Alone: while no other head serves, failed checks reset nobody.
        let (config, table) =
            configuration(&system, |table| _ = table.insert("heads".into(), vec![far_address()].into()));
        let _balancer = Balancer::started(command(&config, &[]));
        wait_until(&system, "far", "ready");
        let mut asking = client(&system, &table);
        vanish(network);
        let asked = Instant::now();
        assert!(is_reset(&ask(&mut asking).expect_err("no answer")));
        println!("RST after {:?}", asked.elapsed());
        recorded(&system, "sD");
    });
}

#[test]
fn an_idle_client_is_told_once_the_checks_have_failed() {
    inside("vanished::an_idle_client_is_told_once_the_checks_have_failed", |network| {
        let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
        let _far = start_far_head(&system);
        let (config, table) = configuration(&system, |table| {
            table["heads"].as_array_mut().expect("a list").push(far_address());
        });
        let _balancer = Balancer::started(command(&config, &[]));
        wait_until(&system, "far", "ready");
        wait_until(&system, "head-1", "ready");
        admin(&system, &["only", "far"]);
        let mut idle = client(&system, &table);
        admin(&system, &["only", "off"]);
        vanish(network);
        let begun = Instant::now();
        assert!(is_reset(&idle.end().expect_err("no end in order")));
        println!("RST after {:?}", begun.elapsed());
        recorded(&system, "DD");
        (0..4).for_each(|_| drop(client(&system, &table)));

        network.set(Rules::default()).expect("set");
        wait_until(&system, "far", "ready");
    });
}
