//! The monitor's findings of a running system: a client that writes no journal, and a path
//! that becomes another one.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "these tests do not drive a balancer")]
#[path = "faults/own.rs"]
mod own;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use repono_relay::faults::{Effect, FaultRelay, Plan, Reach, When};
use repono_testkit::port;
use repono_testkit::system::{Site, System, send};
use repono_testkit::wait;
use repono_testkit::wire::address;
use rustix::process::Signal;
use serde_json::Value;
use toml::Table;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// How long a state may take on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// From the record of a stalled request to the verdict.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// The pause of the client between two requests is longer than this.
const IDLE: Duration = Duration::from_millis(500);
/// The longest quiet that the monitor tries here.
const TRIED_S: i64 = 6;

/// A recorder, whose journal lies where the monitor reads; ended when dropped.
struct Recorder {
    child: Child,
    said: Value,
}

impl Recorder {
    fn start(system: &System, to: SocketAddr, more: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["--json", "record", "--listen", "127.0.0.1:0", "--to", &to.to_string(), "--journal"])
            .arg(system.data().join("journal"))
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("what it listens on");
        Self { child, said: serde_json::from_str(&line).expect("JSON") }
    }

    /// Two requests of curl on one connection, 1.2 s apart; gives its exit codes.
    fn curl(&self, ca: &str) -> String {
        let url = format!("https://{}/info", self.said["listen"].as_str().expect("an address"));
        let mut curl = Command::new("curl");
        curl.args(["-s", "--cacert", ca, "--rate", "50/m", "-m", "3", "-w", "%{exitcode} "]);
        let output = curl.args(["-o", "/dev/null", &url, "-o", "/dev/null", &url]).output().expect("curl");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Ends it as Ctrl-C does; its journal is whole then.
    fn end(&mut self) {
        send(self.child.id(), Signal::INT).expect("it runs");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn findings(system: &System) -> Option<Value> {
    serde_json::from_str(&system.monitored("/api/v1/findings").ok()??).ok()
}

/// Waits until what is told is as wanted.
fn told(system: &System, what: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = None;
    let found = wait::until(what, limit, || {
        last = findings(system).or(last.take());
        last.clone().filter(|told| wanted(told))
    });
    assert!(found.is_ok(), "{what} was not told: {last:#?}");
    found.expect("just looked at")
}

/// A box before the balancer of a system whose monitor knows its heads.
async fn boxed(system: &System, effect: Effect) -> FaultRelay {
    let balancer = address(system.balancer()).expect("an address");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let path = FaultRelay::start(any, balancer, Plan::strike(When::SendAfterIdle(IDLE), effect), 0).await;
    tokio::task::block_in_place(|| {
        told(system, "the heads are known", LIMIT, |told| told["verdict"]["level"] == "good");
    });
    path.expect("it listens")
}

/// The incident with curl as the client, which writes no journal: between two requests a box
/// forgets the connection, and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_stall_of_a_client_of_others_turns_the_verdict_within_10_s() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let path = boxed(&system, Effect::Silence(Reach::Both)).await;
    tokio::task::block_in_place(|| {
        let mut recorder = Recorder::start(&system, path.address(), &[]);
        assert_eq!(recorder.curl(system.fact("ca")), "0 28 ", "the second one is given up");
        // The box swallows the client's FIN as well: the record is written when the recorder ends.
        recorder.end();
        let recorded = Instant::now();
        let bad = told(&system, "the verdict is bad", TOLD_WITHIN, |told| told["verdict"]["level"] == "bad");
        println!("told {:?} after the record", recorded.elapsed());
        let finding = &bad["findings"][0];
        assert_eq!((&finding["rule"], &finding["impact"]["count"]), (&"client-gave-up".into(), &1.into()));
        let sentence = bad["verdict"]["sentence"].as_str().expect("text");
        assert!(sentence.starts_with("1 request waited up to 3."), "{sentence}");
    });
}

/// The box ends the connection to both sides, and the client sends its request again unseen.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_recorder_and_the_balancer_tell_names_the_path() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let path = boxed(&system, Effect::Fin).await;
    tokio::task::block_in_place(|| {
        // Replies tell which connection it is at the balancer: the box has an address of its own.
        let recorder = Recorder::start(&system, path.address(), &["--tls", "--ca", system.fact("ca")]);
        assert_eq!(recorder.curl(recorder.said["ca"].as_str().expect("a file")), "0 0 ");
        let bad = told(&system, "the path is named", LIMIT, |told| {
            let finding = &told["findings"][0];
            finding["rule"] == "stale-keepalive" && finding["hop"] == "path"
        });
        assert_eq!(bad["verdict"]["level"], "bad", "{bad:#}");
    });
}

