//! `repono doctor` against servers, balancers and boxes whose limits are known: the
//! limit within a tenth, and the manner of the end, right for each.
//!
//! The rows stand in `docs/doctor.md` too.

#![expect(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "these tests do not check configurations, nor drive a balancer")]
#[path = "../foreign/balancer.rs"]
mod balancer;
mod forgetful;
#[expect(dead_code, reason = "these tests do not drive a balancer")]
#[path = "../faults/own.rs"]
mod own;
mod server;
mod verdict;

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use repono_relay::faults::{Effect, FaultRelay, Plan, Reach, When};
use repono_testkit::port;
use repono_testkit::system::{Site, System};
use serde_json::Value;

use crate::balancer::{Balancer, Idle, Kind};
use crate::server::Server;
use crate::verdict::{Row, documented, examine, measured};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// How long a state may take on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// The longest quiet that is tried against limits of 5 s.
const TRIED_S: &str = "9";

/// The limit of our own head before a request that is authorized.
const HEAD: Row =
    Row { what: "head, before an authorized request", limit_s: 15.0, manner: "fin+close_notify" };
/// A balancer of ours, with `idle_ms = 5000`.
const OURS: Row = Row { what: "Repono balancer, `idle_ms = 5000`", limit_s: 5.0, manner: "fin" };

fn foreign(kind: Kind) -> Row {
    let what = match kind {
        Kind::HaProxy => "HAProxy tcp, `timeout client 5s`",
        Kind::Nginx => "nginx stream, `proxy_timeout 5s`",
        Kind::Envoy => "Envoy tcp_proxy, `idle_timeout: 5s`",
    };
    Row { what, limit_s: 5.0, manner: "fin" }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_and_balancer_is_seen_through() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let ca = ["--ca", system.fact("ca")];
    let addresses = own::balanced(&system);
    let here = port::free().expect("a port");
    let ours = own::Balancer::start(&system, &Site::HERE, here, &[("head-1", addresses[0])], |table| {
        _ = table.insert("idle_ms".into(), 5_000.into());
    });
    let head = system.heads()[0].to_owned();
    let server: SocketAddr = head.trim_start_matches("https://").parse().expect("an address");
    let others = balancer::ALL.map(|kind| {
        let name = format!("doctor-{kind:?}");
        (kind, Balancer::start(&system, kind, Idle::Short, server, &name))
    });
    let servers = Server::all(&system);
    let others = others.map(|(kind, other)| (foreign(kind), format!("https://{}", other.address), other));
    for (row, url) in
        others.iter().map(|(row, url, _)| (row, url)).chain(servers.iter().map(|s| (&s.row, &s.url)))
    {
        server::wait(row, url, &ca);
    }

    thread::scope(|scope| {
        let mut running = Vec::new();
        running.push(scope.spawn(|| measured(HEAD, &head, &[&ca[..], &["--idle-max", "18"]].concat())));
        running.push(scope.spawn(|| {
            let twin = ["--idle-max", TRIED_S, "--head", head.as_str()];
            let report = measured(OURS, &ours.url, &[&ca[..], &twin].concat());
            let found = &report["findings"];
            let before = rule(found, "ended-before-head").expect("the head keeps it longer");
            assert_eq!(before["hop"], "balancer");
            let below = rule(found, "idle-below-advertised").expect("the head says 55 s");
            assert_eq!(below["hop"], "balancer", "an end without the close_notify that the head says");
            report
        }));
        let rows = others.iter().map(|(row, url, _)| (row, url));
        for (row, url) in rows.chain(servers.iter().map(|server| (&server.row, &server.url))) {
            running.push(scope.spawn(|| measured(*row, url, &[&ca[..], &["--idle-max", TRIED_S]].concat())));
        }
        running.into_iter().for_each(|run| _ = run.join().expect("right"));
    });
}

/// Boxes that say nothing when a connection has been quiet for 4 s.
#[tokio::test(flavor = "multi_thread")]
async fn each_box_on_the_way_is_seen_through() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let head: SocketAddr = system.heads()[0].trim_start_matches("https://").parse().expect("an address");
    let quiet = Duration::from_secs(4);
    let boxes = [
        ("relay that resets quiet connections", "rst", When::Idle(quiet), Effect::Reset),
        ("relay that resets the next request", "rst-on-send", When::SendAfterIdle(quiet), Effect::Reset),
        (
            "relay that takes the next request and says nothing",
            "acked-silent",
            When::SendAfterIdle(quiet),
            Effect::Silence(Reach::Both),
        ),
    ];
    let mut relays = Vec::new();
    for (what, manner, when, effect) in boxes {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let relay = FaultRelay::start(listen, head, Plan::strike(when, effect), 0).await.expect("it listens");
        relays.push((Row { what, limit_s: 4.0, manner }, relay));
    }
    let arguments = ["--ca", system.fact("ca"), "--idle-max", "8"];
    tokio::task::block_in_place(|| {
        thread::scope(|scope| {
            let running: Vec<_> = relays
                .iter()
                .map(|(row, relay)| {
                    scope.spawn(|| measured(*row, &format!("https://{}", relay.address()), &arguments))
                })
                .collect();
            running.into_iter().for_each(|run| _ = run.join().expect("right"));
        });
    });
}

