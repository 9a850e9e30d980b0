//! The last lines of a kind, bounded in bytes.

use std::collections::VecDeque;

use super::Kept;

/// Lines, the oldest first. Their text lies in one room, which is used again: at 10,000
/// lines a second a piece of memory for each would cost more than all that is looked at
/// in it.
#[derive(Debug)]
pub(super) struct Ring {
    lines: VecDeque<Kept<Place>>,
    text: VecDeque<u8>,
    /// How many bytes of text have been dropped so far.
    dropped: u64,
    bytes_max: usize,
}

/// Where a line's text is, counted from the first that was ever put into the ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    at: u64,
    bytes: usize,
}

impl Ring {
    pub(super) const fn new(bytes_max: usize) -> Self {
        Self { lines: VecDeque::new(), text: VecDeque::new(), dropped: 0, bytes_max }
    }

    pub(super) fn push(&mut self, kept: Kept<&[u8]>) {
        let place =
            Place { at: self.dropped.saturating_add(length(self.text.len())), bytes: kept.line.len() };
        self.text.extend(kept.line);
        self.lines.push_back(kept.with(place));
        while self.bytes() > self.bytes_max && self.drop_first() {}
    }

    /// Journals are read one after the other, so that an old line may stand behind a
    /// younger one for a while.
    pub(super) fn forget(&mut self, oldest_ns: u64) {
        while self.lines.front().is_some_and(|kept| kept.ended_ns < oldest_ns) && self.drop_first() {}
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Kept<Place>> {
        self.lines.iter()
    }

    /// A line of this ring with its text.
    pub(super) fn whole(&self, kept: &Kept<Place>) -> Kept {
        let Place { at, bytes } = kept.line;
        let from = usize::try_from(at.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        kept.clone().with(self.text.iter().skip(from).take(bytes).copied().collect())
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len().saturating_add(self.lines.len().saturating_mul(size_of::<Kept<Place>>()))
    }

    fn drop_first(&mut self) -> bool {
        let Some(first) = self.lines.pop_front() else { return false };
        let bytes = first.line.bytes.min(self.text.len());
        self.text.drain(..bytes);
        self.dropped = self.dropped.saturating_add(length(bytes));
        true
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
