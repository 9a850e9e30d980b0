//! Uploads that do not say or do what they must: nothing is stored, and what was
//! there stays.

use anyhow::ensure;
use repono_testkit::wait;

use crate::attack::{Ask, Attack, MARKER};
use crate::stage::{IN_FORCE, KNOWN, KNOWN_BLOB, Stage, on_stage};

/// The largest object, plus one.
const TOO_LARGE: u64 = 5_368_709_123;
/// The MD5 of no body in these tests.
const OTHER_MD5: &str = "00000000000000000000000000000000";
/// Bodies of both kinds: within the metadata, and as a blob.
const SIZES: [(usize, &str); 2] = [(300, "small"), (60_000, "large")];

fn body(size: usize) -> Vec<u8> {
    MARKER.bytes().cycle().take(size).collect()
}

fn put(stage: &Stage) -> Ask {
    Ask::new("PUT", format!("/v1/demo/files/{MARKER}")).ticket(&stage.owner)
}

#[test]
fn lengths_that_do_not_hold() {
    on_stage(2, |stage| {
        let put = || put(stage);
        let replacing = |target| Ask::new("PUT", target).ticket(&stage.owner);
        let mut attacks = vec![
            put().closes("no length", 411, "MissingContentLength"),
            put().line(format!("Content-Length: {TOO_LARGE}")).closes("too large", 413, "EntityTooLarge"),
            put().line(format!("Content-Length: {TOO_LARGE}")).line("Expect: 100-continue").closes(
                "too large, and asked first",
                413,
                "EntityTooLarge",
            ),
            put().line("Content-Length: 18446744073709551615").closes(
                "the largest length",
                413,
                "EntityTooLarge",
            ),
            put().line("Content-Length: 18446744073709551616").closes(
                "beyond 64 bits",
                400,
                "InvalidRequest",
            ),
            put().line("Content-Length: 10").finished().closes("no byte of ten", 499, "ClientDisconnect"),
            put().line("Transfer-Encoding: chunked").finished().closes("no chunk", 499, "ClientDisconnect"),
            put().line("Transfer-Encoding: chunked").then("a\r\nabc").finished().closes(
                "three bytes of a chunk of ten",
                499,
                "ClientDisconnect",
            ),
        ];
        for (size, kind) in SIZES {
            let length = format!("Content-Length: {}", size + 1);
            let short = |ask: Ask| ask.line(&length).then(body(size)).finished();
            let unended = |ask: Ask| {
                let chunk = [format!("{size:x}\r\n").into_bytes(), body(size), b"\r\n".to_vec()].concat();
                ask.line("Transfer-Encoding: chunked").then(chunk).finished()
            };
            for (over, ask) in
                [("", put()), (" over an object", replacing(KNOWN)), (" over a blob", replacing(KNOWN_BLOB))]
            {
                let name = format!("a {kind} body one byte short{over}");
                attacks.push(short(ask.clone()).closes(name, 499, "ClientDisconnect"));
                let name = format!("a {kind} body without its last chunk{over}");
                attacks.push(unended(ask).closes(name, 499, "ClientDisconnect"));
            }
        }
        stage.repel(&attacks)
    });
}

#[test]
fn connections_that_break_within_a_body() {
    on_stage(2, |stage| {
        let mut probe = stage.connect(stage.system.balancer())?;
        let before = stage.inventory(&mut probe)?;
        for route in stage.routes() {
            for (size, _) in SIZES {
                for target in [format!("/v1/demo/files/{MARKER}"), KNOWN.to_owned()] {
                    let ask = Ask::new("PUT", target).ticket(&stage.owner);
                    let mut wire = stage.connect(&route.url)?;
                    wire.send(&ask.line(format!("Content-Length: {}", size + 1)).then(body(size)).bytes())?;
                    // Not even a close_notify.
                    drop(wire);
                }
            }
        }
        // The heads have seen the ends once no connection but ours is open.
        wait::until("the broken connections are over", IN_FORCE, || {
            let heads = stage.admin(&["head", "list"]).ok()?;
            let open = heads.as_array()?.iter().filter_map(|head| head["connections"].as_u64()).sum::<u64>();
            (open <= 1).then_some(())
        })?;
        ensure!(stage.inventory(&mut probe)? == before, "something was stored");
        stage.is_served(&mut probe)
    });
}

