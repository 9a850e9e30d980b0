//! The staged close.
//!
//! A socket that is closed with unread bytes in its queue answers with RST, and
//! the RST can erase a reply that the peer has not yet read (RFC 9112 section
//! 9.6). So this side says that it is done, reads on until the peer says the same,
//! and only then lets go.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes read in one step; the buffer lives only as long as the close.
const STEP_BYTES: usize = 4096;

/// How much is read on, and how long, for the peer's FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on the wire that are read and thrown away.
    pub bytes: u64,
    /// Time from the begin of the close to the end of the socket.
    pub time: Duration,
}

impl Limits {
    /// What a well-behaved peer needs: the request that was under way, and two
    /// seconds of network. A body that is refused while it comes fills the buffers
    /// of two TCP connections in a row, 4 MiB to send and 6 MiB to receive each by
    /// Linux's defaults, and most clients read the reply only once all of that is
    /// taken; the RST of a close before would be all that they see.
    pub const DEFAULT: Self = Self { bytes: 32 * 1024 * 1024, time: Duration::from_secs(2) };
}

/// How a staged close ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer closed too: it has read everything.
    PeerFin,
    /// The peer reset the connection.
    PeerReset,
    /// The peer did not close in time.
    Deadline,
    /// The peer went on sending.
    TooMuch,
}

/// The end of a connection, for the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StagedClose {
    /// How it ended.
    pub ended: Ended,
    /// Bytes on the wire that the peer sent in the meantime, thrown away.
    pub discarded: u64,
}

/// A stream whose shutdown says that this side is done, and which can then be read
/// on below its encryption.
///
/// What the peer still sends is nobody's any more, so it is not decrypted: that
/// would cost, and rustls takes a faulty record after its own close_notify for a
/// fault of the caller.
pub trait Announce: AsyncRead + AsyncWrite + Unpin {
    /// What is below.
    type Below: AsyncRead + Unpin;

    /// Gives up the encryption, if there is any.
    fn into_below(self) -> Self::Below;
}

impl Announce for TcpStream {
    type Below = Self;

    fn into_below(self) -> Self {
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Announce for tokio_rustls::server::TlsStream<S> {
    type Below = S;

    fn into_below(self) -> S {
        self.into_inner().0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Announce for tokio_rustls::client::TlsStream<S> {
    type Below = S;

    fn into_below(self) -> S {
        self.into_inner().0
    }
}

/// Sends close_notify (TLS) and FIN, reads on and discards until the peer's FIN or
/// the limits, then closes.
///
/// The caller has flushed its reply.
///
/// *Cancel safety*: dropping the future closes at once, perhaps with RST.
pub async fn staged(stream: impl Announce, limits: Limits) -> StagedClose {
    let mut discarded = 0;
    let stages = announce_and_discard(stream, limits.bytes, &mut discarded);
    let ended = timeout(limits.time, stages).await.unwrap_or(Ended::Deadline);
    StagedClose { ended, discarded }
}

async fn announce_and_discard(mut stream: impl Announce, limit: u64, discarded: &mut u64) -> Ended {
    if stream.shutdown().await.is_err() {
        return Ended::PeerReset;
    }
    let mut below = stream.into_below();
    let mut buffer = vec![0; STEP_BYTES];
    while *discarded < limit {
        match below.read(&mut buffer).await {
            Ok(0) => return Ended::PeerFin,
            Ok(read) => *discarded = discarded.saturating_add(u64::try_from(read).unwrap_or(u64::MAX)),
            Err(_) => return Ended::PeerReset,
        }
    }
    Ended::TooMuch
}

#[cfg(test)]
mod tests;
