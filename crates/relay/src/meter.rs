//! Counters, stamps and turns of one connection.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::{Phase, Side};

/// The bytes that came from one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// How many.
    pub bytes: u64,
    /// When the first came.
    pub first: Option<Instant>,
    /// When the last came.
    pub last: Option<Instant>,
    /// When the side said that no more will come.
    pub fin: Option<Instant>,
}

impl Flow {
    fn moved(&mut self, count: usize, now: Instant) {
        self.bytes = self.bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.first.get_or_insert(now);
        self.last = Some(now);
    }
}

/// Turns: from the last bytes of the client to the first bytes of the server after
/// them. The time works through encryption, and an upload's length is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// How many there were.
    pub count: u64,
    /// The last one.
    pub last: Duration,
    /// The longest.
    pub worst: Duration,
}

/// Counts what moves.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) opened: Instant,
    pub(crate) client: Flow,
    pub(crate) server: Flow,
    pub(crate) turns: Turns,
    /// When the client sent the bytes that the server has yet to answer.
    asked: Option<Instant>,
    /// When a byte was last read or written.
    active: Instant,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        let (client, server) = (Flow::default(), Flow::default());
        Self { opened: now, client, server, turns: Turns::default(), asked: None, active: now }
    }

    /// Bytes came from `from`. Returns the turn that they end, if they end one.
    pub(crate) fn moved(&mut self, from: Side, count: usize, now: Instant) -> Option<Duration> {
        self.active = now;
        match from {
            Side::Client => {
                self.client.moved(count, now);
                self.asked = Some(now);
                None
            }
            Side::Server => {
                self.server.moved(count, now);
                let turn = now.saturating_duration_since(self.asked.take()?);
                self.turns.count = self.turns.count.saturating_add(1);
                self.turns.last = turn;
                self.turns.worst = self.turns.worst.max(turn);
                Some(turn)
            }
        }
    }

    /// Bytes came from the server that answer nothing.
    pub(crate) fn aside(&mut self, count: usize, now: Instant) {
        self.active = now;
        self.server.moved(count, now);
    }

    /// Bytes that a slow reader had left were written.
    pub(crate) fn drained(&mut self, now: Instant) {
        self.active = now;
    }

    pub(crate) fn fin(&mut self, from: Side, now: Instant) {
        self.active = now;
        match from {
            Side::Client => self.client.fin = Some(now),
            Side::Server => self.server.fin = Some(now),
        }
    }

    /// When the client sent the bytes that are not answered yet.
    pub(crate) const fn asked(&self) -> Option<Instant> {
        self.asked
    }

    pub(crate) const fn active(&self) -> Instant {
        self.active
    }

    /// How long the server has said nothing.
    pub(crate) fn server_silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.server.last.unwrap_or(self.opened))
    }

    /// What the connection is doing, if no bytes are in hand.
    pub(crate) const fn phase(&self) -> Phase {
        if self.asked.is_some() {
            Phase::Waiting
        } else if self.client.first.is_none() {
            Phase::Unused
        } else {
            Phase::Quiet
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Meter;
    use crate::outcome::{Phase, Side};

    #[test]
    fn a_turn_is_from_the_last_question_to_the_first_answer() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = Meter::new(start);
        assert_eq!(meter.phase(), Phase::Unused);
        assert_eq!(meter.moved(Side::Server, 4, at(1)), None, "a greeting answers nothing");
        assert_eq!(meter.moved(Side::Client, 10, at(5)), None);
        assert_eq!(meter.moved(Side::Client, 10, at(7)), None);
        assert_eq!((meter.phase(), meter.asked()), (Phase::Waiting, Some(at(7))));
        meter.aside(2, at(8));
        assert_eq!((meter.phase(), meter.asked()), (Phase::Waiting, Some(at(7))), "nothing was answered");
        assert_eq!(meter.moved(Side::Server, 1, at(27)), Some(Duration::from_millis(20)));
        assert_eq!(meter.moved(Side::Server, 1, at(90)), None);
        meter.moved(Side::Client, 1, at(100));
        meter.moved(Side::Server, 1, at(103));
        assert_eq!(meter.phase(), Phase::Quiet);
        assert_eq!(
            (meter.turns.count, meter.turns.last.as_millis(), meter.turns.worst.as_millis()),
            (2, 3, 20)
        );
        assert_eq!((meter.client.bytes, meter.server.bytes), (21, 9));
        assert_eq!((meter.client.first, meter.client.last), (Some(at(5)), Some(at(100))));
        assert_eq!(meter.server_silence(at(104)), Duration::from_millis(1));
    }
}
