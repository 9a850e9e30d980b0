//! Tests of the head: what is accepted, every refusal with its bytes, and that
//! the cut of the stream never matters.

mod refused;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use repono_core::refusal::After;
use repono_core::request::{Method, RequestHead, Version};

use self::refused::{REFUSED, REFUSED_LINES};
use super::{BodyKind, Expect, HeadParse, parse_head};
use crate::{Limits, Reject};

fn empty() -> RequestHead {
    RequestHead::new(Method::Get, Version::Http11, b"").unwrap()
}

fn parse(wire: &[u8]) -> Result<HeadParse, Reject> {
    parse_head(wire, &Limits::default(), &mut empty())
}

/// The outcome when the bytes arrive one at a time.
fn drip(wire: &[u8]) -> Result<HeadParse, Reject> {
    let mut head = empty();
    for end in 0..=wire.len() {
        match parse_head(&wire[..end], &Limits::default(), &mut head) {
            Ok(HeadParse::Partial) => {}
            decided => return decided,
        }
    }
    Ok(HeadParse::Partial)
}

fn get(lines: &str) -> Vec<u8> {
    format!("GET /v1/a/c/o HTTP/1.1\r\nHost: h\r\n{lines}\r\n").into_bytes()
}

/// A head with these lines behind `Host`, in full.
fn with(lines: &str) -> (BodyKind, After, Expect) {
    let wire = get(lines);
    match parse(&wire) {
        Ok(HeadParse::Complete { consumed, body, connection, expect }) => {
            assert_eq!(consumed, wire.len());
            (body, connection, expect)
        }
        other => panic!("{lines:?}: {other:?}"),
    }
}

#[test]
fn the_request_of_the_incident() {
    let wire = b"HEAD /v1/repono/acme/docs/n/1/6/doc1/orig.pdf HTTP/1.1\r\n\
        x-auth-user: repono:acme\r\nx-auth-expiry: 2015-08-16T01:22:43Z\r\nx-auth-salt: 00\r\n\
        x-auth-ticket: RT1.0.0\r\nx-auth-dev-ticket: RD1.a.0.0\r\nAccept: text/xml\r\nContent-Type: text/xml\r\n\
        User-Agent: version-2.4501/GetReponoAuthURL/gaggleid:1\r\nHost: repono.example.org:7443\r\n\r\nGET /next";
    let mut head = empty();
    let parsed = parse_head(wire, &Limits::default(), &mut head);
    let expected = HeadParse::Complete {
        consumed: wire.len() - 9,
        body: BodyKind::None,
        connection: After::Keep,
        expect: Expect::None,
    };
    assert_eq!(parsed, Ok(expected));
    assert_eq!((head.method(), head.version()), (Method::Head, Version::Http11));
    assert_eq!(head.target(), b"/v1/repono/acme/docs/n/1/6/doc1/orig.pdf");
    assert_eq!(head.fields().count(), 9);
    assert_eq!(head.field("X-Auth-User"), Some(&b"repono:acme"[..]));
    assert_eq!(head.field("host"), Some(&b"repono.example.org:7443"[..]));
}

#[test]
fn framing_and_connection_are_read() {
    use BodyKind::{Chunked, Length};
    let cases: [(&str, BodyKind, After, Expect); 18] = [
        ("", BodyKind::None, After::Keep, Expect::None),
        ("Content-Length: 0\r\n", Length(0), After::Keep, Expect::None),
        ("content-length:5\r\n", Length(5), After::Keep, Expect::None),
        ("Content-Length: \t5 \r\n", Length(5), After::Keep, Expect::None),
        ("Content-Length: 18446744073709551615\r\n", Length(u64::MAX), After::Keep, Expect::None),
        ("Transfer-Encoding: chunked\r\n", Chunked, After::Keep, Expect::None),
        ("transfer-encoding: Chunked\r\n", Chunked, After::Keep, Expect::None),
        ("Connection: close\r\n", BodyKind::None, After::Close, Expect::None),
        ("Connection: Keep-Alive\r\n", BodyKind::None, After::Keep, Expect::None),
        ("Connection: keep-alive , CLOSE\r\n", BodyKind::None, After::Close, Expect::None),
        ("Connection: close\r\nConnection: keep-alive\r\n", BodyKind::None, After::Close, Expect::None),
        ("Connection: closed\r\n", BodyKind::None, After::Keep, Expect::None),
        ("Connection: upgrade\r\nUpgrade: foo\r\n", BodyKind::None, After::Keep, Expect::None),
        ("Content-Length: 5\r\nExpect: 100-Continue\r\n", Length(5), After::Keep, Expect::Continue),
        ("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", Chunked, After::Keep, Expect::Continue),
        ("Expect: 100-continue\r\nContent-Length: 0\r\n", Length(0), After::Keep, Expect::None),
        ("Expect: 100-continue\r\n", BodyKind::None, After::Keep, Expect::None),
        (
            "TE: trailers\r\nx_other: 1\r\nx-object-meta-a_b: caf\u{e9}\r\n",
            BodyKind::None,
            After::Keep,
            Expect::None,
        ),
    ];
    for (lines, body, connection, expect) in cases {
        assert_eq!(with(lines), (body, connection, expect), "{lines:?}");
    }
}

