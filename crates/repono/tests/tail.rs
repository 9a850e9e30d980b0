//! `repono tail` beside a running system, and beside a journal that rotates.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use repono_core::id::ConnectionId;
use repono_journal::{Journal, JournalConfig, RequestRecord, Side, Stamp, UrlPath};
use repono_testkit::system::{System, send};
use repono_testkit::wait;
use rustix::process::Signal;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// No line takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(30);

/// A running `repono tail`.
struct Tail {
    child: Child,
    said: Receiver<String>,
}

impl Tail {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("tail")
            .arg(folder)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (lines, said) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        Self { child, said }
    }

    fn line(&self) -> String {
        self.said.recv_timeout(LIMIT).expect("a line in time")
    }

    /// Reads until a line has this in it; gives all lines so far.
    fn until(&self, part: &str) -> Vec<String> {
        let mut lines = vec![self.line()];
        while !lines.last().is_some_and(|line| line.contains(part)) {
            lines.push(self.line());
        }
        lines
    }

    /// Ends it as Ctrl-C does; gives what it said since.
    fn end(mut self) -> Vec<String> {
        send(self.child.id(), Signal::INT).expect("it runs");
        self.ended()
    }

    fn ended(&mut self) -> Vec<String> {
        let rest = self.said.iter().collect();
        let mut faults = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut faults).expect("text");
        assert_eq!((self.child.wait().expect("it ends").code(), &*faults), (Some(0), ""));
        rest
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// What a tail of the past says; `last` is in the last line of it.
fn past(folder: &Path, filter: &[&str], last: &str) -> Vec<String> {
    let tail = Tail::start(folder, &[&["--since", "1h"], filter].concat());
    let mut lines = tail.until(last);
    lines.extend(tail.end());
    lines
}

#[test]
fn requests_of_a_running_system_appear_and_filters_select_them() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let journal = system.data().join("journal");
    let ticket = system.ticket(&[]).expect("a ticket");
    let headers: Vec<&str> = ticket.iter().flat_map(|line| ["-H", line.as_str()]).collect();
    let head = system.heads()[0].to_owned();
    let curl = |arguments: &[&str]| {
        let command = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "--cacert", system.fact("ca")])
            .args(&headers)
            .args(arguments)
            .status();
        assert!(command.expect("curl").success(), "{arguments:?}");
    };
    let url = |name: &str| format!("{head}/v1/demo/files/{name}");

    let live = Tail::start(&journal, &["--method", "get"]);
    // It says nothing of what was asked before it began to look.
    let asking = wait::until("a line", LIMIT, || {
        curl(&[&url("live?token=PREA_canary")]);
        live.said.try_recv().ok()
    });
    let asking = asking.expect("in time");
    assert!(asking.contains(" head/head-1 GET /v1/demo/files/live 404 "), "{asking}");
    assert!(asking.contains("  new  ") && asking.ends_with(" demo:demo"), "{asking}");
    assert!(!live.end().concat().contains("canary"));

    let body = system.path("body");
    std::fs::write(&body, vec![b'x'; 600_000]).expect("written");
    let body = body.to_str().expect("text");
    curl(&["--limit-rate", "200k", "-T", body, &url("slow")]);
    curl(&[&url("slow"), "-o", "/dev/null", &url("slow")]);
    curl(&[&url("absent")]);
    curl(&["-X", "DELETE", &url("slow")]);

    let lines = past(&journal, &["--slow", "1s"], "/slow");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("PUT /v1/demo/files/slow 201 ") && lines[0].contains("(send "), "{lines:?}");
    let lines = past(&journal, &["--reused", "--method", "GET"], "/slow");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(" 200 ") && lines[0].contains("  reused, idle "), "{lines:?}");
    let lines = past(&journal, &["--status", "4xx"], "/absent");
    assert!(lines.iter().all(|line| line.contains(" 404 ")), "{lines:?}");
    let lines = past(&journal, &["--status", "204,503", "--head", "1"], "DELETE");
    assert_eq!(lines.len(), 1, "{lines:?}");
    let lines =
        past(&journal, &["--connections", "--side", "head", "--slow", "1h"], "connection ended by client");
    assert!(lines.iter().all(|line| line.contains("connection ended by ")), "{lines:?}");

    assert!(system.run(&["admin", "head", "drain", "head-2"]).expect("it runs").status.success());
    let lines = past(&journal, &["--changes", "--slow", "1h"], "draining");
    assert!(
        lines
            .iter()
            .any(|line| line
                .contains(" balancer/balancer change: head-2.state from ready to draining, by uid ")),
        "{lines:?}"
    );

    let mut raw = Tail::start(&journal, &["--since", "1h", "--json", "--method", "PUT", "-n", "1"]);
    let record: Value = serde_json::from_str(&raw.line()).expect("JSON");
    assert_eq!(
        (&record["event"]["dataset"], &record["url"]["path"]),
        (&"repono.request".into(), &"/v1/demo/files/slow".into())
    );
    assert_eq!(raw.ended(), [""; 0]);

    let by_profile = system.command().args(["tail", "--since", "1h", "-n", "1"]).output().expect("it runs");
    assert!(by_profile.status.success() && !by_profile.stdout.is_empty(), "{by_profile:?}");
}

