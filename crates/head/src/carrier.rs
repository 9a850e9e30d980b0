//! What carries one exchange: the body of the request, and the reply, on a
//! connection of HTTP/1.1 or on a stream of HTTP/2.

use bytes::{Bytes, BytesMut};
use h2::Reason;
use http::header::{CONNECTION, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Response, StatusCode};
use repono_core::refusal::After;
use repono_core::request::Version;
use repono_http1::{CONTINUE, Expect, ResponseHead};
use repono_wire::put::BodyKindHint;
use repono_wire::reply::FieldSink;

use crate::connection::body::{BodyEnd, BodyIn};
use crate::connection::http2::Stream;
use crate::connection::io::{Io, IoEnd};
use crate::limits::{DRAIN_BYTES_MAX, DRAIN_MAX};

/// One request's way in and its reply's way out.
pub(crate) enum Carrier<'c> {
    /// A connection that carries one exchange at a time.
    Http1(Http1<'c>),
    /// A stream, one of several on its connection.
    Http2(Stream),
}

/// A connection and how far its request has been read.
pub(crate) struct Http1<'c> {
    pub(crate) io: &'c mut Io,
    pub(crate) body: BodyIn,
    pub(crate) expect: Expect,
    pub(crate) version: Version,
    /// The value of `Keep-Alive`.
    pub(crate) keep_alive: &'c str,
}

/// Header fields on their way into a reply.
pub(crate) enum Fields<'o> {
    Text(ResponseHead<'o>),
    Map(&'o mut HeaderMap),
}

impl FieldSink for Fields<'_> {
    fn field(&mut self, name: &str, value: &[u8]) {
        match self {
            Self::Text(head) => {
                head.field(name, value);
            }
            Self::Map(map) => {
                let named = HeaderName::from_bytes(name.as_bytes());
                if let (Ok(name), Ok(value)) = (named, HeaderValue::from_bytes(value)) {
                    map.append(name, value);
                }
            }
        }
    }
}

impl Carrier<'_> {
    /// How the body of the request is framed.
    pub(crate) fn hint(&self) -> BodyKindHint {
        match self {
            Self::Http1(http1) => http1.body.hint(),
            Self::Http2(stream) => stream.hint(),
        }
    }

    /// Bytes of the request's body so far.
    pub(crate) const fn received(&self) -> u64 {
        match self {
            Self::Http1(http1) => http1.body.received(),
            Self::Http2(stream) => stream.received(),
        }
    }

    /// The next piece of the request's body; `None` at its end.
    ///
    /// *Cancel safety*: nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyEnd> {
        match self {
            Self::Http1(http1) => http1.body.next(http1.io).await,
            Self::Http2(stream) => stream.next().await,
        }
    }

    /// Tells a waiting client to send the body.
    pub(crate) async fn send_continue(&mut self) -> Result<(), IoEnd> {
        match self {
            Self::Http1(http1) => {
                if http1.expect == Expect::Continue {
                    http1.expect = Expect::None;
                    if http1.io.buffered().is_empty() {
                        http1.io.send(CONTINUE).await?;
                    }
                }
                Ok(())
            }
            Self::Http2(stream) => stream.send_continue(),
        }
    }

    /// Makes sure that the connection is fit for another request after a reply
    /// that did not wait for the whole body, or says that it is not. A stream of
    /// HTTP/2 leaves the others alone.
    pub(crate) async fn settle(&mut self, after: After) -> After {
        let Self::Http1(Http1 { io, body, expect, .. }) = self else { return after };
        if body.is_done() {
            return after;
        }
        let small = body.remaining().is_some_and(|bytes| bytes <= DRAIN_BYTES_MAX);
        if *expect == Expect::Continue || !small || after == After::Close {
            return After::Close;
        }
        let drained = async {
            while let Ok(Some(_)) = body.next(io).await {}
            body.is_done()
        };
        match tokio::time::timeout(DRAIN_MAX, drained).await {
            Ok(true) => after,
            Ok(false) | Err(_) => After::Close,
        }
    }

    /// Begins the reply: in HTTP/1.1 as text in `out`, through `text`, memory that
    /// was used before; in HTTP/2 as fields that go out with the first bytes.
    pub(crate) fn begin(
        &mut self,
        out: &mut BytesMut,
        text: &mut Vec<u8>,
        status: u16,
        after: After,
        fields: impl FnOnce(&mut Fields<'_>),
    ) {
        match self {
            Self::Http1(http1) => {
                let mut sink = Fields::Text(ResponseHead::new(text, http1.version, status));
                fields(&mut sink);
                match after {
                    After::Keep => {
                        sink.field("Connection", b"keep-alive");
                        sink.field("Keep-Alive", http1.keep_alive.as_bytes());
                    }
                    After::Close => sink.field("Connection", b"close"),
                }
                if let Fields::Text(head) = sink {
                    head.finish();
                }
                out.extend_from_slice(text);
            }
            Self::Http2(stream) => {
                let mut head = Response::new(());
                *head.status_mut() =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                fields(&mut Fields::Map(head.headers_mut()));
                // RFC 9113 section 8.2.2: these belong to a connection of HTTP/1.1.
                head.headers_mut().remove(CONNECTION);
                head.headers_mut().remove(TRANSFER_ENCODING);
                stream.begin(head);
            }
        }
    }

    /// Sends bytes of the reply.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), IoEnd> {
        match self {
            Self::Http1(http1) => http1.io.send(bytes).await,
            Self::Http2(stream) => stream.send(bytes).await,
        }
    }

    /// Ends the reply. In HTTP/1.1 its framing has said where it ends.
    pub(crate) fn end(&mut self) -> Result<(), IoEnd> {
        match self {
            Self::Http1(_) => Ok(()),
            Self::Http2(stream) => stream.end(),
        }
    }

    /// Ends a reply that cannot be completed, so that nobody takes it for whole.
    /// A connection of HTTP/1.1 is reset by its [`Ending`](crate::connection).
    pub(crate) fn tear(&mut self) {
        match self {
            Self::Http1(_) => {}
            Self::Http2(stream) => stream.reset(Reason::INTERNAL_ERROR),
        }
    }
}
