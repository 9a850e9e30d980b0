//! What an attempt must have for a rule to be asked at all: most attempts have little,
//! and most rules ask for more.

use super::captured::Captured;
use super::condition::{Condition, Own};
use crate::timeline::{Attempt, Origin};

/// A set of what attempts can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits(u8);

impl Traits {
    const KEPT: Self = Self(1);
    const FRESH: Self = Self(1 << 1);
    const HEAD_SENT: Self = Self(1 << 2);
    const ANSWERED: Self = Self(1 << 3);
    const FAILED: Self = Self(1 << 4);
    const PROXIED: Self = Self(1 << 5);
    const CAPTURED: Self = Self(1 << 6);

    /// What an attempt has.
    pub(crate) fn of(attempt: &Attempt) -> Self {
        let has = [
            (Self::KEPT, matches!(attempt.origin, Origin::Kept | Origin::KeptUnseen)),
            (Self::FRESH, attempt.origin == Origin::Fresh),
            (Self::HEAD_SENT, attempt.head_sent.is_some()),
            (Self::ANSWERED, attempt.answered.is_some()),
            (Self::FAILED, attempt.failed.is_some()),
            (Self::PROXIED, attempt.proxied.is_some()),
            (Self::CAPTURED, attempt.wire.is_some()),
        ];
        has.into_iter().filter(|(_, has)| *has).fold(Self::default(), |all, (one, _)| all.and(one))
    }

    /// What an attempt must have for all of these to hold.
    pub(super) fn needed(conditions: &[Condition]) -> Self {
        conditions.iter().fold(Self::default(), |all, condition| all.and(Self::needed_by(*condition)))
    }

    fn needed_by(condition: Condition) -> Self {
        match condition {
            Condition::Own(own) => Self::needed_by_own(own),
            Condition::Told(_) => Self::default(),
            Condition::Proxied(_) => Self::PROXIED,
            Condition::Captured(Captured::SentOnEnded(false)) => Self::default(),
            Condition::Captured(_) => Self::CAPTURED,
        }
    }

    /// Of conditions that need nothing of this kind nothing is said: they are asked.
    fn needed_by_own(own: Own) -> Self {
        match own {
            Own::KeptConnection => Self::KEPT,
            Own::FreshConnection => Self::FRESH,
            Own::HeadSent => Self::HEAD_SENT,
            Own::Replied | Own::Status(_) => Self::ANSWERED,
            Own::BodyCut => Self::ANSWERED.and(Self::FAILED),
            Own::RepliedAfter(_) => Self::ANSWERED.and(Self::HEAD_SENT),
            Own::ConnectionLost
            | Own::FailedToConnect
            | Own::FailedToResolve
            | Own::FailedInTls
            | Own::FailedInProtocol
            | Own::TimedOut
            | Own::HeardByApplication
            | Own::FailedAfter(_)
            | Own::FailedWithin(_) => Self::FAILED,
            Own::NoReply
            | Own::ReplyKeeps
            | Own::ReplyCloses
            | Own::SentAgain
            | Own::NotSentAgain
            | Own::MayHaveEffect
            | Own::NoFailedWrite
            | Own::Queued
            | Own::NeverClosed
            | Own::Renegotiated
            | Own::TicketExpired
            | Own::QueueTook(_)
            | Own::ConnectTook(_)
            | Own::HandshakeTook(_)
            | Own::ContinueTook(_)
            | Own::TransferTook(_)
            | Own::BodyWritten
            | Own::RepliedAfterWrite(_) => Self::default(),
        }
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of these are among them.
    pub(super) const fn include(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }
}
