//! The clocks of bodies, in either direction and in either version of HTTP:
//! silence, and a rate that only an attack stays below.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{BODY_BYTES_PER_S_MIN, BODY_SILENCE_MAX, RATE_WINDOW, SEND_STALL_MAX};

/// How fast a body comes.
pub(super) struct Pace {
    begun: Instant,
    /// Bytes of content so far.
    pub(super) bytes: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), bytes: 0 }
    }

    /// Until when the next bytes must be there.
    pub(super) fn deadline(&self) -> Instant {
        let earned = Duration::from_secs(self.bytes / BODY_BYTES_PER_S_MIN);
        (Instant::now() + BODY_SILENCE_MAX).min(self.begun + RATE_WINDOW + earned)
    }
}

/// How fast a peer takes what is sent to it, over all pieces of a reply: a peer may
/// be waited for as long as it has patience left, and earns some by what it takes.
///
/// What the kernel takes is the measure that costs nothing; but the kernel has room
/// for megabytes, and makes room in large steps. So while it takes nothing, what the
/// peer acknowledges counts, and is not counted again.
pub(super) struct Taken {
    patience: Duration,
    /// Bytes acknowledged, when it was last asked.
    acknowledged: Option<u64>,
    /// Bytes that have earned patience before the kernel took them.
    ahead: u64,
}

impl Taken {
    pub(super) const fn new() -> Self {
        Self { patience: SEND_STALL_MAX, acknowledged: None, ahead: 0 }
    }

    /// Until when it must take something, of what it was offered at `begun`.
    pub(super) fn deadline(&self, begun: Instant) -> Instant {
        begun + self.patience
    }

    /// Whether no patience is left.
    pub(super) const fn is_over(&self) -> bool {
        self.patience.is_zero()
    }

    /// Notes what the kernel took since `begun`.
    pub(super) fn note(&mut self, begun: Instant, bytes: usize) {
        let before = (bytes as u64).min(self.ahead);
        self.ahead -= before;
        self.earn(begun, bytes as u64 - before);
    }

    /// Notes what the peer has acknowledged by now, in all; the kernel took nothing
    /// since `begun`.
    pub(super) fn note_acknowledged(&mut self, begun: Instant, all: Option<u64>) {
        let newly = match (self.acknowledged, all) {
            (Some(before), Some(all)) => all.saturating_sub(before),
            (None, _) | (_, None) => 0,
        };
        self.acknowledged = all;
        self.ahead = self.ahead.saturating_add(newly);
        self.earn(begun, newly);
    }

    fn earn(&mut self, begun: Instant, bytes: u64) {
        let earned = Duration::from_micros(bytes.saturating_mul(1_000_000) / BODY_BYTES_PER_S_MIN);
        self.patience = (self.patience.saturating_sub(begun.elapsed()) + earned).min(SEND_STALL_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{Pace, Taken};
    use crate::limits::{BODY_BYTES_PER_S_MIN, BODY_SILENCE_MAX, RATE_WINDOW, SEND_STALL_MAX};

    const SECOND: Duration = Duration::from_secs(1);

    /// Seconds until a body that brings so many bytes each second is given up; `None`
    /// if it is not within an hour.
    async fn body_given_up(bytes_per_s: u64) -> Option<u64> {
        let (mut pace, begun) = (Pace::new(), Instant::now());
        while begun.elapsed() < Duration::from_secs(3600) {
            if pace.deadline() < Instant::now() + SECOND {
                return Some(begun.elapsed().as_secs());
            }
            advance(SECOND).await;
            pace.bytes += bytes_per_s;
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_given_up_below_its_rate_alone() {
        assert_eq!(body_given_up(BODY_BYTES_PER_S_MIN).await, None);
        assert_eq!(body_given_up(1).await, Some(RATE_WINDOW.as_secs()));
        assert_eq!(body_given_up(BODY_BYTES_PER_S_MIN / 2).await, Some(2 * RATE_WINDOW.as_secs() - 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_body_earns_no_silence() {
        let mut pace = Pace::new();
        pace.bytes = 1 << 30;
        assert_eq!(pace.deadline() - Instant::now(), BODY_SILENCE_MAX);
    }

    /// The same for a peer that takes a piece after each pause.
    async fn peer_given_up(pause: Duration, bytes: usize) -> Option<u64> {
        let (mut taken, begun) = (Taken::new(), Instant::now());
        while begun.elapsed() < Duration::from_secs(24 * 3600) {
            let piece = Instant::now();
            if taken.deadline(piece) < piece + pause {
                return Some(begun.elapsed().as_secs());
            }
            advance(pause).await;
            taken.note(piece, bytes);
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_too_little_is_given_up() {
        let floor = usize::try_from(BODY_BYTES_PER_S_MIN).unwrap();
        assert_eq!(peer_given_up(SECOND, floor).await, None);
        assert_eq!(peer_given_up(SEND_STALL_MAX, 1 << 30).await, None, "bursts are as good");
        assert_eq!(peer_given_up(SEND_STALL_MAX + SECOND, 1 << 30).await, Some(0), "silence is not");
        assert_eq!(peer_given_up(SECOND, floor / 2).await, Some(119));
        // A little below the rate it takes longer, however small the pieces are.
        assert_eq!(peer_given_up(SECOND, floor * 9 / 10).await, Some(587));
    }

    /// Looks every 6 s at a peer that acknowledges so many bytes a second, while the
    /// kernel takes nothing.
    async fn acknowledging_peer_given_up(bytes_per_s: u64) -> Option<u64> {
        let (mut taken, begun) = (Taken::new(), Instant::now());
        while begun.elapsed() < Duration::from_secs(3600) {
            let look = Instant::now();
            advance((6 * SECOND).min(taken.deadline(look) - look)).await;
            taken.note_acknowledged(look, Some(begun.elapsed().as_secs() * bytes_per_s));
            if taken.is_over() {
                return Some(begun.elapsed().as_secs());
            }
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_window_that_moves_is_no_stall() {
        assert_eq!(acknowledging_peer_given_up(BODY_BYTES_PER_S_MIN).await, None);
        assert_eq!(acknowledging_peer_given_up(0).await, Some(SEND_STALL_MAX.as_secs()));
        assert!(acknowledging_peer_given_up(BODY_BYTES_PER_S_MIN / 2).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_acknowledged_earns_once() {
        let (mut taken, begun) = (Taken::new(), Instant::now());
        taken.note_acknowledged(begun, Some(0));
        advance(30 * SECOND).await;
        taken.note_acknowledged(begun, Some(10 * BODY_BYTES_PER_S_MIN));
        assert_eq!(taken.deadline(begun) - begun, 40 * SECOND);
        let now = Instant::now();
        taken.note(now, usize::try_from(15 * BODY_BYTES_PER_S_MIN).unwrap());
        assert_eq!(taken.deadline(now) - now, 45 * SECOND);
    }
}
