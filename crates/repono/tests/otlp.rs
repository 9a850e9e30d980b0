//! A monitor sends what a running system did to a collector of OpenTelemetry; the bodies are
//! decoded with the published schema, as PyPI's `opentelemetry-proto` has it.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_core::id::ConnectionId;
use repono_core::request::Method;
use repono_core::trace::TraceContext;
use repono_journal::{Journal, JournalConfig, Outcome, Phases, RequestRecord, Reuse, Side, Stamp, UrlPath};
use repono_testkit::system::System;
use repono_testkit::wait;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
const LIMIT: Duration = Duration::from_secs(60);
const MS: u64 = 1_000_000;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Spans and metrics of bodies as JSON, ids as hex.
const DECODE: &str = r#"
import base64, json, pathlib, sys
from google.protobuf.json_format import MessageToDict
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
found = {"spans": [], "metrics": []}
for file in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    traces = "traces" in file.name
    message = (ExportTraceServiceRequest if traces else ExportMetricsServiceRequest).FromString(file.read_bytes())
    if len(UnknownFieldSet(message)):
        sys.exit("fields that the schema does not know")
    for resource in message.resource_spans if traces else message.resource_metrics:
        of = {a.key: a.value.string_value for a in resource.resource.attributes}
        for scope in resource.scope_spans if traces else resource.scope_metrics:
            for item in scope.spans if traces else scope.metrics:
                told = MessageToDict(item)
                told["service"] = of["service.name"]
                if traces:
                    told["attributes"] = {a.key: a.value.int_value if a.value.HasField("int_value") else a.value.string_value for a in item.attributes}
                    told.update(traceId=item.trace_id.hex(), spanId=item.span_id.hex(), parentSpanId=item.parent_span_id.hex())
                    told["links"] = [{"traceId": l.trace_id.hex(), "spanId": l.span_id.hex()} for l in item.links]
                found["spans" if traces else "metrics"].append(told)
print(json.dumps(found))
"#;

/// A collector that keeps what it is sent; the first request is told to come again.
fn collector(dir: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let status = if number == 0 { "503 Busy\r\nRetry-After: 1" } else { "200 OK" };
            // The sender hears of what goes wrong here, and the test of what is missing.
            let _ = take(stream, &dir, number, status);
        }
    });
    address
}

