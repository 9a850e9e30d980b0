//! The requests of one connection, one after another.

use repono_core::refusal::{After, Refusal};
use repono_core::request::{Method, RequestHead, Version};
use repono_core::time::Timestamp;
use repono_http1::{BodyKind, Expect, HeadParse, Limits, parse_head};
use repono_journal::{ConnectionRecord, Outcome, Phase, RequestRecord, Reuse, Side, Stamp, Text, UrlPath};
use repono_net::drain::{self, DrainSignal};
use repono_wire::refusals::REQUEST_TIMEOUT;
use tokio::time::Instant;

use super::Identity;
use super::body::BodyIn;
use super::ending::Ending;
use super::io::{Io, IoEnd};
use crate::exchange::{Detail, Exchange, Stop, handle};
use crate::limits::{DRAIN_QUIET, HEAD_MAX, IDLE_MAX, READ_BYTES, STRANGER_IDLE_MAX};
use crate::shard::Shard;

/// A connection between its handshake and its end.
pub(super) struct Conversation<'c> {
    shard: &'c Shard,
    io: &'c mut Io,
    identity: &'c Identity,
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

impl<'c> Conversation<'c> {
    pub(super) fn new(
        shard: &'c Shard,
        io: &'c mut Io,
        identity: &'c Identity,
        record: &'c mut ConnectionRecord,
    ) -> Self {
        let (drain, quiet_since_ns) = (shard.drain.clone(), record.opened.mono_ns);
        Self { shard, io, identity, record, drain, known: false, quiet_since: Instant::now(), quiet_since_ns }
    }

    /// Serves requests until one of the sides ends the connection.
    pub(super) async fn run(mut self) -> Ending {
        let Ok(mut head) = RequestHead::new(Method::Get, Version::Http11, b"/") else {
            return Ending::Failed;
        };
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
            let filled = tokio::select! {
                biased;
                filled = self.io.fill(READ_BYTES, deadline) => filled,
                _changed = self.drain.changed() => continue,
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
        let record = self.request_record(head, &parsed);
        let now = Timestamp::from_units(parsed.started.wall_ns / NS_PER_UNIT);
        let draining = self.drain.phase() != drain::Phase::Serving;
        let mut x = Exchange {
            shard: self.shard,
            io: self.io,
            head,
            body: BodyIn::new(parsed.body),
            expect: parsed.expect,
            directory: self.shard.directory(),
            trans_id: self.shard.trans_id(now),
            connection: self.identity.id,
            source: self.identity.source.ip(),
            now,
            draining,
            after: if draining { After::Close } else { parsed.connection },
            authenticated: self.known,
            record,
        };
        let answered = match parsed.refusal {
            Some(refusal) => x.refuse(refusal, Detail::Nothing).await,
            None => handle(&mut x).await,
        };
        let ending = match answered {
            Ok(()) => match x.after {
                After::Keep => None,
                After::Close if draining => Some(Ending::Drained),
                After::Close => Some(Ending::Announced),
            },
            Err(Stop::Broken(code)) => {
                x.record.outcome = Outcome::Failed(code);
                Some(Ending::Torn)
            }
            Err(Stop::Refused(..)) => Some(Ending::Torn),
        };
        finish(&mut x);
        self.known = x.authenticated;
        ending
    }

    fn request_record(&self, head: &RequestHead, parsed: &Parsed) -> RequestRecord {
        let Identity { id, source, destination, .. } = *self.identity;
        let mut record = RequestRecord::new(Side::Head, id, parsed.started, source, destination);
        record.balancer_id = self.record.balancer_id;
        record.tls = self.record.tls;
        if self.record.requests > 0 {
            record.reuse = Reuse::Reused {
                idle_before_ns: parsed.started.mono_ns.saturating_sub(self.quiet_since_ns),
                requests_before: u32::try_from(self.record.requests).unwrap_or(u32::MAX),
            };
        }
        // A head that was refused may be half of one and half of the last.
        if parsed.refusal.is_none() {
            record.method = Some(head.method());
            record.path = UrlPath::of_target(head.target());
            record.user_agent = Text::new(head.field("user-agent").unwrap_or_default());
            record.phases_ns.send = Stamp::mono_now().saturating_sub(parsed.started.mono_ns);
        }
        record
    }
}

/// Nanoseconds of a unit of [`Timestamp`].
const NS_PER_UNIT: u64 = 10_000;

fn finish(x: &mut Exchange<'_>) {
    x.record.trans_id = Some(x.trans_id);
    x.record.ended_mono_ns = Stamp::mono_now();
    x.record.connection_after = x.after;
    let known = x.record.phases_ns.send + x.record.phases_ns.receive;
    x.record.phases_ns.wait = x.record.duration_ns().saturating_sub(known);
    x.shard.recorder.borrow_mut().request(&x.record);
}
