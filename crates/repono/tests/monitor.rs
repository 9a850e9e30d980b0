//! The monitor of a running system: what its heads did is counted once, also when it
//! is killed in between; what is known of a connection is found by any party's id.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use repono_testkit::system::{System, send};
use repono_testkit::wait;
use repono_testkit::wire::{Wire, address};
use rustix::process::Signal;
use serde_json::{Value, json};

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

fn asked_json(system: &System, path: &str) -> Option<Value> {
    serde_json::from_str(&asked(system, path)?).ok()
}

/// A side's record of the end of its only connection.
fn end(system: &System, side: &str) -> Value {
    let ended = wait::until(side, LIMIT, || {
        let files = std::fs::read_dir(system.fact("journal")).ok()?.flatten();
        let text: String = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
        let mut records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.find(|record| {
            record["event"]["dataset"] == "repono.connection" && record["repono"]["side"] == side
        })
    });
    ended.expect("in time")
}

/// The life of a connection, once all these sides have told of its end.
fn life(system: &System, id: &Value, sides: &[&str]) -> Value {
    let path = format!("/api/v1/connection/{}", id.as_str().expect("an id"));
    let told = wait::until("the life of a connection", LIMIT, || {
        let told = asked_json(system, &path)?;
        let closed = |side: &&str| of_kind(&told, "close").iter().any(|event| event["by"] == *side);
        sides.iter().all(closed).then_some(told)
    });
    told.expect("in time")
}

fn of_kind<'v>(told: &'v Value, kind: &str) -> Vec<&'v Value> {
    told["events"].as_array().expect("events").iter().filter(|event| event["kind"] == kind).collect()
}

struct Recorder(Child);

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_connection_is_found_by_any_partys_id_with_its_turns() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let journal = system.fact("journal");
    system.ok(&["admin", "head", "trace", "head-1", "--for", "10m"]).expect("traced");
    system.ok(&["ls", "--journal", journal, "demo/files"]).expect("listed");
    let connection = end(&system, "client")["repono"]["connection"].clone();
    let told = life(&system, &connection["id"], &["client", "balancer", "head"]);
    assert_eq!(told["id"], connection["balancer_id"]);
    assert_ne!(told["id"], connection["id"]);
    assert_eq!(told, life(&system, &connection["balancer_id"], &[]));
    let [own, onward] = of_kind(&told, "open")[..] else { panic!("a client's and the balancer's: {told}") };
    assert_eq!((&own["by"], &onward["by"]), (&json!("client"), &json!("balancer")));
    assert!(own["ms"].is_f64() && onward["ms"].is_f64(), "{told}");
    let by = |kind: &str| of_kind(&told, kind).iter().map(|event| event["by"].clone()).collect::<Vec<_>>();
    assert!(by("turn").contains(&json!("balancer")), "{told}");
    assert!(by("request").contains(&json!("client")) && by("request").contains(&json!("head")), "{told}");
    let tls = of_kind(&told, "tls").into_iter().find(|tls| tls["by"] == "client").expect("a handshake");
    assert!(tls["at_ms"].as_u64() >= own["at_ms"].as_u64() && tls["ms"].is_f64(), "{told}");

    // A recorder that decrypts nothing knows no id but its own.
    let to = address(system.balancer()).expect("an address").to_string();
    let mut recorder = Command::new(PROGRAM);
    recorder.args(["--json", "record", "--listen", "127.0.0.1:0", "--to", &to, "--journal", journal]);
    let mut recorder = Recorder(recorder.stdout(Stdio::piped()).spawn().expect("it runs"));
    let mut line = String::new();
    let said = recorder.0.stdout.take().expect("a pipe");
    BufReader::new(said).read_line(&mut line).expect("what it listens on");
    let listen = serde_json::from_str::<Value>(&line).expect("JSON")["listen"].clone();
    let url = format!("https://{}/info", listen.as_str().expect("an address"));
    let mut curl = Command::new("curl");
    curl.args(["-sf", "-o", "/dev/null", "--cacert", system.fact("ca"), &url]);
    assert!(curl.status().expect("curl").success());
    let recorded = end(&system, "recorder")["repono"]["connection"]["id"].clone();
    let told = life(&system, &recorded, &["recorder", "balancer", "head"]);
    assert_ne!(told["id"], recorded);
    assert!(of_kind(&told, "turn").iter().any(|turn| turn["by"] == "recorder"), "{told}");
    assert!(of_kind(&told, "request").iter().any(|request| request["by"] == "head"), "{told}");

    // No head has closed an idle connection yet.
    let limits = wait::until("limits", LIMIT, || {
        let limits = asked_json(&system, "/api/v1/connections")?["limits"].clone();
        (limits.as_array()?.len() >= 3).then_some(limits)
    });
    let limit = |party: &str, what: &str, s: f64| json!({"party": party, "what": what, "s": s});
    let expected =
        [limit("balancer", "idle", 900.0), limit("head", "idle", 650.0), limit("head", "advertised", 55.0)];
    assert_eq!(limits.expect("in time").as_array().and_then(|limits| limits.get(..3)), Some(&expected[..]));
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
