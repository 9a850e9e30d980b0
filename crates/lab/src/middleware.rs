//! A client as the incident's was: it keeps its connection, trusts it for as long as
//! it hears nothing to the contrary, waits ten seconds for an answer that does not
//! come, and then opens another. Its caller sees ten seconds and no error.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rand::rngs::StdRng;
use repono_core::id::ConnectionId;
use repono_core::request::Method;
use repono_journal::{
    ClosedBy, ConnectionRecord, Manner, Outcome, Phase, RequestRecord, Reuse, SharedRecorder, Side, Stamp,
    TcpSummary, Text, UrlPath,
};
use repono_net::socket::tcp_info;
use repono_net::tls;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::load::{Fetch, FetchError};

/// How long it waits for an answer on a connection: what the kernel of the incident's
/// machine took until it gave its peer up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The header by which a response names its connection as the journals know it.
const CONNECTION_ID: &str = "x-repono-connection";

/// Connections that it tries for one request: one that died unseen, and another.
const ATTEMPTS_MAX: u8 = 2;

/// Where it fetches what, and how it is recorded.
pub(crate) struct Target {
    /// The address that it connects to.
    pub(crate) address: SocketAddr,
    /// Whom it trusts.
    pub(crate) tls: Arc<ClientConfig>,
    /// The path that it asks for.
    pub(crate) path: String,
    /// The ticket.
    pub(crate) headers: HeaderMap,
    /// Where its records go.
    pub(crate) recorder: SharedRecorder,
}

/// What becomes of its connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It is kept for the next one.
    Open,
    /// It is closed, as the incident's client was patched to do.
    Closed,
}

/// One client.
pub(crate) struct Middleware {
    target: Arc<Target>,
    keep: Keep,
    kept: Option<Kept>,
    random: StdRng,
}

/// A connection that it has.
struct Kept {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
    /// The same socket, for what the kernel knows of it.
    socket: std::net::TcpStream,
    record: ConnectionRecord,
    /// When it was used last, by the monotonic clock.
    used_ns: u64,
}

impl Middleware {
    /// A client without a connection; `random` gives its connections their ids.
    #[must_use]
    pub(crate) fn new(target: Arc<Target>, keep: Keep, random: StdRng) -> Self {
        Self { target, keep, kept: None, random }
    }

    /// The kept connection, unless its end was announced, as every client's poll
    /// before use finds out.
    fn take_kept(&mut self) -> Option<Kept> {
        let kept = self.kept.take()?;
        if kept.sender.is_ready() {
            return Some(kept);
        }
        self.bury(kept, ClosedBy::Peer, Manner::Fin, Phase::Idle);
        None
    }

    async fn connect(&mut self) -> Result<Kept, FetchError> {
        let opened = Stamp::now();
        let tcp = timeout(PATIENCE, TcpStream::connect(self.target.address)).await;
        let tcp = tcp.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(broken)?;
        tcp.set_nodelay(true).map_err(broken)?;
        let tcp = tcp.into_std().map_err(broken)?;
        let socket = tcp.try_clone().map_err(broken)?;
        let tcp = TcpStream::from_std(tcp).map_err(broken)?;
        let ends = (socket.local_addr().map_err(broken)?, self.target.address);
        let name = ServerName::IpAddress(self.target.address.ip().into());
        let (stream, _) = tls::connect(&self.target.tls, name, tcp, PATIENCE).await.map_err(broken)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driver = tokio::spawn(async move {
            // Its end shows in the sender.
            let _ = driver.await;
        });
        let id = ConnectionId::random(&mut self.random);
        let record = ConnectionRecord::new(Side::Client, id, opened, ends.0, ends.1);
        Ok(Kept { sender, driver, socket, record, used_ns: Stamp::mono_now() })
    }

