//! The request head: never panics, and the cut of the stream never matters.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_core::request::{Method, RequestHead, Version};
use repono_http1::{HeadParse, Limits, Reject, parse_head};

/// Heads up to this size are also fed one byte at a time.
const DRIP_BYTES_MAX: usize = 1024;

fuzz_target!(|wire: &[u8]| {
    let mut head = RequestHead::new(Method::Get, Version::Http11, b"").unwrap();
    let whole = parse_head(wire, &Limits::default(), &mut head);
    if let Ok(HeadParse::Complete { consumed, .. }) = whole {
        assert!(consumed <= wire.len());
        assert!(wire[..consumed].ends_with(b"\r\n\r\n"));
        assert!(head.target().starts_with(b"/") || head.target() == b"*");
        assert!(head.fields().all(|(_, value)| !value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))));
        assert!(head.version() == Version::Http10 || head.fields_named("host").count() == 1);
    } else {
        assert!(head.target().is_empty() && head.fields().next().is_none());
    }
    if wire.len() <= DRIP_BYTES_MAX {
        assert_eq!(whole, drip(wire));
    }
});

fn drip(wire: &[u8]) -> Result<HeadParse, Reject> {
    let mut head = RequestHead::new(Method::Get, Version::Http11, b"").unwrap();
    for end in 0..=wire.len() {
        match parse_head(&wire[..end], &Limits::default(), &mut head) {
            Ok(HeadParse::Partial) => {}
            decided => return decided,
        }
    }
    Ok(HeadParse::Partial)
}
