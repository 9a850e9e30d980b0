//! What is read of plain HTTP/1: the heads of requests and replies.
//!
//! *Source*: RFC 9112 sections 3 and 4.

use time::PrimitiveDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use crate::event::Instant;

/// Bytes of a head that are kept: its first line, and the fields that are looked for,
/// which stand among the first ones in practice.
pub(super) const HEAD_BYTES_MAX: usize = 1 << 10;

/// The methods that a request is known by.
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"COPY ", b"CONNECT "];

const DATE: StaticFormatDescription =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The head of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: String,
    /// With the host, where that is told.
    pub(super) target: String,
    pub(super) expects_continue: bool,
}

/// The head of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replied {
    pub(super) status: u16,
    pub(super) clock: Option<Instant>,
    pub(super) closes: bool,
    /// The head is here to its end.
    pub(super) head_bytes: Option<usize>,
    pub(super) body: Body,
}

/// Where a reply's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Bytes(u64),
    Chunks,
    /// With the connection, or it is not known.
    Open,
}

/// Whether it can only begin a request.
pub(super) fn begins_request(payload: &[u8]) -> bool {
    METHODS.iter().any(|method| payload.starts_with(method))
}

/// Whether it can only begin a reply.
pub(super) fn begins_reply(payload: &[u8]) -> bool {
    payload.starts_with(b"HTTP/1.")
}

impl Asked {
    pub(super) fn of(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let [method, path] = [words.next(), words.next()].map(Option::unwrap_or_default);
        let fields = Fields::of(&text);
        let target = match fields.get("host") {
            Some(host) if path.starts_with('/') => format!("http://{host}{path}"),
            Some(_) | None => path.to_owned(),
        };
        let expects_continue = fields.get("expect").is_some_and(|it| it.eq_ignore_ascii_case("100-continue"));
        Self { method: method.to_owned(), target, expects_continue }
    }
}

impl Replied {
    /// `None` if it is no reply.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        if !begins_reply(head) {
            return None;
        }
        let text = String::from_utf8_lossy(head);
        let first = text.lines().next()?;
        let status = first.split(' ').nth(1)?.parse().ok()?;
        let fields = Fields::of(&text);
        let connection = fields.get("connection").unwrap_or_default().to_ascii_lowercase();
        let is_10 = first.starts_with("HTTP/1.0");
        let head_bytes = memchr::memmem::find(head, b"\r\n\r\n").map(|at| at + 4);
        let length = fields.get("content-length").and_then(|length| length.parse().ok());
        let body = match (status, fields.get("transfer-encoding"), length) {
            (100..=199 | 204 | 304, _, _) => Body::Bytes(0),
            (_, Some(coding), _) if coding.to_ascii_lowercase().contains("chunked") => Body::Chunks,
            (_, None, Some(length)) => Body::Bytes(length),
            (_, Some(_) | None, _) => Body::Open,
        };
        Some(Self {
            status,
            clock: fields.get("date").and_then(date),
            closes: connection.contains("close") || (is_10 && !connection.contains("keep-alive")),
            head_bytes,
            body,
        })
    }
}

/// The fields of a head, as far as they are whole.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn of(head: &'a str) -> Self {
        let fields = head.split_once("\r\n").map_or("", |(_, rest)| rest);
        Self(fields.split_once("\r\n\r\n").map_or(fields, |(fields, _)| fields))
    }

    fn get(&self, wanted: &str) -> Option<&'a str> {
        self.0.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    }
}

fn date(text: &str) -> Option<Instant> {
    let at = PrimitiveDateTime::parse(text, DATE).ok()?;
    Some(at.assume_utc().into())
}

#[cfg(test)]
mod tests {
    use super::{Asked, Body, Replied};

    #[test]
    fn heads_are_read_as_far_as_they_go() {
        let asked = Asked::of(b"PUT /o/a HTTP/1.1\r\nHost: files.example\r\nExpect: 100-Continue\r\n\r\n");
        assert_eq!((&*asked.method, &*asked.target), ("PUT", "http://files.example/o/a"));
        assert!(asked.expects_continue);
        assert_eq!(Asked::of(b"GET").method, "GET");
        let replied = Replied::of(b"HTTP/1.1 200 OK\r\nDate: Mon, 02 Mar 2026 10:00:05 GMT\r\nContent-Length: 12\r\nConnection: Close\r\n\r\nabc").unwrap();
        assert!(replied.closes && replied.clock.is_some() && replied.head_bytes.is_some());
        assert_eq!((replied.status, replied.body), (200, Body::Bytes(12)));
        assert_eq!(
            Replied::of(b"HTTP/1.1 20"),
            Some(Replied { status: 20, clock: None, closes: false, head_bytes: None, body: Body::Open })
        );
        assert_eq!(Replied::of(b"SSH-2.0"), None);
    }
}
