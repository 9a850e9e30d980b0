//! One request to the collector, and trying again.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use repono_net::tls::{self, HandshakeError, Trust, TrustError, Versions};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::config::Otlp;

/// One request, from connecting to the reply's last byte.
const REQUEST_MAX: Duration = Duration::from_secs(10);
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// How often a batch is sent; meanwhile others wait, and then are dropped.
const ATTEMPTS_MAX: u32 = 5;
/// The pause after the first attempt, doubled for the next.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest `Retry-After` that is obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// The largest reply: a count and a sentence.
const REPLY_BYTES_MAX: usize = 64 * 1024;

/// Why nothing can be sent, or was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OtlpError {
    #[error(
        "otlp.endpoint {0:?} is not of the form http://HOST:PORT or https://HOST:PORT, without a path or a user"
    )]
    Endpoint(String),
    #[error("otlp.share is {0}, and not from 0 to 1")]
    Share(f64),
    #[error("otlp.ca {path} cannot be read")]
    Authority { path: String, source: io::Error },
    #[error("TLS to the collector cannot be set up")]
    Trust(#[from] TrustError),
    #[error("the collector cannot be reached")]
    Connect(#[source] io::Error),
    #[error("no secure connection to the collector")]
    Handshake(#[from] HandshakeError),
    #[error("the collector did not answer in time")]
    Timeout,
    #[error("the exchange with the collector broke")]
    Http(#[source] hyper::Error),
    #[error("the collector's answer is too large or broke off")]
    Reply(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the collector answered with status {0}")]
    Status(StatusCode),
}

/// A collector of OpenTelemetry.
pub(crate) struct Collector {
    host: String,
    port: u16,
    authority: HeaderValue,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// What became of one attempt.
enum Attempt {
    Done(Bytes),
    /// It may fare better after a while.
    Again(OtlpError, Option<Duration>),
    Failed(OtlpError),
}

impl Collector {
    /// *Errors*: an endpoint that is none, authorities that cannot be read.
    pub(crate) fn open(config: &Otlp) -> Result<Self, OtlpError> {
        if !(0.0..=1.0).contains(&config.share) {
            return Err(OtlpError::Share(config.share));
        }
        let wrong = || OtlpError::Endpoint(without_user(&config.endpoint));
        let uri: Uri = config.endpoint.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else { return Err(wrong()) };
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = *scheme == Scheme::HTTPS;
        if !secure && *scheme != Scheme::HTTP {
            return Err(wrong());
        }
        let tls = if secure {
            let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
            Some((trust(config.ca.as_deref())?.client(Versions::Both, &[tls::ALPN_HTTP1])?, name))
        } else {
            None
        };
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        Ok(Self { host, port, authority, tls })
    }

    /// Sends spans; gives how many the collector did not take.
    pub(super) async fn traces(&self, body: Bytes) -> Result<u64, OtlpError> {
        let reply = self.post("/v1/traces", &body).await?;
        // A reply that cannot be read says that all is well: its status did.
        let reply = ExportTraceServiceResponse::decode(reply).unwrap_or_default();
        let rejected = reply.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or_default())
    }

    /// Sends metrics.
    pub(super) async fn metrics(&self, body: Bytes) -> Result<(), OtlpError> {
        self.post("/v1/metrics", &body).await.map(drop)
    }

    async fn post(&self, path: &'static str, body: &Bytes) -> Result<Bytes, OtlpError> {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS_MAX {
            match self.attempt(path, body).await {
                Attempt::Done(reply) => return Ok(reply),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(error, told) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the collector is asked again");
                    sleep(told.unwrap_or(pause).min(RETRY_AFTER_MAX)).await;
                    pause *= 2;
                }
            }
        }
        match self.attempt(path, body).await {
            Attempt::Done(reply) => Ok(reply),
            Attempt::Again(error, _) | Attempt::Failed(error) => Err(error),
        }
    }

    async fn attempt(&self, path: &'static str, body: &Bytes) -> Attempt {
        match timeout(REQUEST_MAX, self.once(path, body)).await {
            Err(_) => Attempt::Again(OtlpError::Timeout, None),
            Ok(Err(error)) => Attempt::Again(error, None),
            Ok(Ok((status, _, reply))) if status.is_success() => Attempt::Done(reply),
            // OTLP/HTTP names these four.
            Ok(Ok((status, told, _))) if matches!(status.as_u16(), 429 | 502 | 503 | 504) => {
                Attempt::Again(OtlpError::Status(status), told)
            }
            Ok(Ok((status, _, _))) => Attempt::Failed(OtlpError::Status(status)),
        }
    }

    async fn once(
        &self,
        path: &'static str,
        body: &Bytes,
    ) -> Result<(StatusCode, Option<Duration>, Bytes), OtlpError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(OtlpError::Connect)?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(path);
        let headers = request.headers_mut();
        headers.insert(HOST, self.authority.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("OTel-OTLP-Exporter-Repono/", env!("CARGO_PKG_VERSION"))),
        );
        let response = match &self.tls {
            None => exchange(stream, request).await?,
            Some((config, name)) => {
                let (stream, _) = tls::connect(config, name.clone(), stream, HANDSHAKE_MAX).await?;
                exchange(stream, request).await?
            }
        };
        Ok(response)
    }
}

/// A connection of its own for each request: there is one a second at most.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Option<Duration>, Bytes), OtlpError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(OtlpError::Http)?;
    let exchange = async {
        let response: Response<Incoming> = sender.send_request(request).await.map_err(OtlpError::Http)?;
        let status = response.status();
        let told = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(response.into_body(), REPLY_BYTES_MAX).collect().await;
        Ok((status, told.map(Duration::from_secs), body.map_err(OtlpError::Reply)?.to_bytes()))
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        ended = &mut exchange => ended,
        _ = connection => exchange.await,
    }
}

fn trust(ca: Option<&Path>) -> Result<Trust, OtlpError> {
    let Some(path) = ca else { return Ok(Trust::Machine) };
    let pem = std::fs::read(path)
        .map_err(|source| OtlpError::Authority { path: path.display().to_string(), source })?;
    Ok(Trust::Authorities(pem))
}

/// An endpoint for a message: whoever wrote a password into it finds it out, not the log.
fn without_user(endpoint: &str) -> String {
    match (endpoint.split_once("://"), endpoint.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        (None, Some((_, rest))) => format!("…@{rest}"),
        (_, None) => endpoint.to_owned(),
    }
}
