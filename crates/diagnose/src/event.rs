//! What every log is turned into: one closed set of events.

use std::fmt;

use crate::proxy::{Ending, Waits};
use crate::wire::Wire;
use crate::witness::Names;

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the inputs, counted from 0.
    pub file: usize,
    /// The line, counted from 1.
    pub line: u64,
}

/// A time of the wall clock, in nanoseconds since 1970; of a log without dates, since
/// the midnight before its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub i128);

impl Instant {
    /// Whether it can only be of a log without dates: no such clock runs for a year.
    #[must_use]
    pub const fn has_no_date(self) -> bool {
        self.0 < 365 * 86_400_000_000_000
    }

    /// The span from an earlier time; zero if it was not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        let nanos = self.0.saturating_sub(earlier.0).max(0);
        std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The time so much earlier.
    #[must_use]
    pub fn before(self, span: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i128::try_from(span.as_nanos()).unwrap_or(i128::MAX)))
    }

    /// The time so much later.
    #[must_use]
    pub fn after(self, span: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i128::try_from(span.as_nanos()).unwrap_or(i128::MAX)))
    }
}

/// An object of a log: a connection or a request, counted from 0 in the order in
/// which they were first heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u32);

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Where it stands.
    pub place: Place,
    /// When it happened; `None` where only the order is known.
    pub at: Option<Instant>,
    /// What happened.
    pub kind: Kind<'a>,
    /// The line that says so, as it stands there.
    pub text: &'a str,
}

/// What happened. Names are those of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The application made a request.
    Created {
        /// Which.
        request: Id,
        /// Its name.
        name: &'a str,
    },
    /// A request got a connection of the pool, or was put in its queue.
    Assigned {
        /// Which request.
        request: Id,
        /// Which connection.
        connection: Id,
        /// Its name.
        name: &'a str,
    },
    /// Other sides know the request, or its connection, under these names.
    KnownAs {
        /// Which request.
        request: Id,
        /// The names.
        names: Names,
    },
    /// A connection stands.
    Connected {
        /// Which.
        connection: Id,
        /// The other end, as the log writes it.
        peer: &'a str,
    },
    /// A TLS handshake began.
    HandshakeBegun {
        /// Of which connection, where that is known.
        connection: Option<Id>,
    },
    /// A TLS handshake was done.
    HandshakeDone {
        /// Of which connection, where that is known.
        connection: Option<Id>,
        /// Whether keys were exchanged anew, or an earlier session was resumed.
        extent: Extent,
    },
    /// The turn of a request came: it is written.
    Begun {
        /// Which.
        request: Id,
        /// Its method.
        method: &'a str,
    },
    /// The head of a request was written.
    HeadSent {
        /// Which.
        request: Id,
        /// Whether the body waits for 100 (Continue).
        expects_continue: bool,
        /// Until when its ticket is valid, where it shows one (`x-auth-expiry`).
        expires: Option<Instant>,
    },
    /// Bytes of a request's body were written.
    BodySent {
        /// Which.
        request: Id,
    },
    /// The head of a reply came.
    Answered {
        /// Which request.
        request: Id,
        /// Its status; `None` where it cannot be read, as in TLS on the wire.
        status: Option<u16>,
    },
    /// What packets tell of an attempt.
    Captured {
        /// Of which request.
        request: Id,
        /// What.
        wire: Box<Wire>,
    },
    /// The fields of a reply's head.
    Fields {
        /// Which request.
        request: Id,
        /// Whether the connection ends with this reply.
        after: After,
        /// The server's clock, whole seconds (`Date`, `X-Trans-Id`).
        clock: Option<Instant>,
    },
    /// The caller is done with a reply.
    Released {
        /// Which request.
        request: Id,
    },
    /// An attempt at a request failed.
    Failed {
        /// Which request.
        request: Id,
        /// How.
        failure: Failure,
        /// Who heard of it.
        heard: Heard,
    },
    /// A proxy passed a request, or a connection, on.
    Proxied {
        /// Which.
        request: Id,
        /// To whom, as the proxy calls it.
        name: &'a str,
        /// What it waited for.
        waits: Waits,
    },
    /// Something went wrong with what a proxy passed on.
    Ended {
        /// Which request.
        request: Id,
        /// How.
        ending: Ending,
    },
    /// The client's own clock closed an idle connection.
    ClosedIdle,
    /// The server asked for another handshake.
    Renegotiated {
        /// On which connection, where that is known.
        connection: Option<Id>,
    },
}

/// How much of a handshake there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Keys were exchanged anew.
    Full,
    /// An earlier session was resumed.
    Resumed,
    /// The log does not tell.
    Unknown,
}

/// What becomes of a connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It may be used again.
    Kept,
    /// The server closes it, and said so.
    Closed,
}

/// Who heard of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The client's library, which may try again unseen.
    Library,
    /// The application.
    Application,
}

/// How an attempt failed, as far as the log's own words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// A connection that was kept alive is not.
    KeptAliveLost,
    /// The connection was closed.
    Closed,
    /// Sending failed.
    Send,
    /// Receiving failed.
    Receive,
    /// Nothing could be connected to.
    Connect,
    /// A name could not be resolved.
    Name,
    /// The certificate or the TLS handshake was refused.
    Tls,
    /// A time-out of the client ran out, or it gave up.
    TimedOut,
    /// Nobody wanted the reply any more.
    Abandoned,
    /// The server's reply was none.
    Protocol,
    /// The server's status was an error.
    Status,
    /// In words that are not known here, such as those of another language.
    Untold,
}

impl Failure {
    /// Whether it can be the end of a connection rather than the client's own doing.
    #[must_use]
    pub const fn is_of_connection(self) -> bool {
        match self {
            Self::KeptAliveLost | Self::Closed | Self::Send | Self::Receive | Self::Untold => true,
            Self::Connect
            | Self::Name
            | Self::Tls
            | Self::TimedOut
            | Self::Abandoned
            | Self::Protocol
            | Self::Status => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)
    }
}
