//! What the program says of an endpoint, held against what is known of it.

use std::process::{Command, Output};

use serde_json::Value;

use crate::PROGRAM;
use crate::balancer::root;

/// What is known of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) limit_s: f64,
    pub(crate) manner: &'static str,
}

/// Runs the doctor.
pub(crate) fn doctor(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).arg("doctor").args(arguments).output().expect("it runs")
}

/// What it says as JSON.
pub(crate) fn examine(url: &str, arguments: &[&str]) -> Value {
    let output = doctor(&[&["--json", url], arguments].concat());
    let messages = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{url}: {error}: {messages}"))
}

/// Checks that the limit is right within a tenth, and the manner.
pub(crate) fn measured(row: Row, url: &str, arguments: &[&str]) -> Value {
    let report = examine(url, arguments);
    let idle = &report["idle"];
    let limit = idle["limit_s"].as_f64().unwrap_or_else(|| panic!("{}: no limit: {idle}", row.what));
    assert!((limit / row.limit_s - 1.0).abs() <= 0.1, "{}: {limit} s: {idle}", row.what);
    assert_eq!(idle["manner"], row.manner, "{}: {idle}", row.what);
    report
}

/// Checks that the documentation says the same.
pub(crate) fn documented(row: &Row) {
    let text = std::fs::read_to_string(root().join("docs/doctor.md")).expect("docs/doctor.md");
    let line = format!("| {} | {} s | `{}` |", row.what, row.limit_s, row.manner);
    assert!(text.contains(&line), "docs/doctor.md lacks this row:\n{line}");
}
