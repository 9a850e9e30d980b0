//! One try of a request on one connection: sent, timed, recorded.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use repono_core::refusal::After;
use repono_core::trace::Span;
use repono_journal::{Manner, Outcome, RequestRecord, Reuse, Side, Stamp, Text, UrlPath};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::race::Lent;
use super::{AGENT, Reply};
use crate::body::{Outgoing, Sending};
use crate::error::{ClientError, Stage};
use crate::pool::dial::{DialTimes, NoConnection};
use crate::pool::idle::IdleEnd;
use crate::pool::link::{Link, manner_of};
use crate::pool::{Freshness, Host, Lease, Permit};

/// How an attempt was lost.
pub(super) enum Lost {
    /// Its reused connection ended before a reply began.
    Reused,
    /// For a reason that another connection would not mend.
    Failed(ClientError),
}

/// Where an attempt takes its connection from.
pub(super) enum Origin {
    /// The pool, when the request's turn has come.
    Pool(Freshness),
    /// Fresh, beside the connection that the request has.
    Beside(Permit),
}

/// One attempt at a request that is safe to send twice. `reused` hears of the
/// connection, if it has carried others before.
///
/// *Cancel safety*: dropping the future ends the connection, and records the attempt
/// with the reason for which the connection was given up.
pub(super) async fn once(
    host: &Arc<Host>,
    request: Request<Outgoing>,
    from: Origin,
    number: u8,
    started: Stamp,
    reused: Option<oneshot::Sender<Lent>>,
) -> Result<Reply, Lost> {
    let lease = match from {
        Origin::Pool(freshness) => host.lease(freshness).await,
        Origin::Beside(permit) => host.lease_beside(permit).await,
    };
    let asked = Asked { started, number };
    let mut lease = lease.map_err(|none| Lost::Failed(asked.in_vain(host, *none, &request)))?;
    let facts = lease_facts(&mut lease).map_err(Lost::Failed)?;
    let mut unfinished = Unfinished { host, record: Some(asked.on(&facts, &request, &lease)), facts };
    let Unfinished { record: Some(record), facts, .. } = &mut unfinished else {
        return Err(Lost::Failed(ClientError::Busy));
    };
    let idle_before = idle_before(record);
    if let (Some(idle_before), Some(reused)) = (idle_before, reused) {
        // Nobody may be interested any more.
        let _ = reused.send(Lent { link: Arc::clone(&facts.link), idle_before, permit: lease.permit() });
    }
    let sending = request.body().sending();
    let ended = attempt(host, &mut lease, request, &sending, record).await;
    let Some(record) = unfinished.record.take() else { return Err(Lost::Failed(ClientError::Busy)) };
    match ended {
        Ok(response) => {
            host.path(|path| path.answered_after(Duration::from_nanos(record.phases_ns.wait)));
            Ok(Reply::new(host, lease, response, record, sending))
        }
        Err(failure @ (Failure::Unsent(_) | Failure::Broken(_))) if idle_before.is_some() => {
            learn(host, idle_before, Some(&failure));
            lease.broke();
            host.record(&lost(record, "ConnectionBroken"));
            Err(Lost::Reused)
        }
        Err(failure) => Err(Lost::Failed(failed(host, lease, record, failure, &sending))),
    }
}

/// Remembers how a reused connection ended under a request. An end that was there
/// before anything was written was announced in time, and teaches nothing.
fn learn(host: &Host, idle_before: Option<Duration>, failure: Option<&Failure>) {
    let (Some(idle), Some(Failure::Broken(error))) = (idle_before, failure) else { return };
    if let Some(end) = IdleEnd::of(manner_of(error)) {
        host.path(|path| path.died_after(idle, end, Instant::now()));
    }
}

/// The only attempt at a request that may have an effect: it goes to another
/// connection only while nothing of it has been written.
pub(super) async fn only(
    host: &Arc<Host>,
    mut request: Request<Outgoing>,
    number: u8,
    started: Stamp,
) -> Result<Reply, ClientError> {
    let (asked, mut freshness) = (Asked { started, number }, Freshness::Any);
    loop {
        let lease = host.lease(freshness).await;
        let mut lease = lease.map_err(|none| asked.in_vain(host, *none, &request))?;
        let mut record = asked.on(&lease_facts(&mut lease)?, &request, &lease);
        let sending = request.body().sending();
        match attempt(host, &mut lease, request, &sending, &mut record).await {
            Ok(response) => return Ok(Reply::new(host, lease, response, record, sending)),
            Err(Failure::Unsent(unsent)) if record.reuse != Reuse::New && freshness == Freshness::Any => {
                lease.broke();
                freshness = Freshness::Fresh;
                request = *unsent;
            }
            Err(failure) => {
                learn(host, idle_before(&record), Some(&failure));
                return Err(failed(host, lease, record, failure, &sending));
            }
        }
    }
}

/// How long the connection had been idle; `None` for a fresh one.
const fn idle_before(record: &RequestRecord) -> Option<Duration> {
    match record.reuse {
        Reuse::New => None,
        Reuse::Reused { idle_before_ns, .. } => Some(Duration::from_nanos(idle_before_ns)),
    }
}

/// An attempt that is recorded even if nobody waits for its end.
struct Unfinished<'h> {
    host: &'h Host,
    record: Option<RequestRecord>,
    facts: LeaseFacts,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            self.host.record(&lost(record, self.facts.link.silence().unwrap_or("Abandoned")));
        }
    }
}

fn lost(mut record: RequestRecord, code: &'static str) -> RequestRecord {
    record.outcome = Outcome::Failed(code);
    record.ended_mono_ns = Stamp::mono_now();
    record.connection_after = After::Close;
    record
}

