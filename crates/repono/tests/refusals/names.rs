//! Names that are none: refused before anybody looks them up.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::attack::{Ask, Attack, MARKER};
use crate::stage::on_stage;

/// Addresses that name nothing, with the status and code that each must have.
/// `@` stands for the marker.
const BAD: [(&str, u16, &str); 47] = [
    // Traversal, raw, encoded, with parameters, with backslashes.
    ("/v1/demo/files/../../globex/vault/@", 400, "InvalidKey"),
    ("/v1/demo/files/../@", 400, "InvalidKey"),
    ("/v1/demo/files/@/..", 400, "InvalidKey"),
    ("/v1/demo/files/./@", 400, "InvalidKey"),
    ("/v1/demo/files/..", 400, "InvalidKey"),
    ("/v1/demo/files/@/../../../../../etc/passwd", 400, "InvalidKey"),
    ("/v1/demo/files/%2e%2e/@", 400, "InvalidKey"),
    ("/v1/demo/files/%2e%2e%2f%2e%2e%2fglobex%2fvault%2f@", 400, "InvalidKey"),
    ("/v1/demo/files/..%2f..%2f@", 400, "InvalidKey"),
    ("/v1/demo/files/.%2E/@", 400, "InvalidKey"),
    ("/v1/demo/files/..;/@", 400, "InvalidKey"),
    ("/v1/demo/files/..;x=1/@", 400, "InvalidKey"),
    ("/v1/demo/files/%2e%2e%3bx/@", 400, "InvalidKey"),
    ("/v1/demo/files/..%5c..%5c@", 400, "InvalidKey"),
    ("/v1/demo/files/a%5c..%5c@", 400, "InvalidKey"),
    ("/v1/demo/../globex/@", 400, "InvalidKey"),
    ("/v1/demo/%2e%2e/@", 400, "InvalidKey"),
    ("/v1/demo/./@", 400, "InvalidKey"),
    ("/v1/../demo/files/@", 400, "InvalidKey"),
    ("/v1/%2e%2e/files/@", 400, "InvalidKey"),
    // A slash that is part of a container or an account.
    ("/v1/demo/files%2f@/x", 400, "InvalidKey"),
    ("/v1/demo%2ffiles/@", 400, "InvalidKey"),
    // Not UTF-8: a lone byte, overlong forms, a surrogate, beyond U+10FFFF; NUL.
    ("/v1/demo/files/@%ff", 412, "InvalidUtf8"),
    ("/v1/demo/files/@%c3", 412, "InvalidUtf8"),
    ("/v1/demo/files/%c0%ae%c0%ae/@", 412, "InvalidUtf8"),
    ("/v1/demo/files/@%e0%80%af", 412, "InvalidUtf8"),
    ("/v1/demo/files/@%ed%a0%80", 412, "InvalidUtf8"),
    ("/v1/demo/files/@%f4%90%80%80", 412, "InvalidUtf8"),
    ("/v1/demo/files/@%00", 412, "InvalidUtf8"),
    ("/v1/demo/files/%00@.png", 412, "InvalidUtf8"),
    ("/v1/demo/fi%00les/@", 412, "InvalidUtf8"),
    ("/v1/de%00mo/files/@", 412, "InvalidUtf8"),
    ("/v1/demo/%ff/@", 412, "InvalidUtf8"),
    // Control characters, C0 and C1.
    ("/v1/demo/files/@%0a", 400, "InvalidKey"),
    ("/v1/demo/files/@%0d%0aSet-Cookie:%20x", 400, "InvalidKey"),
    ("/v1/demo/files/@%1b%5b2J", 400, "InvalidKey"),
    ("/v1/demo/files/@%7f", 400, "InvalidKey"),
    ("/v1/demo/files/@%c2%85", 400, "InvalidKey"),
    ("/v1/demo/fi%09les/@", 400, "InvalidKey"),
    ("/v1/d%C3%A9mo/files/@", 400, "InvalidKey"),
    // Escapes that are none.
    ("/v1/demo/files/@%zz", 400, "InvalidURI"),
    ("/v1/demo/files/@%4", 400, "InvalidURI"),
    ("/v1/demo/files/@%", 400, "InvalidURI"),
    ("/v1/demo/files/@%u002e", 400, "InvalidURI"),
    // Nothing where a name must stand, and no such interface.
    ("/v1//files/@", 404, "NotFound"),
    ("/v1/demo//@", 404, "NotFound"),
    ("/v2/demo/files/@", 400, "InvalidApiVersion"),
];

