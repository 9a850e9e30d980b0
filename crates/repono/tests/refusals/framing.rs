//! Request heads that two parties could read differently: one reply, then the end.

use anyhow::{Result, ensure};
use repono_core::refusal::After;

use crate::attack::{Ask, Attack, MARKER};
use crate::stage::{KNOWN, KNOWN_BLOB, Stage, on_stage};

/// The upload that each attack disguises itself as.
fn put(stage: &Stage) -> Ask {
    Ask::new("PUT", format!("/v1/demo/files/{MARKER}")).ticket(&stage.owner)
}

/// A request that must never be answered: it would remove what must stay.
fn smuggled(stage: &Stage) -> Vec<u8> {
    Ask::new("DELETE", KNOWN).ticket(&stage.owner).bytes()
}

#[test]
fn bodies_that_are_framed_twice_or_oddly() {
    on_stage(2, |stage| {
        let put = || put(stage);
        let hidden = smuggled(stage);
        let chunked = || put().line("Transfer-Encoding: chunked");
        let within_chunk =
            [format!("{:x}\r\n", hidden.len()).into_bytes(), hidden.clone(), b"\r\n0\r\n\r\n".to_vec()];
        let mut attacks = vec![
            chunked().line("Content-Length: 47").then("0\r\n\r\n").then(&hidden).closes(
                "CL.TE",
                400,
                "InvalidRequest",
            ),
            put()
                .line("Content-Length: 4")
                .line("Transfer-Encoding: chunked")
                .then(within_chunk.concat())
                .closes("TE.CL", 400, "InvalidRequest"),
            chunked().line("Transfer-Encoding: chunked").then("0\r\n\r\n").then(&hidden).closes(
                "two encodings",
                400,
                "InvalidRequest",
            ),
            put().line("Content-Length: 5\r\nContent-Length: 6").then("hello").then(&hidden).closes(
                "two lengths",
                400,
                "InvalidRequest",
            ),
            put().line("Content-Length: 5\r\nContent-Length: 5").then("hello").then(&hidden).closes(
                "the same length twice",
                400,
                "InvalidRequest",
            ),
        ];
        for length in [
            "5, 5",
            "5,6",
            "005",
            "+5",
            "-5",
            "0x5",
            "5 5",
            "5.0",
            "5e0",
            "",
            "\u{665}",
            "99999999999999999999",
        ] {
            let ask = put().line(format!("Content-Length: {length}")).then("hello").then(&hidden);
            attacks.push(ask.closes(format!("Content-Length: {length}"), 400, "InvalidRequest"));
        }
        let encodings: [(&str, u16, &str); 17] = [
            ("Transfer-Encoding: xchunked", 501, "NotImplemented"),
            ("Transfer-Encoding: identity", 501, "NotImplemented"),
            ("Transfer-Encoding: gzip", 501, "NotImplemented"),
            ("Transfer-Encoding: gzip, chunked", 501, "NotImplemented"),
            ("Transfer-Encoding: chunked, identity", 400, "InvalidRequest"),
            ("Transfer-Encoding: chunked, chunked", 400, "InvalidRequest"),
            ("Transfer-Encoding: , chunked", 400, "InvalidRequest"),
            ("Transfer-Encoding: chunked,", 400, "InvalidRequest"),
            ("Transfer-Encoding: chunked;q=1", 400, "InvalidRequest"),
            ("Transfer-Encoding: \"chunked\"", 400, "InvalidRequest"),
            ("Transfer-Encoding:", 400, "InvalidRequest"),
            ("Transfer-Encoding : chunked", 400, "InvalidRequest"),
            ("Transfer-Encoding\t: chunked", 400, "InvalidRequest"),
            ("Transfer-Encoding:\r\n chunked", 400, "InvalidRequest"),
            ("Transfer-Encoding: \u{b}chunked", 400, "InvalidRequest"),
            ("transfer_encoding: chunked", 400, "InvalidRequest"),
            ("content_length: 5", 400, "InvalidRequest"),
        ];
        for (line, status, code) in encodings {
            let ask = put().line(line).then("0\r\n\r\n").then(&hidden);
            attacks.push(ask.closes(line.escape_debug().to_string(), status, code));
        }
        let old = Ask::without_host("PUT", format!("/v1/demo/files/{MARKER}"), "HTTP/1.0").line("Host: h");
        let old = old.ticket(&stage.owner).line("Transfer-Encoding: chunked").then("0\r\n\r\n").then(&hidden);
        attacks.push(old.closes("chunks in HTTP/1.0", 400, "InvalidRequest"));
        stage.repel(&attacks)
    });
}

