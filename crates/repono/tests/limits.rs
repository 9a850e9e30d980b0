//! `/info` says what is enforced: each limit that it publishes is asked for to the
//! last, and by one more.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::PathBuf;

use repono_testkit::system::System;
use repono_testkit::wire::{Response, Wire};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// A head, a ticket of the demo user, and what the head publishes.
struct Stage {
    system: System,
    ticket: String,
    info: Value,
}

/// A limit's name in `/info`, and how it is asked for: `count` of it must be let in,
/// one more refused with a status.
struct Limit {
    name: &'static str,
    ask: fn(&Stage, usize) -> Response,
    refused: u16,
}

const LIMITS: &[Limit] = &[
    Limit { name: "swift.account_listing_limit", ask: list_account, refused: 412 },
    Limit { name: "swift.container_listing_limit", ask: list_container, refused: 412 },
    Limit { name: "swift.max_container_name_length", ask: container_name, refused: 400 },
    Limit { name: "swift.max_object_name_length", ask: object_name, refused: 400 },
    Limit { name: "swift.max_meta_name_length", ask: metadata_name, refused: 400 },
    Limit { name: "swift.max_meta_value_length", ask: metadata_value, refused: 400 },
    Limit { name: "swift.max_meta_count", ask: metadata_count, refused: 400 },
    Limit { name: "swift.max_meta_overall_size", ask: metadata_size, refused: 400 },
    Limit { name: "swift.max_header_size", ask: header_value, refused: 400 },
    Limit { name: "swift.max_file_size", ask: file_size, refused: 413 },
    Limit { name: "slo.max_manifest_segments", ask: segments, refused: 413 },
    Limit { name: "slo.max_manifest_size", ask: manifest_size, refused: 413 },
    Limit { name: "bulk_delete.max_deletes_per_request", ask: deletes, refused: 413 },
];

/// What is published and bounds nothing that a client asks for in numbers, or is
/// asked for elsewhere.
const ELSEWHERE: &[(&str, &str)] = &[
    ("swift.max_account_name_length", "names.rs of the refusals: accounts are not made by clients"),
    ("swift.allow_account_management", "a switch"),
    ("swift.valid_api_versions", "a list"),
    ("slo.min_segment_size", "large_objects.rs"),
    ("slo.allow_async_delete", "a switch"),
    ("dlo.max_segments", "the unit tests of the head: so many objects take minutes"),
    ("bulk_delete.max_failed_deletes", "asserted with the deletes, below"),
    ("repono.version", "no limit"),
];

impl Stage {
    fn new() -> Self {
        let system = System::start(PROGRAM, &["--heads", "1"]).expect("a system");
        let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
        let mut stage = Self { system, ticket, info: Value::Null };
        let info = stage.ask("GET /info HTTP/1.1", b"");
        stage.info = serde_json::from_slice(&info.body).expect("JSON");
        stage
    }

