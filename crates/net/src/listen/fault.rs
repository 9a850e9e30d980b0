//! What an error of accept means, and how long to wait out a shortage.

use std::io;
use std::time::Duration;

/// The first pause. Shorter ones would spin: the connection stays in the queue, so
/// the listener stays readable.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause: clients wait this long at most after the shortage has ended.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What to do about an error of accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The error belongs to one connection: take the next.
    PassOver,
    /// The process or the machine is short of something.
    WaitOut,
    /// The listener is of no use any more.
    GiveUp,
}

impl Answer {
    /// *Source*: accept(2), "Error handling": pending network errors of the new
    /// socket are passed on by Linux and are to be treated like EAGAIN.
    pub(super) fn to(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Self::WaitOut,
            Some(
                libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EINTR
                | libc::EAGAIN
                | libc::ENOTCONN
                | libc::EPERM
                | libc::ETIMEDOUT
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENONET,
            ) => Self::PassOver,
            Some(_) | None => Self::GiveUp,
        }
    }
}

/// The pauses of one shortage: doubling, bounded, forgotten when it ends.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// Whether a shortage that comes now is the first since the last connection.
    pub(super) const fn is_new(&self) -> bool {
        self.last.is_none()
    }

    /// The next pause.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.last.map_or(PAUSE_MIN, |last| (last * 2).min(PAUSE_MAX));
        self.last = Some(pause);
        pause
    }

    /// A connection came through.
    pub(super) const fn relieve(&mut self) {
        self.last = None;
    }
}
