//! A relay's outcome in HAProxy's two letters.

use repono_journal::{EndCause, EndCode, EndPhase};
use repono_relay::{EndedBy, Manner, Order, Outcome, Phase};

/// A connection that was one too many.
pub(crate) const TOO_MANY: EndCode = EndCode { cause: EndCause::Proxy, phase: EndPhase::Connect };

/// No head took the connection.
pub(crate) const fn unreached(last: Unreached) -> EndCode {
    let cause = match last {
        Unreached::Refused => EndCause::Server,
        Unreached::TimedOut => EndCause::ServerTimeout,
        Unreached::Left => EndCause::Client,
    };
    EndCode { cause, phase: EndPhase::Connect }
}

/// Why no head was reached; of several that were tried, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// It refused, or there was none to try.
    Refused,
    /// It said nothing.
    TimedOut,
    /// The client reset the connection meanwhile.
    Left,
}

/// The letters of a relay that ended under this order.
pub(crate) fn of(outcome: &Outcome, order: Order) -> EndCode {
    let cause = outcome.cause();
    let half_closed = outcome.client.fin.is_some() || outcome.server.fin.is_some();
    let who = match (cause.manner, cause.by) {
        (Manner::Fin, _) => return EndCode::NORMAL,
        (Manner::Torn | Manner::Reset, EndedBy::Client) => EndCause::Client,
        (Manner::Torn | Manner::Reset, EndedBy::Server | EndedBy::Relay) => EndCause::Server,
        (Manner::Vanished, EndedBy::Client) => EndCause::ClientTimeout,
        (Manner::Vanished, EndedBy::Server | EndedBy::Relay) => EndCause::ServerTimeout,
        (Manner::Idle, _) => match outcome.phase {
            Phase::Waiting => EndCause::ServerTimeout,
            Phase::Unused | Phase::Moving | Phase::Quiet => EndCause::ClientTimeout,
        },
        // The side that has not said FIN is the one that was waited for.
        (Manner::HalfClosed, _) if outcome.client.fin.is_some() => EndCause::ServerTimeout,
        (Manner::HalfClosed, _) => EndCause::ClientTimeout,
        (Manner::Finished | Manner::Aged, _) => EndCause::Killed,
        (Manner::Cut, _) => match order {
            Order::Reset { silent } if !silent.is_zero() => EndCause::Down,
            Order::Reset { .. } | Order::Continue | Order::Finish { .. } => EndCause::Killed,
        },
    };
    EndCode { cause: who, phase: if half_closed { EndPhase::Last } else { EndPhase::Data } }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use repono_relay::{End, EndedBy, Flow, Manner, Order, Outcome, Phase, Turns};
    use tokio::time::Instant;

    use super::{TOO_MANY, Unreached, of, unreached};

    fn outcome(by: EndedBy, manner: Manner) -> Outcome {
        let (end, now) = (End { by, manner }, Instant::now());
        Outcome {
            first: end,
            last: end,
            phase: Phase::Quiet,
            idle: Duration::ZERO,
            client: Flow::default(),
            server: Flow::default(),
            turns: Turns::default(),
            opened: now,
            ended: now,
        }
    }

    fn letters(outcome: &Outcome, order: Order) -> String {
        String::from_utf8(of(outcome, order).letters().to_vec()).expect("ASCII")
    }

    #[test]
    fn every_end_has_its_letters() {
        use EndedBy::{Client, Relay, Server};
        for (by, manner, expected) in [
            (Client, Manner::Fin, "--"),
            (Server, Manner::Fin, "--"),
            (Client, Manner::Reset, "CD"),
            (Server, Manner::Reset, "SD"),
            (Server, Manner::Torn, "SD"),
            (Client, Manner::Vanished, "cD"),
            (Server, Manner::Vanished, "sD"),
            (Relay, Manner::Idle, "cD"),
            (Relay, Manner::Finished, "KD"),
            (Relay, Manner::Aged, "KD"),
            (Relay, Manner::Cut, "KD"),
        ] {
            assert_eq!(letters(&outcome(by, manner), Order::Continue), expected, "{by:?} {manner:?}");
        }
        let waiting = Outcome { phase: Phase::Waiting, ..outcome(Relay, Manner::Idle) };
        assert_eq!(letters(&waiting, Order::Continue), "sD");
        let cut = outcome(Relay, Manner::Cut);
        assert_eq!(letters(&cut, Order::Reset { silent: Duration::from_secs(3) }), "DD");
        assert_eq!(letters(&cut, Order::Reset { silent: Duration::ZERO }), "KD");
    }

    #[test]
    fn after_one_fin_the_other_side_is_awaited() {
        let said = Flow { fin: Some(Instant::now()), ..Flow::default() };
        let by_client = Outcome { client: said, ..outcome(EndedBy::Relay, Manner::HalfClosed) };
        assert_eq!(letters(&by_client, Order::Continue), "sL");
        let by_server = Outcome { server: said, ..outcome(EndedBy::Relay, Manner::HalfClosed) };
        assert_eq!(letters(&by_server, Order::Continue), "cL");
        let torn = Outcome { client: said, ..outcome(EndedBy::Server, Manner::Reset) };
        assert_eq!(letters(&torn, Order::Continue), "SL");
    }

    #[test]
    fn without_a_head_the_phase_is_connect() {
        assert_eq!(TOO_MANY.letters(), *b"PC");
        assert_eq!(unreached(Unreached::Refused).letters(), *b"SC");
        assert_eq!(unreached(Unreached::TimedOut).letters(), *b"sC");
        assert_eq!(unreached(Unreached::Left).letters(), *b"CC");
    }
}
