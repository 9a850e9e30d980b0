//! `repono record` between a stock client and a server, and what `repono diagnose` says
//! of its journal.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use repono_relay::faults::{Effect, FaultRelay, Plan, Reach, When};
use repono_testkit::network::{Network, Place, Rules, Unknown, inside};
use repono_testkit::system::{Site, System, send};
use repono_testkit::wire::address;
use rustix::process::Signal;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// The pause of the client between two requests is longer than this.
const IDLE: Duration = Duration::from_millis(500);
/// Transfers of curl, one each 1.2 s.
const RATE: &str = "50/m";

/// A running recorder.
struct Recorder {
    child: Child,
    said: Value,
    dir: PathBuf,
}

impl Recorder {
    fn start(dir: PathBuf, to: &str, more: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["--json", "record", "--listen", "127.0.0.1:0", "--to", to, "--journal"])
            .arg(&dir)
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut line).expect("what it listens on");
        Self { child, said: serde_json::from_str(&line).expect("JSON"), dir }
    }

    fn url(&self) -> String {
        format!("https://{}", self.said["listen"].as_str().expect("an address"))
    }

    /// Ends it as Ctrl-C does; its journal is whole then.
    fn end(&mut self) -> PathBuf {
        send(self.child.id(), Signal::INT).expect("it runs");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
        self.dir.clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn curl(ca: &Path, arguments: &[&str]) -> Output {
    Command::new("curl").args(["-s", "--cacert"]).arg(ca).args(arguments).output().expect("curl")
}

fn diagnose(inputs: &[&Path]) -> Value {
    let output =
        Command::new(PROGRAM).args(["diagnose", "--report", "json"]).args(inputs).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).expect(&said)
}

fn records(dir: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    let journals = files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    journals
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).expect("a journal");
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>()
        })
        .collect()
}

async fn faulty(server: SocketAddr, when: When, effect: Effect) -> FaultRelay {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    FaultRelay::start(any, server, Plan::strike(when, effect), 0).await.expect("it listens")
}

/// The incident, with curl as the client: two requests, and between them a box forgets
/// the connection. Nothing is decrypted.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_found_without_decryption() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let head = address(system.heads()[0]).expect("an address");
    let path = faulty(head, When::SendAfterIdle(IDLE), Effect::Reset).await;
    let mut recorder = Recorder::start(system.path("recorded"), &path.address().to_string(), &[]);
    let url = format!("{}/info", recorder.url());
    let ca = PathBuf::from(system.fact("ca"));
    tokio::task::block_in_place(|| {
        let args = ["--rate", RATE, "-w", "%{http_code} %{num_connects}\n", "-o", "/dev/null"];
        let output = curl(&ca, &[&args[..], &[&url, "-o", "/dev/null", &url]].concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "200 1\n200 1\n", "curl sends it again unseen");
        let dir = recorder.end();
        let alone = diagnose(&[&dir]);
        assert_eq!(alone["inputs"][0]["unclassified"], 0);
        let finding = &alone["findings"][0];
        assert_eq!(finding["rule"], "stale-keepalive", "{alone:#} {:#?}", records(&dir));
        assert_eq!((&finding["hop"], &finding["impact"]["count"]), (&"unknown".into(), &1.into()));
    });
}

/// A server that acknowledges and says nothing; the client gives up.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gave_up_is_told_from_a_server_that_ended() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let head = address(system.heads()[0]).expect("an address");
    let path = faulty(head, When::SendAfterIdle(IDLE), Effect::Silence(Reach::Both)).await;
    let mut recorder = Recorder::start(system.path("recorded"), &path.address().to_string(), &[]);
    let url = format!("{}/info", recorder.url());
    let ca = PathBuf::from(system.fact("ca"));
    tokio::task::block_in_place(|| {
        let args = ["--rate", RATE, "-m", "2", "-w", "%{exitcode}\n", "-o", "/dev/null"];
        let output = curl(&ca, &[&args[..], &[&url, "-o", "/dev/null", &url]].concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n28\n");
        let report = diagnose(&[&recorder.end()]);
        let finding = &report["findings"][0];
        assert_eq!(finding["rule"], "client-gave-up", "{report:#}");
        assert!(finding["evidence"].to_string().contains("acknowledged, and no answer"), "{finding:#}");
    });
}