#[test]
fn lines_that_end_or_begin_oddly() {
    on_stage(2, |stage| {
        let put = || put(stage);
        let bare = String::from_utf8(put().bytes())?.replace("\r\n", "\n");
        let lines: [&[u8]; 15] = [
            b"X-A: b\r\n c",
            b"X-A: b\r\n\tc",
            b" X-A: b",
            b"X-A: b\nX-B: c",
            b"X-A: b\rX-Auth-User: globex:mallory",
            b"X-A: b\r",
            b"X-A: b\0c",
            b"X-A: \x1b[2J",
            b"X-A: \xff",
            b"X-A: \x7f",
            b"X-A",
            b": b",
            b"X A: b",
            b"X-A\0: b",
            b"X(A): b",
        ];
        let mut attacks = vec![Ask::raw("PUT", &bare).closes("LF alone", 400, "InvalidRequest")];
        for line in lines {
            let ask = put().line(line).body(MARKER);
            attacks.push(ask.closes(line.escape_ascii().to_string(), 400, "InvalidRequest"));
        }
        let blank = [b"\r\n\r\n".to_vec(), put().body(MARKER).bytes()].concat();
        attacks.push(Ask::raw("PUT", blank).closes("two empty lines", 400, "InvalidRequest"));
        let first: [(&str, u16, &str); 12] = [
            ("PUT  /v1/demo/files/x HTTP/1.1", 400, "InvalidRequest"),
            ("PUT\t/v1/demo/files/x\tHTTP/1.1", 400, "InvalidRequest"),
            ("PUT /v1/demo/files/x  HTTP/1.1", 400, "InvalidRequest"),
            ("PUT /v1/demo/files/x HTTP/1.1 x", 400, "InvalidRequest"),
            ("PUT /v1/demo/files/a b HTTP/1.1", 400, "InvalidRequest"),
            ("PUT /v1/demo/files/x", 400, "InvalidRequest"),
            ("PUT /v1/demo/files/x http/1.1", 400, "InvalidRequest"),
            ("PUT /v1/demo/files/x HTTP/1.2", 505, "HttpVersionNotSupported"),
            ("PUT /v1/demo/files/x HTTP/2.0", 505, "HttpVersionNotSupported"),
            ("PUT /v1/demo/files/x HTTP/11", 505, "HttpVersionNotSupported"),
            (" PUT /v1/demo/files/x HTTP/1.1", 400, "InvalidRequest"),
            ("PU(T /v1/demo/files/x HTTP/1.1", 400, "InvalidRequest"),
        ];
        for (line, status, code) in first {
            let ask = Ask::starting("PUT", line).line("Host: h").ticket(&stage.owner).body(MARKER);
            attacks.push(ask.closes(line, status, code));
        }
        stage.repel(&attacks)
    });
}

#[test]
fn methods_hosts_and_expectations() {
    on_stage(2, |stage| {
        let mut attacks = Vec::new();
        let methods = [
            "BREW /v1/demo/files/x HTTP/1.1",
            "put /v1/demo/files/x HTTP/1.1",
            "Put /v1/demo/files/x HTTP/1.1",
            "PATCH /v1/demo/files/x HTTP/1.1",
            "TRACE /v1/demo/files/known HTTP/1.1",
            "CONNECT 127.0.0.1:22 HTTP/1.1",
            "PRI * HTTP/2.0",
            "PROXY TCP4 10.0.0.1 1.1.1.1 1 443",
            "PUTPUTPUTPUTPUTPUTPUTPUT /v1/demo/files/x HTTP/1.1",
        ];
        for line in methods {
            let ask = Ask::starting("PUT", line).line("Host: h").ticket(&stage.owner).body(MARKER);
            attacks.push(ask.closes(line, 405, "MethodNotAllowed"));
        }
        let without_host =
            || Ask::without_host("PUT", format!("/v1/demo/files/{MARKER}"), "HTTP/1.1").ticket(&stage.owner);
        attacks.push(without_host().body(MARKER).closes("no Host", 400, "InvalidRequest"));
        for hosts in [
            "Host: h\r\nHost: h",
            "Host: h\r\nHost: i",
            "Host: a, b",
            "Host: u@h",
            "Host: a/b@c",
            "Host:",
            "Host: h:x",
        ] {
            let ask = without_host().line(hosts).body(MARKER);
            attacks.push(ask.closes(hosts.escape_debug().to_string(), 400, "InvalidRequest"));
        }
        for target in [
            "https://other/v1/demo/files/x",
            "http://u@h/v1/demo/files/x",
            "//other/v1/demo/files/x?",
            "ftp://h/x",
        ] {
            let code = if target.starts_with("ftp") { "InvalidURI" } else { "InvalidRequest" };
            let ask = Ask::new("PUT", target).ticket(&stage.owner).body(MARKER);
            attacks.push(match target.strip_prefix("//") {
                // A path whose account is empty, not another host.
                Some(_) => ask.keeps(target, 404, "NotFound"),
                None => ask.closes(target, 400, code),
            });
        }
        for expect in
            ["Expect: 200-ok", "Expect: y, 100-continue", "Expect: 100-continue, 100-continue", "Expect:"]
        {
            let ask = put(stage).line(expect).body(MARKER);
            attacks.push(ask.closes(expect, 417, "ExpectationFailed"));
        }
        let twice = put(stage).line("Expect: 100-continue\r\nExpect: 100-continue").body(MARKER);
        attacks.push(twice.closes("Expect twice", 417, "ExpectationFailed"));
        stage.repel(&attacks)
    });
}

