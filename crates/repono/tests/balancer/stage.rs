//! A second balancer in front of a running system's heads.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use repono_testkit::port;
use repono_testkit::system::System;
use repono_testkit::wait;
use repono_testkit::wire::Wire;
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A service that was started by the test: a balancer, or another head.
pub(crate) struct Balancer(pub(crate) Child);

impl Balancer {
    pub(crate) fn started(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("started");
        let out = child.stdout.take().expect("piped");
        let line = BufReader::new(out).lines().next().expect("ready before the end").expect("text");
        assert_eq!(line, "{\"ready\":true}");
        Self(child)
    }

    pub(crate) fn ended(&mut self) {
        let exit = wait::until("the balancer ends", LIMIT, || self.0.try_wait().expect("a child"));
        assert!(exit.expect("in time").success());
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("told");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn command(config: &Path, further: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["balancer", "--config"]).arg(config).args(further);
    command
}

/// The configuration of the system's own balancer, under other addresses.
pub(crate) fn configuration(
    system: &System,
    change: impl FnOnce(&mut toml::Table),
) -> (PathBuf, toml::Table) {
    let text = fs::read_to_string(system.data().join("run/balancer.toml")).expect("written");
    let mut table: toml::Table = text.parse().expect("TOML");
    table.insert("name".into(), "second".into());
    table.insert("listen".into(), port::free().expect("a port").to_string().into());
    table.insert("admin_socket".into(), system.path("second.sock").display().to_string().into());
    change(&mut table);
    let path = system.path("second.toml");
    fs::write(&path, toml::to_string(&table).expect("TOML")).expect("written");
    (path, table)
}

pub(crate) fn heads(system: &System) -> Vec<Value> {
    let socket = system.path("second.sock").display().to_string();
    let text = system.ok(&["--json", "admin", "--socket", &socket, "head", "list"]).expect("answered");
    serde_json::from_str::<Value>(&text).expect("JSON").as_array().expect("a list").clone()
}

pub(crate) fn wait_for(system: &System, what: &str, holds: impl Fn(&[Value]) -> bool) {
    wait::until(what, LIMIT, || holds(&heads(system)).then_some(())).expect("in time");
}

pub(crate) fn address(table: &toml::Table) -> SocketAddr {
    table["listen"].as_str().expect("text").parse().expect("an address")
}

/// The operator's command to the second balancer.
pub(crate) fn admin(system: &System, arguments: &[&str]) {
    let socket = system.path("second.sock").display().to_string();
    let all = [&["admin", "--socket", &socket, "head"], arguments].concat();
    system.ok(&all).expect("obeyed");
}

/// Waits until a head of the second balancer is in a state.
pub(crate) fn wait_until(system: &System, head: &str, state: &str) {
    let is = |heads: &[Value]| heads.iter().any(|one| one["name"] == head && one["state"] == state);
    wait_for(system, &format!("{head} is {state}"), is);
}

/// A client of the second balancer that was answered once.
pub(crate) fn client(system: &System, table: &toml::Table) -> Wire {
    let url = format!("https://{}", address(table));
    let mut wire = Wire::connect(&url, Path::new(system.fact("ca"))).expect("connected");
    assert_eq!(ask(&mut wire).expect("answered"), 200);
    wire
}

/// One turn; the status.
pub(crate) fn ask(wire: &mut Wire) -> anyhow::Result<u16> {
    wire.send(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    Ok(wire.response("GET")?.status)
}

/// Whether the connection ended with RST.
pub(crate) fn is_reset(error: &anyhow::Error) -> bool {
    let kind =
        error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::ConnectionReset)
}

/// Waits until the second balancer has recorded a connection with this end code.
pub(crate) fn recorded(system: &System, end_code: &str) {
    let path = system.data().join("journal/second.jsonl");
    let wanted = format!("\"end_code\":\"{end_code}\"");
    let there = || fs::read_to_string(&path).ok()?.contains(&wanted).then_some(());
    wait::until("the end is recorded", LIMIT, there).expect("in time");
}