#[test]
fn http_1_0_is_served_and_closes() {
    let cases: [(&[u8], BodyKind); 4] = [
        (b"GET / HTTP/1.0\r\n\r\n", BodyKind::None),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", BodyKind::None),
        (b"PUT / HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\n\r\n", BodyKind::Length(3)),
        (b"PUT / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", BodyKind::Length(3)),
    ];
    for (wire, kind) in cases {
        let Ok(HeadParse::Complete { body, connection, expect, .. }) = parse(wire) else {
            panic!("{}", wire.escape_ascii())
        };
        assert_eq!((body, connection, expect), (kind, After::Close, Expect::None), "{}", wire.escape_ascii());
    }
}

#[test]
fn targets_that_are_served() {
    let cases = [
        ("GET", "/", "/"),
        ("GET", "/a?b=c&d", "/a?b=c&d"),
        ("GET", "//evil/..;/%2e%2e", "//evil/..;/%2e%2e"),
        ("GET", "/{a}|^`~", "/{a}|^`~"),
        ("GET", "https://h/a?b", "/a?b"),
        ("GET", "HTTP://h/a", "/a"),
        ("GET", "http://h", "/"),
        ("OPTIONS", "*", "*"),
    ];
    for (method, target, kept) in cases {
        let mut head = empty();
        let wire = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let parsed = parse_head(wire.as_bytes(), &Limits::default(), &mut head);
        assert!(matches!(parsed, Ok(HeadParse::Complete { .. })), "{target}: {parsed:?}");
        assert_eq!(head.target(), kept.as_bytes());
    }
}

#[test]
fn every_method_is_parsed() {
    for method in Method::ALL {
        let mut head = empty();
        let wire = format!("{} / HTTP/1.1\r\nHost: h\r\n\r\n", method.as_str());
        assert!(matches!(
            parse_head(wire.as_bytes(), &Limits::default(), &mut head),
            Ok(HeadParse::Complete { .. })
        ));
        assert_eq!(head.method(), method);
    }
}

#[test]
fn one_empty_line_before_the_request_is_skipped() {
    let wire = [b"\r\n".to_vec(), get("")].concat();
    assert!(matches!(parse(&wire), Ok(HeadParse::Complete { consumed, .. }) if consumed == wire.len()));
    assert!(matches!(drip(&wire), Ok(HeadParse::Complete { consumed, .. }) if consumed == wire.len()));
}

