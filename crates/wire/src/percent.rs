//! Percent-encoding of paths and queries (RFC 3986 section 2.1).
//!
//! Decoding happens once per request and is strict: text that one parser would
//! read as an escape and another as a literal `%` is refused.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// What a path segment may carry as it is: the unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, with the slashes of an object's key.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// A `%` without two hex digits behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedEscape;

/// Decodes every escape exactly once: `%252e` becomes `%2e`, never `.`.
///
/// *Errors*: [`MalformedEscape`].
///
/// *Cost*: no allocation where there is no escape.
pub fn decode(raw: &[u8]) -> Result<Cow<'_, [u8]>, MalformedEscape> {
    if !raw.contains(&b'%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut escapes = raw.split(|b| *b == b'%');
    escapes.next();
    let whole = |tail: &[u8]| matches!(tail, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if escapes.all(whole) { Ok(percent_decode(raw).into()) } else { Err(MalformedEscape) }
}

/// Decodes a value of a query, where `+` stands for a space as well.
///
/// *Errors*: [`MalformedEscape`].
pub fn decode_query(raw: &[u8]) -> Result<Cow<'_, [u8]>, MalformedEscape> {
    if !raw.contains(&b'+') {
        return decode(raw);
    }
    let spaced: Vec<u8> = raw.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    decode(&spaced).map(|decoded| Cow::Owned(decoded.into_owned()))
}

/// Appends one path segment: everything but unreserved characters is escaped.
pub fn encode_segment(text: &str, out: &mut Vec<u8>) {
    encode_bytes(text.as_bytes(), out);
}

/// Appends bytes that need not be UTF-8, escaped as [`encode_segment`] does.
pub fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in percent_encode(bytes, SEGMENT) {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Appends a path of several segments: as [`encode_segment`], slashes kept.
pub fn encode_path(text: &str, out: &mut Vec<u8>) {
    for piece in percent_encode(text.as_bytes(), PATH) {
        out.extend_from_slice(piece.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::{MalformedEscape, decode, decode_query, encode_path, encode_segment};

    #[test]
    fn decodes_once_and_strictly() {
        assert_eq!(decode(b"a%20b%2Fc").as_deref(), Ok(&b"a b/c"[..]));
        assert_eq!(decode(b"%252e%252e").as_deref(), Ok(&b"%2e%2e"[..]));
        assert_eq!(decode(b"a+b").as_deref(), Ok(&b"a+b"[..]));
        assert_eq!(decode_query(b"a+b%2Bc").as_deref(), Ok(&b"a b+c"[..]));
        for bad in ["%", "%2", "%zz", "a%2", "%%41", "%4%31"] {
            assert_eq!(decode(bad.as_bytes()), Err(MalformedEscape), "{bad}");
        }
    }

    #[test]
    fn encodes_what_is_not_unreserved() {
        let mut out = Vec::new();
        encode_path("a/b c%2e?#ü", &mut out);
        encode_segment("/~", &mut out);
        assert_eq!(out, b"a/b%20c%252e%3F%23%C3%BC%2F~");
    }
}
