//! A request of HTTP/2 as the head that everything else reads.
//!
//! It is written as a head of HTTP/1.1 and read by that codec, so that names,
//! hosts, targets and limits have one strictness. Nothing can break out of its
//! line: field values and paths hold no control characters (RFC 9113 section 8.2.1,
//! which the `http` types enforce), and the codec must consume exactly what was
//! written.

use h2::RecvStream;
use http::Request;
use http::header::HOST;
use repono_core::refusal::Refusal;
use repono_core::request::{RequestHead, Version};
use repono_http1::{BodyKind, Expect, HeadParse, Limits, Reject, parse_head};

/// A request that was read.
pub(super) struct Read {
    pub(super) head: RequestHead,
    pub(super) body: BodyKind,
    pub(super) expect: Expect,
    /// Set where it is one that cannot be served.
    pub(super) refusal: Option<Refusal>,
}

/// Reads the head of a request.
pub(super) fn read(request: &Request<RecvStream>) -> Read {
    let ended = request.body().is_end_stream();
    let text = text(request);
    let mut head = RequestHead::default();
    let parsed = match parse_head(&text, &Limits::default(), &mut head) {
        Ok(HeadParse::Complete { consumed, body, expect, .. }) if consumed == text.len() => {
            Ok((body, expect))
        }
        Ok(HeadParse::Complete { .. } | HeadParse::Partial) => Err(Reject::LineEnd),
        Err(reject) => Err(reject),
    };
    head.set_version(Version::Http2);
    match parsed {
        Ok((body, expect)) => {
            let body = match body {
                // Without a length, the end of the stream is the end of the body.
                BodyKind::None if !ended => BodyKind::Chunked,
                BodyKind::None | BodyKind::Length(_) | BodyKind::Chunked => body,
            };
            Read { head, body, expect, refusal: None }
        }
        Err(reject) => {
            Read { head, body: BodyKind::None, expect: Expect::None, refusal: Some(reject.refusal()) }
        }
    }
}

fn text(request: &Request<RecvStream>) -> Vec<u8> {
    let mut text = Vec::with_capacity(1024);
    let uri = request.uri();
    let target = match uri.path_and_query() {
        Some(target) => target.as_str(),
        // CONNECT, whose method is refused.
        None => "/",
    };
    for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    let mut line = |name: &[u8], value: &[u8]| {
        text.extend_from_slice(name);
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    };
    // `Host` beside `:authority` must say the same; a single one that differs, or
    // two, the codec refuses as repeated (RFC 9113 section 8.3.1).
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let hosts = request.headers().get_all(HOST);
    let same =
        authority.is_some_and(|authority| hosts.iter().all(|host| host.as_bytes() == authority.as_bytes()));
    if let Some(authority) = authority {
        line(b"host", authority.as_bytes());
    }
    for (name, value) in request.headers() {
        if name != HOST || !same {
            line(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}
