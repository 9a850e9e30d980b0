//! The life of a connection of HTTP/1.1: requests one after another, an idle clock
//! between them, and an end that is announced.

use std::rc::Rc;

use repono_core::refusal::{After, Refusal};
use repono_core::request::RequestHead;
use repono_http1::{BodyKind, Expect, HeadParse, Limits, parse_head};
use repono_journal::{ConnectionRecord, Phase, Reuse, Stamp};
use repono_net::drain::{self, DrainSignal};
use repono_wire::refusals::{REQUEST_TIMEOUT, SERVICE_UNAVAILABLE};
use tokio::time::Instant;

use super::answer::{Asked, Context, Sent, answer};
use super::body::BodyIn;
use super::ending::Ending;
use super::io::{Io, IoEnd};
use super::vigil::{Found, Vigil};
use super::{Identity, Transport};
use crate::admission::crowd::{Leaver, Summons, told};
use crate::carrier::{Carrier, Http1};
use crate::limits::{HEAD_MAX, QUIET_SPARED, READ_BYTES, STRANGER_IDLE_MAX};
use crate::shard::Shard;

/// A connection between its handshake and its end.
struct Conversation<'c> {
    context: Context,
    io: &'c mut Io,
    record: &'c mut ConnectionRecord,
    drain: DrainSignal,
    /// Held from the moment that it is told to leave to the end of its place.
    leaver: &'c mut Option<Leaver>,
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
    leaver: &mut Option<Leaver>,
) -> (Ending, Option<Transport>) {
    let mut io = Io::new(stream);
    let ending = Conversation::new(shard, &mut io, identity, record, leaver).run().await;
    record.bytes_in = io.received;
    record.bytes_out = io.sent;
    (ending, Some(io.into_stream()))
}

