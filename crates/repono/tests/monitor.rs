//! The monitor of a running system: what its heads did is counted once, also when it
//! is killed in between.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::process::Command;
use std::time::Duration;

use repono_testkit::system::{System, send};
use repono_testkit::wait;
use rustix::process::Signal;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// The journals are followed within a second; a killed monitor is back within two.
const LIMIT: Duration = Duration::from_secs(30);

fn asked(system: &System, path: &str) -> Option<String> {
    // Metrics are for everybody.
    if path == "/metrics" {
        return system.monitor(path, &[]).ok().map(|(_, text)| text);
    }
    system.monitored(path).ok().flatten()
}

/// Waits until so many listings of nothing are counted.
fn counted(system: &System, wanted: u64) {
    let sample = "http_server_request_duration_seconds_count{side=\"head\",http_request_method=\"GET\",\
                  http_response_status_code=\"204\",url_scheme=\"https\"} ";
    let counted = wait::until("so many are counted", LIMIT, || {
        let metrics = asked(system, "/metrics")?;
        let count = metrics.lines().find_map(|line| line.strip_prefix(sample)?.parse::<u64>().ok());
        assert!(count.is_none_or(|count| count <= wanted), "counted twice: {metrics}");
        (count == Some(wanted)).then_some(())
    });
    counted.expect("in time");
}

#[test]
fn requests_are_counted_once_also_through_a_kill() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let ticket = system.ticket(&[]).expect("a ticket");
    let secret = ticket.iter().find_map(|line| line.strip_prefix("x-auth-ticket: ")).expect("a ticket");
    let get = |times: usize| {
        let headers = ticket.iter().flat_map(|line| ["-H", line.as_str()]);
        let url = format!("{}/v1/demo/files?prefix=nothing&token=PREA_canary", system.balancer());
        for _ in 0..times {
            let mut curl = Command::new("curl");
            curl.args(["-sf", "-o", "/dev/null", "--cacert", system.fact("ca")])
                .args(headers.clone())
                .arg(&url);
            assert!(curl.status().expect("curl").success());
        }
    };
    get(3);
    counted(&system, 3);
    send(system.pid("monitor"), Signal::KILL).expect("it runs");
    get(2);
    counted(&system, 5);

    let series = asked(&system, "/api/v1/series?step=hour&side=head").expect("series");
    let series: Value = serde_json::from_str(&series).expect("JSON");
    let counts = series["count"].as_array().expect("counts").iter().filter_map(Value::as_u64).sum::<u64>();
    assert!(counts >= 5, "{series}");
    let told: String = ["/metrics", "/api/v1/slowest", "/api/v1/closes", "/api/v1/changes"]
        .iter()
        .map(|path| asked(&system, path).expect("an answer"))
        .collect();
    assert!(told.contains("/v1/demo/files") && !told.contains("canary") && !told.contains(secret), "{told}");
}