    /// One request on a connection of its own.
    fn ask(&self, head: &str, body: &[u8]) -> Response {
        let method = head.split(' ').next().expect("a method").to_owned();
        let length = match (body.is_empty(), head.contains("Content-Length")) {
            (true, true) => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        let mut wire = self.wire();
        let text = format!("{head}\r\nHost: h\r\n{}\r\n{length}\r\n", self.ticket);
        wire.send(text.as_bytes()).expect("sent");
        // The head may refuse before it has read all of it.
        let _ = wire.send(body);
        wire.response(&method).expect("a response")
    }

    fn wire(&self) -> Wire {
        let head = self.system.heads()[0].to_owned();
        Wire::connect(&head, &PathBuf::from(self.system.fact("ca"))).expect("TLS")
    }

    fn published(&self, name: &str) -> usize {
        let pointer = format!("/{}", name.replace('.', "/"));
        let limit = self.info.pointer(&pointer).and_then(Value::as_u64).expect("published");
        usize::try_from(limit).expect("it fits")
    }
}

fn list_account(stage: &Stage, count: usize) -> Response {
    stage.ask(&format!("GET /v1/demo?limit={count} HTTP/1.1"), b"")
}

fn list_container(stage: &Stage, count: usize) -> Response {
    stage.ask(&format!("GET /v1/demo/files?limit={count} HTTP/1.1"), b"")
}

fn container_name(stage: &Stage, count: usize) -> Response {
    stage.ask(&format!("PUT /v1/demo/{} HTTP/1.1", "c".repeat(count)), b"")
}

fn object_name(stage: &Stage, count: usize) -> Response {
    stage.ask(&format!("PUT /v1/demo/files/{} HTTP/1.1", "k".repeat(count)), b"x")
}

fn metadata_name(stage: &Stage, count: usize) -> Response {
    put_with(stage, &format!("X-Object-Meta-{}: v\r\n", "n".repeat(count)))
}

fn metadata_value(stage: &Stage, count: usize) -> Response {
    put_with(stage, &format!("X-Object-Meta-Long: {}\r\n", "v".repeat(count)))
}

fn metadata_count(stage: &Stage, count: usize) -> Response {
    put_with(stage, &(0..count).map(|n| format!("X-Object-Meta-N{n}: v\r\n")).collect::<String>())
}

/// Names of 6 bytes with values of 250, and one that fills up the rest.
fn metadata_size(stage: &Stage, count: usize) -> Response {
    const WHOLE: usize = 256;
    let mut fields: String =
        (0..count / WHOLE - 1).map(|n| format!("X-Object-Meta-N{n:05}: {}\r\n", "v".repeat(250))).collect();
    let rest = count - (count / WHOLE - 1) * WHOLE;
    fields.push_str(&format!("X-Object-Meta-R: {}\r\n", "v".repeat(200)));
    fields.push_str(&format!("X-Object-Meta-S: {}\r\n", "v".repeat(rest - 202)));
    put_with(stage, &fields)
}

fn header_value(stage: &Stage, count: usize) -> Response {
    put_with(stage, &format!("Cache-Control: {}\r\n", "v".repeat(count)))
}

fn put_with(stage: &Stage, fields: &str) -> Response {
    stage.ask(&format!("PUT /v1/demo/files/with HTTP/1.1\r\n{}", fields.trim_end()), b"x")
}

/// The head answers before the body is sent: with 100, or with its refusal.
fn file_size(stage: &Stage, count: usize) -> Response {
    let mut wire = stage.wire();
    let text = format!(
        "PUT /v1/demo/files/huge HTTP/1.1\r\nHost: h\r\n{}\r\nContent-Length: {count}\r\nExpect: 100-continue\r\n\r\n",
        stage.ticket
    );
    wire.send(text.as_bytes()).expect("sent");
    wire.response("PUT").expect("an answer before the body")
}

/// The same segment again and again.
fn segments(stage: &Stage, count: usize) -> Response {
    stage.ask("PUT /v1/demo/files/segment HTTP/1.1", b"x");
    let one = r#"{"path":"/files/segment"}"#;
    let manifest = format!("[{}]", vec![one; count].join(","));
    stage.ask("PUT /v1/demo/files/many?multipart-manifest=put HTTP/1.1", manifest.as_bytes())
}

/// White space is JSON, too.
fn manifest_size(stage: &Stage, count: usize) -> Response {
    stage.ask("PUT /v1/demo/files/segment HTTP/1.1", b"x");
    let one = r#"[{"path":"/files/segment"}]"#;
    let manifest = format!("{one}{}", " ".repeat(count - one.len()));
    stage.ask("PUT /v1/demo/files/wide?multipart-manifest=put HTTP/1.1", manifest.as_bytes())
}

/// The status of a bulk delete stands in its body.
fn deletes(stage: &Stage, count: usize) -> Response {
    let lines: String = (0..count).map(|n| format!("/files/none-{n}\n")).collect();
    let mut response = stage.ask(
        "POST /v1/demo?bulk-delete HTTP/1.1\r\nContent-Type: text/plain\r\nAccept: application/json",
        lines.as_bytes(),
    );
    let report: Value = serde_json::from_slice(&response.body).expect("JSON");
    let status = report["Response Status"].as_str().and_then(|status| status.get(..3)).expect("a status");
    response.status = status.parse().expect("a number");
    response
}

#[test]
fn every_published_limit_is_kept_to_the_last() {
    let stage = Stage::new();
    let mut wrong = Vec::new();
    for limit in LIMITS {
        let count = stage.published(limit.name);
        let (last, beyond) = ((limit.ask)(&stage, count).status, (limit.ask)(&stage, count + 1).status);
        if !(100..300).contains(&last) || beyond != limit.refused {
            wrong.push(format!("{} = {count}: {last}, and {beyond} for one more", limit.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_published_that_no_test_asks_for() {
    let stage = Stage::new();
    let sections = stage.info.as_object().expect("sections");
    for (section, entries) in sections {
        for entry in entries.as_object().expect("entries").keys() {
            let name = format!("{section}.{entry}");
            let asked = LIMITS.iter().any(|limit| limit.name == name);
            assert!(asked || ELSEWHERE.iter().any(|(known, _)| *known == name), "{name}");
        }
    }
}
