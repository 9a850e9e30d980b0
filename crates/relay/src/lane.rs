//! One direction of a relayed connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Interval, interval};

use crate::buffer::{Buffer, Size};
use crate::observer::Observer;
use crate::tap::Tap;

/// Reads and writes in a row before other connections get their turn: 1 MiB of a
/// transfer, some 200 µs.
const STEPS_IN_A_ROW_MAX: usize = 16;

/// How often a socket is looked at whose FIN was lost: an end of file stays readable,
/// so the kernel does not announce the RST after it.
const DEAF_LOOK: Duration = Duration::from_millis(10);

/// Where one direction stands.
pub(crate) enum Lane {
    /// Waits for bytes, to be read into a buffer of this size. Left for `Holding` by
    /// bytes, for `Finished` by FIN; a read error ends the whole connection.
    Open(Size),
    /// Has bytes to write. Left for `Open` when all are written, for `Severed` when
    /// none can be.
    Holding(Held),
    /// The FIN was passed on. Final.
    Finished,
    /// The FIN was lost on the way. The source's socket is looked at by this clock
    /// for the RST that answers what still comes for it, which ends the whole
    /// connection.
    Deaf(Box<Interval>),
    /// The side to write to is gone. Final for this direction; what that side had
    /// sent before is still read by the other one.
    Severed(io::ErrorKind),
}

/// Why a lane stopped to move.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// The source has sent FIN, and all its bytes are written.
    Fin,
    /// The source's socket has failed.
    Failed(io::ErrorKind),
}

impl Lane {
    /// A lane whose FIN was lost.
    pub(crate) fn deaf() -> Self {
        Self::Deaf(Box::new(interval(DEAF_LOOK)))
    }

    /// Whether bytes are in hand.
    pub(crate) const fn is_holding(&self) -> bool {
        match self {
            Self::Holding(_) => true,
            Self::Open(_) | Self::Finished | Self::Deaf(_) | Self::Severed(_) => false,
        }
    }

    /// Whether nothing will move here any more.
    pub(crate) const fn is_over(&self) -> bool {
        match self {
            Self::Finished | Self::Deaf(_) | Self::Severed(_) => true,
            Self::Open(_) | Self::Holding(_) => false,
        }
    }

    /// Moves what can be moved from `source` to `sink`. Ready when the source has
    /// stopped; never ready once the lane is over.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut TcpStream,
        sink: &mut TcpStream,
        tap: &mut Tap<'_, impl Observer>,
    ) -> Poll<Stop> {
        for _ in 0..STEPS_IN_A_ROW_MAX {
            match self {
                Self::Finished | Self::Severed(_) => return Poll::Pending,
                Self::Deaf(clock) => {
                    ready!(clock.poll_tick(cx));
                    if let Ok(Some(error)) | Err(error) = source.take_error() {
                        return Poll::Ready(Stop::Failed(error.kind()));
                    }
                }
                Self::Open(size) => {
                    ready!(tap.admit(cx));
                    match ready!(Held::poll_read(cx, source, *size)) {
                        Ok(held) if held.rest().is_empty() => return Poll::Ready(Stop::Fin),
                        Ok(held) => {
                            tap.moved(held.rest());
                            *self = Self::Holding(held);
                        }
                        Err(error) => return Poll::Ready(Stop::Failed(error.kind())),
                    }
                }
                Self::Holding(held) => match ready!(held.poll_write(cx, sink, tap)) {
                    Ok(Pace::AtOnce) => *self = Self::Open(held.next_size()),
                    Ok(Pace::Delayed) => {
                        tap.drained();
                        *self = Self::Open(held.next_size());
                    }
                    Err(error) => *self = Self::Severed(error.kind()),
                },
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Bytes that were read and not all written.
pub(crate) struct Held {
    buffer: Buffer,
    written: usize,
    filled: usize,
    pace: Pace,
}

/// Whether bytes had to wait for their reader.
#[derive(Clone, Copy)]
enum Pace {
    AtOnce,
    Delayed,
}

impl Held {
    /// Waits until the source is readable, and only then takes a buffer.
    fn poll_read(cx: &mut Context<'_>, source: &mut TcpStream, size: Size) -> Poll<io::Result<Self>> {
        ready!(source.poll_read_ready(cx))?;
        let mut buffer = Buffer::take(size);
        let mut room = ReadBuf::new(&mut buffer);
        ready!(Pin::new(source).poll_read(cx, &mut room))?;
        let filled = room.filled().len();
        Poll::Ready(Ok(Self { buffer, written: 0, filled, pace: Pace::AtOnce }))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut TcpStream,
        tap: &mut Tap<'_, impl Observer>,
    ) -> Poll<io::Result<Pace>> {
        while !self.rest().is_empty() {
            let Poll::Ready(may) = tap.release(self.rest(), cx) else {
                self.pace = Pace::Delayed;
                return Poll::Pending;
            };
            let piece = self.rest().get(..may).unwrap_or(self.rest());
            match Pin::new(&mut *sink).poll_write(cx, piece) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    tap.passed(piece.get(..count).unwrap_or(piece));
                    self.written = self.written.saturating_add(count);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.pace = Pace::Delayed;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(self.pace))
    }

    /// A transfer shows in a read that a small buffer would not have held.
    const fn next_size(&self) -> Size {
        if self.filled >= Size::Small.bytes() { Size::Large } else { Size::Small }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.written..self.filled).unwrap_or_default()
    }
}
