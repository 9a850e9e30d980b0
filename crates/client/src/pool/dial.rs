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
use repono_net::tls;
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

/// What opening took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DialTimes {
    pub(crate) dns: u64,
    pub(crate) connect: u64,
    pub(crate) tls: u64,
}

pub(crate) struct Dialled {
    pub(crate) connected: Connected,
    pub(crate) driver: http1::Connection<Io, Outgoing>,
    pub(crate) times: DialTimes,
}

/// Name look-up, TCP, TLS, HTTP, each within its limit. Where a handshake is not
/// answered soon, another connection is tried beside it, and the first one that
/// stands is taken: nothing was asked for yet.
pub(crate) async fn dial(host: &Host) -> Result<Dialled, ClientError> {
    let opened = Stamp::now();
    let addresses = resolve(host).await.map_err(|source| unreachable(host, source))?;
    let connected = AtomicBool::new(false);
    let mut first = pin!(open(host, &addresses, opened, &connected));
    tokio::select! {
        biased;
        ended = &mut first => return ended,
        () = unanswered(&connected) => {}
    }
    let other = AtomicBool::new(false);
    let mut second = pin!(open(host, &addresses, opened, &other));
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

fn unreachable(host: &Host, source: io::Error) -> ClientError {
    ClientError::Unreachable { endpoint: host.endpoint.to_string(), source }
}

/// One connection, from TCP to HTTP.
async fn open(
    host: &Host,
    addresses: &[SocketAddr],
    opened: Stamp,
    connected: &AtomicBool,
) -> Result<Dialled, ClientError> {
    let unreachable = |source| unreachable(host, source);
    let begun_ns = Stamp::mono_now();
    let stream = connect(host, addresses).await.map_err(unreachable)?;
    connected.store(true, Ordering::Relaxed);
    let connected_ns = Stamp::mono_now();
    let ends = (stream.local_addr().map_err(unreachable)?, stream.peer_addr().map_err(unreachable)?);
    // Without it the connection serves, and is only not watched.
    let socket = stream.as_fd().try_clone_to_owned().ok();
    let name = host.endpoint.server_name();
    let (stream, facts) = tls::connect(&host.tls, name, stream, host.limits.tls)
        .await
        .map_err(|source| ClientError::Tls { endpoint: host.endpoint.to_string(), source })?;
    let secured_ns = Stamp::mono_now();
    let (sender, driver) = http1::Builder::new()
        .max_buf_size(REPLY_HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(ClientError::Broken)?;
    let link = Arc::new(Link::new(host.new_id(), opened, ends, facts, socket));
    let times = DialTimes {
        dns: begun_ns.saturating_sub(opened.mono_ns),
        connect: connected_ns.saturating_sub(begun_ns),
        tls: secured_ns.saturating_sub(connected_ns),
    };
    Ok(Dialled { connected: Connected { sender, link }, driver, times })
}

async fn resolve(host: &Host) -> io::Result<Vec<SocketAddr>> {
    let lookup = tokio::net::lookup_host((host.endpoint.host(), host.endpoint.port()));
    let found = timeout(host.limits.connect, lookup).await??;
    Ok(found.take(ADDRESSES_MAX).collect())
}

/// Tries one address after the other; the last error is the one that is told.
async fn connect(host: &Host, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match socket::connect(*address, &SocketOptions::CLIENT, host.limits.connect).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