/// With `--tls` requests are named, and nothing of what authorizes them is kept.
#[tokio::test(flavor = "multi_thread")]
async fn opened_connections_tell_of_requests_and_keep_no_secret() {
    let mut system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let balancer = address(system.balancer()).expect("an address");
    let path = faulty(balancer, When::SendAfterIdle(IDLE), Effect::Fin).await;
    let to = path.address().to_string();
    let mut recorder = Recorder::start(system.path("opened"), &to, &["--tls", "--ca", system.fact("ca")]);
    let ca = PathBuf::from(recorder.said["ca"].as_str().expect("a file"));
    let ticket = system.ticket(&[]).expect("a ticket");
    let secret = ticket.iter().find_map(|line| line.strip_prefix("x-auth-ticket: ")).expect("a ticket");
    tokio::task::block_in_place(|| {
        let url = recorder.url();
        let headers: Vec<&str> = ticket.iter().flat_map(|line| ["-H", line.as_str()]).collect();
        let body = format!("{url}/v1/demo/files/new");
        let put = curl(&ca, &[&headers[..], &["-d", "some content", "-X", "PUT", "-f", &body]].concat());
        assert!(put.status.success(), "{put:?}");
        let get = format!("{url}/v1/demo/files/new?token=PREA_canary");
        let args = ["--rate", RATE, "-w", "%{http_code}\n", "-o", "/dev/null"];
        let output = curl(&ca, &[&headers[..], &args, &[&get, "-o", "/dev/null", &get]].concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "200\n200\n");
        // Whoever does not trust the authority gets no further, which is told too.
        assert_eq!(curl(Path::new(system.fact("ca")), &[&url]).status.code(), Some(60));
        let dir = recorder.end();
        let records = records(&dir);
        let said = |method: &str| records.iter().filter(|r| r["http"]["request"]["method"] == method).count();
        assert_eq!((said("PUT"), said("GET")), (1, 3), "the second GET is sent twice: {records:#?}");
        let text = serde_json::to_string(&records).expect("JSON");
        assert!(text.contains("/v1/demo/files/new") && !text.contains("canary") && !text.contains(secret));
        let report = diagnose(&[&dir]);
        let rules: Vec<_> =
            report["findings"].as_array().expect("findings").iter().map(|f| &f["rule"]).collect();
        assert!(rules.contains(&&"stale-keepalive".into()), "{report:#}");
        assert!(rules.contains(&&"tls-refused".into()), "{report:#}");
        let first = &report["findings"][0];
        assert!(first.to_string().contains("GET /v1/demo/files/new"), "{first:#}");
        // Beside the journals of the other sides it is known on which hop.
        drop(path);
        system.stop(Signal::TERM).expect("it ends in order");
        let joined = diagnose(&[&dir, &system.data().join("journal")]);
        let finding = &joined["findings"][0];
        assert_eq!(
            (&finding["rule"], &finding["hop"]),
            (&"stale-keepalive".into(), &"path".into()),
            "{joined:#}"
        );
        assert_eq!(finding["variant"], "cut-between", "{joined:#}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_told() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let closed = repono_testkit::port::free().expect("a port");
    let mut recorder = Recorder::start(system.path("recorded"), &closed.to_string(), &[]);
    tokio::task::block_in_place(|| {
        assert_ne!(curl(Path::new(system.fact("ca")), &[&recorder.url()]).status.code(), Some(0));
        let report = diagnose(&[&recorder.end()]);
        assert_eq!(report["findings"][0]["rule"], "no-connection", "{report:#}");
    });
}

/// The incident itself: a box forgets quiet connections and says nothing. The kernel's own
/// word, that nobody acknowledges, names the path without a look at any other journal.
#[test]
fn a_box_that_says_nothing_is_named() {
    inside("a_box_that_says_nothing_is_named", |network: &mut Network| {
        let site = Site { through: Place::Servers.through(), address: Place::Servers.address() };
        let system = System::start_at(site, PROGRAM, &["--heads", "1"]).expect("up");
        network.set(Rules::forgetting(2, Unknown::Dropped)).expect("set");
        let to = system.balancer().trim_start_matches("https://");
        let mut recorder = Recorder::start(system.path("recorded"), to, &[]);
        let url = format!("{}/info", recorder.url());
        let args = ["--rate", "15/m", "-w", "%{http_code} %{num_connects}\n", "-o", "/dev/null"];
        let output =
            curl(Path::new(system.fact("ca")), &[&args[..], &[&url, "-o", "/dev/null", &url]].concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "200 1\n200 1\n", "curl sends it again unseen");
        let report = diagnose(&[&recorder.end()]);
        let finding = &report["findings"][0];
        assert_eq!(finding["rule"], "stale-keepalive", "{report:#}");
        assert_eq!(
            (&finding["variant"], &finding["hop"]),
            (&"silent-drop".into(), &"path".into()),
            "{report:#}"
        );
        let added = finding["impact"]["added_ms"].as_f64().expect("times");
        assert!((15_000.0..30_000.0).contains(&added), "given up after some 20 s: {added} ms");
    });
}

#[test]
fn wrong_use_is_told() {
    let refused = |arguments: &[&str], word: &str| {
        let output = Command::new(PROGRAM).arg("record").args(arguments).output().expect("it runs");
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(word), "{arguments:?}: {text}");
    };
    refused(&["--listen", "127.0.0.1:0", "--to", "store"], "HOST:PORT");
    refused(&["--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--insecure"], "--tls");
    refused(&["--listen", "192.0.2.1:9", "--to", "127.0.0.1:1"], "cannot listen on 192.0.2.1:9");
    let port = repono_testkit::port::free().expect("a port").to_string();
    refused(&["--listen", &port, "--to", &port], "itself");
}