/// What has changed between two runs is found, and what has not is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_since_the_baseline_is_a_finding() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let head: SocketAddr = system.heads()[0].trim_start_matches("https://").parse().expect("an address");
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let relay = FaultRelay::start(listen, head, Plan::default(), 0).await.expect("it listens");
    let url = format!("https://{}", relay.address());
    let baseline = system.path("baseline.json");
    let shown = baseline.display().to_string();
    let arguments = ["--ca", system.fact("ca"), "--idle-max", "4", "--client", "go net"];
    tokio::task::block_in_place(|| {
        let first = examine(&url, &arguments);
        assert_eq!(first["idle"]["manner"], "none", "{first}");
        assert_eq!(first["clients"].as_array().map(Vec::len), Some(1), "{}", first["clients"]);
        assert_eq!(first["limits"]["expect"]["answer"], "final", "a PUT without a ticket is refused at once");
        std::fs::write(&baseline, first.to_string()).expect("written");
        let with = [&arguments[..], &["--baseline", &shown]].concat();
        assert_eq!(rule(&examine(&url, &with)["findings"], "changed"), None);
        relay.set_plan(Plan::strike(When::Idle(Duration::from_secs(2)), Effect::Fin));
        let changed = examine(&url, &with);
        let title = rule(&changed["findings"], "changed").expect("a change")["title"].to_string();
        assert!(title.contains("idle limit, from none up to 4 s to 2.0 s (fin)"), "{title}");
    });
}

/// A reload of our balancer costs nobody a request; the end of a server does.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_costs_is_told() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let arguments = ["--ca", system.fact("ca"), "--idle-max", "2", "--during"];
    tokio::task::block_in_place(|| {
        let reload = format!("kill -HUP {}", system.pid("balancer"));
        let report = examine(system.balancer(), &[&arguments[..], &[&reload]].concat());
        let during = &report["during"];
        assert_eq!(
            (&during["lost"], &during["refused"], &during["exit_status"]),
            (&0.into(), &0.into(), &0.into())
        );
        assert!(during["answered"].as_u64().is_some_and(|count| count > 50), "{during}");
        assert_eq!(rule(&report["findings"], "lost-during-command"), None, "{during}");
        // The balancer goes away, and what is left to examine is nothing.
        let kill = format!("kill -KILL {}; sleep 1; echo killed", system.pid("balancer"));
        let report = examine(system.balancer(), &[&arguments[..], &[&kill]].concat());
        let during = &report["during"];
        assert!(during["refused"].as_u64().is_some_and(|count| count > 0), "{during}");
        assert_eq!(
            rule(&report["findings"], "lost-during-command").expect("a finding")["confidence"],
            "certain"
        );
    });
}

/// Ends connections by their age, whether they are in use or not.
#[tokio::test(flavor = "multi_thread")]
async fn an_age_is_told_from_quiet() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let head: SocketAddr = system.heads()[0].trim_start_matches("https://").parse().expect("an address");
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let plan = Plan::strike(When::Age(Duration::from_secs(4)), Effect::Fin);
    let relay = FaultRelay::start(listen, head, plan, 0).await.expect("it listens");
    tokio::task::block_in_place(|| {
        let url = format!("https://{}", relay.address());
        let report = examine(&url, &["--ca", system.fact("ca"), "--idle-max", "8"]);
        let age = rule(&report["findings"], "age-unannounced").expect("an age");
        assert!(age["evidence"].to_string().contains("one of age"), "{age}");
    });
}

#[test]
fn wrong_use_is_told_and_nothing_is_opened() {
    let refused = |arguments: &[&str], word: &str| {
        let output = verdict::doctor(arguments);
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
    };
    refused(&["store.example.net"], "https://");
    refused(&["https://127.0.0.1:1/", "--client", "netscape"], "OkHttp");
    refused(&["https://127.0.0.1:1/", "-H", "no colon"], "Name: value");
    refused(&["https://127.0.0.1:1/", "--baseline", "/nonexistent"], "cannot read");
    // TEST-NET-1 (RFC 5737): asked for before anything is sent.
    refused(&["https://192.0.2.1/", "--head", "https://192.0.2.2/"], "--yes");
    let output = verdict::doctor(&["http://127.0.0.1:1/", "--idle-max", "2"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).expect("text").contains("cannot connect"));
}

#[test]
fn every_row_stands_in_the_documentation() {
    let rows = [HEAD, OURS].into_iter().chain(balancer::ALL.map(foreign)).chain(server::ROWS);
    rows.chain(forgetful::ROWS).for_each(|row| documented(&row));
}

/// The finding of this rule.
fn rule<'a>(findings: &'a Value, name: &str) -> Option<&'a Value> {
    findings.as_array().expect("findings").iter().find(|finding| finding["rule"] == name)
}
