//! Time to parse the head of a typical GET, and to write the head of its reply.
//!
//! `cargo bench -p repono-http1`

use std::hint::black_box;
use std::time::Instant;

use repono_core::request::{Method, RequestHead, Version};
use repono_http1::{HeadParse, Limits, ResponseHead, parse_head};

/// Twelve fields, as a client of the story sends them.
const HEAD: &[u8] = b"GET /v1/repono/acme/docs/n/1/6/doc1/orig.pdf HTTP/1.1\r\n\
    Host: repono.example.org:7443\r\n\
    x-auth-user: repono:acme\r\n\
    x-auth-expiry: 2015-08-16T01:22:43Z\r\n\
    x-auth-salt: 3dfc19b30213a7fd7297e1fb32815b95\r\n\
    x-auth-ticket: RT1.0a1b2c3d.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n\
    x-auth-dev-ticket: RD1.app.0a1b2c3d.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n\
    Accept: */*\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    User-Agent: middleware/2.4501 (x86_64; linux)\r\n\
    Connection: keep-alive\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
    Range: bytes=0-1023\r\n\r\n";

const ROUNDS: u32 = 200_000;

fn main() {
    let limits = Limits::default();
    let Ok(mut head) = RequestHead::new(Method::Get, Version::Http11, b"/") else { return };
    measure("parse a head of 12 fields", || {
        let parsed = parse_head(black_box(HEAD), &limits, &mut head);
        assert!(matches!(parsed, Ok(HeadParse::Complete { .. })));
    });
    let mut out = Vec::with_capacity(1024);
    measure("write a head of 9 fields", || {
        out.clear();
        let mut reply = ResponseHead::new(&mut out, Version::Http11, 200);
        reply
            .field("X-Timestamp", b"1413849343.99091")
            .field("X-Preauth-Uri", &[b'a'; 160])
            .field("X-Trans-Id", b"tx72179a9abf4a4d7e8cc65-0055cfe147")
            .field("Accept-Ranges", b"bytes")
            .field_u64("Content-Length", black_box(5_378_129))
            .field("Content-Type", b"application/pdf")
            .field("Date", b"Sun, 16 Aug 2015 01:03:03 GMT")
            .field("ETag", b"40fb56bde55a37911d253debfa002005")
            .field("Last-Modified", b"Mon, 20 Oct 2014 23:55:44 GMT");
        reply.finish();
        black_box(&out);
    });
}

/// Prints the best of five rounds, which other work on the machine disturbs least.
fn measure(what: &str, mut work: impl FnMut()) {
    let best = (0..5)
        .map(|_| {
            let begun = Instant::now();
            (0..ROUNDS).for_each(|_| work());
            begun.elapsed() / ROUNDS
        })
        .min()
        .unwrap_or_default();
    println!("{what}: {best:?}");
}
