//! `repono diagnose` as it is used: files and pipes in, reports and exit codes out.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
