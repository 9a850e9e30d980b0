//! A head that is told to record no requests records none, and its connections all the same.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use repono_testkit::system::System;
use repono_testkit::{port, wait};
use serde_json::Value;
use toml::Table;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
const LIMIT: Duration = Duration::from_secs(30);

/// A head beside those of the system; killed when dropped.
struct Head(Child);

impl Drop for Head {
    fn drop(&mut self) {
        // Nothing of it is left to wait for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a head's journal holds, by its datasets.
fn datasets(system: &System, head: &str) -> Vec<String> {
    let journal = format!("{}/{head}.jsonl", system.fact("journal"));
    let text = fs::read_to_string(journal).unwrap_or_default();
    let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter_map(|record| record["event"]["dataset"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_head_may_be_told_to_record_no_requests() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let shipped = system.data().join("run/head-1.toml");
    let mut config: Table = fs::read_to_string(shipped).expect("written by `up`").parse().expect("TOML");
    let direct = port::free().expect("a port");
    config.insert("name".into(), "bare".into());
    config.insert("direct".into(), direct.to_string().into());
    config.insert("balanced".into(), port::free().expect("a port").to_string().into());
    config.insert("journal_requests".into(), "none".into());
    let file = system.path("bare.toml");
    fs::write(&file, config.to_string()).expect("written");
    let mut command = Command::new(PROGRAM);
    command.arg("head").arg("--config").arg(file).stdout(Stdio::null());
    let _head = Head(command.spawn().expect("a head"));

    let ask = |url: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-sf", "-o", "/dev/null", "--cacert", system.fact("ca"), &format!("{url}/info")]);
        curl.status().is_ok_and(|status| status.success())
    };
    let first = system.heads().first().copied().expect("a head").to_owned();
    for (name, url) in [("head-1", first), ("bare", format!("https://{direct}"))] {
        wait::until("the head answers", LIMIT, || ask(&url).then_some(())).expect("in time");
        wait::until("its connection is recorded", LIMIT, || {
            datasets(&system, name).iter().any(|dataset| dataset == "repono.connection").then_some(())
        })
        .expect("in time");
    }
    let requests = |head| datasets(&system, head).iter().filter(|kind| *kind == "repono.request").count();
    assert!(requests("head-1") > 0);
    assert_eq!(requests("bare"), 0);
}