#[test]
fn heads_that_are_too_large() {
    on_stage(2, |stage| {
        let lines = |count: usize, name: &str| {
            (0..count).fold(put(stage), |ask, n| ask.line(format!("{name}{n}: {MARKER}"))).body(MARKER)
        };
        let long = |bytes: usize| format!("X-Long: {MARKER}{}", "x".repeat(bytes));
        // The limit is 64 and 128; the request has nine of its own.
        let refused = |name: &str, ask: Ask| ask.closes(name, 431, "RequestHeaderSectionTooLarge");
        let attacks = [
            refused("65 fields", lines(65 - 8, "X-A-")),
            refused("1000 fields", lines(1000, "X-A-")),
            refused("129 metadata fields", lines(129, "X-Object-Meta-")),
            refused("9 KiB of field", put(stage).line(long(9 * 1024)).body(MARKER)),
            refused(
                "33 KiB of head",
                (0..5).fold(put(stage), |ask, _| ask.line(long(7 * 1024))).body(MARKER),
            ),
        ];
        stage.repel(&attacks)?;
        stage.once(&lines(64 - 8, "X-A-"), 201)?;
        stage.once(&put(stage).line(long(7 * 1024)).body(MARKER), 201).map(drop)
    });
}

/// One answer to what is one request, and then to the next one.
#[test]
fn a_body_is_never_a_request() {
    on_stage(2, |stage| {
        let hidden = smuggled(stage);
        // More than is drained to keep a connection, and all of it sent at once.
        let large = [hidden.clone(), vec![b'x'; 8 << 20]].concat();
        let target = format!("/v1/demo/files/{MARKER}");
        let anonymous = || Ask::new("PUT", &target);
        let missing = |method| Ask::new(method, &target).ticket(&stage.owner);
        let attacks: Vec<Attack> = vec![
            anonymous().body(&hidden).keeps("within a refused body", 401, "Unauthorized"),
            anonymous().chunked(&hidden).closes("within a refused chunk", 401, "Unauthorized"),
            anonymous().body(&large).closes("within a large refused body", 401, "Unauthorized"),
            anonymous().line("Expect: 100-continue").body(&hidden).closes(
                "sent without waiting",
                401,
                "Unauthorized",
            ),
            missing("GET").body(&hidden).keeps("within the body of a GET", 404, "NoSuchKey"),
            missing("HEAD").body(&hidden).keeps("within the body of a HEAD", 404, "NoSuchKey"),
            missing("DELETE").body(&hidden).keeps("within the body of a DELETE", 404, "NoSuchKey"),
            missing("GET").line("Connection: close").then(&hidden).closes(
                "behind a last request",
                404,
                "NoSuchKey",
            ),
            missing("DELETE").chunked(&hidden).closes("within a chunk of a DELETE", 404, "NoSuchKey"),
        ];
        stage.repel(&attacks)?;
        for route in stage.routes() {
            pipelined(stage, &route.url)?;
        }
        Ok(())
    });
}

/// Two requests in one packet, the first with a body that looks like a third, or
/// with an upgrade that nobody offered.
fn pipelined(stage: &Stage, url: &str) -> Result<()> {
    let hidden = smuggled(stage);
    let get = |target: &str| Ask::new("GET", target).ticket(&stage.owner);
    let upgrade = get(KNOWN).line("Connection: upgrade").line("Upgrade: foo");
    for (name, first) in [("a body", get(KNOWN).body(&hidden)), ("an upgrade", upgrade)] {
        let mut wire = stage.connect(url)?;
        let second = get(KNOWN_BLOB).line("Connection: close");
        wire.send(&[first.bytes(), second.bytes()].concat())?;
        for (number, bytes, after) in [(1, 1000, After::Keep), (2, 40_000, After::Close)] {
            let response = wire.response("GET")?;
            ensure!(
                response.status == 200 && response.body.len() == bytes,
                "{name}, reply {number}: {response:?}"
            );
            let close = response.header("connection") == Some("close");
            ensure!(close == (after == After::Close), "{name}, reply {number}: {response:?}");
        }
        ensure!(wire.ends_cleanly()?, "{name}: a third reply");
    }
    Ok(())
}
