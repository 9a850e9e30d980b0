//! The bytes of one TLS connection: a read buffer, and writes that notice a peer
//! which takes nothing.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use repono_net::socket::{has_input, tcp_info};
use tokio::net::TcpStream;

use super::Transport;
use super::pace::Taken;
use crate::limits::{ACK_LOOK, READ_BYTES};

/// One connection after its TLS handshake.
pub(crate) struct Io {
    stream: Transport,
    input: Vec<u8>,
    start: usize,
    taken: Taken,
    /// Bytes of HTTP received.
    pub(crate) received: u64,
    /// Bytes of HTTP sent.
    pub(crate) sent: u64,
}

/// Why reading or writing ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IoEnd {
    /// The peer closed its direction.
    #[error("the peer closed the connection")]
    Eof,
    /// The peer acknowledges nothing any more.
    #[error("the peer has vanished")]
    Gone,
    /// The clock that was set for this wait ran out.
    #[error("the time for this wait is over")]
    Deadline,
    /// The transport failed: a reset, or TLS that makes no sense.
    #[error("the connection failed")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for IoEnd {
    fn from(error: io::Error) -> Self {
        // A peer that leaves without close_notify ends the stream this way.
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Eof } else { Self::Failed(error) }
    }
}

impl Io {
    pub(crate) fn new(stream: Transport) -> Self {
        Self { stream, input: Vec::new(), start: 0, taken: Taken::new(), received: 0, sent: 0 }
    }

    /// Gives up the read buffer, so that a connection holds none while it waits;
    /// `None` where bytes stand in it.
    pub(crate) fn release(&mut self) -> Option<Vec<u8>> {
        self.buffered().is_empty().then(|| {
            self.start = 0;
            std::mem::take(&mut self.input)
        })
    }

    /// Waits until something can be received, without a buffer to hold it.
    ///
    /// *Cancel safety*: nothing is lost when the future is dropped.
    pub(crate) async fn ready(&mut self, deadline: Instant) -> Result<(), IoEnd> {
        let filled = timeout_at(deadline, self.stream.fill_buf()).await.map_err(|_| IoEnd::Deadline)??;
        if filled.is_empty() { Err(IoEnd::Eof) } else { Ok(()) }
    }

    /// Receives into this empty buffer from now on, one that was used before.
    pub(crate) fn adopt(&mut self, input: Vec<u8>) {
        if self.input.is_empty() {
            self.input = input;
            self.start = 0;
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        self.stream.get_ref().0
    }

    /// Whether something of the peer is here that was not read, as of now.
    pub(super) fn has_input(&self) -> bool {
        !self.buffered().is_empty() || has_input(self.tcp())
    }

    pub(crate) fn into_stream(self) -> Transport {
        self.stream
    }

    /// The reply that comes next is taken with patience of its own.
    pub(crate) const fn begin_reply(&mut self) {
        self.taken = Taken::new();
    }

    /// What was received and not consumed yet.
    pub(crate) fn buffered(&self) -> &[u8] {
        self.input.get(self.start..).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.input.len());
        if self.start == self.input.len() {
            self.input.clear();
            self.start = 0;
        }
    }

    /// Receives more, into a buffer with at least `room` bytes free.
    ///
    /// *Cancel safety*: nothing is lost when the future is dropped.
    pub(crate) async fn fill(&mut self, room: usize, deadline: Instant) -> Result<usize, IoEnd> {
        if self.start > 0 {
            self.input.drain(..self.start);
            self.start = 0;
        }
        self.input.reserve(room.max(READ_BYTES));
        let read = self.stream.read_buf(&mut self.input);
        let n = timeout_at(deadline, read).await.map_err(|_| IoEnd::Deadline)??;
        if n == 0 {
            return Err(IoEnd::Eof);
        }
        self.received += n as u64;
        Ok(n)
    }

    /// Sends all of `bytes` and waits until the kernel has them.
    ///
    /// *Errors*: [`IoEnd::Deadline`] when the peer takes nothing for
    /// [`SEND_STALL_MAX`], or less than [`BODY_BYTES_PER_S_MIN`] after that grace,
    /// which counts for the whole reply and not for each piece; what the peer has
    /// acknowledged counts although the kernel has no room for more yet.
    /// [`IoEnd::Gone`] when it acknowledges nothing of what is sent again and again.
    ///
    /// [`SEND_STALL_MAX`]: crate::limits::SEND_STALL_MAX
    /// [`BODY_BYTES_PER_S_MIN`]: crate::limits::BODY_BYTES_PER_S_MIN
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), IoEnd> {
        let mut rest = bytes;
        let mut begun = Instant::now();
        while !rest.is_empty() {
            let look = begun + ACK_LOOK;
            match timeout_at(look.min(self.taken.deadline(begun)), self.stream.write(rest)).await {
                Ok(written) => {
                    let n = written?;
                    if n == 0 {
                        return Err(IoEnd::Failed(io::ErrorKind::WriteZero.into()));
                    }
                    self.taken.note(begun, n);
                    rest = rest.get(n..).unwrap_or_default();
                }
                Err(_) => self.look(begun)?,
            }
            begun = Instant::now();
        }
        loop {
            let look = begun + ACK_LOOK;
            match timeout_at(look.min(self.taken.deadline(begun)), self.stream.flush()).await {
                Ok(flushed) => {
                    flushed?;
                    self.taken.note(begun, 0);
                    break;
                }
                Err(_) => self.look(begun)?,
            }
            begun = Instant::now();
        }
        self.sent += bytes.len() as u64;
        Ok(())
    }

    /// The kernel has taken nothing since `begun`: asks what the peer has.
    fn look(&mut self, begun: Instant) -> Result<(), IoEnd> {
        let info = tcp_info(self.stream.get_ref().0).map_err(IoEnd::Failed)?;
        if info.peer_is_gone() {
            return Err(IoEnd::Gone);
        }
        self.taken.note_acknowledged(begun, info.bytes_acked);
        if self.taken.is_over() { Err(IoEnd::Deadline) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
