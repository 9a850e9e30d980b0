//! Where the records of the journals go beside the board.

use std::sync::atomic::{AtomicU64, Ordering};

use repono_journal::read::Record;

/// Told of each record as it is read, with the time of the wall clock. It must not wait:
/// the collector's thread calls it.
pub(crate) type Listener = Box<dyn FnMut(&Record<'_>, u64) + Send>;

/// What became of spans.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// A collector has taken them.
    pub(crate) sent: AtomicU64,
    /// Lost: they came too fast, or no collector took them.
    pub(crate) dropped: AtomicU64,
    /// Left out on purpose: requests that were neither slow nor failed.
    pub(crate) left_out: AtomicU64,
}

impl Counts {
    /// By their words.
    pub(crate) fn words(&self) -> [(&'static str, u64); 3] {
        [("sent", &self.sent), ("dropped", &self.dropped), ("left-out", &self.left_out)]
            .map(|(word, count)| (word, count.load(Ordering::Relaxed)))
    }
}
