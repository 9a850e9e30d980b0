//! Requests as parts of their callers' traces: from the environment of a command, through
//! the client, into the journals of heads and vending.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::process::Command;
use std::time::Duration;

use repono_testkit::system::System;
use repono_testkit::wait;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// Journals are written within a second.
const LIMIT: Duration = Duration::from_secs(30);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Every request in the journals.
fn requests(system: &System) -> Vec<Value> {
    let files = fs::read_dir(system.fact("journal")).expect("journals").flatten();
    let text: String = files.map(|file| fs::read_to_string(file.path()).unwrap_or_default()).collect();
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter(|record| record["event"]["dataset"] == "repono.request").collect()
}

/// Requests of a side and path, once there are so many.
fn of(system: &System, side: &str, path: &str, count: usize) -> Vec<Value> {
    let found = wait::until(path, LIMIT, || {
        let mut found = requests(system);
        found.retain(|record| record["repono"]["side"] == side && record["url"]["path"] == path);
        (found.len() == count).then_some(found)
    });
    found.expect("in time")
}

#[test]
fn a_request_is_a_part_of_its_callers_trace() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let ticket = system.ticket(&[]).expect("a ticket");
    let ask = |name: &str, context: &[String]| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "--cacert", system.fact("ca")]);
        curl.args(ticket.iter().chain(context).flat_map(|line| ["-H", line.as_str()]));
        curl.arg(format!("{}/v1/demo/files/{name}", system.balancer()));
        assert!(curl.status().expect("curl").success());
        of(&system, "head", &format!("/v1/demo/files/{name}"), 1).remove(0)
    };
    let context = |version: &str, rest: &str| format!("TraceParent: {version}-{TRACE}-{SPAN}-01{rest}");
    for (name, context) in [("known", vec![context("00", "")]), ("to-come", vec![context("42", "-more")])] {
        let record = ask(name, &context);
        assert_eq!(
            (&record["trace"]["id"], &record["repono"]["span"]["parent_id"]),
            (&TRACE.into(), &SPAN.into())
        );
        assert!(record["span"]["id"].as_str().is_some_and(|id| id.len() == 16 && id != SPAN), "{record}");
    }
    for (name, context) in [
        ("none", vec![]),
        ("malformed", vec![context("00", "-more")]),
        ("forbidden", vec![context("ff", "")]),
        ("twice", vec![context("00", ""), context("00", "")]),
    ] {
        let record = ask(name, &context);
        assert_eq!((&record["trace"], &record["span"]), (&Value::Null, &Value::Null), "{name}");
    }
}

#[test]
fn our_client_passes_a_trace_on_and_begins_one_where_there_is_none() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let list = |path: &str, variables: &[(&str, String)]| {
        let mut command = system.command();
        command.args(["ls", "--journal", system.fact("journal"), path]).env_remove("TRACEPARENT");
        command.envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
        assert!(command.output().expect("ls").status.success());
    };
    list("demo/files", &[("TRACEPARENT", format!("00-{TRACE}-{SPAN}-01"))]);
    let [client, head] = ["client", "head"].map(|side| of(&system, side, "/v1/demo/files", 1).remove(0));
    assert_eq!(
        (&client["trace"]["id"], &client["repono"]["span"]["parent_id"]),
        (&TRACE.into(), &SPAN.into())
    );
    assert_eq!(
        (&head["trace"], &head["repono"]["span"]["parent_id"]),
        (&client["trace"], &client["span"]["id"])
    );
    let vending = of(&system, "vending", "/v1/tickets", 1).remove(0);
    assert_eq!(vending["trace"]["id"], TRACE);

    list("demo/files", &[]);
    let [client, head] = ["client", "head"].map(|side| of(&system, side, "/v1/demo/files", 2).remove(1));
    assert_ne!(client["trace"]["id"], TRACE);
    assert_eq!(client["repono"]["span"], Value::Null, "a root");
    assert_eq!(
        (&head["trace"], &head["repono"]["span"]["parent_id"]),
        (&client["trace"], &client["span"]["id"])
    );
}
