//! `repono diagnose` as it is used: files and pipes in, reports and exit codes out.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// A trace of the incident's kind, made for tests.
fn trace() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../diagnose/fixtures/stale-keepalive.log");
    std::fs::read_to_string(path).expect("the fixture")
}

fn diagnose(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(PROGRAM)
        .arg("diagnose")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    // Whoever refuses its arguments does not read.
    let _ = pipe.write_all(input);
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_pipe_in_any_encoding_gives_the_same_finding() {
    let plain = diagnose(&["-"], trace().as_bytes());
    assert_eq!(plain.status.code(), Some(1), "{plain:?}");
    assert!(said(&plain).contains("was sent on the reused Connection#"), "{}", said(&plain));
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(trace().encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(said(&diagnose(&["-"], &utf16)), said(&plain));
}

#[test]
fn programs_get_json_in_the_documented_shape() {
    let output = diagnose(&["--report", "json", "-"], trace().as_bytes());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["inputs"][0]["format"], "system.net");
    assert_eq!(report["inputs"][0]["unclassified"], 0);
    let finding = &report["findings"][0];
    assert_eq!(finding["rule"], "stale-keepalive");
    assert_eq!(finding["impact"]["count"], 1);
    assert!(finding["evidence"][0]["line"].is_u64() && finding["remedies"][0]["do"].is_string(), "{finding}");
    assert!(report["limits"][0].as_str().is_some_and(|limit| limit.contains("no timestamps")), "{report}");
}

#[test]
fn wrong_input_is_refused_with_a_word_on_what_is_read() {
    let none = diagnose(&["-"], b"Nov 23 host kernel: nothing\n");
    assert_eq!((none.status.code(), said(&none)), (Some(2), String::new()));
    assert!(String::from_utf8_lossy(&none.stderr).contains("System.Net Information"), "{none:?}");
    let missing = diagnose(&["/nonexistent/net.log"], b"");
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nonexistent/net.log"), "{missing:?}");
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let mut child = Command::new(PROGRAM)
        .args(["diagnose", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    child.stdin.take().expect("a pipe").write_all(trace().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_growing_log_is_followed_and_reported_at_the_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("net.log");
    let trace = trace();
    let (begun, rest) = trace.split_at(trace.len() / 3);
    std::fs::write(&log, begun).expect("written");
    let mut child = Command::new(PROGRAM)
        .args(["diagnose", "--tail"])
        .arg(&log)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut grown = std::fs::OpenOptions::new().append(true).open(&log).expect("opened");
    // A request after it: the log does not tell of the end of replies.
    let next = "System.Net Verbose: 0 : [0007] HttpWebRequest#99::HttpWebRequest(https://files.example/#1)\n"
        .repeat(2);
    grown.write_all(rest.as_bytes()).expect("grown");
    grown.write_all(next.as_bytes()).expect("grown");
    let mut first = String::new();
    said.read_line(&mut first).expect("a line");
    assert!(first.starts_with("stale-keepalive: HttpWebRequest#"), "{first}");
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("interrupted");
    let mut report = String::new();
    said.read_to_string(&mut report).expect("text");
    assert!(report.contains("What to change"), "{report}");
    assert_eq!(child.wait().expect("ended").code(), Some(1));
}

/// Answers the first request of each connection, and resets the connection at the next.
fn resets_at_the_second(listener: TcpListener) {
    for accepted in listener.incoming() {
        let mut connection = accepted.expect("a connection");
        std::thread::spawn(move || {
            let mut head = [0; 4_096];
            let _ = connection.read(&mut head).expect("a request");
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("answered");
            if matches!(connection.read(&mut head), Ok(1..)) {
                let socket = socket2::SockRef::from(&connection);
                socket.set_linger(Some(Duration::ZERO)).expect("RST at its end");
            }
        });
    }
}

/// A tcpdump that captures already; it ends with the test.
struct Capturing(Child);

impl Drop for Capturing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `None` where nobody may capture here, which is said.
fn capturing(port: u16, file: &Path) -> Option<Capturing> {
    let filter = format!("tcp port {port}");
    let started = Command::new("tcpdump")
        .args(["-i", "lo", "-U", "--immediate-mode", "-s", "0", "-Z", "root", "-w"])
        .arg(file)
        .arg(filter)
        .stderr(Stdio::piped())
        .spawn();
    let mut said = String::new();
    if let Ok(mut child) = started {
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let capturing = Capturing(child);
        while lines.read_line(&mut said).expect("text") > 0 {
            if said.contains("listening on") {
                return Some(capturing);
            }
        }
    }
    // Past the harness's capture: a test that did not run must not look like one that did.
    let _ = writeln!(std::io::stderr(), "not tested: tcpdump cannot capture on lo here: {said}");
    assert_ne!(std::env::var("REPONO_TEST_NETWORK").as_deref(), Ok("required"), "tcpdump cannot capture");
    None
}

#[test]
fn a_capture_of_tcpdump_tells_who_reset_a_reused_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || resets_at_the_second(listener));
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("capture.pcap");
    let Some(capturing) = capturing(port, &file) else { return };
    let url = |path: &str| format!("http://127.0.0.1:{port}/{path}");
    let curl = Command::new("curl").args(["-s", &url("first"), &url("second")]).output().expect("curl");
    assert_eq!(said(&curl), "okok", "curl tries again on a new connection: {curl:?}");
    // The kernel hands packets on when it likes to.
    let until = Instant::now() + Duration::from_secs(20);
    let path = file.to_string_lossy();
    let report = loop {
        let output = diagnose(&["--report", "json", &path], b"");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if report["findings"][0]["rule"].is_string()
            && report["findings"][0]["rule"] != "kept-connection-lost"
        {
            break report;
        }
        assert!(Instant::now() < until, "{report}");
        std::thread::yield_now();
    };
    drop(capturing);
    assert_eq!(report["inputs"][0]["format"], "pcap");
    assert_eq!(report["inputs"][0]["unclassified"], 0, "{report}");
    let finding = &report["findings"][0];
    assert_eq!(
        (&finding["rule"], &finding["variant"], &finding["confidence"]),
        (&"stale-keepalive".into(), &"ended-after-request".into(), &"certain".into()),
        "{report}"
    );
    let summary = finding["summary"].as_str().expect("text");
    assert!(
        summary.starts_with(&format!("GET {} was sent on the reused connection", url("second"))),
        "{summary}"
    );
}