/// Gives the monitor this configuration and restarts it: its supervisor starts it again.
fn reconfigured(system: &System, change: impl FnOnce(&mut Table)) {
    let file = system.data().join("run/monitor.toml");
    let text = std::fs::read_to_string(&file).expect("written by `up`");
    let mut table: Table = text.parse().expect("TOML");
    change(&mut table);
    std::fs::write(&file, table.to_string()).expect("written");
    send(system.pid("monitor"), Signal::KILL).expect("it runs");
}

fn probe(system: &System) -> u16 {
    let token = system.ok(&["ticket", "--format", "token"]).expect("a ticket");
    let token = format!("X-Auth-Token: {}", token.trim());
    system.monitor("/api/v1/path/probe", &["-X", "POST", "-H", &token]).expect("an answer").0
}

/// Has the path probed, and waits until it is.
fn probed(system: &System) -> Value {
    assert_eq!((probe(system), probe(system)), (202, 409), "once at a time");
    let told = told(system, "the path is probed", LIMIT, |told| told["path"]["running"] == false);
    assert_eq!(told["path"]["failed"], Value::Null, "{told:#}");
    told
}

/// A balancer on the path gets a short idle limit.
#[test]
fn another_idle_limit_of_the_path_is_measured_and_is_a_finding() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let here = port::free().expect("a port");
    let heads = [("head-1", own::balanced(&system)[0])];
    let balancer = |idle_ms: i64| {
        own::Balancer::start(&system, &Site::HERE, here, &heads, |table| {
            _ = table.insert("idle_ms".into(), idle_ms.into());
        })
    };
    let long = balancer(900_000);
    reconfigured(&system, |table| {
        let path = table["path"].as_table_mut().expect("`up` probes its own");
        path.insert("target".into(), format!("https://{here}/").into());
        path.insert("idle_max_s".into(), TRIED_S.into());
        path.insert("every_s".into(), 0.into());
    });
    let fresh =
        told(&system, "it is back", LIMIT, |told| told["path"]["target"] == format!("https://{here}/"));
    assert_eq!((&fresh["path"]["probed_ms"], &fresh["path"]["next_ms"]), (&Value::Null, &Value::Null));

    let before = probed(&system);
    assert_eq!((&before["path"]["limit_s"], &before["path"]["tested_to_s"]), (&Value::Null, &6.0.into()));
    drop(long);
    let _short = balancer(3_000);
    let path = probed(&system)["path"].clone();
    let limit = path["limit_s"].as_f64().expect("a limit");
    assert!((2.7..3.5).contains(&limit) && path["manner"] == "fin", "{path:#}");
    let is_change = |finding: &&Value| finding["kind"] == "changed" && finding["variant"] == "path.idle";
    let told = told(&system, "it is a finding", TOLD_WITHIN, |told| {
        told["findings"].as_array().is_some_and(|findings| findings.iter().any(|finding| is_change(&finding)))
    });
    let change = told["findings"].as_array().into_iter().flatten().find(is_change).expect("told");
    let title = "the idle limit of the path went from none up to 6 s to 3 s, then fin";
    assert_eq!((&change["title"], &change["hop"]), (&title.into(), &"path".into()), "{change:#}");
    assert_eq!(change["first_ms"], path["changed_ms"], "with its time");
}
