//! What is set on a socket, how one is opened, and how one is reset.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

mod getsockopt;
mod tcp_info;

pub use tcp_info::{TcpInfo, TcpState, tcp_info};

/// How the kernel asks a quiet peer whether it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Quiet time before the first question; whole seconds.
    pub idle: Duration,
    /// Time between questions; whole seconds.
    pub interval: Duration,
    /// Unanswered questions after which the connection is dead.
    pub count: u32,
}

/// What is set on every socket. `TCP_NODELAY` is not a choice: a peer that waits
/// for an acknowledgement before it sends the rest stalls each turn by 40 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// TCP keepalive.
    pub keepalive: Keepalive,
    /// How long sent bytes may stay unacknowledged, or the peer's window closed
    /// (`TCP_USER_TIMEOUT`); zero leaves it to the kernel. It also replaces [`Keepalive::count`] in the kernel.
    pub user_timeout: Duration,
}

/// Quiet seconds before a server asks its peer: holds a connection open through
/// every middlebox that drops idle flows silently (the shortest known limit is 60 s).
pub const KEEPALIVE_S: NonZeroU16 = match NonZeroU16::new(30) {
    Some(seconds) => seconds,
    None => NonZeroU16::MIN,
};

/// The longest that Linux lets a connection be quiet before it asks (`MAX_TCP_KEEPIDLE`).
const ASKED_LAST: Duration = Duration::from_secs(32_767);

impl SocketOptions {
    /// For accepted connections, and for the balancer's connections to heads.
    ///
    /// Keepalive after [`KEEPALIVE_S`]. 75 s of user timeout frees a vanished peer; a shorter one would cut a peer that merely
    /// pauses reading.
    pub const SERVER: Self = Self {
        keepalive: Keepalive {
            idle: Duration::from_secs(KEEPALIVE_S.get() as u64),
            interval: Duration::from_secs(10),
            count: 3,
        },
        user_timeout: Duration::from_secs(75),
    };

    /// For a client's pooled connections: asks earlier, because a client loses
    /// more by a dead connection than a server does.
    pub const CLIENT: Self = Self {
        keepalive: Keepalive { idle: Duration::from_secs(15), interval: Duration::from_secs(5), count: 3 },
        user_timeout: Duration::from_secs(75),
    };

    /// For whoever only measures: nothing is asked that would keep a quiet connection
    /// known on the way, and nothing is given up before the kernel's own limits.
    pub const BYSTANDER: Self = Self {
        keepalive: Keepalive { idle: ASKED_LAST, interval: Duration::from_secs(10), count: 3 },
        user_timeout: Duration::ZERO,
    };

    /// The same, asking a quiet peer after `idle`, and again as often at least.
    #[must_use]
    pub fn asking_after(self, idle: Duration) -> Self {
        let interval = self.keepalive.interval.min(idle);
        Self { keepalive: Keepalive { idle, interval, ..self.keepalive }, ..self }
    }

    /// Sets the options on a socket. On a socket that will listen they pass to
    /// every connection that it accepts (Linux copies them).
    pub(crate) fn apply(&self, socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        let keepalive = TcpKeepalive::new()
            .with_time(self.keepalive.idle)
            .with_interval(self.keepalive.interval)
            .with_retries(self.keepalive.count);
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_keepalive(&keepalive)?;
        socket.set_tcp_user_timeout(Some(self.user_timeout))
    }
}

/// Sets the options on a connection or a listener that has others, such as an
/// inherited one; connections take over those of their listener.
///
/// *Errors*: the kernel's; a connection that the peer has already reset can
/// refuse an option.
pub fn prepare_accepted(stream: &impl AsFd, options: &SocketOptions) -> io::Result<()> {
    options.apply(stream)
}

/// Opens a connection with the options set before the first packet.
///
/// *Errors*: the kernel's; [`io::ErrorKind::TimedOut`] after `limit`.
/// *Cancel safety*: dropping the future closes the half-open socket.
pub async fn connect(address: SocketAddr, options: &SocketOptions, limit: Duration) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    options.apply(&socket)?;
    timeout(limit, socket.connect(address)).await?
}

/// Whether bytes of the peer, or its FIN, are here and not read, whatever the runtime
/// has heard of it. For the last look before a close that would race them.
///
/// *Cost*: one system call.
#[must_use]
pub fn has_input(stream: &TcpStream) -> bool {
    // An error is for whoever reads next.
    SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]).is_ok()
}

/// Ends a connection with RST, discarding what was not yet sent: for a peer whose
/// other side was cut, so that it cannot take a torn stream for a whole one. Given
/// a reference, the RST goes out when the owner drops the socket.
pub fn reset(stream: impl AsFd) {
    if let Err(error) = SockRef::from(&stream).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(%error, "the connection is closed without RST");
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::assert_options;
