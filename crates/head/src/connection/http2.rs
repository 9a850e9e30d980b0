//! The life of a connection of HTTP/2: streams served beside one another, an idle
//! clock while there are none, GOAWAY at a drain, and an end to floods.
//!
//! The frames are h2's, the engine under hyper; one exchange is one stream, so
//! nothing stands between them.

mod leaving;
mod lent;
mod meter;
mod request;
mod stream;

use std::rc::Rc;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use repono_journal::{ConnectionRecord, Phase, Reuse, Stamp};
use repono_net::drain;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use self::leaving::{Due, Leaving};
use self::lent::{Lent, Line};
use self::meter::Meter;
pub(crate) use self::stream::Stream;
use super::answer::{Asked, Context, Sent, answer};
use super::ending::Ending;
use super::vigil::{Found, Vigil};
use super::{Identity, Transport};
use crate::admission::crowd::{Leaver, Summons, told};
use crate::carrier::Carrier;
use crate::limits::{
    HEAD_MAX, HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_HEAD_BYTES_MAX, HTTP2_SEND_BUFFER_BYTES,
    HTTP2_STREAM_WINDOW_BYTES, HTTP2_STREAMS_MAX, STRANGER_IDLE_MAX,
};
use crate::shard::Shard;

/// A connection between its preface and its end.
struct Conversation<'c> {
    context: Rc<Context>,
    connection: Connection<Lent, Bytes>,
    meter: Rc<Meter>,
    record: &'c mut ConnectionRecord,
    streams: JoinSet<Served>,
    /// Whether a request was authenticated: before that, the patience is short.
    known: bool,
    quiet_since: Instant,
    quiet_since_ns: u64,
    vigil: Vigil,
    summons: Option<Summons>,
    /// Held from the moment that it is told to leave to the end of its place.
    leaver: &'c mut Option<Leaver>,
    line: Line,
    /// Set when its end has begun: once announced it ends when the streams that are
    /// open have, or when the peer does nothing about it.
    leaving: Option<Leaving>,
    /// Whether the client fails what is under way when GOAWAY comes.
    fails_at_goaway: bool,
}

/// What a stream leaves behind.
struct Served {
    known: bool,
    outcome: Sent,
}

/// Serves a connection from its preface on; gives its end, and the transport back
/// where that can still be ended in order.
pub(super) async fn run(
    shard: Rc<Shard>,
    stream: Transport,
    identity: Identity,
    record: &mut ConnectionRecord,
    leaver: &mut Option<Leaver>,
) -> (Ending, Option<Transport>) {
    let meter = Rc::new(Meter::new());
    let (lent, owner) = Lent::new(stream, Rc::clone(&meter));
    record.phase = Phase::RequestHead;
    let context = Rc::new(Context::new(shard, identity, record));
    let ending = match timeout(HEAD_MAX, settings().handshake(lent)).await {
        Err(_) => Ending::TooSlow,
        Ok(Err(error)) => ending_of(&error),
        Ok(Ok(connection)) => {
            let (meter, line) = (Rc::clone(&meter), owner.line());
            Conversation::new(context, connection, meter, line, record, leaver).run().await
        }
    };
    record.bytes_in = meter.received();
    record.bytes_out = meter.sent();
    (ending, owner.take_back())
}

/// The limits of `limits.rs` as h2 keeps them, and what it keeps by itself: GOAWAY
/// with ENHANCE_YOUR_CALM for more than 1,024 streams that it had to reset (CVE
/// "MadeYouReset"), 20 that were reset before they were accepted ("Rapid Reset"),
/// CONTINUATION frames beyond the header list, and DATA frames that carry little.
fn settings() -> Builder {
    let mut settings = Builder::new();
    settings
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .initial_window_size(HTTP2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HTTP2_HEAD_BYTES_MAX)
        .max_send_buffer_size(HTTP2_SEND_BUFFER_BYTES);
    settings
}

impl<'c> Conversation<'c> {
    fn new(
        context: Rc<Context>,
        connection: Connection<Lent, Bytes>,
        meter: Rc<Meter>,
        line: Line,
        record: &'c mut ConnectionRecord,
        leaver: &'c mut Option<Leaver>,
    ) -> Self {
        let (quiet_since, quiet_since_ns) = (Instant::now(), record.opened.mono_ns);
        let streams = JoinSet::new();
        Self {
            context,
            connection,
            meter,
            record,
            streams,
            known: false,
            quiet_since,
            quiet_since_ns,
            vigil: Vigil::new(quiet_since),
            summons: None,
            leaver,
            line,
            leaving: None,
            fails_at_goaway: false,
        }
    }

