//! The clocks of a body on its way in, in either version of HTTP: silence, and a
//! rate that only an attack stays below.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{BODY_BYTES_PER_S_MIN, BODY_SILENCE_MAX, RATE_WINDOW};

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
