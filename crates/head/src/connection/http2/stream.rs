//! One stream: the body of a request by DATA frames, and a reply.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Response, StatusCode};
use repono_http1::{BodyKind, Expect};
use repono_wire::put::BodyKindHint;
use tokio::time::{Instant, timeout_at};

use super::super::body::{BodyEnd, hint};
use super::super::io::IoEnd;
use super::super::pace::{Pace, Taken};
use super::lent::Line;
use super::meter::Meter;
use crate::limits::ACK_LOOK;

/// A stream between its request's head and its end.
pub(crate) struct Stream {
    body: RecvStream,
    kind: BodyKind,
    pace: Pace,
    expect: Expect,
    respond: SendResponse<Bytes>,
    reply: Reply,
    taken: Taken,
    line: Line,
    meter: Rc<Meter>,
}

/// How far the reply is.
enum Reply {
    /// Nothing of it is known. Left by `begin`.
    None,
    /// Its head is written, and goes out with the first bytes or alone. Left by
    /// `send` and `end`.
    Head(Response<()>),
    /// Its head is out. Left by `end`.
    Body(SendStream<Bytes>),
    /// It is complete.
    Ended,
}

impl Stream {
    pub(super) fn new(
        body: RecvStream,
        respond: SendResponse<Bytes>,
        kind: BodyKind,
        expect: Expect,
        line: Line,
        meter: Rc<Meter>,
    ) -> Self {
        let (pace, reply, taken) = (Pace::new(), Reply::None, Taken::new());
        Self { body, kind, pace, expect, respond, reply, taken, line, meter }
    }

    pub(crate) const fn hint(&self) -> BodyKindHint {
        hint(self.kind)
    }

    pub(crate) const fn received(&self) -> u64 {
        self.pace.bytes
    }

    /// The next piece of the body; its end is that of the stream, and h2 has held
    /// a length that was announced against it.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyEnd> {
        loop {
            let piece = timeout_at(self.pace.deadline(), self.body.data()).await;
            let data = match piece.map_err(|_| BodyEnd::Slow)? {
                None => return Ok(None),
                Some(Err(error)) => return Err(BodyEnd::Gone(IoEnd::Failed(io::Error::other(error)))),
                Some(Ok(data)) => data,
            };
            // What was taken may be sent again; an error shows at the next piece.
            let _ = self.body.flow_control().release_capacity(data.len());
            if !data.is_empty() {
                self.pace.bytes += data.len() as u64;
                return Ok(Some(data));
            }
        }
    }

    pub(crate) fn send_continue(&mut self) -> Result<(), IoEnd> {
        if self.expect == Expect::None {
            return Ok(());
        }
        self.expect = Expect::None;
        let mut interim = Response::new(());
        *interim.status_mut() = StatusCode::CONTINUE;
        self.respond.send_informational(interim).map_err(failed)
    }

    pub(crate) fn begin(&mut self, head: Response<()>) {
        self.reply = Reply::Head(head);
    }

    /// Sends bytes as the peer's windows allow.
    ///
    /// *Errors*: [`IoEnd::Deadline`] when the peer takes nothing for
    /// [`SEND_STALL_MAX`], or less than [`BODY_BYTES_PER_S_MIN`] after that grace;
    /// while the socket takes nothing of any stream, what the peer acknowledges
    /// counts. [`IoEnd::Gone`] when it acknowledges nothing at all any more.
    ///
    /// [`SEND_STALL_MAX`]: crate::limits::SEND_STALL_MAX
    /// [`BODY_BYTES_PER_S_MIN`]: crate::limits::BODY_BYTES_PER_S_MIN
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), IoEnd> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Reply::Head(_) = self.reply
            && let Reply::Head(head) = std::mem::replace(&mut self.reply, Reply::Ended)
        {
            self.reply = Reply::Body(self.respond.send_response(head, false).map_err(failed)?);
        }
        let Reply::Body(sender) = &mut self.reply else {
            return Err(IoEnd::Failed(io::ErrorKind::NotConnected.into()));
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            sender.reserve_capacity(rest.len());
            if sender.capacity() == 0 {
                let (begun, sent) = (Instant::now(), self.meter.sent());
                let granted = poll_fn(|cx| sender.poll_capacity(cx));
                let until = self.taken.deadline(begun).min(begun + ACK_LOOK);
                match timeout_at(until, granted).await {
                    Ok(None) => return Err(IoEnd::Eof),
                    Ok(Some(granted)) => {
                        let granted = granted.map_err(failed)?;
                        self.taken.note(begun, granted.min(rest.len()));
                    }
                    Err(_) => {
                        let info = self.line.info().ok_or(IoEnd::Eof)?;
                        if info.peer_is_gone() {
                            return Err(IoEnd::Gone);
                        }
                        // While others are sent, it is this stream's window that is
                        // closed.
                        let acknowledged = info.bytes_acked.filter(|_| self.meter.sent() == sent);
                        self.taken.note_acknowledged(begun, acknowledged);
                        if self.taken.is_over() {
                            return Err(IoEnd::Deadline);
                        }
                        continue;
                    }
                }
            }
            let (now, later) = rest.split_at(sender.capacity().min(rest.len()));
            if !now.is_empty() {
                sender.send_data(Bytes::copy_from_slice(now), false).map_err(failed)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Ends the reply; one without a body ends with its head.
    pub(crate) fn end(&mut self) -> Result<(), IoEnd> {
        match std::mem::replace(&mut self.reply, Reply::Ended) {
            Reply::None | Reply::Ended => Ok(()),
            Reply::Head(head) => self.respond.send_response(head, true).map(drop).map_err(failed),
            Reply::Body(mut sender) => sender.send_data(Bytes::new(), true).map_err(failed),
        }
    }

    /// Ends the stream alone, so that nobody takes its reply for whole.
    pub(crate) fn reset(&mut self, reason: Reason) {
        match std::mem::replace(&mut self.reply, Reply::Ended) {
            Reply::Body(mut sender) => sender.send_reset(reason),
            Reply::None | Reply::Head(_) | Reply::Ended => self.respond.send_reset(reason),
        }
    }
}

fn failed(error: h2::Error) -> IoEnd {
    IoEnd::Failed(io::Error::other(error))
}
