//! The staged close.
//!
//! A socket that is closed with unread bytes in its queue answers with RST, and
//! the RST can erase a reply that the peer has not yet read (RFC 9112 section
//! 9.6). So this side says that it is done, reads on until the peer says the same,
//! and only then lets go.

mod late;

use std::time::Duration;

use late::Late;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes read in one step; the buffer lives only as long as the close.
const STEP_BYTES: usize = 16 * 1024;

/// How much is read on, and how long, for the peer's FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on the wire that are read and thrown away.
    pub bytes: u64,
    /// How long the peer may send nothing, its FIN included.
    pub quiet: Duration,
    /// Time from the begin of the close to the end of the socket.
    pub time: Duration,
}

impl Limits {
    /// What a well-behaved peer needs. Two seconds of network for its FIN; and as
    /// long as it sends on, time for a body that was refused while it came: many
    /// clients read the reply only once they have sent everything, and an RST before
    /// would be all that they see. 30 s bound what a place costs, 256 MiB what the
    /// processor does (a tenth of a second).
    pub const DEFAULT: Self =
        Self { bytes: 256 * 1024 * 1024, quiet: Duration::from_secs(2), time: Duration::from_secs(30) };
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
    /// Of these, what was no farewell of TLS: the peer asked for something, and
    /// after the close of a quiet connection that is a request which raced it.
    pub late: u64,
}

/// What is read on below an announced stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Bytes as they are.
    Plain,
    /// Records of TLS, farewells among them.
    Records,
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

    /// How its bytes look.
    const FORM: Form;

    /// Gives up the encryption, if there is any.
    fn into_below(self) -> Self::Below;
}

impl Announce for TcpStream {
    type Below = Self;

    const FORM: Form = Form::Plain;

    fn into_below(self) -> Self {
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Announce for tokio_rustls::server::TlsStream<S> {
    type Below = S;

    const FORM: Form = Form::Records;

    fn into_below(self) -> S {
        self.into_inner().0
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Announce for tokio_rustls::client::TlsStream<S> {
    type Below = S;

    const FORM: Form = Form::Records;

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
pub async fn staged<S: Announce>(stream: S, limits: Limits) -> StagedClose {
    let (mut discarded, mut late) = (0, Late::new(S::FORM));
    let stages = announce_and_discard(stream, limits, &mut discarded, &mut late);
    let ended = timeout(limits.time, stages).await.unwrap_or(Ended::Deadline);
    StagedClose { ended, discarded, late: late.bytes() }
}

async fn announce_and_discard(
    mut stream: impl Announce,
    limits: Limits,
    discarded: &mut u64,
    late: &mut Late,
) -> Ended {
    match timeout(limits.quiet, stream.shutdown()).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Ended::PeerReset,
        Err(_) => return Ended::Deadline,
    }
    let mut below = stream.into_below();
    let mut buffer = vec![0; STEP_BYTES];
    while *discarded < limits.bytes {
        let Ok(read) = timeout(limits.quiet, below.read(&mut buffer)).await else { return Ended::Deadline };
        match read {
            Ok(0) => return Ended::PeerFin,
            Ok(read) => {
                *discarded = discarded.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                late.note(buffer.get(..read).unwrap_or_default());
            }
            Err(_) => return Ended::PeerReset,
        }
    }
    Ended::TooMuch
}

#[cfg(test)]
mod tests;
