//! A balancer and heads of the test's own, on the store of a running system.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use repono_testkit::system::{Site, System, send};
use repono_testkit::wait;
use rustix::process::Signal;
use serde_json::Value;
use toml::Table;

use crate::{LIMIT, PROGRAM};

/// A running service; killed when dropped.
pub(crate) struct Process(Child);

impl Process {
    fn start(site: &Site, service: &str, config: &Path, further: &[&str]) -> Self {
        let mut command = site.command(Path::new(PROGRAM));
        command
            .args([service, "--config"])
            .arg(config)
            .args(further)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let out = child.stdout.take().expect("piped");
        let line = BufReader::new(out).lines().next().expect("ready before the end").expect("text");
        assert_eq!(line, "{\"ready\":true}");
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a head on the system's store that balancers reach at `balanced`.
pub(crate) fn head(system: &System, site: &Site, name: &str, balanced: SocketAddr) -> Process {
    let mut table = configuration(system, "head-1");
    table.insert("name".into(), name.into());
    table.insert("direct".into(), SocketAddr::new(site.address, 7_451).to_string().into());
    table.insert("balanced".into(), balanced.to_string().into());
    Process::start(site, "head", &written(system, name, &table), &[])
}

/// A balancer besides the system's own.
pub(crate) struct Balancer {
    /// Its URL.
    pub(crate) url: String,
    socket: String,
    site: Site,
    config: PathBuf,
    /// The last one listens; those before it end their connections.
    processes: Vec<Process>,
}

impl Balancer {
    /// Starts it at `listen` in front of these heads, and waits until all are ready.
    pub(crate) fn start(
        system: &System,
        site: &Site,
        listen: SocketAddr,
        heads: &[(&str, SocketAddr)],
        change: impl FnOnce(&mut Table),
    ) -> Self {
        let socket = system.path("own.sock").display().to_string();
        let mut table = configuration(system, "balancer");
        table.insert("name".into(), "own".into());
        table.insert("listen".into(), listen.to_string().into());
        table.insert("admin_socket".into(), socket.clone().into());
        let heads: Vec<toml::Value> = heads
            .iter()
            .map(|(name, address)| {
                let mut head = Table::new();
                head.insert("name".into(), (*name).into());
                head.insert("address".into(), address.to_string().into());
                head.into()
            })
            .collect();
        table.insert("heads".into(), heads.into());
        change(&mut table);
        let config = written(system, "own-balancer", &table);
        let processes = vec![Process::start(site, "balancer", &config, &[])];
        let url = format!("https://{listen}");
        let balancer = Self { url, socket, site: site.clone(), config, processes };
        balancer.wait(system, "all heads are ready", |heads| heads.iter().all(|h| h["state"] == "ready"));
        balancer
    }

    /// Starts another process that takes the listener over.
    pub(crate) fn succeed(&mut self) {
        self.processes.push(Process::start(&self.site, "balancer", &self.config, &["--take-over"]));
    }

    /// Has the listening process read its configuration again.
    pub(crate) fn reload(&self) {
        let last = self.processes.last().expect("one listens");
        send(last.0.id(), Signal::HUP).expect("sent");
    }

    /// Gives an order by `repono admin head`.
    pub(crate) fn order(&self, system: &System, words: &[&str]) {
        let all = [&["admin", "--socket", &self.socket, "head"], words].concat();
        system.ok(&all).expect("obeyed");
    }

    /// Waits until this holds of its list of heads.
    pub(crate) fn wait(&self, system: &System, what: &str, holds: impl Fn(&[Value]) -> bool) {
        let arguments = ["--json", "admin", "--socket", &self.socket, "head", "list"];
        wait::until(what, LIMIT, || {
            list(system, &arguments).is_some_and(|heads| holds(&heads)).then_some(())
        })
        .expect("in time");
    }
}

/// The heads of the system's own balancer.
pub(crate) fn heads(system: &System) -> Vec<Value> {
    list(system, &["--json", "admin", "head", "list"]).expect("a list")
}

/// The state of a head in a list.
pub(crate) fn state<'a>(heads: &'a [Value], name: &str) -> &'a str {
    let head = heads.iter().find(|head| head["name"] == name);
    head.and_then(|head| head["state"].as_str()).unwrap_or_default()
}

/// Where the system's heads take a balancer's connections.
pub(crate) fn balanced(system: &System) -> Vec<SocketAddr> {
    let table = configuration(system, "balancer");
    let heads = table["heads"].as_array().expect("heads");
    heads.iter().map(|h| h["address"].as_str().expect("text").parse().expect("an address")).collect()
}

fn list(system: &System, arguments: &[&str]) -> Option<Vec<Value>> {
    let text = system.ok(arguments).ok()?;
    serde_json::from_str::<Value>(&text).ok()?.as_array().cloned()
}

fn configuration(system: &System, service: &str) -> Table {
    let path = system.data().join(format!("run/{service}.toml"));
    fs::read_to_string(path).expect("written by `up`").parse().expect("TOML")
}

fn written(system: &System, name: &str, table: &Table) -> PathBuf {
    let path = system.path(&format!("{name}.toml"));
    fs::write(&path, table.to_string()).expect("written");
    path
}
