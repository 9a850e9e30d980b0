//! The life of a connection of HTTP/1.1: requests one after another, an idle clock
//! between them, and an end that is announced.

use std::rc::Rc;

use repono_core::refusal::{After, Refusal};
use repono_core::request::RequestHead;
use repono_http1::{BodyKind, Expect, HeadParse, Limits, parse_head};
use repono_journal::{ConnectionRecord, Phase, Reuse, Stamp};
use repono_net::drain::{self, DrainSignal};
use repono_wire::refusals::REQUEST_TIMEOUT;
use tokio::time::Instant;

use super::answer::{Asked, Context, Sent, answer};
use super::body::BodyIn;
use super::ending::Ending;
use super::io::{Io, IoEnd};
use super::{Identity, Transport};
use crate::carrier::{Carrier, Http1};
use crate::limits::{DRAIN_QUIET, HEAD_MAX, IDLE_MAX, READ_BYTES, STRANGER_IDLE_MAX};
use crate::shard::Shard;

/// A connection between its handshake and its end.
struct Conversation<'c> {
    context: Context,
    io: &'c mut Io,
    record: &'c mut ConnectionRecord,
    drain: DrainSignal,
    /// Whether a request was authenticated: before that, the patience is short.
    known: bool,
    /// When it was opened, or when the last reply was sent, on two clocks.
    quiet_since: Instant,
    quiet_since_ns: u64,
}

/// A request head that was read, and what the codec says about it.
struct Parsed {
    body: BodyKind,
    connection: After,
    expect: Expect,
    started: Stamp,
    /// Set where the bytes are no request, or did not come in time.
    refusal: Option<Refusal>,
}

impl Parsed {
    /// What is left of a request that cannot be read.
    const fn refused(refusal: Refusal, started: Stamp) -> Self {
        Self {
            body: BodyKind::None,
            connection: After::Close,
            expect: Expect::None,
            started,
            refusal: Some(refusal),
        }
    }
}

/// Serves a connection after its handshake; gives its end, and the transport back.
pub(super) async fn run(
    shard: Rc<Shard>,
    stream: Transport,
    identity: Identity,
    record: &mut ConnectionRecord,
) -> (Ending, Option<Transport>) {
    let mut io = Io::new(stream);
    let ending = Conversation::new(shard, &mut io, identity, record).run().await;
    record.bytes_in = io.received;
    record.bytes_out = io.sent;
    (ending, Some(io.into_stream()))
}

impl<'c> Conversation<'c> {
    fn new(shard: Rc<Shard>, io: &'c mut Io, identity: Identity, record: &'c mut ConnectionRecord) -> Self {
        let context = Context::new(shard, identity, record);
        let (drain, quiet_since_ns) = (context.shard.drain.clone(), record.opened.mono_ns);
        Self { context, io, record, drain, known: false, quiet_since: Instant::now(), quiet_since_ns }
    }

    /// Serves requests until one of the sides ends the connection.
    async fn run(mut self) -> Ending {
        let mut head = RequestHead::default();
        loop {
            self.record.phase = Phase::Idle;
            let next = self.next_head(&mut head).await;
            self.record.idle_at_close_ns = Stamp::mono_now().saturating_sub(self.quiet_since_ns);
            let parsed = match next {
                Ok(parsed) => parsed,
                Err(ending) => return ending,
            };
            self.record.phase = Phase::Wait;
            let ended = self.exchange(&head, parsed).await;
            self.record.requests += 1;
            if let Some(ending) = ended {
                self.record.phase = Phase::Reply;
                self.record.idle_at_close_ns = 0;
                return ending;
            }
            self.quiet_since = Instant::now();
            self.quiet_since_ns = Stamp::mono_now();
        }
    }

