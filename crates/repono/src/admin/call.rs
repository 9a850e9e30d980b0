//! One request over the administrators' socket.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::net::UnixStream;

use crate::output::failure;

/// The longest answer: all users of a large installation.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// The longest that a command may take.
const CALL_MAX: Duration = Duration::from_secs(60);

/// What is asked.
pub(super) struct Call {
    method: Method,
    target: String,
    body: Option<Value>,
}

impl Call {
    fn new(method: Method, segments: &[&str], body: Option<Value>) -> Self {
        let target = segments.iter().fold("/v1".to_owned(), |path, segment| path + "/" + &encoded(segment));
        Self { method, target, body }
    }

    pub(super) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments, None)
    }

    pub(super) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments, None)
    }

    pub(super) fn post(segments: &[&str], body: Value) -> Self {
        Self::new(Method::POST, segments, Some(body))
    }

    pub(super) fn put(segments: &[&str], body: Value) -> Self {
        Self::new(Method::PUT, segments, Some(body))
    }

    /// Narrows a list to one account.
    pub(super) fn of_account(mut self, account: Option<&str>) -> Self {
        if let Some(account) = account {
            self.target = format!("{}?account={}", self.target, encoded(account));
        }
        self
    }
}

/// What stands for itself in a path (RFC 3986 section 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(segment: &str) -> String {
    utf8_percent_encode(segment, UNRESERVED).to_string()
}

/// Asks and waits for the answer.
pub(super) async fn call(socket: &Path, call: &Call) -> Result<Value> {
    let answered = tokio::time::timeout(CALL_MAX, exchange(socket, call)).await;
    answered.with_context(|| format!("no answer within {} s", CALL_MAX.as_secs()))?
}

async fn exchange(socket: &Path, call: &Call) -> Result<Value> {
    let stream = UnixStream::connect(socket)
        .await
        .with_context(|| format!("cannot reach {}: is `repono up` running?", socket.display()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(&call.method)
        .uri(&call.target)
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))?;
    let response = sender.send_request(request).await.context("the service did not answer")?;
    let status = response.status();
    let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    let bytes = bytes.map_err(|error| anyhow::anyhow!("the answer was cut short: {error}"))?.to_bytes();
    driver.abort();
    if bytes.is_empty() && status.is_success() {
        return Ok(Value::Null);
    }
    let answer: Value =
        serde_json::from_slice(&bytes).with_context(|| format!("status {status}, and no JSON"))?;
    if status.is_success() {
        return Ok(answer);
    }
    let told = |field: &str| answer["error"][field].as_str().unwrap_or_default().to_owned();
    if told("message").is_empty() {
        bail!("status {status}: {answer}");
    }
    Err(failure("Refused", told("message"), told("hint")))
}
