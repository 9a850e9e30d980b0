//! What an owner sees of a running relay, and what it may decide.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::outcome::Side;

/// How a FIN is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// As it is.
    AsFin,
    /// As RST on both sides: the stream was not whole.
    AsReset,
    /// Not at all: the other side never learns of it.
    Lost,
}

/// How an observer ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// FIN on both sides; bytes in hand are thrown away.
    Fin,
    /// RST on both sides.
    Reset,
}

/// Bytes have gone unanswered or unwritten for [`crate::Clocks::stall`].
#[derive(Clone, Copy, Debug)]
pub struct Stall<'a> {
    /// The client's socket.
    pub client: &'a TcpStream,
    /// The server's socket.
    pub server: &'a TcpStream,
    /// How long no byte has moved.
    pub waited: Duration,
}

/// What to make of a [`Stall`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Slow, perhaps; go on.
    Wait,
    /// This peer is gone: RST on both sides.
    Gone(Side),
}

/// What the server's bytes are to what the client has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer: the turn ends with their first byte.
    Answer,
    /// Something else, such as the session tickets after a TLS handshake: the client
    /// still waits.
    Aside,
}

/// Sees the pieces of a relayed connection as they pass.
///
/// Every method is called on the relay's task and holds it up: no waiting in it.
pub trait Observer {
    /// Bytes came from `from`; they are about to be written to the other side.
    fn moved(&mut self, from: Side, bytes: &[u8], at: Instant) {
        let _ = (from, bytes, at);
    }

    /// What these bytes of the server are; asked after [`Observer::moved`].
    fn reply(&mut self, bytes: &[u8]) -> Reply {
        let _ = bytes;
        Reply::Answer
    }

    /// Whether bytes from `from` may be read now.
    ///
    /// Pending leaves them in the kernel; whoever says so wakes the task later, or
    /// means it for good.
    fn admit(&mut self, from: Side, cx: &mut Context<'_>) -> Poll<()> {
        let _ = (from, cx);
        Poll::Ready(())
    }

    /// How many of `bytes`, which came from `from` and are not written yet, may be
    /// written next: at least one. Pending holds them back, as in
    /// [`Observer::admit`].
    fn release(&mut self, from: Side, bytes: &[u8], cx: &mut Context<'_>) -> Poll<usize> {
        let _ = (from, cx);
        Poll::Ready(bytes.len())
    }

    /// These bytes of `from` were written to the other side.
    fn passed(&mut self, from: Side, bytes: &[u8]) {
        let _ = (from, bytes);
    }

    /// Whether the observer ends the connection now.
    fn cut(&mut self, cx: &mut Context<'_>) -> Poll<Cut> {
        let _ = cx;
        Poll::Pending
    }

    /// The server answered after `waited`.
    fn turn(&mut self, waited: Duration, at: Instant) {
        let _ = (waited, at);
    }

    /// `from` has sent FIN; all its bytes are written to the other side.
    fn fin(&mut self, from: Side, at: Instant) -> Pass {
        let _ = (from, at);
        Pass::AsFin
    }

    /// Nothing moves although something should.
    fn stalled(&mut self, stall: Stall<'_>) -> Verdict {
        let _ = stall;
        Verdict::Wait
    }

    /// The connection is over; the sockets are closed next. The last moment for
    /// `TCP_INFO`.
    fn ending(&mut self, client: &TcpStream, server: &TcpStream) {
        let _ = (client, server);
    }
}

/// Sees nothing and decides nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