#[test]
fn every_refusal_of_the_tables() {
    for (lines, reject) in REFUSED_LINES {
        let wire = [b"PUT /v1/a/c/o HTTP/1.1\r\nHost: h\r\n", *lines, b"\r\n"].concat();
        assert_eq!(parse(&wire), Err(*reject), "{}", wire.escape_ascii());
        assert_eq!(drip(&wire), Err(*reject), "one byte at a time: {}", wire.escape_ascii());
    }
    for (wire, reject) in REFUSED {
        assert_eq!(parse(wire), Err(*reject), "{}", wire.escape_ascii());
        assert_eq!(drip(wire), Err(*reject), "one byte at a time: {}", wire.escape_ascii());
    }
    let method = [vec![b'A'; 20_000], b" / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec()].concat();
    assert_eq!(parse(&method), Err(Reject::MethodUnknown));
}

#[test]
fn lines_and_heads_are_bounded() {
    let target = |bytes: usize| {
        let path = "a".repeat(bytes - "GET / HTTP/1.1".len());
        format!("GET /{path} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
    };
    assert!(matches!(parse(&target(8192)), Ok(HeadParse::Complete { .. })));
    assert_eq!(parse(&target(8193)), Err(Reject::TargetTooLong));
    assert_eq!(parse(&target(60_000)[..8194]), Err(Reject::TargetTooLong), "before its end has come");

    let line = |bytes: usize| format!("X: {}\r\n", "a".repeat(bytes - 3));
    assert!(matches!(parse(&get(&line(8192))), Ok(HeadParse::Complete { .. })));
    assert_eq!(parse(&get(&line(8193))), Err(Reject::FieldTooLong));

    let around = get("").len();
    let head = |bytes: usize| get(&(line(8000).repeat(4) + &line(bytes - around - 4 * 8002 - 2)));
    assert_eq!(head(32_768).len(), 32_768);
    assert!(matches!(parse(&head(32_768)), Ok(HeadParse::Complete { .. })));
    assert_eq!(parse(&head(32_769)), Err(Reject::HeadTooLong));
    assert_eq!(parse(&[head(32_769), vec![b'x'; 100_000]].concat()), Err(Reject::HeadTooLong));
    assert_eq!(drip(&head(32_769)[..32_768]), Err(Reject::HeadTooLong));
}

#[test]
fn a_head_beyond_the_vocabulary_is_refused_not_cut() {
    let limits = Limits { head_bytes_max: 1 << 20, ..Limits::default() };
    let wire = get(&format!("X: {}\r\n", "a".repeat(8000)).repeat(9));
    let mut head = empty();
    assert_eq!(parse_head(&wire, &limits, &mut head), Err(Reject::HeadTooLong));
    assert_eq!(head.fields().count(), 0);
}

#[test]
fn fields_are_counted_apart_from_metadata() {
    let meta = "X-Object-Meta-A: 1\r\n".repeat(128);
    // `Host` is one of the 64.
    assert!(matches!(parse(&get(&("X: 1\r\n".repeat(63) + &meta))), Ok(HeadParse::Complete { .. })));
    assert_eq!(parse(&get(&"X: 1\r\n".repeat(64))), Err(Reject::FieldsTooMany));
    assert_eq!(parse(&get(&"x-container-meta-a: 1\r\n".repeat(129))), Err(Reject::FieldsTooMany));
    assert_eq!(parse(&get(&"x-account-meta-a: 1\r\n".repeat(200))), Err(Reject::FieldsTooMany));
    assert_eq!(parse(&get(&("x-object-metal: 1\r\n".repeat(64)))), Err(Reject::FieldsTooMany));
}

#[test]
fn nothing_of_the_request_before_stays() {
    let mut head = empty();
    let first = get("x-auth-user: root\r\n");
    assert!(matches!(parse_head(&first, &Limits::default(), &mut head), Ok(HeadParse::Complete { .. })));
    assert_eq!(head.field("x-auth-user"), Some(&b"root"[..]));
    for (wire, method) in [
        (&b""[..], Method::Get),
        (b"PU", Method::Get),
        (b"HEAD / HTTP/1.1\r\nHost:", Method::Head),
        (b"HEAD / HTTP/1.1\r\n\r\n", Method::Head),
    ] {
        let _ = parse_head(&first, &Limits::default(), &mut head);
        let _ = parse_head(wire, &Limits::default(), &mut head);
        assert_eq!((head.method(), head.target(), head.fields().count()), (method, &b""[..], 0));
    }
}

#[test]
fn every_refusal_closes_and_has_the_status_of_its_cause() {
    let statuses = [
        (Reject::LengthAndEncoding, 400),
        (Reject::BareLf, 400),
        (Reject::HostMissing, 400),
        (Reject::TargetFragment, 400),
        (Reject::ChunkSize, 400),
        (Reject::TargetTooLong, 414),
        (Reject::Expectation, 417),
        (Reject::FieldTooLong, 431),
        (Reject::HeadTooLong, 431),
        (Reject::FieldsTooMany, 431),
        (Reject::TrailerTooLong, 431),
        (Reject::MethodUnknown, 405),
        (Reject::EncodingUnknown, 501),
        (Reject::Version, 505),
    ];
    for (reject, status) in statuses {
        assert_eq!(reject.refusal().status, status, "{reject}");
    }
    for (_, reject) in REFUSED.iter().chain(REFUSED_LINES) {
        assert_eq!(reject.refusal().connection, After::Close, "{reject}");
    }
}

/// Heads made of good and bad pieces, so that many get far before they fail.
fn head_like() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        8 => Just(b"GET /a HTTP/1.1\r\n".to_vec()),
        1 => Just(b"\r\nPUT http://h/a?b HTTP/1.1\r\n".to_vec()),
        1 => Just(b"POST / HTTP/1.0\r\n".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    let lines = REFUSED_LINES.iter().map(|(lines, _)| lines.to_vec()).collect::<Vec<_>>();
    let piece = prop_oneof![
        4 => Just(b"Host: h\r\n".to_vec()),
        4 => Just(b"Content-Length: 5\r\n".to_vec()),
        4 => Just(b"X: a\r\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        2 => proptest::sample::select(lines),
        1 => proptest::collection::vec(any::<u8>(), 0..6),
    ];
    (start, proptest::collection::vec(piece, 0..10))
        .prop_map(|(start, pieces)| [start, pieces.concat(), b"\r\n".to_vec()].concat())
}

proptest! {
    #[test]
    fn the_cut_of_the_stream_does_not_matter(wire in head_like()) {
        assert_eq!(parse(&wire), drip(&wire));
    }

    #[test]
    fn arbitrary_bytes_never_panic(wire in any::<Vec<u8>>()) {
        let outcome = parse(&wire);
        assert_eq!(outcome, drip(&wire));
        if let Ok(HeadParse::Complete { consumed, .. }) = outcome {
            assert!(consumed <= wire.len());
        }
    }

    #[test]
    fn a_flipped_byte_never_panics(wire in head_like(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut wire = wire;
        let at = at.index(wire.len());
        wire[at] = byte;
        assert_eq!(parse(&wire), drip(&wire));
    }
}
