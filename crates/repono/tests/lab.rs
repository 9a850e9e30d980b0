//! `repono lab` as a person runs it: the fault stalls for its real ten seconds, and
//! each remedy alone takes that away.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

fn repono(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).current_dir(directory).output().expect("it runs")
}

/// Plays a scenario; its report.
fn played(directory: &Path, name: &str, seconds: &str) -> Value {
    let output = repono(
        directory,
        &["--json", "lab", "run", name, "--seconds", seconds, "--seed", "7", "--data", "lab"],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn run<'a>(report: &'a Value, name: &str) -> &'a Value {
    let runs = report["runs"].as_array().expect("a list");
    runs.iter().find(|run| run["name"] == name).expect("the run")
}

fn max_ms(run: &Value) -> f64 {
    run["max_ms"].as_f64().expect("a number")
}

#[test]
fn the_incident_stalls_and_each_remedy_ends_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let report = played(directory.path(), "stale-keepalive", "24");
    assert_eq!(report["scenario"], "stale-keepalive");
    let fault = run(&report, "fault");
    assert_eq!((&fault["remedy"], &fault["failures"]), (&Value::Null, &Value::from(0)));
    assert!((10_000.0..20_000.0).contains(&max_ms(fault)), "{fault}");
    assert!(max_ms(run(&report, "client-restarted")) >= 10_000.0, "a restart is no remedy");
    assert!(max_ms(run(&report, "one-shot-curl")) < 10_000.0, "cURL keeps no connection");
    for remedy in ["client-closes", "client-pool", "head-keepalive", "balancer-fin", "balancer-rst"] {
        let run = run(&report, remedy);
        assert_eq!((&run["remedy"], &run["failures"]), (&Value::from(remedy), &Value::from(0)));
        // Far from both: a busy machine's second, and the fault's ten.
        assert!(max_ms(run) < 5_000.0, "{run}");
    }
    let closes = run(&report, "client-closes");
    assert_eq!(closes["tls_handshakes"], closes["requests"], "a handshake for each file");
    let said = report["diagnosis"].as_str().expect("a sentence");
    assert!(
        said.contains("waited up to 10.") && said.contains("had forgotten") && said.contains("(certain)"),
        "{said}"
    );
    for svg in report["svg"].as_array().expect("a list") {
        let svg = std::fs::read_to_string(svg.as_str().expect("a path")).expect("drawn");
        assert!(svg.contains("<circle"));
    }
}

/// Where namespaces are not allowed: what a relay cannot show is not shown.
#[test]
fn a_relay_plays_the_box_and_says_what_it_cannot_show() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = Command::new(PROGRAM)
        .args(["--json", "lab", "run", "stale-keepalive", "--seconds", "12", "--seed", "7"])
        .current_dir(directory.path())
        // Without `unshare` there is no namespace; cURL is not found either.
        .env("PATH", "/nowhere")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("util-linux"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(max_ms(run(&report, "fault")) >= 10_000.0);
    for hidden in ["head-keepalive", "one-shot-curl"] {
        assert!(run(&report, hidden)["not_shown"].is_string(), "{report}");
    }
    for remedy in ["client-closes", "balancer-fin", "balancer-rst"] {
        assert!(max_ms(run(&report, remedy)) < 5_000.0, "{report}");
    }
    let said = report["diagnosis"].as_str().expect("a sentence");
    assert!(said.contains("acknowledged the request, and did not pass it on"), "{said}");
}

#[test]
fn killed_heads_cost_no_client_a_stall() {
    let directory = tempfile::tempdir().expect("a directory");
    let report = played(directory.path(), "head-kill", "10");
    for name in ["client-keeps", "client-closes", "client-pool"] {
        let run = run(&report, name);
        assert!(run["requests"].as_u64().expect("a number") > 50, "{run}");
        assert!(max_ms(run) < 5_000.0, "{run}");
    }
    assert_eq!(run(&report, "client-pool")["failures"], 0);
}

#[test]
fn what_cannot_be_played_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let listed = repono(directory.path(), &["lab", "list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("stale-keepalive"));
    let wrong = repono(directory.path(), &["lab", "run", "stale"]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("`stale`") && said.contains("gray-head"), "{said}");
}
