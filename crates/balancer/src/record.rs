//! A relay's outcome in the words of the journal.

use std::time::Duration;

use repono_journal::{ClosedBy, ConnectionRecord, Manner, Phase, Turns};
use repono_relay::{End, EndedBy, Outcome, Side};

use crate::conduct::Sign;
use crate::watch::Watch;

/// Fills what is known at the end of a relay that began `before` after the
/// connection was accepted.
pub(crate) fn fill(record: &mut ConnectionRecord, outcome: &Outcome, watch: &Watch<'_>, before: Duration) {
    let life = outcome.ended.saturating_duration_since(outcome.opened);
    record.ended = record.opened.plus(before.saturating_add(life));
    record.bytes_in = outcome.client.bytes;
    record.bytes_out = outcome.server.bytes;
    record.closed_by = closed_by(outcome.cause());
    record.manner = manner(outcome.cause(), watch);
    record.phase = phase(outcome);
    record.idle_at_close_ns = nanos(outcome.idle);
    let turns = &outcome.turns;
    record.turns =
        Some(Turns { count: turns.count, worst_ns: nanos(turns.worst), last_ns: nanos(turns.last) });
    record.tcp = watch.tcp();
}

/// What the end says of the head, if the head never said a word.
pub(crate) fn last_sign(outcome: &Outcome) -> Option<Sign> {
    use repono_relay::Manner as M;
    if outcome.turns.count > 0 || outcome.client.bytes == 0 {
        return None;
    }
    let waited = || outcome.ended.saturating_duration_since(outcome.client.last.unwrap_or(outcome.opened));
    let cause = outcome.cause();
    match (cause.by, cause.manner) {
        (EndedBy::Server, M::Reset | M::Torn) => Some(Sign::Torn),
        (EndedBy::Server, M::Fin) => None,
        // Before its first byte the head was asked, and whoever gave up waited for it.
        (EndedBy::Client | EndedBy::Relay, _) | (EndedBy::Server, _) => Some(Sign::NoFirstByte(waited())),
    }
}

const fn closed_by(cause: End) -> ClosedBy {
    use repono_relay::Manner as M;
    match (cause.manner, cause.by) {
        // Nobody said a word: the kernel, or the evidence of TCP_INFO, gave it up.
        (M::Vanished, _) => ClosedBy::Unknown,
        (_, EndedBy::Client) => ClosedBy::Client,
        (_, EndedBy::Server) => ClosedBy::Head,
        (_, EndedBy::Relay) => ClosedBy::Us,
    }
}

fn manner(cause: End, watch: &Watch<'_>) -> Manner {
    use repono_relay::Manner as M;
    let announced = match cause.by {
        EndedBy::Client => watch.announced(Side::Client),
        EndedBy::Server => watch.announced(Side::Server),
        EndedBy::Relay => false,
    };
    match cause.manner {
        M::Fin if announced => Manner::FinCloseNotify,
        M::Fin | M::Torn => Manner::Fin,
        M::Reset => Manner::Rst,
        M::Vanished | M::HalfClosed => Manner::Timeout,
        M::Idle => Manner::IdleExpiry,
        M::Finished => Manner::Drain,
        M::Aged => Manner::Age,
        M::Cut => Manner::Kill,
    }
}

const fn phase(outcome: &Outcome) -> Phase {
    use repono_relay::Phase as P;
    match outcome.phase {
        P::Unused | P::Quiet => Phase::Idle,
        // The first turn is the exchange of hellos.
        P::Waiting if outcome.turns.count == 0 => Phase::Handshake,
        P::Waiting => Phase::Wait,
        P::Moving => Phase::Relay,
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use repono_journal::{ClosedBy, Manner};
    use repono_relay::{End, EndedBy, Manner as M};

    use super::{closed_by, manner};
    use crate::watch::Watch;

    #[test]
    fn every_end_has_its_words() {
        let cases = [
            (EndedBy::Client, M::Fin, ClosedBy::Client, Manner::Fin),
            (EndedBy::Server, M::Torn, ClosedBy::Head, Manner::Fin),
            (EndedBy::Server, M::Reset, ClosedBy::Head, Manner::Rst),
            (EndedBy::Server, M::Vanished, ClosedBy::Unknown, Manner::Timeout),
            (EndedBy::Relay, M::HalfClosed, ClosedBy::Us, Manner::Timeout),
            (EndedBy::Relay, M::Idle, ClosedBy::Us, Manner::IdleExpiry),
            (EndedBy::Relay, M::Finished, ClosedBy::Us, Manner::Drain),
            (EndedBy::Relay, M::Aged, ClosedBy::Us, Manner::Age),
            (EndedBy::Relay, M::Cut, ClosedBy::Us, Manner::Kill),
        ];
        for (by, how, who, word) in cases {
            let cause = End { by, manner: how };
            assert_eq!((closed_by(cause), manner(cause, &Watch::new(None, None))), (who, word), "{cause:?}");
        }
    }
}