/// Requests that the codec refuses: the connection must end.
const UNREADABLE: [(&[u8], &str); 9] = [
    (b"/v1/demo/files/a\0b", "InvalidRequest"),
    (b"/v1/demo/files/a\x7fb", "InvalidRequest"),
    (b"/v1/demo/files/a\xff", "InvalidRequest"),
    (b"/v1/demo/files/caf\xc3\xa9", "InvalidURI"),
    (b"/v1/demo/files/..\\..\\a", "InvalidURI"),
    (b"/v1/demo/files/a\"b", "InvalidURI"),
    (b"/v1/demo/files/a<b>", "InvalidURI"),
    (b"/v1/demo/files/a#b", "InvalidURI"),
    (b"v1/demo/files/a", "InvalidURI"),
];

#[test]
fn names_that_are_none() {
    on_stage(2, |stage| {
        let ask = |method, target: &[u8]| Ask::new(method, target).ticket(&stage.owner);
        let mut attacks = Vec::new();
        for (target, status, code) in BAD {
            let target = target.replace('@', MARKER);
            let put = ask("PUT", target.as_bytes()).body(MARKER);
            attacks.push(put.keeps(format!("PUT {target}"), status, code));
            attacks.push(ask("GET", target.as_bytes()).keeps(format!("GET {target}"), status, code));
        }
        for (target, code) in UNREADABLE {
            let put = ask("PUT", target).body(MARKER);
            attacks.push(put.closes(format!("PUT {}", target.escape_ascii()), 400, code));
        }
        attacks.extend(too_long(&ask));
        stage.repel(&attacks)
    });
}

fn too_long(ask: &impl Fn(&'static str, &[u8]) -> Ask) -> Vec<Attack> {
    let mut attacks = Vec::new();
    let rest = |bytes: usize| "x".repeat(bytes - MARKER.len());
    let key = format!("/v1/demo/files/{MARKER}{}", rest(1025));
    // 1,026 bytes in 513 characters, each of them six bytes of the target.
    let escaped = format!("/v1/demo/files/{}", "%C3%A9".repeat(513));
    let container = format!("/v1/demo/{MARKER}{}/x", rest(257));
    let account = format!("/v1/{MARKER}{}/files/x", rest(257));
    for target in [key, escaped, container, account] {
        let put = ask("PUT", target.as_bytes()).body(MARKER);
        attacks.push(put.keeps(format!("{} bytes of target", target.len()), 400, "KeyTooLongError"));
    }
    let line = format!("/v1/demo/files/{MARKER}{}", rest(9 * 1024));
    attacks.push(ask("PUT", line.as_bytes()).body(MARKER).closes("9 KiB of target", 414, "UriTooLong"));
    attacks
}

/// Names that look like attacks and are names: each is stored under exactly its
/// own bytes, and beside its look-alikes.
const LITERAL: [(&str, &str); 8] = [
    ("%252e%252e%252f%252e%252e%252fx", "%2e%2e%2f%2e%2e%2fx"),
    ("%25252e%25252e/x", "%252e%252e/x"),
    ("%2500", "%00"),
    ("a//b", "a//b"),
    ("...", "..."),
    ("caf%C3%A9", "caf\u{e9}"),
    ("cafe%CC%81", "cafe\u{301}"),
    ("a+b%20c%3Fd%26e", "a+b c?d&e"),
];

#[test]
fn names_are_decoded_exactly_once() {
    on_stage(2, |stage| {
        for route in stage.routes() {
            for (target, _) in LITERAL {
                let ask =
                    Ask::new("PUT", format!("/v1/demo/files/{target}")).ticket(&stage.owner).body(target);
                let response = stage.fetch(&route.url, &ask)?;
                ensure!(response.status == 201, "{target}: {}: {}", response.status, response.text());
            }
            let listing = Ask::new("GET", "/v1/demo/files?format=json").ticket(&stage.owner);
            let listing: Value = serde_json::from_slice(&stage.fetch(&route.url, &listing)?.body)?;
            let names =
                listing.as_array().context("no array")?.iter().filter_map(|item| item["name"].as_str());
            let mut expected: Vec<&str> = LITERAL.iter().map(|(_, name)| *name).collect();
            expected.extend(["known", "known-blob"]);
            expected.sort_unstable();
            ensure!(names.eq(expected), "{}: {listing}", route.name);
            for (target, _) in LITERAL {
                let target = format!("/v1/demo/files/{target}");
                let read = stage.fetch(&route.url, &Ask::new("GET", &target).ticket(&stage.owner))?;
                ensure!(target.ends_with(&read.text()), "{target} has the content of {}", read.text());
                stage.once(&Ask::new("DELETE", &target).ticket(&stage.owner), 204)?;
            }
        }
        Ok(())
    });
}
