//! What an attempt must have for a rule to be asked at all: most attempts have little,
//! and most rules ask for more.

use super::captured::Captured;
use super::condition::{Condition, Own};
use super::proxied::Proxied;
use crate::proxy::By;
use crate::timeline::{Attempt, Origin};

/// A set of what attempts can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Traits(u32);

impl Traits {
    const KEPT: Self = Self(1);
    const FRESH: Self = Self(1 << 1);
    const HEAD_SENT: Self = Self(1 << 2);
    const ANSWERED: Self = Self(1 << 3);
    const FAILED: Self = Self(1 << 4);
    const PROXIED: Self = Self(1 << 5);
    const CAPTURED: Self = Self(1 << 6);
    /// A proxy connected more than once.
    const RETRIED: Self = Self(1 << 7);
    const QUEUED: Self = Self(1 << 8);
    const HANDSHAKE: Self = Self(1 << 9);
    const EXPECTS_CONTINUE: Self = Self(1 << 10);
    const BODY_SENT: Self = Self(1 << 11);
    const RENEGOTIATED: Self = Self(1 << 12);
    const EXPIRES: Self = Self(1 << 13);
    /// A proxy says through whom it ended: one for each.
    const ENDED_BY: u32 = 1 << 14;

    /// What an attempt has.
    pub(crate) fn of(attempt: &Attempt) -> Self {
        let proxied = attempt.proxied.as_ref();
        let has = [
            (Self::KEPT, matches!(attempt.origin, Origin::Kept | Origin::KeptUnseen)),
            (Self::FRESH, attempt.origin == Origin::Fresh),
            (Self::HEAD_SENT, attempt.head_sent.is_some()),
            (Self::ANSWERED, attempt.answered.is_some()),
            (Self::FAILED, attempt.failed.is_some()),
            (Self::PROXIED, proxied.is_some()),
            (Self::CAPTURED, attempt.wire.is_some()),
            (Self::RETRIED, proxied.is_some_and(|proxied| proxied.waits.retries > 0)),
            (Self::QUEUED, attempt.queued),
            (Self::HANDSHAKE, attempt.handshake_begun.is_some()),
            (Self::EXPECTS_CONTINUE, attempt.expects_continue),
            (Self::BODY_SENT, attempt.body_sent.is_some()),
            (Self::RENEGOTIATED, attempt.renegotiated.is_some()),
            (Self::EXPIRES, attempt.expires.is_some()),
        ];
        let ended_by = proxied.and_then(|proxied| proxied.ending.as_ref()).map(|(_, ending)| ending.by);
        let has = has.into_iter().filter(|(_, has)| *has).map(|(one, _)| one);
        has.chain(ended_by.map(Self::ended_by)).fold(Self::default(), Self::and)
    }

    /// What an attempt must have for all of these to hold.
    pub(super) fn needed(conditions: &[Condition]) -> Self {
        conditions.iter().fold(Self::default(), |all, condition| all.and(Self::needed_by(*condition)))
    }

    fn needed_by(condition: Condition) -> Self {
        match condition {
            Condition::Own(own) => Self::needed_by_own(own),
            Condition::Told(_) => Self::default(),
            Condition::Proxied(Proxied::EndedBy(by)) => Self::ended_by(by),
            Condition::Proxied(Proxied::RetriesAbove(_)) => Self::RETRIED,
            Condition::Proxied(Proxied::EndedIn(_) | Proxied::QueuedMs(_) | Proxied::ConnectedAfterMs(_)) => {
                Self::PROXIED
            }
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
            Own::Queued | Own::QueueTook(_) => Self::QUEUED,
            Own::ConnectTook(_) => Self::FRESH,
            Own::HandshakeTook(_) => Self::HANDSHAKE,
            Own::ContinueTook(_) => Self::EXPECTS_CONTINUE,
            Own::TransferTook(_) => Self::ANSWERED,
            Own::BodyWritten => Self::BODY_SENT,
            Own::Renegotiated => Self::RENEGOTIATED,
            Own::TicketExpired => Self::EXPIRES,
            Own::NoReply
            | Own::ReplyKeeps
            | Own::ReplyCloses
            | Own::SentAgain
            | Own::NotSentAgain
            | Own::MayHaveEffect
            | Own::NoFailedWrite
            | Own::NeverClosed
            | Own::RepliedAfterWrite(_) => Self::default(),
        }
    }

    const fn ended_by(by: By) -> Self {
        Self(Self::ENDED_BY << by as u32)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of these are among them.
    pub(super) const fn include(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }
}
