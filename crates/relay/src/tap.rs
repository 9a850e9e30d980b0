//! What a lane tells, and asks, while it moves bytes.

use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::meter::Meter;
use crate::observer::{Observer, Reply};
use crate::outcome::Side;

/// The meter and the observer of a connection, as one of its lanes sees them.
pub(crate) struct Tap<'a, O> {
    pub(crate) from: Side,
    pub(crate) meter: &'a mut Meter,
    pub(crate) observer: &'a mut O,
}

impl<O: Observer> Tap<'_, O> {
    /// Whether the lane may read.
    pub(crate) fn admit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.observer.admit(self.from, cx)
    }

    /// Bytes came.
    pub(crate) fn moved(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        self.observer.moved(self.from, bytes, now);
        let reply = match self.from {
            Side::Client => Reply::Answer,
            Side::Server => self.observer.reply(bytes),
        };
        match reply {
            Reply::Aside => self.meter.aside(bytes.len(), now),
            Reply::Answer => {
                if let Some(waited) = self.meter.moved(self.from, bytes.len(), now) {
                    self.observer.turn(waited, now);
                }
            }
        }
    }

    /// How many of the bytes in hand may be written next.
    pub(crate) fn release(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<usize> {
        self.observer.release(self.from, bytes, cx)
    }

    /// Bytes were written.
    pub(crate) fn passed(&mut self, bytes: &[u8]) {
        self.observer.passed(self.from, bytes);
    }

    /// Bytes that had been held back are all written.
    pub(crate) fn drained(&mut self) {
        self.meter.drained(Instant::now());
    }
}
