//! Writes that are sent twice and take effect once, whichever head they reach, and
//! whatever became of the first one.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::PathBuf;

use repono_testkit::system::{System, send};
use repono_testkit::wire::{Response, Wire};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

struct Stage {
    system: System,
    ticket: String,
}

impl Stage {
    fn new() -> Self {
        let system = System::start(PROGRAM, &["--heads", "2"]).expect("a system");
        let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
        Self { system, ticket }
    }

    /// One request at a head, on a connection of its own.
    fn ask(&self, head: usize, request: &str, fields: &[&str], body: &[u8]) -> Response {
        let mut wire = self.begin(head, request, fields, body);
        wire.response(request.split(' ').next().expect("a method")).expect("a response")
    }

    fn begin(&self, head: usize, request: &str, fields: &[&str], body: &[u8]) -> Wire {
        let url = self.system.heads()[head].to_owned();
        let mut wire = Wire::connect(&url, &PathBuf::from(self.system.fact("ca"))).expect("TLS");
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let (ticket, length) = (&self.ticket, body.len());
        let text =
            format!("{request} HTTP/1.1\r\nHost: h\r\n{ticket}\r\n{fields}Content-Length: {length}\r\n\r\n");
        wire.send(text.as_bytes()).expect("sent");
        wire.send(body).expect("sent");
        wire
    }

    fn body(&self, path: &str) -> Option<Vec<u8>> {
        let found = self.ask(0, &format!("GET {path}"), &[], b"");
        (found.status == 200).then_some(found.body)
    }
}

/// What must be the same in both answers.
fn answer(response: &Response) -> (u16, Vec<Option<String>>) {
    let fields = ["etag", "last-modified", "x-timestamp"];
    (response.status, fields.map(|name| response.header(name).map(str::to_owned)).into())
}

#[test]
fn a_write_that_is_sent_twice_takes_effect_once() {
    let stage = Stage::new();
    put_again_at_another_head(&stage);
    a_key_stands_for_one_request(&stage);
    delete_again(&stage);
    copy_again(&stage);
    the_first_answer_was_never_read(&stage);
    bad_keys_are_refused(&stage);
}

fn put_again_at_another_head(stage: &Stage) {
    for bytes in [10, 200_000] {
        let path = format!("/v1/demo/files/put-{bytes}");
        let request = format!("PUT {path}");
        let key = format!("Idempotency-Key: \"put-{bytes}\"");
        let sent = [key.as_str(), "If-None-Match: *", "X-Object-Meta-A: 1"];
        let body = vec![b'1'; bytes];
        let first = stage.ask(0, &request, &sent, &body);
        assert_eq!(first.status, 201, "{}", first.text());
        let second = stage.ask(1, &request, &sent, &body);
        assert_eq!(answer(&second), answer(&first), "the condition held when it came first");
        assert_eq!(stage.ask(1, &request, &["If-None-Match: *"], &body).status, 412);
        assert_eq!(stage.ask(1, &request, &[], b"newer").status, 201);
        assert_eq!(answer(&stage.ask(0, &request, &sent, &body)), answer(&first));
        assert_eq!(stage.body(&path).expect("there"), b"newer", "what came between stays");
    }
}

fn a_key_stands_for_one_request(stage: &Stage) {
    let key = "Idempotency-Key: one";
    assert_eq!(stage.ask(0, "PUT /v1/demo/files/one", &[key], b"1").status, 201);
    let others = [
        stage.ask(0, "PUT /v1/demo/files/one", &[key], b"2"),
        stage.ask(0, "PUT /v1/demo/files/two", &[key], b"1"),
        stage.ask(0, "PUT /v1/demo/files/one", &[key, "Content-Type: text/plain"], b"1"),
        stage.ask(0, "DELETE /v1/demo/files/one", &[key], b""),
    ];
    for other in others {
        assert_eq!(other.status, 422);
        assert!(other.text().contains("IdempotencyKeyReused"), "{}", other.text());
    }
    assert_eq!(stage.body("/v1/demo/files/one").expect("there"), b"1");
    assert_eq!(stage.body("/v1/demo/files/two"), None);
}

fn delete_again(stage: &Stage) {
    let key = ["Idempotency-Key: gone"];
    assert_eq!(stage.ask(0, "PUT /v1/demo/files/gone", &[], b"1").status, 201);
    assert_eq!(stage.ask(0, "DELETE /v1/demo/files/gone", &key, b"").status, 204);
    assert_eq!(stage.ask(0, "DELETE /v1/demo/files/gone", &[], b"").status, 404);
    assert_eq!(stage.ask(0, "PUT /v1/demo/files/gone", &[], b"2").status, 201);
    assert_eq!(stage.ask(1, "DELETE /v1/demo/files/gone", &key, b"").status, 204);
    assert_eq!(stage.body("/v1/demo/files/gone").expect("there"), b"2", "it was deleted once");
}

fn copy_again(stage: &Stage) {
    let sent = ["Idempotency-Key: copy", "Destination: files/copy"];
    assert_eq!(stage.ask(0, "PUT /v1/demo/files/source", &[], b"1").status, 201);
    let first = stage.ask(0, "COPY /v1/demo/files/source", &sent, b"");
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(stage.ask(0, "PUT /v1/demo/files/source", &[], b"2").status, 201);
    let second = stage.ask(1, "COPY /v1/demo/files/source", &sent, b"");
    assert_eq!(answer(&second), answer(&first));
    assert_eq!(stage.body("/v1/demo/files/copy").expect("there"), b"1");
}

/// The head is killed after it got the whole request: whether it committed is not
/// known to the client, which sends it again.
fn the_first_answer_was_never_read(stage: &Stage) {
    let pid = stage.system.pid("head-1");
    for turn in 0..5 {
        let request = format!("PUT /v1/demo/files/lost-{turn}");
        let key = format!("Idempotency-Key: lost-{turn}");
        let sent = [key.as_str(), "If-None-Match: *"];
        let lost = stage.begin(0, &request, &sent, b"1");
        if turn == 4 {
            send(pid, Signal::KILL).expect("killed");
        }
        drop(lost);
        let again = stage.ask(1, &request, &sent, b"1");
        assert_eq!(again.status, 201, "{}", again.text());
        assert_eq!(answer(&stage.ask(1, &request, &sent, b"1")), answer(&again));
    }
}

fn bad_keys_are_refused(stage: &Stage) {
    for bad in ["", "\"", "a b", &"k".repeat(256)] {
        let key = format!("Idempotency-Key: {bad}");
        for method in ["PUT", "DELETE"] {
            let refused = stage.ask(1, &format!("{method} /v1/demo/files/bad"), &[&key], b"");
            assert_eq!(refused.status, 400, "{bad}");
            assert!(refused.text().contains("InvalidIdempotencyKey"), "{}", refused.text());
        }
    }
}
