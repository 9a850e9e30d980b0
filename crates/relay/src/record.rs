//! An outcome in the words of the journal.

use std::time::Duration;

use repono_journal::{ClosedBy, ConnectionRecord, Manner, Phase, Turns};

use crate::outcome::{End, EndedBy, Manner as M, Outcome, Phase as P, Side};

impl Outcome {
    /// Fills what is known at the end of a relay that began `before` after the
    /// connection was accepted, and whose end is to blame on `cause`. `server` is what the server is to whoever reads;
    /// `announced` tells whether a side's stream ended with an alert of TLS.
    pub fn record(
        &self,
        record: &mut ConnectionRecord,
        cause: End,
        server: ClosedBy,
        announced: impl Fn(Side) -> bool,
        before: Duration,
    ) {
        let life = self.ended.saturating_duration_since(self.opened);
        record.ended = record.opened.plus(before.saturating_add(life));
        record.bytes_in = self.client.bytes;
        record.bytes_out = self.server.bytes;
        record.closed_by = closed_by(cause, server);
        record.manner = manner(cause, announced);
        record.phase = phase(self);
        record.idle_at_close_ns = nanos(self.idle);
        let turns = &self.turns;
        record.turns =
            Some(Turns { count: turns.count, worst_ns: nanos(turns.worst), last_ns: nanos(turns.last) });
    }
}

const fn closed_by(cause: End, server: ClosedBy) -> ClosedBy {
    match (cause.manner, cause.by) {
        // Nobody said a word: the kernel, or the evidence of TCP_INFO, gave it up.
        (M::Vanished, _) => ClosedBy::Unknown,
        (_, EndedBy::Client) => ClosedBy::Client,
        (_, EndedBy::Server) => server,
        (_, EndedBy::Relay) => ClosedBy::Us,
    }
}

fn manner(cause: End, announced: impl Fn(Side) -> bool) -> Manner {
    let announced = match cause.by {
        EndedBy::Client => announced(Side::Client),
        EndedBy::Server => announced(Side::Server),
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

    use super::{closed_by, manner};
    use crate::outcome::{End, EndedBy, Manner as M};

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
            let silent = manner(cause, |_| false);
            assert_eq!((closed_by(cause, ClosedBy::Head), silent), (who, word), "{cause:?}");
        }
    }
}