fn record(number: u32) -> RequestRecord {
    let address = ([127, 0, 0, 1], 7).into();
    let path = UrlPath::of_target(format!("/n/{number:05}").as_bytes());
    let id = ConnectionId::from_bytes([5; 12]);
    RequestRecord {
        path,
        status: Some(200),
        ..RequestRecord::new(Side::Head, id, Stamp::now(), address, address)
    }
}

#[test]
fn rotation_loses_no_line() {
    const REQUESTS: u32 = 3_000;
    let folder = tempfile::tempdir().expect("a folder");
    let config = JournalConfig {
        file_bytes_max: 50_000,
        files_max: 100,
        ..JournalConfig::new(folder.path(), "head", "head-1")
    };
    let journal = Journal::open(config).expect("a journal");
    let wanted = REQUESTS.to_string();
    let tail = Tail::start(folder.path(), &["--since", "1h", "-n", &wanted]);
    let mut recorder = journal.recorder();
    let reader = std::thread::spawn(move || (0..REQUESTS).map(|_| tail.line()).collect::<Vec<_>>());
    for number in 0..REQUESTS {
        recorder.request(&record(number));
        if number % 100 == 0 {
            journal.flush();
        }
    }
    journal.close();
    let lines = reader.join().expect("no panic");
    for (number, line) in lines.iter().enumerate() {
        assert!(line.contains(&format!(" /n/{number:05} ")), "{number}: {line}");
    }
    assert!(folder.path().join("head-1.jsonl.20").exists(), "it has rotated often");
}

#[test]
fn a_reader_that_has_enough_ends_it_without_a_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = Journal::open(JournalConfig::new(folder.path(), "head", "head-1")).expect("a journal");
    let mut recorder = journal.recorder();
    recorder.request(&record(1));
    journal.flush();
    let arguments = ["--since", "1h"].join(" ");
    let command = format!("'{PROGRAM}' tail '{}' {arguments} | head -1", folder.path().display());
    let output = Command::new("sh").args(["-c", &command]).output().expect("a shell");
    assert!(String::from_utf8_lossy(&output.stdout).contains(" /n/00001 200 "), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn wrong_use_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |arguments: &[&str], word: &str| {
        let output = Command::new(PROGRAM)
            .arg("tail")
            .args(arguments)
            .current_dir(folder.path())
            .env("REPONO_PROFILE", folder.path().join("profile.toml"))
            .output()
            .expect("it runs");
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
    };
    refused(&[], "repono-data/journal: name their folder");
    refused(&["/nonexistent/journal"], "/nonexistent/journal is no folder");
    refused(&["--slow", "5"], "250ms, 1s");
    refused(&["--status", "6xx"], "404 or 5xx");
    refused(&["--side", "proxy"], "client, balancer, head");
    refused(&["--new", "--reused"], "cannot be used with");
    refused(&["-n", "0"], "0");
}
