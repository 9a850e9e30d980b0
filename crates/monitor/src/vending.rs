//! Questions to the vending service: whom a ticket speaks for, and what that user may do
//! here. The monitor opens no store.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST, HeaderValue, InvalidHeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use repono_core::time::parse_utc_seconds;
use repono_net::socket::{self, SocketOptions};
use repono_net::tls::{self, HandshakeError, TlsError};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::access::credential::Credential;
use crate::ask::{self, AskError};
use crate::config::VendingUrl;
use crate::limits::{ANSWER_HEAD_BYTES_MAX, VENDING_ANSWER_BYTES_MAX, VENDING_ASK_MAX, VENDING_TURNS};

const VIEW: &str = "repono:ViewMonitor";
const OPERATE: &str = "repono:OperateMonitor";
/// What is advised where vending gives no advice of its own.
const RETRY_S: u64 = 6;

/// What is asked.
#[derive(Serialize)]
struct Question {
    source: IpAddr,
    actions: [&'static str; 2],
}

#[derive(Deserialize)]
struct Answer {
    user: String,
    until: String,
    allowed: Vec<String>,
}

/// Whom a ticket speaks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// `account:user`.
    pub(crate) user: String,
    /// Unix seconds at which the ticket ends.
    pub(crate) until_s: u64,
    pub(crate) may_view: bool,
    pub(crate) may_operate: bool,
}

/// Why vending said nothing about a ticket that could be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VendingError {
    /// It does not hold, or is none.
    #[error("the ticket does not hold")]
    Invalid,
    #[error("too many tickets that do not hold were shown from there")]
    Limited(Duration),
    #[error("the vending service cannot be reached")]
    Connect(#[source] io::Error),
    #[error("the vending service is not the one that it should be")]
    Handshake(#[from] HandshakeError),
    #[error("the vending service did not answer in time")]
    Timeout,
    #[error("the question cannot be written")]
    Question(#[from] serde_json::Error),
    #[error("the vending service's answer cannot be used")]
    Answer(#[from] AskError),
}

impl From<InvalidHeaderValue> for VendingError {
    fn from(_: InvalidHeaderValue) -> Self {
        Self::Invalid
    }
}

/// Where the service is, and how it is recognized.
pub(crate) struct Vending {
    url: VendingUrl,
    tls: Arc<ClientConfig>,
    turns: Semaphore,
}

impl Vending {
    /// The service at `url`, with a certificate of the authority `ca_pem`.
    ///
    /// *Errors*: [`TlsError`] for an authority that cannot be read.
    pub(crate) fn new(url: VendingUrl, ca_pem: &[u8]) -> Result<Self, TlsError> {
        Ok(Self { url, tls: tls::client_config(ca_pem)?, turns: Semaphore::new(VENDING_TURNS) })
    }

    /// Asks about a ticket that came from `source`.
    ///
    /// *Errors*: [`VendingError`].
    pub(crate) async fn ask(&self, ticket: &Credential, source: IpAddr) -> Result<Told, VendingError> {
        timeout(VENDING_ASK_MAX, self.answer(ticket, source)).await.map_err(|_| VendingError::Timeout)?
    }

    async fn answer(&self, ticket: &Credential, source: IpAddr) -> Result<Told, VendingError> {
        let request = self.question(ticket, source)?;
        // It is never closed.
        let _turn = self.turns.acquire().await;
        let authority = self.url.authority();
        let mut places = tokio::net::lookup_host(&authority).await.map_err(VendingError::Connect)?;
        let nowhere = || VendingError::Connect(io::ErrorKind::AddrNotAvailable.into());
        let place = places.next().ok_or_else(nowhere)?;
        let tcp = socket::connect(place, &SocketOptions::CLIENT, VENDING_ASK_MAX).await;
        let tcp = tcp.map_err(VendingError::Connect)?;
        let (stream, _) = tls::connect(&self.tls, self.url.name(), tcp, VENDING_ASK_MAX).await?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(ANSWER_HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(AskError::from)?;
        let reply = ask::over(sender, connection, request, VENDING_ANSWER_BYTES_MAX).await?;
        told(reply.status, &reply.headers, &reply.body)
    }

    fn question(&self, ticket: &Credential, source: IpAddr) -> Result<Request<Full<Bytes>>, VendingError> {
        let question = serde_json::to_vec(&Question { source, actions: [VIEW, OPERATE] })?;
        let mut request = Request::new(Full::new(Bytes::from(question)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/v1/introspect");
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&self.url.authority())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ticket.add_to(headers)?;
        Ok(request)
    }
}

fn told(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Told, VendingError> {
    match status {
        StatusCode::OK => {
            let answer: Answer = serde_json::from_slice(body).map_err(AskError::from)?;
            let until_s = parse_utc_seconds(answer.until.as_bytes()).ok_or(AskError::Date)?;
            let may = |action: &str| answer.allowed.iter().any(|allowed| allowed == action);
            let (may_view, may_operate) = (may(VIEW), may(OPERATE));
            Ok(Told { user: answer.user, until_s, may_view, may_operate })
        }
        StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => Err(VendingError::Invalid),
        StatusCode::TOO_MANY_REQUESTS => {
            let wait = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Err(VendingError::Limited(Duration::from_secs(wait.unwrap_or(RETRY_S))))
        }
        other => Err(AskError::Status(other).into()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, StatusCode};

    use super::{Told, VendingError, told};

    #[test]
    fn an_answer_is_read_strictly() {
        let read = |status: StatusCode, body: &str| told(status, &HeaderMap::new(), body.as_bytes());
        let body = r#"{"user":"a:u","application":"p","until":"2015-08-16T01:22:43Z","allowed":["repono:ViewMonitor"]}"#;
        let wanted =
            Told { user: "a:u".to_owned(), until_s: 1_439_688_163, may_view: true, may_operate: false };
        assert_eq!(read(StatusCode::OK, body).unwrap(), wanted);
        for bad in ["", "{}", &body.replace("2015-", ""), &body.replace("[\"", "[1,\"")] {
            assert!(matches!(read(StatusCode::OK, bad), Err(VendingError::Answer(_))), "{bad}");
        }
        assert!(matches!(read(StatusCode::UNAUTHORIZED, ""), Err(VendingError::Invalid)));
        assert!(matches!(read(StatusCode::BAD_REQUEST, ""), Err(VendingError::Invalid)));
        assert!(matches!(read(StatusCode::TOO_MANY_REQUESTS, ""), Err(VendingError::Limited(_))));
        assert!(matches!(read(StatusCode::NOT_FOUND, ""), Err(VendingError::Answer(_))));
    }
}
