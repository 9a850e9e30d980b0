//! How a relayed connection ended.

use std::time::Duration;

use tokio::time::Instant;

use crate::meter::{Flow, Turns};

/// One of the two peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The peer that connected to us.
    Client,
    /// The peer that we connected to.
    Server,
}

impl Side {
    /// The peer opposite.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// The client.
    Client,
    /// The server.
    Server,
    /// The relay itself: a clock or an order.
    Relay,
}

impl From<Side> for EndedBy {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manner {
    /// FIN.
    Fin,
    /// A FIN that came too early to be believed ([`crate::Pass::AsReset`]); the
    /// other side was told by RST.
    Torn,
    /// RST, or another error of the socket.
    Reset,
    /// The peer is gone without a word: the kernel gave up, or the observer did.
    Vanished,
    /// [`crate::Clocks::idle`] ran out.
    Idle,
    /// [`crate::Clocks::half_closed`] ran out.
    HalfClosed,
    /// Ordered: ended at a quiet moment; or [`crate::Cut::Fin`].
    Finished,
    /// [`crate::Clocks::age`] was reached: ended at a quiet moment.
    Aged,
    /// Ordered: reset; or [`crate::Cut::Reset`].
    Cut,
}

/// One event that ended a connection or a half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Who.
    pub by: EndedBy,
    /// How.
    pub manner: Manner,
}

impl End {
    pub(crate) const fn relay(manner: Manner) -> Self {
        Self { by: EndedBy::Relay, manner }
    }

    pub(crate) fn peer(side: Side, manner: Manner) -> Self {
        Self { by: side.into(), manner }
    }
}

/// What a connection was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The client has not sent a byte yet.
    Unused,
    /// The client has sent bytes that the server has not answered.
    Waiting,
    /// Bytes were in hand that a slow reader had not taken.
    Moving,
    /// The server spoke last.
    Quiet,
}

/// The whole life of one relayed connection.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// The first event of the end, such as the first FIN.
    pub first: End,
    /// The last one; the same as `first` unless each side ended on its own.
    pub last: End,
    /// What the connection was doing at the first event.
    pub phase: Phase,
    /// How long no byte had moved at the first event.
    pub idle: Duration,
    /// Bytes that came from the client.
    pub client: Flow,
    /// Bytes that came from the server.
    pub server: Flow,
    /// Times from the client's bytes to the server's first bytes after them.
    pub turns: Turns,
    /// When the relay began.
    pub opened: Instant,
    /// When it was clear that it would end, both directions considered.
    pub ended: Instant,
}

impl Outcome {
    /// The event to blame.
    ///
    /// The first one, as a rule: what follows a FIN is its consequence, even an
    /// RST by a client that closed with the server's close_notify unread. But a
    /// server that resets after the client's FIN has torn its answer, and a clock
    /// that ran out, or an order, is our own doing.
    #[must_use]
    pub const fn cause(&self) -> End {
        match (self.last.by, self.last.manner) {
            (EndedBy::Server, Manner::Reset | Manner::Vanished | Manner::Torn) | (EndedBy::Relay, _) => {
                self.last
            }
            (EndedBy::Client | EndedBy::Server, _) => self.first,
        }
    }
}