#[test]
fn checksums_and_conditions_that_do_not_hold() {
    on_stage(2, |stage| {
        let mut attacks = Vec::new();
        for (size, kind) in SIZES {
            let put = || put(stage);
            let over = |target| Ask::new("PUT", target).ticket(&stage.owner);
            let wrong = format!("ETag: {OTHER_MD5}");
            attacks.extend([
                put().line(&wrong).body(body(size)).keeps(format!("another MD5, {kind}"), 422, "BadDigest"),
                put().line(&wrong).chunked(body(size)).keeps(
                    format!("another MD5, {kind} chunk"),
                    422,
                    "BadDigest",
                ),
                over(KNOWN).line(&wrong).body(body(size)).keeps(
                    format!("another MD5, {kind}, over"),
                    422,
                    "BadDigest",
                ),
                put().line(format!("ETag: {MARKER}")).body(body(size)).keeps(
                    "an MD5 that is none",
                    422,
                    "BadDigest",
                ),
                put().line(&wrong).line(&wrong).body(body(size)).keeps("two MD5", 422, "BadDigest"),
            ]);
            for target in [KNOWN, KNOWN_BLOB] {
                let put = |line: &str| over(target).line(line).body(body(size));
                let matching = format!("If-Match: \"{OTHER_MD5}\"");
                attacks.extend([
                    put("If-None-Match: *").keeps(format!("{kind} over {target}"), 412, "PreconditionFailed"),
                    over(target).line("If-None-Match: *").chunked(body(size)).keeps(
                        format!("a {kind} chunk over {target}"),
                        412,
                        "PreconditionFailed",
                    ),
                    put(&matching).keeps(format!("{kind} over another version"), 412, "PreconditionFailed"),
                    put("If-Match: *").keeps("If-Match: *", 400, "InvalidCondition"),
                    put("If-None-Match: \"x\"").keeps("If-None-Match with a tag", 400, "InvalidCondition"),
                ]);
            }
            let matching = format!("If-Match: \"{OTHER_MD5}\"");
            attacks.push(put().line(matching).body(body(size)).keeps(
                format!("{kind} over a version that is not there"),
                412,
                "PreconditionFailed",
            ));
        }
        stage.repel(&attacks)
    });
}

