//! A reply: its head, its body as it comes, and what becomes of the connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use repono_core::id::ConnectionId;
use repono_core::refusal::After;
use repono_journal::{Manner, Outcome, RequestRecord, Stamp};
use tokio::time::timeout;

use crate::body::Sending;
use crate::error::{Answer, ClientError, Stage};
use crate::pool::{Host, Lease};

/// The body of a refusal is short; what is longer is not worth a connection.
const REFUSAL_BYTES_MAX: usize = 16 << 10;

/// A code in a refusal's body, such as `InsufficientStorageAvailable`.
const CODE_BYTES_MAX: usize = 64;

/// The head of a reply, and its body as it comes.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The digest of what was sent, once all of it was.
    pub(crate) sent: Arc<Sending>,
    body: Incoming,
    /// The connection, and how long it may idle afterwards.
    lease: Option<Lease>,
    idle: Option<Duration>,
    host: Arc<Host>,
    record: RequestRecord,
    head_ns: u64,
    recorded: bool,
}

impl Reply {
    pub(super) fn new(
        host: &Arc<Host>,
        mut lease: Lease,
        response: Response<Incoming>,
        mut record: RequestRecord,
        sent: Arc<Sending>,
    ) -> Self {
        let (head, body) = response.into_parts();
        if let Some(connected) = lease.connected() {
            let told = header(&head.headers, "x-repono-connection");
            if let Some(id) = told.and_then(|id| ConnectionId::parse(id.as_bytes())) {
                let _same = connected.link.balancer_id.set(id);
                record.balancer_id = Some(id);
            }
            connected.link.bytes_sent.fetch_add(sent.bytes(), Ordering::Relaxed);
        }
        record.status = Some(head.status.as_u16());
        record.bytes_in = sent.bytes();
        let idle = if may_be_kept(&head.headers, head.version, &sent) {
            host.limits.idle_after(advertised(&head.headers))
        } else {
            None
        };
        record.connection_after = if idle.is_some() { After::Keep } else { After::Close };
        Self {
            status: head.status,
            headers: head.headers,
            sent,
            body,
            lease: Some(lease),
            idle,
            host: Arc::clone(host),
            record,
            head_ns: Stamp::mono_now(),
            recorded: false,
        }
    }

