//! What rules ask of packets.

use std::time::Duration;

use serde::Deserialize;

use super::condition::Answer;
use crate::timeline::Attempt;
use crate::wire::{End, Opening, Side, Trouble, Waited, Wire};

/// What packets tell of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Captured {
    /// How its connection was asked for.
    Opening(Opening),
    /// Who was waited for in the handshake.
    HandshakeWaitedFor(Waited),
    /// How its connection ended.
    WireEnd(End),
    /// The request was acknowledged within so long.
    AcknowledgedWithinMs(u64),
    /// It was sent again so often before that.
    RepeatedAtLeast(u32),
    /// Most of the reply's pauses were for this.
    ReplyWaitedFor(Waited),
    /// This side held small writes back.
    HeldBackBy(Side),
    /// So many keep-alive probes had no answer.
    ProbesUnanswered(u32),
    /// So many packets of a thousand were sent again.
    SentAgainPerMille(u32),
    /// The client kept its half of an ended connection for so long.
    HalfClosedMs(u64),
    /// While it was silent, the peer's host was heard on another connection, or was not.
    PeerHeardElsewhere(bool),
    /// It was sent after the client had acknowledged its peer's end, or was not.
    SentOnEnded(bool),
}

impl Captured {
    /// What no packet tells is no candidate.
    pub(super) fn answer(self, attempt: &Attempt) -> Answer {
        let Some(wire) = attempt.wire.as_deref() else {
            return matches!(self, Self::SentOnEnded(false)).into();
        };
        match self {
            Self::Opening(opening) => wire.opening == Some(opening),
            Self::HandshakeWaitedFor(waited) => wire.handshake == Some(waited),
            Self::WireEnd(end) => wire.end == Some(end),
            Self::AcknowledgedWithinMs(ms) => {
                wire.acknowledged.is_some_and(|after| after <= Duration::from_millis(ms))
            }
            Self::RepeatedAtLeast(count) => wire.repeats >= count,
            Self::ReplyWaitedFor(waited) => most(wire) == Some(waited),
            Self::HeldBackBy(side) => wire.held_back == Some(side),
            Self::ProbesUnanswered(count) => {
                matches!(wire.trouble, Some(Trouble::ProbesUnanswered(seen)) if seen >= count)
            }
            Self::SentAgainPerMille(share) => {
                matches!(wire.trouble, Some(Trouble::Lossy(seen)) if seen >= share)
            }
            Self::HalfClosedMs(ms) => {
                matches!(wire.trouble, Some(Trouble::HalfClosed(kept)) if kept >= Duration::from_millis(ms))
            }
            Self::PeerHeardElsewhere(heard) => wire.peer_heard_elsewhere == heard,
            Self::SentOnEnded(ended) => (wire.end == Some(End::HalfClosed)) == ended,
        }
        .into()
    }
}

/// What the reply's pauses were for, for the most part.
fn most(wire: &Wire) -> Option<Waited> {
    let stalls = wire.stalls;
    let all = [(stalls.client, Waited::Client), (stalls.peer, Waited::Peer), (stalls.lost, Waited::Lost)];
    let half = all.iter().map(|(span, _)| *span).sum::<Duration>() / 2;
    all.into_iter().find(|(span, _)| !span.is_zero() && *span >= half).map(|(_, waited)| waited)
}