impl<'c> Conversation<'c> {
    fn new(
        shard: Rc<Shard>,
        io: &'c mut Io,
        identity: Identity,
        record: &'c mut ConnectionRecord,
        leaver: &'c mut Option<Leaver>,
    ) -> Self {
        let context = Context::new(shard, identity, record);
        let (drain, quiet_since_ns) = (context.shard.drain.clone(), record.opened.mono_ns);
        let quiet_since = Instant::now();
        Self { context, io, record, drain, leaver, known: false, quiet_since, quiet_since_ns }
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
                Err(end @ (IoEnd::Eof | IoEnd::Gone | IoEnd::Failed(_))) => return Err(ending_of(&end)),
            }
        }
    }

    /// Waits for the first byte of a request.
    async fn quiet(&mut self) -> Result<(), Ending> {
        let mut vigil = Vigil::new(self.quiet_since);
        let mut summons: Option<Summons> = None;
        loop {
            let (limit, at_limit) = self.limit()?;
            let deadline = vigil.next().map_or(limit, |look| look.min(limit));
            if let Some(buffer) = self.io.release() {
                self.context.shard.give_back_input(buffer);
            }
            let ready = tokio::select! {
                biased;
                ready = self.io.ready(deadline) => ready,
                _changed = self.drain.changed() => continue,
                leaver = told(&mut summons) => {
                    *self.leaver = Some(leaver);
                    return Err(Ending::Crowded);
                }
            };
            match ready {
                Ok(()) => return self.first_bytes().await,
                Err(IoEnd::Deadline) if deadline >= limit => return Box::pin(self.last_look(at_limit)).await,
                Err(IoEnd::Deadline) => match vigil.look(self.io.tcp(), Instant::now()) {
                    Found::Nothing => {}
                    Found::Gone => return Err(Ending::Gone),
                    Found::Long => summons = Some(self.context.shard.admission.crowd.enter(self.quiet_since)),
                },
                Err(end) => return Err(ending_of(&end)),
            }
        }
    }

    /// Until when it may be quiet, and what its end would be then. A drain takes those
    /// first that have been quiet for long: a client that comes back within a minute
    /// is told by a reply.
    fn limit(&mut self) -> Result<(Instant, Ending), Ending> {
        let patience = if self.known { self.context.shard.common.rules.idle } else { STRANGER_IDLE_MAX };
        let limit = self.quiet_since + patience;
        match self.drain.phase() {
            drain::Phase::Serving => Ok((limit, Ending::Idle)),
            drain::Phase::Draining { .. } => {
                Ok(((self.quiet_since + QUIET_SPARED).min(limit), Ending::Drained))
            }
            drain::Phase::Closing if self.io.has_input() => Ok((Instant::now() + HEAD_MAX, Ending::Drained)),
            drain::Phase::Closing => Err(Ending::Drained),
        }
    }

    /// A last look before the end: what is here by now is answered.
    async fn last_look(&mut self, ending: Ending) -> Result<(), Ending> {
        if !self.io.has_input() {
            return Err(ending);
        }
        match self.io.ready(Instant::now() + HEAD_MAX).await {
            Ok(()) => self.first_bytes().await,
            Err(IoEnd::Deadline) => Err(ending),
            Err(end) => Err(ending_of(&end)),
        }
    }

    /// Takes what has come, for which there is a buffer now.
    async fn first_bytes(&mut self) -> Result<(), Ending> {
        self.io.adopt(self.context.shard.take_input());
        let filled = self.io.fill(READ_BYTES, Instant::now() + HEAD_MAX).await;
        filled.map(drop).map_err(|end| ending_of(&end))
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
        // The last request is refused if it must be, so that its reply says so.
        let over = self.context.over(self.record.requests + 1);
        let asked = Asked {
            head,
            started: parsed.started,
            refusal: parsed.refusal,
            after: if over.is_some() { After::Close } else { parsed.connection },
            reuse,
            known: self.known,
            draining,
        };
        let sent = self.io.sent;
        let ending = self.answered(asked, parsed.body, parsed.expect).await;
        match ending {
            Some(Ending::Announced) if draining || self.context.shard.is_leaving() => Some(Ending::Drained),
            Some(Ending::Announced) => Some(over.unwrap_or(Ending::Announced)),
            Some(Ending::Killed) if self.io.sent == sent => {
                Box::pin(self.excuse(head, parsed.started, reuse)).await;
                ending
            }
            // The beginning of a reply is taken for a whole one unless RST says that
            // it is not.
            Some(Ending::Killed) => Some(Ending::Torn),
            other => other,
        }
    }

    /// Answers one request; gives the ending that follows from the reply.
    async fn answered(&mut self, asked: Asked<'_>, body: BodyKind, expect: Expect) -> Option<Ending> {
        let version = asked.head.version();
        self.io.begin_reply();
        let carrier = Carrier::Http1(Http1 {
            io: &mut *self.io,
            body: BodyIn::new(body),
            expect,
            version,
            keep_alive: &self.context.shard.common.rules.keep_alive,
        });
        // In memory of its own: between requests a connection does not hold it.
        let answering = Box::pin(answer(&self.context, asked, carrier));
        let answered = tokio::select! {
            biased;
            answered = answering => answered,
            () = self.context.shard.cut_short() => return Some(Ending::Killed),
        };
        self.known = answered.known;
        match (answered.outcome, answered.after) {
            (Sent::Whole, After::Keep) => None,
            (Sent::Whole, After::Close) => Some(Ending::Announced),
            (Sent::Torn, _) => Some(Ending::Torn),
        }
    }

    /// Answers a request that was cut short before anything of its reply was sent.
    async fn excuse(&mut self, head: &RequestHead, started: Stamp, reuse: Reuse) {
        let refusal = Some(SERVICE_UNAVAILABLE);
        let (known, after) = (self.known, After::Close);
        let asked = Asked { head, started, refusal, after, reuse, known, draining: true };
        let keep_alive = &self.context.shard.common.rules.keep_alive;
        let (body, expect, version) = (BodyIn::new(BodyKind::None), Expect::None, head.version());
        let carrier = Carrier::Http1(Http1 { io: &mut *self.io, body, expect, version, keep_alive });
        // A client that takes nothing of it by the end of this head has left.
        answer(&self.context, asked, carrier).await;
    }
}

/// What the end of waiting for a request means.
const fn ending_of(end: &IoEnd) -> Ending {
    match end {
        IoEnd::Eof => Ending::ClientClosed,
        IoEnd::Gone => Ending::Gone,
        IoEnd::Deadline => Ending::TooSlow,
        IoEnd::Failed(_) => Ending::Failed,
    }
}
