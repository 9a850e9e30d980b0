//! The `Range` request header: parsed leniently as Swift does, resolved against
//! the size of an object.
//!
//! *Source*: RFC 9110 section 14; `swift/common/swob.py`, `Range`.

use std::ops::Range;

/// One range of a `Range: bytes=…` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// `first-last`, both inclusive.
    FromTo(u64, u64),
    /// `first-`, to the end.
    From(u64),
    /// `-n`, the last `n` bytes.
    Suffix(u64),
}

/// A `Range` header that is to be honoured: at least one range, in the order sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeSet(Vec<RangeSpec>);

/// What a [`RangeSet`] comes to for an object of a known size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The header does not apply: answer 200 with the whole object.
    Whole,
    /// Answer 206 with these half-open ranges, each non-empty and within the object.
    Parts(Vec<Range<u64>>),
    /// Nothing that was asked for exists, or it was asked for in a way that only
    /// an attack does: answer 416.
    Unsatisfiable,
}

impl From<RangeSpec> for RangeSet {
    fn from(spec: RangeSpec) -> Self {
        Self(vec![spec])
    }
}

impl RangeSet {
    /// More ranges than this in one header are refused (Swift's cap).
    pub const RANGES_MAX: usize = 50;
    /// More pairs of overlapping neighbours than this are refused (Swift's cap).
    pub const OVERLAPS_MAX: usize = 2;
    /// This many steps backwards are refused (Swift's cap).
    pub const DESCENTS_MAX: usize = 8;

    /// Parses the value of a `Range` header.
    ///
    /// *Errors*: `None` when any part is malformed, reversed or not in bytes; the
    /// header is then ignored, as RFC 9110 section 14.2 allows and Swift does.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = str::from_utf8(value).ok()?;
        let (unit, list) = text.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        list.split(',').map(spec).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The ranges as sent.
    #[must_use]
    pub fn specs(&self) -> &[RangeSpec] {
        &self.0
    }

    /// Resolves the set against an object of `size` bytes.
    #[must_use]
    pub fn resolve(&self, size: u64) -> Resolved {
        if self.0.len() > Self::RANGES_MAX {
            return Resolved::Unsatisfiable;
        }
        if size == 0 && self.0.iter().any(|s| matches!(s, RangeSpec::Suffix(n) if *n > 0)) {
            return Resolved::Whole;
        }
        let parts: Vec<_> = self.0.iter().filter_map(|spec| resolve_one(*spec, size)).collect();
        if parts.is_empty() || abusive(&parts) {
            return Resolved::Unsatisfiable;
        }
        Resolved::Parts(parts)
    }
}

fn spec(text: &str) -> Option<RangeSpec> {
    let (first, last) = text.trim().split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => number(last).map(RangeSpec::Suffix),
        (false, true) => number(first).map(RangeSpec::From),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(RangeSpec::FromTo(first, last))
        }
    }
}

/// Decimal digits only; a number beyond 64 bits is as good as the largest one,
/// since no object reaches it.
fn number(digits: &str) -> Option<u64> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

fn resolve_one(spec: RangeSpec, size: u64) -> Option<Range<u64>> {
    let range = match spec {
        RangeSpec::FromTo(first, last) => first..last.saturating_add(1).min(size),
        RangeSpec::From(first) => first..size,
        RangeSpec::Suffix(n) => size.saturating_sub(n)..size,
    };
    (range.start < range.end).then_some(range)
}

fn abusive(parts: &[Range<u64>]) -> bool {
    let mut overlaps = 0;
    let mut descents = 0;
    for pair in parts.windows(2) {
        if let [a, b] = pair {
            overlaps += usize::from(a.start < b.end && b.start < a.end);
            descents += usize::from(b.start < a.start);
        }
    }
    overlaps > RangeSet::OVERLAPS_MAX || descents >= RangeSet::DESCENTS_MAX
}

#[cfg(test)]
mod tests {
    use super::{RangeSet, RangeSpec, Resolved};

    fn resolve(value: &str, size: u64) -> Option<Resolved> {
        RangeSet::parse(value.as_bytes()).map(|set| set.resolve(size))
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one range is what most answers hold")]
    fn table() {
        let parts = |ranges: &[std::ops::Range<u64>]| Some(Resolved::Parts(ranges.to_vec()));
        assert_eq!(resolve("bytes=0-0", 10), parts(&[0..1]));
        assert_eq!(resolve("Bytes = 2 - 5 ", 10), parts(&[2..6]));
        assert_eq!(resolve("bytes=5-", 10), parts(&[5..10]));
        assert_eq!(resolve("bytes=-3", 10), parts(&[7..10]));
        assert_eq!(resolve("bytes=-30", 10), parts(&[0..10]));
        assert_eq!(resolve("bytes=0-99999999999999999999999999", 10), parts(&[0..10]));
        assert_eq!(resolve("bytes=10-", 10), Some(Resolved::Unsatisfiable));
        assert_eq!(resolve("bytes=-0", 10), Some(Resolved::Unsatisfiable));
        assert_eq!(resolve("bytes=-5", 0), Some(Resolved::Whole));
        assert_eq!(resolve("bytes=0-", 0), Some(Resolved::Unsatisfiable));
        assert_eq!(resolve("bytes=0-1,20-30", 10), parts(&[0..2]));
        for ignored in [
            "bytes=9-1",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=1",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=0-1,x",
            "0-1",
        ] {
            assert_eq!(resolve(ignored, 10), None, "{ignored}");
        }
    }

    #[test]
    fn attacks_are_unsatisfiable() {
        let many = format!("bytes={}", vec!["0-1"; 51].join(","));
        let overlapping = "bytes=0-5,1-6,2-7,3-8";
        let descending = "bytes=18-18,16-16,14-14,12-12,10-10,8-8,6-6,4-4,2-2";
        for attack in [many.as_str(), overlapping, descending] {
            assert_eq!(resolve(attack, 100), Some(Resolved::Unsatisfiable), "{attack}");
        }
        assert_eq!(
            RangeSet::parse(b"bytes=1-2").map(|s| s.specs().to_vec()),
            Some(vec![RangeSpec::FromTo(1, 2)])
        );
    }
}
