//! Prometheus as a process, with `deploy/prometheus/prometheus.yml`.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use repono_testkit::system::System;
use repono_testkit::{port, wait};
use serde_json::Value;

use crate::{LIMIT, deploy};

/// Which histograms it scrapes.
#[derive(Clone, Copy)]
pub(crate) enum Histograms {
    Classic,
    Native,
}

/// A running Prometheus; killed when dropped.
pub(crate) struct Scraper {
    process: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Scraper {
    pub(crate) fn start(system: &System, dir: &Path, histograms: Histograms) -> Self {
        fs::create_dir(dir).expect("a folder");
        let monitor = system.fact("monitor").strip_prefix("https://").expect("HTTPS");
        let shipped = fs::read_to_string(deploy("prometheus/prometheus.yml")).expect("a configuration");
        let mut config = shipped.clone();
        for (shipped, here) in [
            ("store.example.net:7445", monitor),
            ("/etc/prometheus/repono-ca.pem", system.fact("ca")),
            ("/etc/prometheus/repono.rules.yml", &deploy("prometheus/repono.rules.yml").to_string_lossy()),
            ("scrape_interval: 15s", "scrape_interval: 250ms"),
            ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ] {
            assert!(config.contains(shipped), "{shipped}");
            config = config.replace(shipped, here);
        }
        let file = dir.join("prometheus.yml");
        fs::write(&file, config).expect("written");
        promtool(dir, &["check", "config", &file.to_string_lossy()]);
        let address = port::free().expect("a port");
        let log = dir.join("log");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"));
        match histograms {
            Histograms::Classic => {}
            Histograms::Native => {
                command.arg("--enable-feature=native-histograms");
            }
        }
        let process = command.spawn().expect("Prometheus: `cargo xtask needs` installs it");
        Self { process, address, log }
    }

    /// What it answers to an expression.
    pub(crate) fn ask(&self, path: &str, expression: &str) -> Value {
        let output = Command::new("curl")
            .args(["-s", "--data-urlencode", &format!("query={expression}")])
            .arg(format!("http://{}{path}", self.address))
            .output()
            .expect("curl");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// The value of an expression that has one.
    pub(crate) fn value(&self, expression: &str) -> Option<f64> {
        let answer = self.ask("/api/v1/query", expression);
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// Waits until an expression has a value.
    pub(crate) fn until(&self, expression: &str, value: f64) {
        let mut last = None;
        let reached = wait::until(expression, LIMIT, || {
            last = self.value(expression);
            (last == Some(value)).then_some(())
        });
        if reached.is_err() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            panic!("{expression} is {last:?} and not {value}\n{log}");
        }
    }

    /// Its alerts that are well.
    pub(crate) fn rules(&self) -> usize {
        let output = Command::new("curl")
            .args(["-s", &format!("http://{}/api/v1/rules", self.address)])
            .output()
            .expect("curl");
        let rules: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let rules = rules["data"]["groups"][0]["rules"].as_array().expect("rules");
        rules.iter().filter(|rule| rule["health"] != "err").count()
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        // Nothing is left to wait for: its data goes with the folder.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command of promtool that must succeed.
pub(crate) fn promtool(dir: &Path, arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(dir).output();
    let output = output.expect("promtool: `cargo xtask needs` installs it");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success(), "{arguments:?}: {said}");
}

/// What `promtool check metrics` has against a text; nothing if it is well.
pub(crate) fn promtool_check(text: &str) -> String {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("taken");
    let output = child.wait_with_output().expect("ended");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    if output.status.success() { said } else { format!("{}: {said}", output.status) }
}
