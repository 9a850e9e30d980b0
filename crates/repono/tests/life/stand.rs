//! A head with limits of its own beside those of a running system, on the same store.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use repono_testkit::port;
use repono_testkit::system::{System, send};
use repono_testkit::wait;
use repono_testkit::wire::{Response, Wire};
use rustix::process::Signal;
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// Within this every state is reached that is waited for, on a busy machine too.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A running system and a ticket for it.
pub(crate) struct Stand {
    pub(crate) system: System,
    pub(crate) ca: PathBuf,
    pub(crate) ticket: String,
}

/// What is not usual about a head.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setting<'s> {
    /// Keys of its configuration.
    pub(crate) keys: &'s [(&'s str, &'s str)],
    /// The folder of its journal.
    pub(crate) journal: Option<&'s Path>,
    /// Variables of its environment.
    pub(crate) environment: &'s [(&'s str, &'s Path)],
}

/// A head of the test's own.
pub(crate) struct Head {
    pub(crate) direct: SocketAddr,
    pub(crate) balanced: SocketAddr,
    pub(crate) journal: PathBuf,
    child: Child,
}

impl Stand {
    pub(crate) fn new() -> Self {
        let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
        let ca = PathBuf::from(system.fact("ca"));
        let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
        Self { system, ca, ticket }
    }

    /// Starts a head whose configuration has these keys besides the usual ones, or
    /// instead of them.
    pub(crate) fn head(&self, name: &str, keys: &[(&str, &str)]) -> Head {
        self.head_set(name, &Setting { keys, ..Setting::default() })
    }

    /// The same, with more that is not usual.
    pub(crate) fn head_set(&self, name: &str, setting: &Setting<'_>) -> Head {
        let usual_journal = self.system.path(&format!("{name}-journal"));
        let journal = setting.journal.unwrap_or(&usual_journal);
        let (direct, balanced) = (free(), free());
        let path = self.system.path(&format!("{name}.toml"));
        let quoted = |value: &dyn std::fmt::Display| format!("\"{value}\"");
        let mut all = vec![
            ("name", quoted(&name)),
            ("direct", quoted(&direct)),
            ("balanced", quoted(&balanced)),
            ("journal", quoted(&journal.display())),
        ];
        all.extend(setting.keys.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let usual = fs::read_to_string(self.system.data().join("run/head-1.toml")).expect("a configuration");
        let is_own = |line: &&str| {
            !all.iter().any(|(key, _)| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" =")))
        };
        let mut text: String = all.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        text.extend(usual.lines().filter(is_own).map(|line| format!("{line}\n")));
        fs::write(&path, text).expect("written");
        let mut child = Command::new(PROGRAM)
            .args(["head", "--config"])
            .arg(&path)
            .envs(setting.environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.system.path(&format!("{name}.log"))).expect("a log"))
            .spawn()
            .expect("started");
        let out = child.stdout.take().expect("piped");
        let line = BufReader::new(out).lines().next().expect("ready before the end").expect("text");
        assert_eq!(line, "{\"ready\":true}");
        Head { direct, balanced, journal: journal.join(format!("{name}.jsonl")), child }
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> Wire {
        Wire::connect(&to.to_string(), &self.ca).expect("connected")
    }

    /// The head of a request with a ticket.
    pub(crate) fn request(&self, method: &str, path: &str, lines: &str) -> String {
        format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{}\r\n{lines}\r\n", self.ticket)
    }

    /// One small authenticated request and its reply.
    pub(crate) fn ask(&self, wire: &mut Wire) -> Result<Response> {
        wire.send(self.request("HEAD", "/v1/demo/files", "").as_bytes())?;
        wire.response("HEAD")
    }
}

impl Head {
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.child.id(), signal).expect("a signal");
    }

    /// Waits for the end of the process; gives when it came.
    pub(crate) fn ended(&mut self, limit: Duration) -> Instant {
        let exit = wait::until("the head ends", limit, || self.child.try_wait().expect("a child"));
        assert!(exit.expect("in time").success());
        Instant::now()
    }

    /// The records of connections so far.
    pub(crate) fn connections(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.journal).unwrap_or_default();
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.filter(|record| record["repono"]["connection"].get("manner").is_some()).collect()
    }

    /// Waits for the record of the connection with this end of ours.
    pub(crate) fn record_of(&self, port: u16) -> Value {
        let found = || {
            let records = self.connections();
            let one = records.iter().find(|record| record["source"]["port"] == port)?;
            Some(one["repono"]["connection"].clone())
        };
        wait::until("the connection is recorded", LIMIT, found).expect("a record")
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This end of a connection.
pub(crate) fn port(wire: &Wire) -> u16 {
    wire.tcp().local_addr().expect("bound").port()
}

fn free() -> SocketAddr {
    port::free().expect("a port")
}

/// Whether a reply announces the end of its connection.
pub(crate) fn announces(response: &Response) -> bool {
    response.header("connection") == Some("close")
}

/// That the connection ends by close_notify, and what record it leaves.
pub(crate) fn ends_as(head: &Head, wire: &mut Wire, manner: &str) -> Result<()> {
    ensure!(wire.ends_cleanly()?, "more follows");
    let record = head.record_of(port(wire));
    let text = |key: &str| record[key].as_str().context("no such field").map(str::to_owned);
    ensure!(text("manner")? == manner && text("closed_by")? == "us", "{record}");
    Ok(())
}
