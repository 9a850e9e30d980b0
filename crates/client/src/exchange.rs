//! One request and its reply: sent, repeated once where that is safe, timed,
//! recorded.

mod reply;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{CONTENT_LENGTH, EXPECT, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use repono_core::refusal::After;
use repono_journal::{Manner, Outcome, RequestRecord, Reuse, Side, Stamp, Text, UrlPath};
use tokio::time::{Instant, sleep_until};

use crate::body::{Outgoing, Sending};
use crate::error::{ClientError, Stage};
use crate::pool::{Freshness, Host, Lease};

pub(crate) use reply::{Reply, header};

/// How the client names itself.
const AGENT: &str = concat!("repono/", env!("CARGO_PKG_VERSION"));

/// Bodies from this size on wait for the server's consent: a refusal then costs a
/// round trip instead of a megabyte.
const EXPECT_FROM_BYTES: u64 = 1 << 20;

/// A request to be sent.
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// Path and query, encoded.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Outgoing,
}

impl Ask {
    /// A request without a body.
    pub(crate) fn new(method: Method, target: String, headers: HeaderMap) -> Self {
        Self { method, target, headers, body: Outgoing::empty() }
    }
}

/// Sends a request and waits for the head of its reply.
///
/// A GET or HEAD whose reused connection ends before a reply begins is sent once
/// more, on a fresh connection (RFC 9110 section 9.2.2). Anything is sent on
/// another connection if nothing of it has been written.
pub(crate) async fn exchange(host: &Arc<Host>, ask: Ask) -> Result<Reply, ClientError> {
    let started = Stamp::now();
    let repeat = Repeat::of(&ask);
    let mut request = prepare(host, ask)?;
    let mut freshness = Freshness::Any;
    let mut attempts = 1;
    loop {
        let mut lease = host.lease(freshness).await?;
        let mut record = record(&lease_facts(&mut lease)?, started, &request, &lease);
        record.attempts = attempts;
        let sending = request.body().sending();
        match attempt(host, &mut lease, request, &sending, &mut record).await {
            Ok(response) => return Ok(Reply::new(host, lease, response, record, sending)),
            Err(failure) => {
                let reused = record.reuse != Reuse::New && freshness == Freshness::Any;
                freshness = Freshness::Fresh;
                request = match (failure, &repeat) {
                    (Failure::Unsent(request), _) if reused => {
                        lease.broke();
                        *request
                    }
                    (Failure::Broken(_), Repeat::Safe(copy)) if reused => {
                        lease.broke();
                        attempts += 1;
                        copy.request(host)?
                    }
                    (failure, _) => return Err(failed(host, lease, record, failure, &sending)),
                };
            }
        }
    }
}

/// Whether a request may be sent twice.
enum Repeat {
    /// It is safe, and this is what to send.
    Safe(Copy),
    /// It may have an effect.
    Never,
}

/// What a request without a body is made from.
struct Copy {
    method: Method,
    target: String,
    headers: HeaderMap,
}

impl Repeat {
    fn of(ask: &Ask) -> Self {
        let safe = matches!(ask.method, Method::GET | Method::HEAD);
        if safe {
            let (method, target) = (ask.method.clone(), ask.target.clone());
            Self::Safe(Copy { method, target, headers: ask.headers.clone() })
        } else {
            Self::Never
        }
    }
}

impl Copy {
    fn request(&self, host: &Host) -> Result<Request<Outgoing>, ClientError> {
        prepare(host, Ask::new(self.method.clone(), self.target.clone(), self.headers.clone()))
    }
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
    let answer = connected.sender.try_send_request(request);
    tokio::pin!(answer);
    loop {
        let (deadline, stage) = deadline(host, sending);
        tokio::select! {
            biased;
            answered = &mut answer => {
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

fn prepare(host: &Host, ask: Ask) -> Result<Request<Outgoing>, ClientError> {
    let Ask { method, target, headers, mut body } = ask;
    let uri: http::Uri =
        target.parse().map_err(|_| ClientError::Protocol("a URI that cannot be requested"))?;
    let length = body.length();
    let expect = length.is_none_or(|bytes| bytes >= EXPECT_FROM_BYTES);
    let want = expect.then(|| body.held_back(host.limits.continue_wait));
    let sends = matches!(method, Method::PUT | Method::POST);
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let fields = request.headers_mut();
    let authority = HeaderValue::from_str(&host.endpoint.authority());
    fields.insert(HOST, authority.map_err(|_| ClientError::Protocol("a host that cannot be named"))?);
    fields.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    if let Some(length) = length.filter(|_| sends) {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(want) = want {
        fields.insert(EXPECT, HeaderValue::from_static("100-continue"));
        open_on_continue(&mut request, want);
    }
    Ok(request)
}

fn open_on_continue(request: &mut Request<Outgoing>, want: tokio::sync::oneshot::Sender<()>) {
    let want = std::sync::Mutex::new(Some(want));
    hyper::ext::on_informational(request, move |reply| {
        if reply.status() == StatusCode::CONTINUE {
            let want = want.lock().ok().and_then(|mut want| want.take());
            // Patience may have run out before: then nobody waits.
            let _nobody_waits = want.map(|want| want.send(()));
        }
    });
}

/// What the record takes from the connection.
struct LeaseFacts {
    link: Arc<crate::pool::link::Link>,
}

fn lease_facts(lease: &mut Lease) -> Result<LeaseFacts, ClientError> {
    let link = lease.connected().map(|connected| Arc::clone(&connected.link));
    link.map(|link| LeaseFacts { link }).ok_or(ClientError::Busy)
}

fn record(facts: &LeaseFacts, started: Stamp, request: &Request<Outgoing>, lease: &Lease) -> RequestRecord {
    let link = &facts.link;
    let mut record = RequestRecord::new(Side::Client, link.id, started, link.source, link.destination);
    record.method = repono_core::request::Method::parse(request.method().as_str().as_bytes());
    record.path = UrlPath::of_target(request.uri().path().as_bytes());
    record.balancer_id = link.balancer_id.get().copied();
    record.reuse = lease.reuse;
    record.tls = Some(link.tls);
    record.user_agent = Text::new(AGENT);
    record.phases_ns.queue = lease.queued_ns;
    record.phases_ns.dns = lease.dialled.dns;
    record.phases_ns.connect = lease.dialled.connect;
    record.phases_ns.tls = lease.dialled.tls;
    record
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
    record.outcome = Outcome::Failed(code);
    record.ended_mono_ns = Stamp::mono_now();
    record.connection_after = After::Close;
    host.record(&record);
    error
}