    /// Serves streams until one of the sides ends the connection.
    async fn run(mut self) -> Ending {
        let mut draining = self.context.shard.drain.clone();
        loop {
            self.note_phase();
            let deadline = self.deadline();
            tokio::select! {
                biased;
                // The deadline is another one now.
                () = self.meter.head_opened() => {}
                () = self.meter.flooded() => self.break_off(Ending::Violation),
                Some(ended) = self.streams.join_next() => self.served(ended),
                changed = draining.changed() => match changed {
                    drain::Phase::Serving => {}
                    drain::Phase::Draining { .. } => self.leave(Ending::Drained),
                    drain::Phase::Closing => {
                        self.leave(Ending::Drained);
                        self.announce_if_held();
                    }
                },
                accepted = self.connection.accept() => match accepted {
                    Some(Ok((request, respond))) => self.serve(request, respond),
                    Some(Err(error)) => return self.ended(ending_of(&error)),
                    None => return self.ended(Ending::ClientClosed),
                },
                leaver = told(&mut self.summons) => {
                    *self.leaver = Some(leaver);
                    self.summons = None;
                    self.leave(Ending::Crowded);
                }
                () = self.context.shard.cut_short() => {
                    self.streams.abort_all();
                    return Ending::Killed;
                }
                () = tokio::time::sleep_until(deadline) => {
                    if let Some(ending) = self.overdue() {
                        return ending;
                    }
                }
            }
        }
    }

    fn note_phase(&mut self) {
        self.record.phase = if self.streams.is_empty() { Phase::Idle } else { Phase::Wait };
    }

    /// Until when something must happen: the rest of a header block, a stream
    /// where there is none, the peer's close after ours was announced.
    fn deadline(&self) -> Instant {
        let head = self.meter.head_begun().map(|begun| begun + HEAD_MAX);
        // The streams have clocks of their own.
        let quiet = self.streams.is_empty().then(|| {
            let limit = self.quiet_limit();
            self.vigil.next().map_or(limit, |look| look.min(limit))
        });
        // Looked at again at the latest then.
        let far = Instant::now() + self.context.shard.common.rules.idle;
        let held = self.leaving.and_then(|leaving| leaving.held_until());
        [head, quiet, held].into_iter().flatten().fold(far, Instant::min)
    }

    /// Until when a connection without a stream may stay.
    fn quiet_limit(&self) -> Instant {
        if let Some(leaving) = self.leaving {
            return leaving.limit(self.quiet_since);
        }
        let idle = self.context.shard.common.rules.idle;
        self.quiet_since + if self.known { idle } else { STRANGER_IDLE_MAX }
    }

    /// A deadline has passed; gives the ending when nothing more is waited for.
    fn overdue(&mut self) -> Option<Ending> {
        let now = Instant::now();
        if self.leaving.and_then(|leaving| leaving.held_until()).is_some_and(|until| now >= until) {
            self.announce_if_held();
        } else if self.streams.is_empty() && now >= self.quiet_limit() {
            let Some(Leaving { ending, .. }) = self.leaving else {
                self.leave(Ending::Idle);
                return None;
            };
            match self.leaving.map(|leaving| leaving.due()) {
                Some(Due::Announcement) => self.announce(ending),
                Some(Due::LastWord) => self.last_word(ending, Reason::NO_ERROR),
                Some(Due::Close) | None => return Some(ending),
            }
        } else if self.streams.is_empty() && self.vigil.next().is_some_and(|look| now >= look) {
            match self.line.info().map_or(Found::Gone, |info| self.vigil.found(Some(&info), now)) {
                Found::Nothing => {}
                Found::Gone => return Some(Ending::Gone),
                Found::Long => {
                    self.summons = Some(self.context.shard.admission.crowd.enter(self.quiet_since))
                }
            }
        } else if self.meter.head_begun().is_some_and(|begun| now >= begun + HEAD_MAX) {
            self.break_off(Ending::TooSlow);
        }
        None
    }