    /// The next piece of the body; `None` at its end, when the connection has been
    /// given back.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            if self.lease.is_none() {
                return Ok(None);
            }
            match timeout(self.host.limits.progress, self.body.frame()).await {
                Err(_) => return Err(self.fail(ClientError::TimedOut(Stage::Receive), Manner::Timeout)),
                Ok(Some(Err(error))) => return Err(self.fail(ClientError::Broken(error), Manner::Error)),
                Ok(None) => {
                    self.complete().await;
                    return Ok(None);
                }
                Ok(Some(Ok(frame))) => {
                    // Trailers are read over: nothing in them is expected.
                    let Ok(data) = frame.into_data() else { continue };
                    self.count(data.len());
                    return Ok(Some(data));
                }
            }
        }
    }

    /// The whole body, if it has at most `max` bytes.
    pub(crate) async fn whole(&mut self, max: usize) -> Result<Bytes, ClientError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len().saturating_add(chunk.len()) > max {
                return Err(self.fail(ClientError::Protocol("a reply larger than asked for"), Manner::Kill));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Reads over a body that nobody needs, so that the connection can be kept.
    pub(crate) async fn finish(&mut self) -> Result<(), ClientError> {
        self.whole(REFUSAL_BYTES_MAX).await.map(drop)
    }

    /// What a refusal says, its body read.
    pub(crate) async fn answer(&mut self) -> Answer {
        // A refusal whose text does not arrive is still a refusal.
        let body = self.whole(REFUSAL_BYTES_MAX).await.unwrap_or_default();
        let retry_after_s = header(&self.headers, "retry-after").and_then(|value| value.parse().ok());
        let trans_id = header(&self.headers, "x-trans-id").map(clean).unwrap_or_default();
        Answer { status: self.status.as_u16(), code: code(&body), trans_id, retry_after_s }
    }

    fn count(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.record.bytes_out = self.record.bytes_out.saturating_add(bytes);
        if let Some(connected) = self.lease.as_mut().and_then(Lease::connected) {
            connected.link.bytes_received.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    async fn complete(&mut self) {
        let refused = self.status.is_client_error() || self.status.is_server_error();
        self.write_record(if refused { Outcome::Refused("Refused") } else { Outcome::Complete });
        match (self.lease.take(), self.idle) {
            (Some(lease), Some(idle)) => lease.give_back(idle).await,
            (Some(lease), None) => lease.end(Manner::FinCloseNotify),
            (None, _) => {}
        }
    }

    fn fail(&mut self, error: ClientError, manner: Manner) -> ClientError {
        let code = match manner {
            Manner::Timeout => "TimedOut",
            Manner::Kill => "TooLarge",
            Manner::Fin
            | Manner::FinCloseNotify
            | Manner::Rst
            | Manner::IdleExpiry
            | Manner::Drain
            | Manner::Age
            | Manner::RequestLimit
            | Manner::Overload
            | Manner::Error => "ConnectionBroken",
        };
        self.write_record(Outcome::Failed(code));
        match (self.lease.take(), manner) {
            (Some(lease), Manner::Error) => lease.broke(),
            (Some(lease), manner) => lease.end(manner),
            (None, _) => {}
        }
        error
    }

    fn write_record(&mut self, outcome: Outcome) {
        if self.recorded {
            return;
        }
        self.recorded = true;
        self.record.outcome = outcome;
        self.record.ended_mono_ns = Stamp::mono_now();
        self.record.phases_ns.receive = self.record.ended_mono_ns.saturating_sub(self.head_ns);
        self.host.record(&self.record);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.write_record(Outcome::Failed("Abandoned"));
    }
}

/// The code in a refusal's body: `<Code>…</Code>` of a head, or `"code":"…"` of
/// vending.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let xml =
        text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    if let Some(code) = xml {
        return clean(code);
    }
    let json: Option<VendingError> = serde_json::from_str(&text).ok();
    json.map(|json| clean(&json.error.code)).unwrap_or_default()
}

#[derive(serde::Deserialize)]
struct VendingError {
    error: VendingCode,
}

#[derive(serde::Deserialize)]
struct VendingCode {
    code: String,
}

/// What is shown of a stranger's text.
fn clean(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(CODE_BYTES_MAX).collect()
}

/// A reply before the request's end leaves the rest of the body unsent: the
/// connection cannot carry another request.
fn may_be_kept(headers: &HeaderMap, version: http::Version, sent: &Sending) -> bool {
    let options = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let close = options.flat_map(|v| v.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"));
    !close && version == http::Version::HTTP_11 && sent.done().is_some()
}

/// `Keep-Alive: timeout=SECONDS`.
fn advertised(headers: &HeaderMap) -> Option<Duration> {
    let parameters = header(headers, "keep-alive")?.split(',');
    let seconds = parameters.filter_map(|p| p.trim().split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("timeout").then(|| value.trim().parse::<u32>().ok()).flatten()
    })?;
    Some(Duration::from_secs(seconds.into()))
}

/// A header field as text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue};

    use super::{advertised, code};

    #[test]
    fn codes_are_read_from_both_kinds_of_body_and_cleaned() {
        assert_eq!(code(b"<?xml?><Error><Code>NoSuchKey</Code><Message>m</Message></Error>"), "NoSuchKey");
        assert_eq!(code(br#"{"error":{"code":"SlowDown","message":"m","hint":"h"}}"#), "SlowDown");
        assert_eq!(code(b"<Code>\x1b[31mA B</Code>"), "31mAB");
        assert_eq!(code(b"<html>busy</html>"), "");
        assert_eq!(code(format!("<Code>{}</Code>", "x".repeat(500)).as_bytes()).len(), 64);
    }

    #[test]
    fn the_advertised_time_is_read_whatever_stands_beside_it() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("keep-alive", HeaderValue::from_str(text).unwrap());
            advertised(&headers)
        };
        assert_eq!(of("timeout=55"), Some(Duration::from_secs(55)));
        assert_eq!(of("max=100, Timeout = 5"), Some(Duration::from_secs(5)));
        assert_eq!(of("timeout=-1"), None);
        assert_eq!(of("max=3"), None);
    }
}
