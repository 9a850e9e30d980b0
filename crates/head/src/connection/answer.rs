//! One request from its head to the end of its reply, on whatever carries it.

use std::rc::Rc;

use repono_core::id::ConnectionId;
use repono_core::refusal::{After, Refusal};
use repono_core::request::RequestHead;
use repono_core::time::Timestamp;
use repono_core::trace::TraceContext;
use repono_journal::{ConnectionRecord, Outcome, RequestRecord, Reuse, Side, Stamp, Text, Tls, UrlPath};

use super::Identity;
use super::ending::Ending;
use repono_wire::refusals::SERVICE_UNAVAILABLE;
use tokio::time::Instant;

use crate::admission::{COST_REQUEST, Source};
use crate::carrier::Carrier;
use crate::config::Journaled;
use crate::exchange::{Asker, Detail, Exchange, Stop, handle};
use crate::shard::{Role, Shard};

/// What every request of a connection shares.
pub(super) struct Context {
    pub(super) shard: Rc<Shard>,
    pub(super) identity: Identity,
    balancer_id: Option<ConnectionId>,
    tls: Option<Tls>,
}

impl Context {
    pub(super) fn new(shard: Rc<Shard>, identity: Identity, record: &ConnectionRecord) -> Self {
        Self { shard, identity, balancer_id: record.balancer_id, tls: record.tls }
    }

    /// Why the connection ends with the request of this number, if it does.
    pub(super) fn over(&self, number: u64) -> Option<Ending> {
        let Shard { common, admission, role, .. } = &*self.shard;
        if *role == Role::Standby {
            return Some(Ending::Announced);
        }
        common.rules.over(&self.identity, Instant::now(), number, admission)
    }
}

/// A request whose head was read, or what is left of one that cannot be.
pub(super) struct Asked<'h> {
    pub(super) head: &'h RequestHead,
    pub(super) started: Stamp,
    /// Set where the bytes are no request, or did not come in time.
    pub(super) refusal: Option<Refusal>,
    /// What the client wants to become of the connection.
    pub(super) after: After,
    pub(super) reuse: Reuse,
    /// Whether a request before was authenticated.
    pub(super) known: bool,
    /// Whether this head is on its way out.
    pub(super) draining: bool,
}

/// How a request was answered.
pub(super) struct Answered {
    /// Whether the reply was sent whole.
    pub(super) outcome: Sent,
    /// What the reply said about the connection.
    pub(super) after: After,
    /// Whether a request was authenticated by now.
    pub(super) known: bool,
}

/// Whether a reply was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// To its end.
    Whole,
    /// It broke off.
    Torn,
}

/// Answers one request.
pub(super) async fn answer(context: &Context, asked: Asked<'_>, carrier: Carrier<'_>) -> Answered {
    let shard = &*context.shard;
    let entered = enter(context, &asked).await;
    let now = Timestamp::from_units(asked.started.wall_ns / NS_PER_UNIT);
    let mut x = Exchange {
        shard,
        carrier,
        head: asked.head,
        directory: shard.directory(),
        trans_id: shard.trans_id(now),
        connection: context.identity.id,
        source: context.identity.source.ip(),
        now,
        draining: asked.draining,
        after: if asked.draining { After::Close } else { asked.after },
        authenticated: asked.known,
        grant: None,
        asker: if context.identity.recorded { Asker::Client } else { Asker::Balancer },
        place: None,
        record: record(context, &asked),
    };
    let answered = match entered {
        Err(refusal) => x.refuse(refusal, Detail::Nothing).await,
        Ok(()) => handle(&mut x).await,
    };
    let outcome = match answered.and_then(|()| Ok(x.carrier.end()?)) {
        Ok(()) => Sent::Whole,
        Err(stop) => {
            if let Stop::Broken(code) = stop {
                x.record.outcome = Outcome::Failed(code);
            }
            x.carrier.tear();
            Sent::Torn
        }
    };
    finish(&mut x);
    Answered { outcome, after: x.after, known: x.authenticated }
}

/// Waits for the turn of the source. The place is given back at once: it is known
/// next who asks, and users behind one address hold places of their own.
///
/// *Errors*: what the codec has refused already, and what is not let in.
async fn enter(context: &Context, asked: &Asked<'_>) -> Result<(), Refusal> {
    if let Some(refusal) = asked.refusal {
        return Err(refusal);
    }
    if context.shard.role == Role::Standby {
        return Err(SERVICE_UNAVAILABLE.closing());
    }
    if !context.identity.recorded {
        // The balancer asks how this head is, above all when it is busy.
        return Ok(());
    }
    let admission = &context.shard.admission;
    let source = Source::from(context.identity.source.ip());
    admission.sources.enter(source, COST_REQUEST).await.map(drop).map_err(|cause| admission.refuse(cause))
}

fn record(context: &Context, asked: &Asked<'_>) -> RequestRecord {
    let Identity { id, source, destination, .. } = context.identity;
    let mut record = RequestRecord::new(Side::Head, id, asked.started, source, destination);
    record.balancer_id = context.balancer_id;
    record.tls = context.tls;
    record.reuse = asked.reuse;
    // A head that was refused may be half of one and half of the last.
    if asked.refusal.is_none() {
        record.method = Some(asked.head.method());
        record.path = UrlPath::of_target(asked.head.target());
        record.trace = TraceContext::of_values(asked.head.fields_named("traceparent"))
            .map(|asker| context.shard.span(&asker));
        record.user_agent = Text::new(asked.head.field("user-agent").unwrap_or_default());
        record.phases_ns.send = Stamp::mono_now().saturating_sub(asked.started.mono_ns);
    }
    record
}

/// Nanoseconds of a unit of [`Timestamp`].
const NS_PER_UNIT: u64 = 10_000;

fn finish(x: &mut Exchange<'_>) {
    x.record.trans_id = Some(x.trans_id);
    x.record.ended_mono_ns = Stamp::mono_now();
    x.record.connection_after = x.after;
    let known = x.record.phases_ns.send + x.record.phases_ns.receive;
    x.record.phases_ns.wait = x.record.duration_ns().saturating_sub(known);
    match x.shard.common.journal_requests {
        Journaled::All => x.shard.recorder.borrow_mut().request(&x.record),
        Journaled::None => {}
    }
}
