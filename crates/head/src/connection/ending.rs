//! How a connection ends: one value decides what is recorded and what is done.

use repono_journal::{ClosedBy, Manner, TcpSummary};
use repono_net::close::{self, StagedClose};
use repono_net::socket::{reset, tcp_info};
use repono_net::tls::HandshakeError;
use tokio::net::TcpStream;

use super::Transport;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The client closed it in order.
    ClientClosed,
    /// The transport failed under us.
    Failed,
    /// Our idle clock ran out.
    Idle,
    /// The last reply said `Connection: close`.
    Announced,
    /// The last reply said so because this head drains, or it was quiet while it did.
    Drained,
    /// It had reached its age, and the last reply said so.
    Aged,
    /// It had served its number of requests, and the last reply said so.
    RequestLimit,
    /// Too many connections are open: the last reply said so, or it was quiet for
    /// longer than all others.
    Crowded,
    /// The peer acknowledges nothing any more.
    Gone,
    /// The end of this head cut its last request short.
    Killed,
    /// A clock within a request ran out and was answered.
    TooSlow,
    /// A reply could not be completed: only RST says so.
    Torn,
    /// Its source has as many connections as it may have; said by RST before TLS.
    Refused,
    /// The client broke the rules of HTTP/2, or flooded, and was told so by GOAWAY.
    Violation,
}

impl Ending {
    pub(crate) const fn closed_by(self) -> ClosedBy {
        match self {
            Self::ClientClosed => ClosedBy::Client,
            Self::Failed => ClosedBy::Unknown,
            Self::Idle
            | Self::Announced
            | Self::Drained
            | Self::Aged
            | Self::RequestLimit
            | Self::Crowded
            | Self::Gone
            | Self::Killed
            | Self::TooSlow
            | Self::Torn
            | Self::Refused
            | Self::Violation => ClosedBy::Us,
        }
    }

    pub(crate) const fn manner(self) -> Manner {
        match self {
            Self::ClientClosed | Self::Announced | Self::Violation => Manner::FinCloseNotify,
            Self::Failed => Manner::Error,
            Self::Idle => Manner::IdleExpiry,
            Self::Drained => Manner::Drain,
            Self::Aged => Manner::Age,
            Self::RequestLimit => Manner::RequestLimit,
            Self::Crowded => Manner::Overload,
            Self::Killed => Manner::Kill,
            Self::TooSlow | Self::Gone => Manner::Timeout,
            Self::Torn | Self::Refused => Manner::Rst,
        }
    }
}

/// The ending of a connection whose handshake did not finish.
pub(super) fn failed_handshake(error: &HandshakeError) -> Ending {
    match error {
        HandshakeError::Timeout => Ending::TooSlow,
        HandshakeError::Failed(_) => Ending::Failed,
    }
}

/// Does to the socket what the ending says: close_notify and FIN, then the wait
/// for the peer's FIN, so that no RST can erase the last reply; or RST. Gives what
/// came of the wait.
pub(super) async fn carry_out(ending: Ending, stream: Transport) -> Option<StagedClose> {
    match ending {
        Ending::Torn | Ending::Refused | Ending::Gone => {
            reset(stream.get_ref().0);
            None
        }
        Ending::ClientClosed
        | Ending::Failed
        | Ending::Idle
        | Ending::Announced
        | Ending::Drained
        | Ending::Aged
        | Ending::RequestLimit
        | Ending::Crowded
        | Ending::Killed
        | Ending::TooSlow
        | Ending::Violation => Some(close::staged(*stream, close::Limits::DEFAULT).await),
    }
}

pub(super) fn tcp_summary(tcp: &TcpStream) -> Option<TcpSummary> {
    Some(tcp_info(tcp).ok()?.summary())
}