    /// Begins the end: announces it, or waits for a lull where that would fail requests.
    fn leave(&mut self, ending: Ending) {
        // Who has asked for nothing yet may just be about to: a client may take GOAWAY on
        // a fresh connection for a failure, and whether it does is not known yet.
        let holds = self.fails_at_goaway || self.record.requests == 0;
        match self.leaving {
            None if holds => self.leaving = Some(Leaving::held(ending, Instant::now())),
            None => self.announce(ending),
            // A drain has less time.
            Some(held)
                if held.held_until().is_some() && held.ending != ending && ending == Ending::Drained =>
            {
                self.leaving = Some(Leaving::held(ending, Instant::now()));
            }
            Some(_) => {}
        }
    }

    /// Announces the end by two GOAWAYs, with a round trip between them for
    /// streams under way (RFC 9113 section 6.8); what was begun is served.
    fn announce(&mut self, ending: Ending) {
        self.note_idle();
        self.connection.graceful_shutdown();
        self.leaving = Some(Leaving::asked(ending, Instant::now()));
    }

    /// There is no more time to wait for a lull.
    fn announce_if_held(&mut self) {
        if let Some(leaving) = self.leaving.filter(|leaving| leaving.held_until().is_some()) {
            self.announce(leaving.ending);
        }
    }

    /// Ends it at once, for a peer that does not keep the rules.
    fn break_off(&mut self, ending: Ending) {
        self.last_word(ending, Reason::ENHANCE_YOUR_CALM);
        self.streams.abort_all();
    }

    /// Tells the peer which stream was the last.
    fn last_word(&mut self, ending: Ending, reason: Reason) {
        self.connection.abrupt_shutdown(reason);
        self.leaving = Some(Leaving::final_word(ending, Instant::now()));
    }

    /// How long it had been idle when its end began.
    fn note_idle(&mut self) {
        self.record.idle_at_close_ns = match self.streams.is_empty() {
            true => Stamp::mono_now().saturating_sub(self.quiet_since_ns),
            false => 0,
        };
    }

    /// The ending of a connection that is closed: as begun, if it was.
    fn ended(&mut self, seen: Ending) -> Ending {
        match self.leaving {
            Some(leaving) => leaving.ending,
            None => {
                self.note_idle();
                seen
            }
        }
    }

    fn serve(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let started = Stamp::now();
        if self.leaving.is_some_and(|leaving| leaving.refuses(Instant::now())) {
            // Safe to send again elsewhere, whatever it is (RFC 9113 section 8.7).
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        self.meter.note_request();
        self.fails_at_goaway |= leaving::fails_at_goaway(request.headers());
        let reuse = match self.record.requests {
            0 => Reuse::New,
            before => Reuse::Reused {
                idle_before_ns: if self.streams.is_empty() {
                    started.mono_ns.saturating_sub(self.quiet_since_ns)
                } else {
                    0
                },
                requests_before: u32::try_from(before).unwrap_or(u32::MAX),
            },
        };
        self.record.requests += 1;
        self.summons = None;
        match self.context.over(self.record.requests) {
            Some(ending) => self.leave(ending),
            None if !self.fails_at_goaway => self.announce_if_held(),
            None => {}
        }
        let (context, line, meter) = (Rc::clone(&self.context), self.line.clone(), Rc::clone(&self.meter));
        let (known, draining) = (self.known, self.leaving.is_some());
        self.streams.spawn_local(async move {
            let request::Read { head, body, expect, refusal } = request::read(&request);
            let stream = Stream::new(request.into_body(), respond, body, expect, line, meter);
            let asked = Asked {
                head: &head,
                started,
                refusal,
                after: repono_core::refusal::After::Keep,
                reuse,
                known,
                draining,
            };
            let answered = answer(&context, asked, Carrier::Http2(stream)).await;
            Served { known: answered.known, outcome: answered.outcome }
        });
    }

    fn served(&mut self, ended: Result<Served, tokio::task::JoinError>) {
        match ended {
            Ok(served) => {
                self.known |= served.known;
                match served.outcome {
                    Sent::Whole => self.meter.note_answered(),
                    Sent::Torn => {}
                }
            }
            Err(error) if error.is_cancelled() => {}
            Err(error) => tracing::error!(%error, "the task of a stream failed"),
        }
        self.quiet_since = Instant::now();
        self.quiet_since_ns = Stamp::mono_now();
        self.vigil = Vigil::new(self.quiet_since);
    }
}

/// What an error of the connection was.
fn ending_of(error: &h2::Error) -> Ending {
    if error.is_io() {
        Ending::Failed
    } else if error.is_go_away() && error.is_remote() {
        Ending::ClientClosed
    } else {
        // h2 has told the peer by GOAWAY.
        Ending::Violation
    }
}
