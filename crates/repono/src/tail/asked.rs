//! What was asked: a request, or a turn of a connection whose requests are not read.

use repono_core::id::ConnectionId;
use repono_journal::read::{Fact, Record, Request, Turn};
use repono_journal::{Phases, Reuse, Side, TurnKind};

/// What is shown of either.
pub(super) struct Asked<'a> {
    pub(super) side: Option<Side>,
    /// `None` where nobody read it.
    pub(super) method: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) status: Option<u16>,
    pub(super) code: Option<&'a str>,
    pub(super) failed: bool,
    pub(super) duration_ns: u64,
    pub(super) phases_ns: Phases,
    pub(super) reuse: Reuse,
    pub(super) attempt: u8,
    pub(super) connection: ConnectionId,
    pub(super) actor: Option<&'a str>,
    pub(super) head: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// What a record tells; `None` of other things than requests.
    pub(super) fn of(record: &'a Record<'_>) -> Option<Self> {
        match &record.fact {
            Fact::Request(request) => Some(Self::request(request, &record.origin.instance)),
            Fact::Turn(turn) if turn.kind != Some(TurnKind::Handshake) => Some(Self::turn(turn)),
            Fact::Turn(_) | Fact::Connection(_) | Fact::Change(_) | Fact::Audit(_) | Fact::Other => None,
        }
    }

    fn request(request: &'a Request<'_>, instance: &'a str) -> Self {
        Self {
            side: request.side,
            method: request.method.as_deref(),
            path: &request.path,
            status: request.status,
            code: request.code.as_deref(),
            failed: request.is_failed(),
            duration_ns: request.duration_ns(),
            phases_ns: request.phases_ns,
            reuse: request.reuse,
            attempt: request.attempts,
            connection: request.connection,
            actor: request.actor.as_deref(),
            head: (request.side == Some(Side::Head)).then_some(instance),
        }
    }

    fn turn(turn: &'a Turn<'_>) -> Self {
        let exchange = turn.exchange.as_ref();
        let status = exchange.and_then(|exchange| exchange.status);
        let wait = turn.answered_mono_ns.map(|answered| answered.saturating_sub(turn.asked_last_mono_ns));
        let reuse = match turn.number {
            0 | 1 => Reuse::New,
            number => Reuse::Reused {
                idle_before_ns: turn.idle_before_ns,
                requests_before: u32::try_from(number - 1).unwrap_or(u32::MAX),
            },
        };
        Self {
            side: turn.side,
            method: exchange.map(|exchange| &*exchange.method),
            path: exchange.map_or("", |exchange| &*exchange.path),
            status,
            code: None,
            failed: wait.is_none() || status.is_some_and(|status| status >= 500),
            duration_ns: turn.ended.mono_ns.saturating_sub(turn.asked.mono_ns),
            phases_ns: Phases {
                send: turn.asked_last_mono_ns.saturating_sub(turn.asked.mono_ns),
                wait: wait.unwrap_or_default(),
                receive: turn
                    .answered_mono_ns
                    .map_or(0, |answered| turn.ended.mono_ns.saturating_sub(answered)),
                ..Phases::NONE
            },
            reuse,
            attempt: 1,
            connection: turn.connection,
            actor: None,
            head: turn.head.as_deref(),
        }
    }
}
