//! How often a head refused or shed, by cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::interval;

use crate::limits::REFUSALS_SAID_EVERY;

/// Why something was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The user or the source is beyond the rate that the operator set.
    Rate,
    /// It waited for its turn until nobody wants the answer any more.
    Aged,
    /// It was the oldest of those who wait when there were too many.
    Displaced,
    /// A connection beyond the share of its source, or beyond all.
    Connection,
}

impl Cause {
    pub(crate) const ALL: [Self; 4] = [Self::Rate, Self::Aged, Self::Displaced, Self::Connection];

    /// The word in the answer to a health check.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "requests-beyond-rate",
            Self::Aged => "requests-shed-by-age",
            Self::Displaced => "requests-displaced",
            Self::Connection => "connections-refused",
        }
    }
}

/// The counts of a whole head since its start; but for the requests that are under way,
/// touched only by a refusal.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    rate: AtomicU64,
    aged: AtomicU64,
    displaced: AtomicU64,
    connection: AtomicU64,
    /// Requests that came after the FIN of a quiet connection.
    raced: AtomicU64,
    /// Requests of clients from the end of their head to the end of their reply.
    under_way: AtomicU64,
}

/// A request that is under way until this is dropped.
pub(crate) struct UnderWay(Arc<Counts>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counts {
    const fn of(&self, cause: Cause) -> &AtomicU64 {
        match cause {
            Cause::Rate => &self.rate,
            Cause::Aged => &self.aged,
            Cause::Displaced => &self.displaced,
            Cause::Connection => &self.connection,
        }
    }

    pub(crate) fn note(&self, cause: Cause) {
        self.of(cause).fetch_add(1, Ordering::Relaxed);
    }

    /// A request came after the FIN of a quiet connection: its client must send it
    /// again, and not every client does.
    pub(crate) fn note_race(&self) {
        self.raced.fetch_add(1, Ordering::Relaxed);
    }

    /// A request of a client begins.
    ///
    /// *Cost*: two additions that the threads of a head share.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    /// One line for each cause, one for the races and one for the requests that are under
    /// way, `name count`.
    pub(crate) fn lines(&self) -> String {
        let line = |cause: Cause| format!("{} {}\n", cause.as_str(), self.of(cause).load(Ordering::Relaxed));
        let raced = format!("requests-after-close {}\n", self.raced.load(Ordering::Relaxed));
        let under_way = format!("requests-in-flight {}\n", self.under_way.load(Ordering::Relaxed));
        Cause::ALL.into_iter().map(line).chain([raced, under_way]).collect()
    }
}

/// Says what was refused since it was last said, until the task is dropped. Each
/// refusal by itself would be a second flood.
pub(crate) async fn report(counts: Arc<Counts>) {
    let mut said = [0; Cause::ALL.len()];
    let mut rounds = interval(REFUSALS_SAID_EVERY);
    loop {
        rounds.tick().await;
        for (cause, said) in Cause::ALL.into_iter().zip(&mut said) {
            let count = counts.of(cause).load(Ordering::Relaxed);
            if count > *said {
                tracing::warn!(cause = cause.as_str(), count = count - *said, "this head is over its limits");
                *said = count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Cause, Counts};

    #[test]
    fn each_cause_has_its_line() {
        let counts = Arc::new(Counts::default());
        let _under_way = counts.begin();
        drop(counts.begin());
        for (times, cause) in Cause::ALL.into_iter().enumerate() {
            for _ in 0..times {
                counts.note(cause);
            }
        }
        counts.note_race();
        assert_eq!(
            counts.lines(),
            "requests-beyond-rate 0\nrequests-shed-by-age 1\nrequests-displaced 2\nconnections-refused 3\nrequests-after-close 1\nrequests-in-flight 1\n"
        );
    }
}