    async fn ask(&self, kept: &mut Kept) -> Result<u16, FetchError> {
        let mut request = Request::get(&self.target.path).body(Empty::new()).map_err(broken)?;
        *request.headers_mut() = self.target.headers.clone();
        let host = HeaderValue::from_str(&self.target.address.to_string()).map_err(broken)?;
        request.headers_mut().insert(HOST, host);
        if self.keep == Keep::Closed {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let answer = async {
            let response = kept.sender.send_request(request).await?;
            let status = response.status().as_u16();
            let id = response.headers().get(CONNECTION_ID).and_then(|id| ConnectionId::parse(id.as_bytes()));
            kept.record.balancer_id = id.or(kept.record.balancer_id);
            read(response.into_body()).await?;
            Ok::<_, hyper::Error>(status)
        };
        let answered = timeout(PATIENCE, answer).await;
        let status = answered.map_err(|_| broken(io::Error::from(io::ErrorKind::TimedOut)))?;
        status.map_err(broken)
    }

    /// Records a connection's end and lets it go.
    fn bury(&self, kept: Kept, by: ClosedBy, manner: Manner, phase: Phase) {
        let Kept { driver, socket, mut record, used_ns, .. } = kept;
        record.ended = record.opened.at_mono(Stamp::mono_now());
        record.closed_by = by;
        record.manner = manner;
        record.phase = phase;
        record.idle_at_close_ns = record.ended.mono_ns.saturating_sub(used_ns);
        record.tcp[0] = tcp_info(&socket).ok().map(|info| TcpSummary {
            rtt_us: info.rtt_us,
            rttvar_us: info.rttvar_us,
            retransmits: info.retransmits.into(),
            total_retrans: info.total_retrans,
            unacked: info.unacked,
            backoff: info.backoff.into(),
            last_ack_recv_ms: info.last_ack_recv_ms,
            last_data_recv_ms: info.last_data_recv_ms,
        });
        self.target.recorder.connection(&record);
        driver.abort();
    }
}

#[async_trait]
impl Fetch for Middleware {
    async fn fetch(&mut self) -> Result<(), FetchError> {
        let started = Stamp::now();
        let mut attempts = 1;
        loop {
            let (mut kept, reused) = match self.take_kept() {
                Some(kept) => (kept, true),
                None => (self.connect().await?, false),
            };
            let mut record = request_record(&kept, started, &self.target.path, reused);
            record.attempts = attempts;
            let asked_ns = Stamp::mono_now();
            let asked = self.ask(&mut kept).await;
            record.ended_mono_ns = Stamp::mono_now();
            record.balancer_id = kept.record.balancer_id;
            record.phases_ns.queue = asked_ns.saturating_sub(started.mono_ns);
            record.phases_ns.wait = record.ended_mono_ns.saturating_sub(asked_ns);
            match asked {
                Ok(status) => {
                    record.status = Some(status);
                    self.target.recorder.request(&record);
                    kept.used_ns = record.ended_mono_ns;
                    kept.record.requests += 1;
                    match self.keep {
                        Keep::Open => self.kept = Some(kept),
                        Keep::Closed => self.bury(kept, ClosedBy::Us, Manner::FinCloseNotify, Phase::Idle),
                    }
                    return if status == 200 { Ok(()) } else { Err(FetchError::Status(status)) };
                }
                Err(error) => {
                    self.bury(kept, ClosedBy::Us, Manner::Timeout, Phase::Wait);
                    let waited = Duration::from_nanos(record.phases_ns.wait);
                    record.outcome =
                        Outcome::Failed(if waited >= PATIENCE { "TimedOut" } else { "ConnectionBroken" });
                    self.target.recorder.request(&record);
                    if reused && attempts < ATTEMPTS_MAX {
                        attempts += 1;
                        continue;
                    }
                    return Err(error);
                }
            }
        }
    }

    fn restart(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.bury(kept, ClosedBy::Us, Manner::Fin, Phase::Idle);
        }
    }

    async fn finish(&mut self) {
        self.restart();
    }
}

fn request_record(kept: &Kept, started: Stamp, path: &str, reused: bool) -> RequestRecord {
    let ConnectionRecord { id, source, destination, requests, .. } = kept.record;
    let mut record = RequestRecord::new(Side::Client, id, started, source, destination);
    record.method = Some(Method::Get);
    record.path = UrlPath::of_target(path.as_bytes());
    record.user_agent = Text::new("middleware");
    if reused {
        record.reuse = Reuse::Reused {
            idle_before_ns: started.mono_ns.saturating_sub(kept.used_ns),
            requests_before: u32::try_from(requests).unwrap_or(u32::MAX),
        };
    }
    record
}

async fn read(mut body: Incoming) -> Result<(), hyper::Error> {
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FetchError {
    FetchError::Connection(error.into())
}
