//! An instant on both clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::json::instant;

/// One instant, read from the wall clock and from the monotonic clock.
///
/// The wall clock joins the records of several machines and may jump; the
/// monotonic clock measures spans and orders the records of one boot.
///
/// *Units*: nanoseconds; `wall_ns` since the Unix epoch (UTC), `mono_ns` of
/// `CLOCK_MONOTONIC`, the clock of [`std::time::Instant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds since the Unix epoch, UTC.
    pub wall_ns: u64,
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub mono_ns: u64,
}

impl Stamp {
    /// The present. Called at the edges of the program; logic takes the stamp as
    /// an argument.
    ///
    /// *Cost*: two vDSO calls, about 50 ns.
    #[must_use]
    pub fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_ns: nanos(wall), mono_ns: Self::mono_now() }
    }

    /// The present by the monotonic clock alone, for the end of a span.
    #[must_use]
    pub fn mono_now() -> u64 {
        let time = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
    }

    /// This instant and `span` later, on both clocks.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let span = nanos(span);
        Self { wall_ns: self.wall_ns.saturating_add(span), mono_ns: self.mono_ns.saturating_add(span) }
    }

    /// The stamp of the later monotonic instant `mono_ns`, its wall time reckoned
    /// from this one: a step of the wall clock in between does not show as a span.
    #[must_use]
    pub const fn at_mono(self, mono_ns: u64) -> Self {
        let span = mono_ns.saturating_sub(self.mono_ns);
        Self { wall_ns: self.wall_ns.saturating_add(span), mono_ns: self.mono_ns.saturating_add(span) }
    }

    /// The wall clock as `2026-11-22T10:00:10.334Z`.
    #[must_use]
    pub fn utc(self) -> String {
        let mut text = Vec::with_capacity("2026-11-22T10:00:10.334512001Z".len());
        instant(&mut text, self.wall_ns);
        text.truncate("2026-11-22T10:00:10.334".len());
        text.push(b'Z');
        String::from_utf8(text).unwrap_or_default()
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Stamp;

    #[test]
    fn both_clocks_run_forward_together() {
        let start = Stamp { wall_ns: 1_000, mono_ns: 10 };
        assert_eq!(start.plus(Duration::from_nanos(5)), Stamp { wall_ns: 1_005, mono_ns: 15 });
        assert_eq!(start.at_mono(15), start.plus(Duration::from_nanos(5)));
        assert_eq!(start.at_mono(3), start, "an earlier instant is not before the start");
        assert_eq!(
            Stamp { wall_ns: 1_439_686_983_099_999_999, mono_ns: 0 }.utc(),
            "2015-08-16T01:03:03.099Z"
        );
        let now = Stamp::now();
        assert!(Stamp::mono_now() >= now.mono_ns);
    }
}
