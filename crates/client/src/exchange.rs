//! One request and its reply: sent, repeated once where that is safe, timed,
//! recorded.

mod attempt;
mod race;
mod reply;

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, EXPECT, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use repono_journal::Stamp;
use tokio::time::timeout;

use crate::body::Outgoing;
use crate::error::{ClientError, Stage};
use crate::pool::Host;
use crate::trace::Trace;

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
    /// Which attempt of its caller it is, from 1.
    pub(crate) number: u8,
    pub(crate) trace: Trace,
}

impl Ask {
    /// A request without a body.
    pub(crate) fn new(method: Method, target: String, headers: HeaderMap, trace: Trace) -> Self {
        Self { method, target, headers, body: Outgoing::empty(), number: 1, trace }
    }
}

/// Sends a request and waits for the head of its reply.
///
/// A GET or HEAD is sent once more, on a fresh connection, when its reused one ends
/// before a reply begins (RFC 9110 section 9.2.2) or falls silent. Anything is sent
/// on another connection if nothing of it has been written.
///
/// *Errors*: [`ClientError::TimedOut`] after [`Limits::request`](crate::Limits) where
/// there is no body, whatever it was that took so long.
pub(crate) async fn exchange(host: &Arc<Host>, ask: Ask) -> Result<Reply, ClientError> {
    let bare = ask.body.length() == Some(0);
    // Two attempts with two handshakes each are too much for the stacks of callers.
    let exchanged = Box::pin(within(host, ask));
    if !bare {
        return exchanged.await;
    }
    let exchanged = timeout(host.limits.request, exchanged).await;
    exchanged.unwrap_or(Err(ClientError::TimedOut(Stage::Request)))
}

async fn within(host: &Arc<Host>, ask: Ask) -> Result<Reply, ClientError> {
    let started = Stamp::now();
    match Copy::of(&ask) {
        Some(copy) => race::run(host, &copy, started).await,
        None => {
            let number = ask.number;
            attempt::only(host, prepare(host, ask)?, number, started).await
        }
    }
}

/// What a request is made from that is safe to send twice.
struct Copy {
    method: Method,
    target: String,
    headers: HeaderMap,
    /// Which attempt of its caller the first is.
    number: u8,
    trace: Trace,
}

impl Copy {
    /// `None` for a request that may have an effect.
    fn of(ask: &Ask) -> Option<Self> {
        let safe = matches!(ask.method, Method::GET | Method::HEAD);
        safe.then(|| Self {
            method: ask.method.clone(),
            target: ask.target.clone(),
            headers: ask.headers.clone(),
            number: ask.number,
            trace: ask.trace.clone(),
        })
    }

    fn request(&self, host: &Host) -> Result<Request<Outgoing>, ClientError> {
        let Self { method, target, headers, trace, .. } = self;
        prepare(host, Ask::new(method.clone(), target.clone(), headers.clone(), trace.clone()))
    }
}

fn prepare(host: &Host, ask: Ask) -> Result<Request<Outgoing>, ClientError> {
    let Ask { method, target, headers, mut body, number: _, trace } = ask;
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
    let span = host.enter(&trace, request.headers_mut());
    // For the attempt's record.
    request.extensions_mut().insert(span);
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