#[test]
fn what_is_not_there_or_not_served() {
    on_stage(2, |stage| {
        let ask = |method, target: &str| Ask::new(method, target).ticket(&stage.owner);
        let missing = format!("/v1/demo/files/{MARKER}");
        let nowhere = format!("/v1/demo/{MARKER}/x");
        let mut attacks: Vec<Attack> = Vec::new();
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            let name = format!("{method} of a missing object");
            attacks.push(ask(method, &missing).body("").keeps(name, 404, "NoSuchKey"));
            let name = format!("{method} in a missing container");
            attacks.push(ask(method, &nowhere).body("").keeps(name, 404, "NoSuchContainer"));
        }
        attacks.extend([
            ask("PUT", &nowhere).body(MARKER).keeps("PUT into a missing container", 404, "NoSuchContainer"),
            ask("PUT", &nowhere).body(body(60_000)).keeps(
                "a large PUT into a missing container",
                404,
                "NoSuchContainer",
            ),
            ask("DELETE", "/v1/demo/files").keeps(
                "DELETE of a container with objects",
                409,
                "ContainerNotEmpty",
            ),
            ask("GET", "/v1/demo/files?limit=10001").keeps("a limit too high", 412, "LimitTooHigh"),
            ask("GET", "/v1/demo/files?prefix=%ff").keeps(
                "a prefix that is not UTF-8",
                400,
                "InvalidArgument",
            ),
            ask("GET", "/v1/demo/files?prefix=a&prefix=b").keeps("two prefixes", 400, "InvalidArgument"),
            Ask::new("OPTIONS", &missing)
                .line("Origin: https://evil.example")
                .line("Access-Control-Request-Method: GET")
                .keeps("a preflight of a foreign page", 401, "Unauthorized"),
            ask("COPY", KNOWN).line(format!("Destination: {MARKER}")).keeps(
                "COPY to no object",
                412,
                "BadCopyHeader",
            ),
            ask("COPY", KNOWN).line("Destination: vault/x").line("Destination-Account: globex").keeps(
                "COPY into a foreign account",
                403,
                "AccessDenied",
            ),
            ask("PUT", &missing)
                .line("X-Copy-From: /vault/secret")
                .line("X-Copy-From-Account: globex")
                .body("")
                .keeps("PUT of a copy from a foreign account", 403, "AccessDenied"),
            ask("DELETE", "/v1/demo").keeps("DELETE of an account", 405, "MethodNotAllowed"),
            ask("PUT", "/v1/demo/?bulk-delete").body("files/known").keeps(
                "bulk-delete by PUT",
                405,
                "MethodNotAllowed",
            ),
            Ask::new("GET", format!("/{MARKER}")).keeps("nothing at this address", 404, "NotFound"),
            Ask::new("GET", format!("/admin/{MARKER}")).keeps("no administration here", 404, "NotFound"),
            Ask::new("GET", format!("/metrics?{MARKER}")).keeps("no metrics here", 404, "NotFound"),
            Ask::new("POST", "/v1/tickets").body(MARKER).keeps("no vending here", 401, "Unauthorized"),
            Ask::new("PUT", "/info").body(MARKER).keeps("PUT of /info", 405, "MethodNotAllowed"),
            Ask::new("DELETE", "/healthcheck").keeps("DELETE of /healthcheck", 405, "MethodNotAllowed"),
        ]);
        let unserved = [
            "X-Symlink-Target: files/known",
            "Content-Range: bytes 0-1/2",
            "If-Unmodified-Since: Mon, 20 Oct 2014 23:55:44 GMT",
        ];
        for line in unserved {
            attacks.push(ask("PUT", &missing).line(line).body(MARKER).keeps(line, 501, "NotImplemented"));
        }
        for (line, status, code) in [
            ("X-Copy-From: /files/known", 400, "InvalidRequest"),
            ("X-Copy-From: /../globex/vault/secret", 400, "InvalidKey"),
            ("X-Delete-After: -10", 400, "InvalidHeader"),
            ("X-Delete-At: 1", 400, "InvalidHeader"),
        ] {
            attacks.push(ask("PUT", &missing).line(line).body(MARKER).keeps(line, status, code));
        }
        attacks.extend(metadata(stage, &missing));
        stage.repel(&attacks)
    });
}

/// Metadata beyond its limits, on an upload and on an update of what is there.
fn metadata(stage: &Stage, missing: &str) -> Vec<Attack> {
    let long_value = format!("X-Object-Meta-A: {}", "v".repeat(257));
    let long_name = format!("X-Object-Meta-{}: v", "n".repeat(129));
    let many: Vec<String> = (0..90).map(|n| format!("X-Object-Meta-{n}: {}", "v".repeat(60))).collect();
    let lines: [(&str, &[u8], &str); 5] = [
        ("a long value", long_value.as_bytes(), "MetadataTooLarge"),
        ("a long name", long_name.as_bytes(), "MetadataTooLarge"),
        ("too much together", &many.join("\r\n").into_bytes(), "MetadataTooLarge"),
        ("an empty name", b"X-Object-Meta-: v", "InvalidMetadata"),
        ("a value that is not UTF-8", b"X-Object-Meta-A: \xc3", "InvalidHeader"),
    ];
    let mut attacks = Vec::new();
    for (name, line, code) in lines {
        for (method, target) in [("PUT", missing), ("POST", KNOWN)] {
            let ask = Ask::new(method, target).ticket(&stage.owner).line(line).body(MARKER);
            attacks.push(ask.keeps(format!("{method} with {name}"), 400, code));
        }
    }
    attacks
}
