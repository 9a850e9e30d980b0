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
pub(super) struct Taken {
    patience: Duration,
}

impl Taken {
    pub(super) const fn new() -> Self {
        Self { patience: SEND_STALL_MAX }
    }

    /// Until when it must take something.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    /// Notes what it took since `begun`.
    pub(super) fn note(&mut self, begun: Instant, bytes: usize) {
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / BODY_BYTES_PER_S_MIN);
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
            if taken.deadline() < piece + pause {
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
}
