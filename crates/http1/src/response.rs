//! The head of a reply.

use std::io::Write as _;

use repono_core::request::Version;

use crate::grammar::{all, is_token, is_value};

/// The interim reply to [`Expect::Continue`](crate::Expect::Continue).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Appends one reply head to a buffer.
///
/// *Shape*: the caller gives `Date`, `Content-Length` or `Transfer-Encoding` and
/// `Connection` like any other field. Without [`ResponseHead::finish`] the head
/// has no end.
///
/// *Cost*: no allocation other than the growth of the buffer.
///
/// *Source*: RFC 9112 section 4.
#[must_use = "a reply head ends with `finish`"]
pub struct ResponseHead<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> ResponseHead<'a> {
    /// Begins with the status line. A status outside 100 to 999 becomes 500.
    pub fn new(out: &'a mut Vec<u8>, version: Version, status: u16) -> Self {
        let version: &[u8] = match version {
            Version::Http10 => b"HTTP/1.0 ",
            Version::Http11 | Version::Http2 => b"HTTP/1.1 ",
        };
        let status = if (100..=999).contains(&status) { status } else { 500 };
        out.extend_from_slice(version);
        write_u64(out, u64::from(status));
        out.push(b' ');
        out.extend_from_slice(reason(status).as_bytes());
        out.extend_from_slice(b"\r\n");
        Self { out }
    }

    /// Adds a field.
    ///
    /// Values are checked where they enter the system; should one with a control
    /// character come this far, each such byte becomes a space (RFC 9110 section
    /// 5.5), and a field whose name is not a token is left out: no stored value
    /// can begin a header line or a reply of its own.
    pub fn field(&mut self, name: &str, value: &[u8]) -> &mut Self {
        if name.is_empty() || !all(name.as_bytes(), is_token) {
            return self;
        }
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        if all(value, is_value) {
            self.out.extend_from_slice(value);
        } else {
            self.out.extend(value.iter().map(|b| if is_value(*b) { *b } else { b' ' }));
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a field with a number.
    pub fn field_u64(&mut self, name: &str, value: u64) -> &mut Self {
        let mut digits = [0; 20];
        let length = write_digits(&mut digits, value);
        self.field(name, digits.get(..length).unwrap_or_default())
    }

    /// Ends the head.
    pub fn finish(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

fn write_u64(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let length = write_digits(&mut digits, value);
    out.extend_from_slice(digits.get(..length).unwrap_or_default());
}

/// 20 digits hold every `u64`, so the write never comes up short.
fn write_digits(digits: &mut [u8; 20], value: u64) -> usize {
    let mut rest = digits.as_mut_slice();
    match write!(rest, "{value}") {
        Ok(()) => 20 - rest.len(),
        Err(_) => 0,
    }
}

/// The customary phrase for a status, empty for one that is not in use here.
///
/// *Source*: RFC 9110 section 15; 499 is Swift's "Client Disconnect", 507 is
/// RFC 4918.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        499 => "Client Disconnect",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use repono_core::request::Version;

    use super::{CONTINUE, ResponseHead, reason};

    #[test]
    fn writes_the_head_of_the_incident() {
        let mut out = Vec::new();
        let mut head = ResponseHead::new(&mut out, Version::Http11, 200);
        head.field("X-Timestamp", b"1413849343.99091").field_u64("Content-Length", 5_378_129);
        head.finish();
        let expected = "HTTP/1.1 200 OK\r\nX-Timestamp: 1413849343.99091\r\nContent-Length: 5378129\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn appends_and_keeps_to_the_version_of_the_request() {
        let mut out = CONTINUE.to_vec();
        ResponseHead::new(&mut out, Version::Http10, 404).finish();
        assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\n\r\n");
        for (status, line) in
            [(7, "500 Internal Server Error"), (1000, "500 Internal Server Error"), (299, "299 ")]
        {
            out.clear();
            ResponseHead::new(&mut out, Version::Http11, status).finish();
            assert_eq!(String::from_utf8_lossy(&out), format!("HTTP/1.1 {line}\r\n\r\n"));
        }
    }

    #[test]
    fn numbers_have_all_their_digits() {
        for number in [0, 9, 10, u64::MAX] {
            let mut out = Vec::new();
            let mut head = ResponseHead::new(&mut out, Version::Http11, 200);
            head.field_u64("n", number);
            head.finish();
            assert!(String::from_utf8_lossy(&out).contains(&format!("\r\nn: {number}\r\n")));
        }
    }

    #[test]
    fn a_value_cannot_split_the_reply() {
        let mut out = Vec::new();
        let mut head = ResponseHead::new(&mut out, Version::Http11, 200);
        head.field("x-object-meta-a", b"b\r\nSet-Cookie: s\0\x7f\xff");
        head.field("x: y\r\nz", b"1").field("", b"2");
        head.finish();
        assert_eq!(out, b"HTTP/1.1 200 OK\r\nx-object-meta-a: b  Set-Cookie: s   \r\n\r\n");
    }

    proptest! {
        #[test]
        fn every_head_has_as_many_lines_as_fields(name in any::<String>(), value in any::<Vec<u8>>()) {
            let mut out = Vec::new();
            let mut head = ResponseHead::new(&mut out, Version::Http11, 200);
            head.field(&name, &value);
            head.finish();
            let lines = out.iter().filter(|b| **b == b'\n').count();
            assert!(lines == 2 || lines == 3);
            assert_eq!(lines, out.iter().filter(|b| **b == b'\r').count());
        }
    }

    #[test]
    fn every_refusal_has_a_phrase() {
        for status in
            [400, 401, 403, 404, 408, 411, 412, 413, 414, 416, 417, 422, 431, 499, 501, 503, 505, 507]
        {
            assert_ne!(reason(status), "", "{status}");
        }
    }
}
