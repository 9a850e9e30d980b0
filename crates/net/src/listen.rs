//! Listening sockets, and an accept loop that outlives a shortage of descriptors.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::drain::{DrainSignal, Guard, Until};
use crate::socket::SocketOptions;

mod fault;

use fault::{Answer, Backoff};

/// Connections that the kernel completes ahead of [`Acceptor::accept`]. A full
/// queue drops the last packet of a handshake silently, so the client believes in
/// a connection that nobody has; Linux caps the figure at `net.core.somaxconn`,
/// 4096 by default.
pub const BACKLOG: i32 = 4096;

/// The most that is taken out of a queue when the listener closes.
const QUEUED_MAX: usize = BACKLOG as usize;

/// Opens a listening socket, non-blocking, that can be bound again at once after a
/// restart. Connections inherit [`SocketOptions::SERVER`] from it.
///
/// `backlog` is [`BACKLOG`] except in tests. `[::]` takes IPv4 as well.
///
/// *Errors*: the kernel's: the address is in use, is not this machine's, or needs
/// a privilege.
pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    SocketOptions::SERVER.apply(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

/// One connection, as it came out of the queue.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, on the acceptor's runtime; `into_std` and `from_std` move it to
    /// another.
    pub stream: TcpStream,
    /// Who connected; an IPv4 peer of an IPv6 socket is written as IPv4.
    pub source: SocketAddr,
    /// The address that it connected to.
    pub destination: SocketAddr,
}

/// Takes connections out of a listener's queue.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    bound: SocketAddr,
    backoff: Backoff,
}

impl Acceptor {
    /// An acceptor on the current runtime.
    ///
    /// *Errors*: the kernel's. Panics outside a tokio runtime, as tokio does.
    pub fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok(Self { listener: TcpListener::from_std(listener)?, bound, backoff: Backoff::default() })
    }

    /// The address of the listener, with the port that the kernel chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.bound
    }

    /// The next connection. A connection that died in the queue is passed over; a
    /// shortage of descriptors or memory is waited out, 50 ms at first.
    ///
    /// *Errors*: only those after which the listener is of no use.
    /// *Cancel safety*: no connection is lost.
    pub async fn accept(&mut self) -> io::Result<Accepted> {
        let Self { listener, bound, backoff } = self;
        loop {
            let (stream, source) = patient(backoff, || listener.accept()).await?;
            if let Ok(accepted) = Accepted::new(stream, source, *bound) {
                return Ok(accepted);
            }
        }
    }

    /// What the queue holds, without waiting; the listener closes with the last.
    fn into_queued(self) -> impl Iterator<Item = Accepted> {
        let Self { listener, bound, backoff: _ } = self;
        // Straight to the kernel: the runtime may not have heard of it yet.
        let listener = listener.into_std();
        let queued = std::iter::from_fn(move || listener.as_ref().ok()?.accept().ok());
        queued.take(QUEUED_MAX).filter_map(move |(stream, source)| {
            stream.set_nonblocking(true).ok()?;
            Accepted::new(TcpStream::from_std(stream).ok()?, source, bound).ok()
        })
    }
}

impl Accepted {
    /// *Errors*: the connection has been reset, so that its address is gone.
    fn new(stream: TcpStream, source: SocketAddr, bound: SocketAddr) -> io::Result<Self> {
        let destination = if bound.ip().is_unspecified() { stream.local_addr()? } else { bound };
        Ok(Self { stream, source: canonical(source), destination: canonical(destination) })
    }
}

/// Hands every connection to `hand_over`, with the guard that the drain counts it
/// by, until the drain is as far as `until`; then what the queue still holds, and
/// closes the listener.
///
/// *Errors*: those of [`Acceptor::accept`].
pub async fn accept_loop<F>(
    mut acceptor: Acceptor,
    signal: DrainSignal,
    until: Until,
    mut hand_over: F,
) -> io::Result<()>
where
    F: FnMut(Accepted, Guard),
{
    let mut stop = signal.clone();
    loop {
        tokio::select! {
            biased;
            () = stop.reached(until) => break,
            accepted = acceptor.accept() => hand_over(accepted?, signal.guard()),
        }
    }
    // Closing a listener resets what is in its queue, and the clients in there
    // believe that they are connected.
    for accepted in acceptor.into_queued() {
        hand_over(accepted, signal.guard());
    }
    Ok(())
}

/// Repeats `accept` over the errors that pass.
async fn patient<T, F>(backoff: &mut Backoff, mut accept: impl FnMut() -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    loop {
        let error = match accept().await {
            Ok(accepted) => {
                backoff.relieve();
                return Ok(accepted);
            }
            Err(error) => error,
        };
        match Answer::to(&error) {
            Answer::PassOver => {}
            Answer::WaitOut => {
                if backoff.is_new() {
                    tracing::warn!(%error, "short of resources: no connections are accepted for now");
                }
                let pause = backoff.pause();
                tokio::time::sleep(pause).await;
            }
            Answer::GiveUp => return Err(error),
        }
    }
}

/// `::ffff:192.0.2.1` is `192.0.2.1`: one peer, one spelling, in caps, scopes and
/// journals.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => SocketAddr::from((ip, address.port())),
            None => address,
        },
    }
}

#[cfg(test)]
mod tests;
