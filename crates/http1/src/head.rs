//! One request head: the request line and the header fields.
//!
//! The grammar is httparse's. What httparse lets through is caught before it
//! (line ends, bounds, folded lines: [`lines`]) or after it (host, framing,
//! target). The first fault in the order of the bytes decides, so the outcome
//! does not depend on how the network cut the stream.

mod fields;
mod framing;
mod host;
mod lines;
mod target;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;

use httparse::{Header, Status};
use repono_core::refusal::After;
use repono_core::request::{HeadTooLarge, Method, RequestHead, Version};

use crate::grammar::is_token;
use crate::{Limits, Reject};

/// Header lines that are parsed at all: the default limits of ordinary and of
/// metadata fields. They live on the stack, 32 bytes each.
const FIELDS_PARSED_MAX: usize = 64 + 128;

/// Longest method that is looked at: every one that is served is shorter.
const METHOD_BYTES_MAX: usize = 16;

/// What [`parse_head`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadParse {
    /// The head is not complete: receive more and parse again from its beginning.
    Partial,
    /// The head is complete and every check has passed.
    Complete {
        /// Bytes of the head; the body begins behind them.
        consumed: usize,
        /// How the body is framed.
        body: BodyKind,
        /// Whether the client lets the connection carry another request.
        connection: After,
        /// Whether the client waits for [`CONTINUE`](crate::CONTINUE) before it
        /// sends the body.
        expect: Expect,
    },
}

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// There is none.
    None,
    /// This many bytes; `Content-Length: 0` was said if it is zero.
    Length(u64),
    /// Chunked coding.
    Chunked,
}

/// What the client awaits before it sends the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing, or there is no body to send.
    None,
    /// `100 Continue`, or a final reply instead.
    Continue,
}

/// Parses the request head at the beginning of `buf` into `head`.
///
/// *Shape*: one empty line before the request line is skipped. A target in
/// absolute form is stored as its path. Unless the result is
/// [`HeadParse::Complete`], `head` holds no target and no fields; its method is
/// that of the request line as soon as that is known, GET before.
///
/// *Errors*: [`Reject`], whose refusal always closes the connection. The result
/// for a beginning of the stream, unless [`HeadParse::Partial`], is the result
/// for every continuation of it.
///
/// *Cost*: no allocation once `head` has grown; about 1 µs for 12 fields. A
/// partial head is parsed again from its beginning, which
/// [`Limits::head_bytes_max`] bounds.
///
/// *Source*: RFC 9112 sections 2 to 6.
pub fn parse_head(buf: &[u8], limits: &Limits, head: &mut RequestHead) -> Result<HeadParse, Reject> {
    forget(head, Method::Get);
    let Some(skipped) = skip_empty_line(buf)? else { return Ok(HeadParse::Partial) };
    let buf = buf.get(skipped..).unwrap_or_default();
    let Some(method) = method(buf)? else { return Ok(HeadParse::Partial) };
    forget(head, method);

    let lines = lines::scan(buf, limits);
    let clean = buf.get(..lines.clean).unwrap_or_default();
    let mut storage = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_PARSED_MAX];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(clean, &mut storage);
    if let Err(error) = parsed {
        return Err(grammar_fault(error, clean, request.path));
    }
    match lines.end {
        lines::End::Open => return Ok(HeadParse::Partial),
        lines::End::Fault(reject) => return Err(reject),
        lines::End::Complete => {}
    }
    let (Ok(Status::Complete(length)), Some(path), Some(minor)) = (parsed, request.path, request.version)
    else {
        return Err(Reject::LineEnd);
    };
    let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let seen = fields::check(clean, request.headers, version, limits)?;
    let target = target::check(method, path.as_bytes(), seen.host())?;
    let (body, expect) = seen.body()?;
    let complete =
        HeadParse::Complete { consumed: skipped + length, body, connection: seen.connection(), expect };
    fill(head, method, version, target, request.headers).map_err(|HeadTooLarge| {
        forget(head, method);
        Reject::HeadTooLong
    })?;
    Ok(complete)
}

/// Nothing of the request before may be taken for a part of this one.
fn forget(head: &mut RequestHead, method: Method) {
    // An empty target always fits.
    let _ = head.reset(method, Version::Http11, b"");
}

fn fill(
    head: &mut RequestHead,
    method: Method,
    version: Version,
    target: &[u8],
    fields: &[Header<'_>],
) -> Result<(), HeadTooLarge> {
    head.reset(method, version, target)?;
    fields.iter().try_for_each(|field| head.push(field.name.as_bytes(), field.value))
}

/// How many bytes of an empty line stand before the request line; `None` while
/// that is not known.
///
/// *Source*: RFC 9112 section 2.2: some old clients end a body with an extra CRLF.
fn skip_empty_line(buf: &[u8]) -> Result<Option<usize>, Reject> {
    match buf {
        [] | [b'\r'] | [b'\r', b'\n'] => Ok(None),
        [b'\n', ..] | [b'\r', b'\n', b'\n', ..] => Err(Reject::BareLf),
        [b'\r', b'\n', b'\r', ..] => Err(Reject::BlankLine),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [b'\r', ..] => Err(Reject::LineEnd),
        [_, ..] => Ok(Some(0)),
    }
}

/// The method, `None` while it is not complete.
fn method(buf: &[u8]) -> Result<Option<Method>, Reject> {
    let start = buf.get(..=METHOD_BYTES_MAX).unwrap_or(buf);
    match start.iter().position(|b| !is_token(*b)) {
        Some(end) if end > 0 && start.get(end) == Some(&b' ') => {
            Method::parse(start.get(..end).unwrap_or_default()).map(Some).ok_or(Reject::MethodUnknown)
        }
        Some(_) => Err(Reject::RequestLine),
        None if start.len() > METHOD_BYTES_MAX => Err(Reject::MethodUnknown),
        None => Ok(None),
    }
}

fn grammar_fault(error: httparse::Error, clean: &[u8], path: Option<&str>) -> Reject {
    match error {
        httparse::Error::HeaderName => Reject::FieldName,
        httparse::Error::HeaderValue => Reject::FieldValue,
        httparse::Error::NewLine => Reject::LineEnd,
        httparse::Error::Token | httparse::Error::Status => Reject::RequestLine,
        httparse::Error::TooManyHeaders => Reject::FieldsTooMany,
        httparse::Error::Version => version_fault(clean, path),
    }
}

/// A version that exists but is not ours, or no version at all.
fn version_fault(clean: &[u8], path: Option<&str>) -> Reject {
    let method = clean.iter().position(|b| *b == b' ').unwrap_or_default();
    let at = method + path.map_or(0, str::len) + 2;
    match clean.get(at..).unwrap_or_default() {
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', ..] => Reject::Version,
        _ => Reject::RequestLine,
    }
}
