//! The monitor of a running system: what its heads did is counted once, also when it
//! is killed in between.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::process::Command;
use std::time::Duration;

use repono_testkit::system::{System, send};
use repono_testkit::wait;
use repono_testkit::wire::Wire;
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

/// `GET` over the socket of `repono admin`.
fn over_admin_socket(system: &System, path: &str) -> Value {
    let mut curl = Command::new("curl");
    curl.args(["-sf", "--unix-socket"]).arg(system.data().join("admin.sock"));
    let output = curl.arg(format!("http://localhost{path}")).output().expect("curl");
    assert!(output.status.success(), "{path}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_request_is_in_flight_from_its_head_to_the_end_of_its_reply() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
    let wire = || Wire::connect(system.balancer(), system.fact("ca").as_ref()).expect("a connection");
    let until = |in_flight: u64, waiting: u64| {
        let mut last = Value::Null;
        let told = wait::until("the head tells", LIMIT, || {
            last = over_admin_socket(&system, "/v1/heads").get(0)?.clone();
            (last["in_flight"] == in_flight && last["waiting"] == waiting).then_some(())
        });
        assert!(told.is_ok(), "not {in_flight} and {waiting}: {last}");
    };
    let mut upload = wire();
    let put = format!(
        "PUT /v1/demo/files/streaming HTTP/1.1\r\nHost: h\r\n{ticket}\r\nContent-Length: 2097152\r\n\r\n"
    );
    upload.send(put.as_bytes()).expect("sent");
    upload.send(&vec![7; 1 << 20]).expect("sent");
    // It was opened, and is never used.
    let unused = wire();
    until(1, 1);
    assert_eq!(over_admin_socket(&system, "/v1/connections")["total"], 2);

    upload.send(&vec![7; 1 << 20]).expect("sent");
    assert_eq!(upload.response("PUT").expect("an answer").status, 201);
    until(0, 0);
    // What is not read yet streams on: no client waits for its beginning.
    let get = format!("GET /v1/demo/files/streaming HTTP/1.1\r\nHost: h\r\n{ticket}\r\n\r\n");
    let many: Vec<Wire> = (0..4)
        .map(|_| {
            let mut download = wire();
            download.send(get.repeat(16).as_bytes()).expect("sent");
            download
        })
        .collect();
    until(4, 0);
    drop((many, unused));
    until(0, 0);
}
