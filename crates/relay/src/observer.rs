//! What an owner sees of a running relay, and what it may decide.

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

/// Sees the pieces of a relayed connection as they pass.
///
/// Every method is called on the relay's task and holds it up: no waiting in it.
pub trait Observer {
    /// Bytes came from `from`; they are about to be written to the other side.
    fn moved(&mut self, from: Side, bytes: &[u8], at: Instant) {
        let _ = (from, bytes, at);
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