/// How an attempt ended without a reply.
enum Failure {
    /// Nothing was written; here is the request.
    Unsent(Box<Request<Outgoing>>),
    /// The connection ended or broke.
    Broken(hyper::Error),
    /// A deadline passed.
    TimedOut(Stage),
}

/// A connection whose answer nobody waits for any more: its end is ours.
struct GivenUp(Option<Arc<Link>>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        if let Some(link) = &self.0 {
            link.ending(Manner::Kill);
        }
    }
}

async fn attempt(
    host: &Host,
    lease: &mut Lease,
    request: Request<Outgoing>,
    sending: &Sending,
    record: &mut RequestRecord,
) -> Result<Response<Incoming>, Failure> {
    let begun_ns = Stamp::mono_now();
    let Some(connected) = lease.connected() else { return Err(Failure::Unsent(Box::new(request))) };
    connected.link.uses.fetch_add(1, Ordering::Relaxed);
    let link = Arc::clone(&connected.link);
    let answer = connected.sender.try_send_request(request);
    tokio::pin!(answer);
    // Dropped before the answer, whose end its watcher would take for the peer's.
    let mut given_up = GivenUp(Some(link));
    loop {
        let (deadline, stage) = deadline(host, sending);
        tokio::select! {
            biased;
            answered = &mut answer => {
                given_up.0 = None;
                let now_ns = Stamp::mono_now();
                let sent_ns = sending.done_mono_ns().unwrap_or(begun_ns);
                record.phases_ns.send = sent_ns.saturating_sub(begun_ns);
                record.phases_ns.wait = now_ns.saturating_sub(sent_ns);
                return answered.map_err(|mut error| match error.take_message() {
                    Some(request) => Failure::Unsent(Box::new(request)),
                    None => Failure::Broken(error.into_error()),
                });
            }
            () = sleep_until(deadline) => {
                // A piece that was taken meanwhile has renewed it.
                let (now_due, _) = self::deadline(host, sending);
                if now_due <= Instant::now() {
                    given_up.0 = None;
                    return Err(Failure::TimedOut(stage));
                }
            }
        }
    }
}

/// While the body is being sent, every piece renews the deadline; after it the
/// reply has its time to begin.
fn deadline(host: &Host, sending: &Sending) -> (Instant, Stage) {
    match sending.done() {
        Some(_) => (sending.moved() + host.limits.first_byte, Stage::FirstByte),
        None => (sending.moved() + host.limits.progress, Stage::Send),
    }
}

/// What the record takes from the connection.
struct LeaseFacts {
    link: Arc<Link>,
}

fn lease_facts(lease: &mut Lease) -> Result<LeaseFacts, ClientError> {
    let link = lease.connected().map(|connected| Arc::clone(&connected.link));
    link.map(|link| LeaseFacts { link }).ok_or(ClientError::Busy)
}

/// What is recorded of every attempt.
#[derive(Clone, Copy)]
struct Asked {
    started: Stamp,
    number: u8,
}

impl Asked {
    fn on(self, facts: &LeaseFacts, request: &Request<Outgoing>, lease: &Lease) -> RequestRecord {
        let link = &facts.link;
        let record = RequestRecord::new(Side::Client, link.id, self.started, link.source, link.destination);
        let mut record = self.filled(record, request, lease.queued_ns, lease.dialled);
        record.balancer_id = link.balancer_id.get().copied();
        record.reuse = lease.reuse;
        record.tls = Some(link.tls);
        record
    }

    /// Records the attempt that got no connection.
    fn in_vain(self, host: &Host, none: NoConnection, request: &Request<Outgoing>) -> ClientError {
        let record = RequestRecord::unconnected(Side::Client, host.new_id(), self.started);
        let mut record = self.filled(record, request, none.queued_ns, none.times);
        record.destination = none.destination;
        host.record(&lost(record, none.code));
        none.error
    }

    fn filled(
        self,
        mut record: RequestRecord,
        request: &Request<Outgoing>,
        queued_ns: u64,
        dialled: DialTimes,
    ) -> RequestRecord {
        record.attempts = self.number;
        record.trace = request.extensions().get::<Span>().copied();
        record.method = repono_core::request::Method::parse(request.method().as_str().as_bytes());
        record.path = UrlPath::of_target(request.uri().path().as_bytes());
        record.user_agent = Text::new(AGENT);
        record.phases_ns.queue = queued_ns;
        record.phases_ns.dns = dialled.dns;
        record.phases_ns.connect = dialled.connect;
        record.phases_ns.tls = dialled.tls;
        record
    }
}

fn failed(
    host: &Host,
    lease: Lease,
    mut record: RequestRecord,
    failure: Failure,
    sending: &Sending,
) -> ClientError {
    let (error, code) = match failure {
        Failure::Unsent(_) => {
            lease.broke();
            let source = std::io::ErrorKind::ConnectionAborted.into();
            (ClientError::Unreachable { endpoint: host.endpoint.to_string(), source }, "ConnectionBroken")
        }
        Failure::Broken(error) => {
            lease.broke();
            match sending.take_failure() {
                Some(source) => {
                    (ClientError::Local { path: "the upload's source".into(), source }, "SourceFailed")
                }
                None => (ClientError::Broken(error), "ConnectionBroken"),
            }
        }
        Failure::TimedOut(stage) => {
            lease.end(Manner::Timeout);
            (ClientError::TimedOut(stage), "TimedOut")
        }
    };
    record.bytes_in = sending.bytes();
    host.record(&lost(record, code));
    error
}
