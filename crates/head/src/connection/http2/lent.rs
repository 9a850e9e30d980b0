//! A transport that h2 uses and that comes back when it is done, so that the end
//! of the connection is ours.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use repono_net::socket::{TcpInfo, tcp_info};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::Transport;
use super::meter::Meter;

/// The borrower's side; every byte that comes in passes the meter.
pub(super) struct Lent {
    stream: Rc<RefCell<Transport>>,
    meter: Rc<Meter>,
}

/// The owner's side.
pub(super) struct Owner(Rc<RefCell<Transport>>);

/// A look at the socket under it.
#[derive(Clone)]
pub(super) struct Line(Weak<RefCell<Transport>>);

impl Line {
    /// What the kernel knows; `None` once the transport was taken back.
    pub(super) fn info(&self) -> Option<TcpInfo> {
        let stream = self.0.upgrade()?;
        let stream = stream.borrow();
        tcp_info(stream.get_ref().0).ok()
    }
}

impl Lent {
    pub(super) fn new(stream: Transport, meter: Rc<Meter>) -> (Self, Owner) {
        let stream = Rc::new(RefCell::new(stream));
        let owner = Owner(Rc::clone(&stream));
        (Self { stream, meter }, owner)
    }
}

impl Owner {
    pub(super) fn line(&self) -> Line {
        Line(Rc::downgrade(&self.0))
    }

    /// The transport, once the borrower is gone.
    pub(super) fn take_back(self) -> Option<Transport> {
        Rc::into_inner(self.0).map(RefCell::into_inner)
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.meter.is_flooded() {
            // Nothing more is read from a peer that floods; what it is told still
            // goes out.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buf);
        self.meter.note_received(buf.filled().get(before..).unwrap_or_default());
        polled
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = polled {
            self.meter.note_sent(n);
        }
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(n)) = polled {
            self.meter.note_sent(n);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }

    /// h2 closes nothing: how a connection ends is decided by its
    /// [`Ending`](super::super::ending::Ending).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