fn take(stream: TcpStream, dir: &Path, number: usize, status: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut path, mut length) = (String::new(), String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(rest) = line.strip_prefix("POST ") {
            path = rest.split(' ').next().unwrap_or_default().replace('/', "-");
        }
        if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = rest.trim().parse().unwrap_or_default();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if status.starts_with("200") {
        fs::write(dir.join(format!(".{number}")), &body)?;
        fs::rename(dir.join(format!(".{number}")), dir.join(format!("{number:06}{path}")))?;
    }
    write!(reader.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Everything that was sent so far.
fn sent(dir: &Path) -> Value {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    let output = Command::new(python).args(["-c", DECODE]).arg(dir).output().expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A client's journal: a GET that died with its reused connection, and its hidden second
/// attempt.
fn story(journal: &str) {
    let context = TraceContext::parse(format!("00-{TRACE}-{SPAN}-01").as_bytes()).expect("valid");
    let mut random = StdRng::seed_from_u64(9);
    let journal =
        Journal::open(JournalConfig::new(Path::new(journal), "client", "story")).expect("a journal");
    let mut recorder = journal.recorder();
    let (now, address) = (Stamp::now(), ([127, 0, 0, 1], 7443).into());
    let started = Stamp { wall_ns: now.wall_ns - 10_334 * MS, mono_ns: now.mono_ns - 10_334 * MS };
    let mut attempt = |id: u8, attempts| RequestRecord {
        trace: Some(context.request(&mut random)),
        method: Some(Method::Get),
        path: UrlPath::of_target(b"/v1/demo/files/story?token=PREA_canary"),
        attempts,
        ..RequestRecord::new(Side::Client, ConnectionId::from_bytes([id; 12]), started, address, address)
    };
    recorder.request(&RequestRecord {
        reuse: Reuse::Reused { idle_before_ns: 361_000 * MS, requests_before: 3 },
        outcome: Outcome::Failed("ConnectionBroken"),
        ended_mono_ns: now.mono_ns - 34 * MS,
        ..attempt(1, 1)
    });
    recorder.request(&RequestRecord {
        status: Some(200),
        phases_ns: Phases { connect: MS, tls: 4 * MS, wait: 20 * MS, ..Phases::NONE },
        ended_mono_ns: now.mono_ns,
        ..attempt(2, 2)
    });
    journal.close();
}

/// A second monitor of the system; killed when dropped.
struct Monitor(Child);

impl Drop for Monitor {
    fn drop(&mut self) {
        // Nothing of it is left to wait for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn monitor(system: &System, collector: SocketAddr) -> Monitor {
    let data = system.data().display();
    let tls = ["ecdsa", "rsa"].map(|kind| {
        format!("{kind}_chain = '{data}/secrets/server-{kind}.pem'\n{kind}_key = '{data}/secrets/server-key-{kind}.pem'\n")
    });
    let config = format!(
        "listen = '127.0.0.1:0'\nbalancer_admin_socket = '{data}/nobody.sock'\njournals = ['{}']\n\
         [otlp]\nendpoint = 'http://{collector}'\nshare = 1.0\nmetrics_s = 2\n[tls]\n{}",
        system.fact("journal"),
        tls.concat()
    );
    let file = system.path("monitor.toml");
    fs::write(&file, config).expect("written");
    let mut command = Command::new(PROGRAM);
    command.arg("monitor").arg("--config").arg(file).stdout(Stdio::null());
    Monitor(command.spawn().expect("a monitor"))
}

fn named<'v>(found: &'v Value, kind: &str, wanted: impl Fn(&Value) -> bool) -> Vec<&'v Value> {
    found[kind].as_array().expect("a list").iter().filter(|item| wanted(item)).collect()
}

#[test]
fn what_was_done_is_what_a_collector_is_sent() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let bodies = system.path("bodies");
    fs::create_dir(&bodies).expect("a folder");
    let _monitor = monitor(&system, collector(bodies.clone()));
    let mut list = system.command();
    list.args(["ls", "--journal", system.fact("journal"), "demo/files"]);
    list.env("TRACEPARENT", format!("00-{TRACE}-{SPAN}-01"));
    assert!(list.output().expect("ls").status.success());
    story(system.fact("journal"));

    let of = |path: &'static str, service: &'static str| {
        move |span: &Value| {
            let attributes = &span["attributes"];
            let told =
                attributes["url.path"].as_str().or(attributes["url.full"].as_str()).unwrap_or_default();
            span["service"] == service && told.ends_with(path)
        }
    };
    let found = wait::until("all of it is sent", LIMIT, || {
        let found = sent(&bodies);
        let heads = named(&found, "spans", of("/v1/demo/files", "repono-head")).len();
        let story = named(&found, "spans", of("/v1/demo/files/story", "repono-client")).len();
        let metrics =
            named(&found, "metrics", |metric| metric["name"] == "http.client.request.duration").len();
        (heads == 1 && story == 2 && metrics > 0).then_some(found)
    });
    let found = found.expect("in time");

    let client = named(&found, "spans", of("/v1/demo/files", "repono-client"))[0];
    let head = named(&found, "spans", of("/v1/demo/files", "repono-head"))[0];
    assert_eq!((&client["kind"], &head["kind"]), (&"SPAN_KIND_CLIENT".into(), &"SPAN_KIND_SERVER".into()));
    assert_eq!((&client["traceId"], &client["parentSpanId"]), (&TRACE.into(), &SPAN.into()));
    assert_eq!((&head["traceId"], &head["parentSpanId"]), (&TRACE.into(), &client["spanId"]));
    assert_eq!(
        (&head["name"], &head["attributes"]["http.response.status_code"]),
        (&"GET".into(), &200.into())
    );
    let setup = named(&found, "spans", |span| {
        span["name"] == "HTTP connection_setup" && span["traceId"] == client["links"][0]["traceId"]
    })[0];
    assert_eq!((&setup["spanId"], &setup["parentSpanId"]), (&client["links"][0]["spanId"], &"".into()));
    for step in ["socket connect", "TLS handshake"] {
        let steps =
            named(&found, "spans", |span| span["name"] == step && span["parentSpanId"] == setup["spanId"]);
        assert_eq!(steps.len(), 1, "{step}");
    }

    let story = named(&found, "spans", of("/v1/demo/files/story", "repono-client"));
    let resent = |span: &Value| span["attributes"]["http.request.resend_count"].as_u64();
    let (first, second) =
        if resent(story[0]).is_none() { (story[0], story[1]) } else { (story[1], story[0]) };
    assert_eq!((resent(first), resent(second)), (None, Some(1)));
    assert_eq!(first["attributes"]["error.type"], "ConnectionBroken");
    assert_eq!(first["attributes"]["repono.connection.idle_before_ns"], 361_000 * MS);
    for attempt in [first, second] {
        assert_eq!((&attempt["traceId"], &attempt["parentSpanId"]), (&TRACE.into(), &SPAN.into()));
    }
    let at =
        |span: &Value, end: &str| span[end].as_str().and_then(|ns| ns.parse::<u64>().ok()).expect("a time");
    assert_eq!(at(second, "endTimeUnixNano") - at(second, "startTimeUnixNano"), 25 * MS, "its own part");
    assert_eq!(at(first, "endTimeUnixNano") - at(first, "startTimeUnixNano"), 10_300 * MS);

    let text = found.to_string();
    let ticket = system.ticket(&[]).expect("a ticket");
    let secret = fs::read_to_string(system.fact("profile")).expect("a profile");
    for credential in ticket.iter().filter_map(|line| line.split_once(": ").map(|(_, value)| value)) {
        assert!(credential.len() < 20 || !text.contains(credential), "{credential}");
    }
    for value in
        secret.lines().filter(|line| line.contains("secret")).filter_map(|line| line.split('"').nth(1))
    {
        assert!(!value.is_empty() && !text.contains(value));
    }
    assert!(!text.contains("canary") && !text.contains("PREA_") && !text.contains("x-auth"));
}
