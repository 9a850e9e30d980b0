//! Bytes held back and let go by the clock.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use tokio::time::{Instant, Sleep, sleep_until};

use super::plan::{Pace, Rate};

/// The clock of one direction.
#[derive(Debug)]
pub(super) struct Pacer {
    pace: Pace,
    random: StdRng,
    /// When the piece in hand may go.
    held_until: Option<Instant>,
    /// When the next piece may go, by the rate.
    next: Option<Instant>,
    alarm: Alarm,
}

impl Pacer {
    pub(super) const fn new(pace: Pace, random: StdRng) -> Self {
        Self { pace, random, held_until: None, next: None, alarm: Alarm(None) }
    }

    pub(super) const fn pace(&self) -> Pace {
        self.pace
    }

    /// Ready from `due` on.
    pub(super) fn wait(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.alarm.wait(due, cx)
    }

    /// Whether it holds anything back.
    pub(super) const fn slows(&self) -> bool {
        !self.pace.delay.is_zero() || !self.pace.jitter.is_zero() || self.pace.rate.is_some()
    }

    /// A piece was read.
    pub(super) fn took(&mut self, now: Instant) {
        let drawn = self.random.random_range(0.0..=1.0);
        self.held_until = Some(now + self.pace.delay + self.pace.jitter.mul_f64(drawn));
    }

    /// How many of `count` bytes may go.
    pub(super) fn release(&mut self, count: usize, cx: &mut Context<'_>) -> Poll<usize> {
        if let Some(due) = self.held_until.max(self.next) {
            ready!(self.alarm.wait(due, cx));
        }
        Poll::Ready(self.pace.rate.map_or(count, |rate| count.min(piece(rate))))
    }

    /// So many went.
    pub(super) fn passed(&mut self, count: usize, now: Instant) {
        if let Some(rate) = self.pace.rate {
            let share = count as f64 / f64::from(rate.piece_bytes.get());
            let due = self.next.map_or(now, |due| due.max(now));
            self.next = Some(due + rate.every.mul_f64(share));
        }
    }
}

fn piece(rate: Rate) -> usize {
    usize::try_from(rate.piece_bytes.get()).unwrap_or(usize::MAX)
}

/// A timer that is made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready from `due` on.
    pub(super) fn wait(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= due {
            return Poll::Ready(());
        }
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() != due {
            sleep.as_mut().reset(due);
        }
        sleep.as_mut().poll(cx)
    }
}

/// How long from `now` a stall lasts, without overflow.
pub(super) fn after(now: Instant, span: Duration) -> Instant {
    /// Longer than any test; tokio's clock ends some decades from now.
    const SPAN_MAX: Duration = Duration::from_secs(365 * 86_400);
    now + span.min(SPAN_MAX)
}
