//! Opening a connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use repono_journal::Stamp;
use repono_net::socket::{self, SocketOptions};
use repono_net::tls::{self, HandshakeError};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::body::Outgoing;
use crate::error::ClientError;
use crate::pool::Host;
use crate::pool::link::{Connected, Io, Link};

/// Addresses of one name that are tried: more are other entrances to the same
/// service, and each may cost a connect time-out.
const ADDRESSES_MAX: usize = 4;

/// The head of a reply beyond this is not ours.
const REPLY_HEAD_BYTES_MAX: usize = 64 << 10;

/// A SYN that is not answered by then was lost, or waits in a full queue; the kernel
/// would send it again after a second.
const SYN_ANSWERED: Duration = Duration::from_millis(250);

/// A server that has not answered a hello by then stands still.
const HELLO_ANSWERED: Duration = Duration::from_secs(1);

const CONNECT_FAILED: &str = "ConnectFailed";

/// What opening took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DialTimes {
    pub(crate) dns: u64,
    pub(crate) connect: u64,
    pub(crate) tls: u64,
}

/// There is no connection.
pub(crate) struct NoConnection {
    pub(crate) error: ClientError,
    /// Why, in the journal's word.
    pub(crate) code: &'static str,
    /// What was tried last.
    pub(crate) destination: Option<SocketAddr>,
    /// How long the request waited for its turn.
    pub(crate) queued_ns: u64,
    /// How far it came.
    pub(crate) times: DialTimes,
}

pub(crate) struct Dialled {
    pub(crate) connected: Connected,
    pub(crate) driver: http1::Connection<Io, Outgoing>,
    pub(crate) times: DialTimes,
}

/// Name look-up, TCP, TLS, HTTP, each within its limit. Where a handshake is not
/// answered soon, another connection is tried beside it, and the first one that
/// stands is taken: nothing was asked for yet.
pub(crate) async fn dial(host: &Host) -> Result<Dialled, Box<NoConnection>> {
    let opened = Stamp::now();
    let mut way = Way { host, step_ns: opened.mono_ns, times: DialTimes::default(), destination: None };
    let resolved = resolve(host).await;
    way.times.dns = way.step();
    let addresses = resolved.map_err(|source| way.unreachable(source, "NameNotResolved"))?;
    let connected = AtomicBool::new(false);
    let mut first = pin!(open(way, &addresses, opened, &connected));
    tokio::select! {
        biased;
        ended = &mut first => return ended,
        () = unanswered(&connected) => {}
    }
    let other = AtomicBool::new(false);
    let mut second = pin!(open(Way { step_ns: Stamp::mono_now(), ..way }, &addresses, opened, &other));
    tokio::select! {
        ended = &mut first => match ended {
            Ok(dialled) => Ok(dialled),
            Err(_) => second.await,
        },
        ended = &mut second => match ended {
            Ok(dialled) => Ok(dialled),
            Err(_) => first.await,
        },
    }
}

/// Completes when a handshake takes longer than an answer.
async fn unanswered(connected: &AtomicBool) {
    sleep(SYN_ANSWERED).await;
    if connected.load(Ordering::Relaxed) {
        sleep(HELLO_ANSWERED - SYN_ANSWERED).await;
    }
}

impl NoConnection {
    /// Every place of the pool was taken for too long.
    pub(crate) fn busy() -> Box<Self> {
        let times = DialTimes::default();
        Box::new(Self { error: ClientError::Busy, code: "PoolBusy", destination: None, queued_ns: 0, times })
    }
}

/// How far the opening of a connection has come.
#[derive(Clone, Copy)]
struct Way<'h> {
    host: &'h Host,
    /// When the last step ended.
    step_ns: u64,
    times: DialTimes,
    destination: Option<SocketAddr>,
}

impl Way<'_> {
    /// How long the step took that ends now.
    fn step(&mut self) -> u64 {
        let begun_ns = std::mem::replace(&mut self.step_ns, Stamp::mono_now());
        self.step_ns.saturating_sub(begun_ns)
    }

    fn ends(&self, error: ClientError, code: &'static str) -> Box<NoConnection> {
        let Self { times, destination, .. } = *self;
        Box::new(NoConnection { error, code, destination, queued_ns: 0, times })
    }

    fn unreachable(&self, source: io::Error, code: &'static str) -> Box<NoConnection> {
        self.ends(ClientError::Unreachable { endpoint: self.host.endpoint.to_string(), source }, code)
    }
}

/// One connection, from TCP to HTTP.
async fn open(
    mut way: Way<'_>,
    addresses: &[SocketAddr],
    opened: Stamp,
    connected: &AtomicBool,
) -> Result<Dialled, Box<NoConnection>> {
    let host = way.host;
    let stream = connect(host, addresses, &mut way.destination).await;
    way.times.connect = way.step();
    let stream = stream.map_err(|source| {
        let code = connect_code(source.kind());
        way.unreachable(source, code)
    })?;
    connected.store(true, Ordering::Relaxed);
    let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
    let ends = ends.map_err(|source| way.unreachable(source, CONNECT_FAILED))?;
    // Without it the connection serves, and is only not watched.
    let socket = stream.as_fd().try_clone_to_owned().ok();
    let secured = tls::connect(&host.tls, host.endpoint.server_name(), stream, host.limits.tls).await;
    way.times.tls = way.step();
    let (stream, facts) = secured.map_err(|source| {
        let code = match &source {
            HandshakeError::Timeout => "HandshakeTimedOut",
            HandshakeError::Failed(_) => "HandshakeFailed",
        };
        way.ends(ClientError::Tls { endpoint: host.endpoint.to_string(), source }, code)
    })?;
    let (sender, driver) = http1::Builder::new()
        .max_buf_size(REPLY_HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|source| way.ends(ClientError::Broken(source), "ConnectionBroken"))?;
    let link = Arc::new(Link::new(host.new_id(), opened, ends, facts, socket));
    Ok(Dialled { connected: Connected { sender, link }, driver, times: way.times })
}

const fn connect_code(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "ConnectRefused",
        io::ErrorKind::TimedOut => "ConnectTimedOut",
        _ => CONNECT_FAILED,
    }
}

async fn resolve(host: &Host) -> io::Result<Vec<SocketAddr>> {
    let lookup = tokio::net::lookup_host((host.endpoint.host(), host.endpoint.port()));
    let found = timeout(host.limits.connect, lookup).await??;
    Ok(found.take(ADDRESSES_MAX).collect())
}

/// Tries one address after the other; the last error is the one that is told.
async fn connect(
    host: &Host,
    addresses: &[SocketAddr],
    tried: &mut Option<SocketAddr>,
) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        *tried = Some(*address);
        match socket::connect(*address, &SocketOptions::CLIENT, host.limits.connect).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
