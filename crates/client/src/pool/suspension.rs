//! Whether the machine was suspended: the clock that idle times are measured with
//! stood still meanwhile, and those of the path and the server did not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A shorter suspension is no reason for distrust: the margin below what a server
/// advertises covers it. The two clocks are not read at the same moment, so that less
/// could be a thread that had to wait between them.
const SUSPENSION_MIN: Duration = Duration::from_secs(1);

/// How long the machine has been suspended since it was started.
pub(crate) fn suspended() -> Duration {
    let read = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    // In this order a wait between the two never looks like a suspension.
    let boot = read(ClockId::Boottime);
    boot.saturating_sub(read(ClockId::Monotonic))
}

/// The suspensions that were noticed.
pub(crate) struct Suspensions {
    total_ms: AtomicU64,
}

impl Suspensions {
    /// `total` is what [`suspended`] says now.
    pub(crate) fn new(total: Duration) -> Self {
        Self { total_ms: AtomicU64::new(whole_ms(total)) }
    }

    /// Whether there was one since the last question; one of several who ask at the
    /// same time is told.
    pub(crate) fn noticed(&self, total: Duration) -> bool {
        let total = whole_ms(total);
        let known = self.total_ms.load(Ordering::Relaxed);
        total.saturating_sub(known) >= whole_ms(SUSPENSION_MIN)
            && self.total_ms.compare_exchange(known, total, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{SUSPENSION_MIN, Suspensions, suspended};

    #[test]
    fn each_suspension_is_noticed_once() {
        let before = Duration::from_secs(40_000);
        let suspensions = Suspensions::new(before);
        assert!(!suspensions.noticed(before));
        assert!(!suspensions.noticed(before + SUSPENSION_MIN / 2));
        let after = before + Duration::from_secs(300);
        assert!(suspensions.noticed(after));
        assert!(!suspensions.noticed(after));
        assert!(suspensions.noticed(after + SUSPENSION_MIN));
    }

    #[test]
    fn a_machine_that_is_awake_was_not_suspended() {
        let suspensions = Suspensions::new(suspended());
        assert!((0..1000).all(|_| !suspensions.noticed(suspended())));
    }
}
