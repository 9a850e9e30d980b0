//! Which part of which segment a range of the whole comes to.

use std::ops::Range;

/// A range on its way through segments that stand one behind another.
#[derive(Clone, Debug)]
pub struct Walk {
    range: Range<u64>,
    next: usize,
    /// Where the next segment begins in the whole.
    at: u64,
}

impl Walk {
    /// Begins before the first segment.
    #[must_use]
    pub const fn new(range: Range<u64>) -> Self {
        Self { range, next: 0, at: 0 }
    }

    /// The number of the next segment that has a part in the range, and that part,
    /// counted from the segment's own beginning; `None` behind the last.
    ///
    /// *Shape*: `length` gives the bytes of a segment by its number, `None` where
    /// there are no more of them.
    pub fn step(&mut self, length: impl Fn(usize) -> Option<u64>) -> Option<(usize, Range<u64>)> {
        while self.at < self.range.end {
            let bytes = length(self.next)?;
            let (number, begin) = (self.next, self.at);
            self.next += 1;
            self.at = begin.saturating_add(bytes);
            let part = self.range.start.max(begin)..self.range.end.min(self.at);
            if part.start < part.end {
                return Some((number, part.start - begin..part.end - begin));
            }
        }
        None
    }

    /// What is left of the range behind all segments so far, for those of another
    /// list that follows: counted from its beginning.
    #[must_use]
    pub fn rest(&self) -> Range<u64> {
        self.range.start.saturating_sub(self.at)..self.range.end.saturating_sub(self.at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert, prop_assert_eq};

    use super::Walk;

    proptest! {
        #[test]
        fn parts_of_segments_are_the_range_of_the_whole(
            lengths in collection::vec(0_usize..6, 0..12),
            cut in any::<proptest::sample::Index>(),
            start in 0_usize..40,
            count in 0_usize..40,
        ) {
            let whole: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|n| n as u8).collect();
            let segments: Vec<&[u8]> = lengths
                .iter()
                .scan(0, |at, length| {
                    *at += length;
                    whole.get(*at - length..*at)
                })
                .collect();
            let end = (start + count).min(whole.len());
            let start = start.min(end);
            // The segments come in two lists, as pages of a listing do.
            let (first, second) = segments.split_at(cut.index(segments.len() + 1));
            let mut read = Vec::new();
            let mut range = start as u64..end as u64;
            for list in [first, second] {
                let mut walk = Walk::new(range.clone());
                let mut last = None;
                while let Some((number, part)) = walk.step(|n| list.get(n).map(|s| s.len() as u64)) {
                    prop_assert!(part.start < part.end && last < Some(number));
                    last = Some(number);
                    read.extend_from_slice(&list[number][part.start as usize..part.end as usize]);
                }
                range = walk.rest();
            }
            prop_assert_eq!(&read[..], &whole[start..end]);
        }
    }

    #[test]
    fn stops_where_the_range_ends_and_does_not_overflow() {
        let mut walk = Walk::new(2..3);
        assert_eq!(walk.step(|n| (n < 3).then_some(2)), Some((1, 0..1)));
        assert_eq!(walk.step(|_| panic!("no further segment is looked at")), None);
        let mut walk = Walk::new(0..u64::MAX);
        assert_eq!(walk.step(|_| Some(u64::MAX)), Some((0, 0..u64::MAX)));
        assert_eq!(walk.step(|_| Some(u64::MAX)), None);
    }
}