    /// Waits for the next request: first for its first byte, by the idle clock,
    /// then for the rest of its head, by a clock of its own.
    async fn next_head(&mut self, head: &mut RequestHead) -> Result<Parsed, Ending> {
        // A line end behind the last body is not yet a request (RFC 9112 section 2.2).
        while matches!(self.io.buffered(), [] | [b'\r'] | [b'\r', b'\n']) {
            self.quiet().await?;
        }
        self.record.phase = Phase::RequestHead;
        let started = Stamp::now();
        let deadline = Instant::now() + HEAD_MAX;
        loop {
            match parse_head(self.io.buffered(), &Limits::default(), head) {
                Ok(HeadParse::Complete { consumed, body, connection, expect }) => {
                    self.io.consume(consumed);
                    return Ok(Parsed { body, connection, expect, started, refusal: None });
                }
                Ok(HeadParse::Partial) => {}
                Err(reject) => return Ok(Parsed::refused(reject.refusal(), started)),
            }
            match self.io.fill(READ_BYTES, deadline).await {
                Ok(_) => {}
                Err(IoEnd::Deadline) => return Ok(Parsed::refused(REQUEST_TIMEOUT, started)),
                Err(IoEnd::Eof) => return Err(Ending::ClientClosed),
                Err(IoEnd::Failed(_)) => return Err(Ending::Failed),
            }
        }
    }

    /// Waits for the first byte of a request.
    async fn quiet(&mut self) -> Result<(), Ending> {
        let patience = if self.known { IDLE_MAX } else { STRANGER_IDLE_MAX };
        loop {
            let limit = self.quiet_since + patience;
            let (deadline, at_deadline) = match self.drain.phase() {
                drain::Phase::Serving => (limit, Ending::Idle),
                drain::Phase::Draining { since } => {
                    ((self.quiet_since.max(since) + DRAIN_QUIET).min(limit), Ending::Drained)
                }
                drain::Phase::Closing => return Err(Ending::Drained),
            };
            if let Some(buffer) = self.io.release() {
                self.context.shard.give_back_input(buffer);
            }
            let ready = tokio::select! {
                biased;
                ready = self.io.ready(deadline) => ready,
                _changed = self.drain.changed() => continue,
            };
            let filled = match ready {
                Ok(()) => {
                    self.io.adopt(self.context.shard.take_input());
                    self.io.fill(READ_BYTES, deadline).await
                }
                Err(end) => Err(end),
            };
            return match filled {
                Ok(_) => Ok(()),
                Err(IoEnd::Eof) => Err(Ending::ClientClosed),
                Err(IoEnd::Failed(_)) => Err(Ending::Failed),
                Err(IoEnd::Deadline) => Err(at_deadline),
            };
        }
    }

    /// Answers one request; gives the ending when it was the last.
    async fn exchange(&mut self, head: &RequestHead, parsed: Parsed) -> Option<Ending> {
        let draining = self.drain.phase() != drain::Phase::Serving;
        let reuse = match self.record.requests {
            0 => Reuse::New,
            before => Reuse::Reused {
                idle_before_ns: parsed.started.mono_ns.saturating_sub(self.quiet_since_ns),
                requests_before: u32::try_from(before).unwrap_or(u32::MAX),
            },
        };
        let asked = Asked {
            head,
            started: parsed.started,
            refusal: parsed.refusal,
            after: parsed.connection,
            reuse,
            known: self.known,
            draining,
        };
        self.io.begin_reply();
        let carrier = Carrier::Http1(Http1 {
            io: &mut *self.io,
            body: BodyIn::new(parsed.body),
            expect: parsed.expect,
            version: head.version(),
        });
        // In memory of its own: between requests a connection does not hold it.
        let answered = Box::pin(answer(&self.context, asked, carrier)).await;
        self.known = answered.known;
        match (answered.outcome, answered.after) {
            (Sent::Whole, After::Keep) => None,
            (Sent::Whole, After::Close) if draining => Some(Ending::Drained),
            (Sent::Whole, After::Close) => Some(Ending::Announced),
            (Sent::Torn, _) => Some(Ending::Torn),
        }
    }
}
