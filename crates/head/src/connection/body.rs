//! The body of a request of HTTP/1.1 on its way in.

use bytes::Bytes;
use repono_core::refusal::Refusal;
use repono_http1::{BodyDecoder, BodyKind, Limits, Reject};
use repono_wire::put::BodyKindHint;
use repono_wire::refusals::{CLIENT_DISCONNECT, REQUEST_TIMEOUT};

use super::io::{Io, IoEnd};
use super::pace::Pace;
use crate::limits::BODY_READ_BYTES;

/// The body of one request.
pub(crate) struct BodyIn {
    kind: BodyKind,
    decoder: BodyDecoder,
    pace: Pace,
}

/// What the request's own reader is told of the framing.
pub(super) const fn hint(kind: BodyKind) -> BodyKindHint {
    match kind {
        BodyKind::None => BodyKindHint::None,
        BodyKind::Length(bytes) => BodyKindHint::Length(bytes),
        BodyKind::Chunked => BodyKindHint::Chunked,
    }
}

/// Why a body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyEnd {
    /// The client left or the connection failed.
    #[error("the connection ended within the body")]
    Gone(#[source] IoEnd),
    /// The client was too slow.
    #[error("the body was too slow")]
    Slow,
    /// The framing makes no sense.
    #[error("the framing of the body is wrong")]
    Framing(#[source] Reject),
}

impl BodyEnd {
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Self::Gone(_) => CLIENT_DISCONNECT,
            Self::Slow => REQUEST_TIMEOUT,
            Self::Framing(reject) => reject.refusal(),
        }
    }
}

impl BodyIn {
    pub(crate) fn new(kind: BodyKind) -> Self {
        Self { kind, decoder: BodyDecoder::new(kind, &Limits::default()), pace: Pace::new() }
    }

    pub(crate) const fn hint(&self) -> BodyKindHint {
        hint(self.kind)
    }

    /// Bytes of content so far.
    pub(crate) const fn received(&self) -> u64 {
        self.pace.bytes
    }

    pub(crate) fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Content that is still to come, where the framing tells.
    pub(crate) fn remaining(&self) -> Option<u64> {
        self.decoder.remaining_hint()
    }

    /// The next piece of content; `None` at the end.
    ///
    /// *Cancel safety*: nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self, io: &mut Io) -> Result<Option<Bytes>, BodyEnd> {
        while !self.decoder.is_done() {
            let decoded = self.decoder.decode(io.buffered()).map_err(BodyEnd::Framing)?;
            let consumed = decoded.consumed;
            let data = Bytes::copy_from_slice(decoded.data);
            io.consume(consumed);
            if !data.is_empty() {
                self.pace.bytes += data.len() as u64;
                return Ok(Some(data));
            }
            if consumed == 0 && !self.decoder.is_done() {
                io.fill(BODY_READ_BYTES, self.pace.deadline()).await.map_err(|end| match end {
                    IoEnd::Deadline => BodyEnd::Slow,
                    IoEnd::Eof | IoEnd::Gone | IoEnd::Failed(_) => BodyEnd::Gone(end),
                })?;
            }
        }
        Ok(None)
    }
}
