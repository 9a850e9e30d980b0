//! Histograms of durations, as Prometheus wants them: with fixed bounds, and with
//! exponential ones beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// OpenTelemetry's bounds of `http.*.request.duration`, and beyond them those that the
/// stalls lie in which this system is about.
pub(crate) const REQUEST_BOUNDS_S: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0, 300.0,
];
/// How long connections idle: up to the limits of clients, boxes on the way, heads
/// (650 s) and the balancer (900 s), so that a pile at one of them shows.
pub(crate) const IDLE_BOUNDS_S: &[f64] =
    &[0.1, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 350.0, 400.0, 600.0, 650.0, 900.0, 1800.0];
/// Exponential buckets grow by 2^(1/8), 9 %: Prometheus' schema 3.
pub(crate) const SCHEMA: i32 = 3;
/// What is not longer lies in the bucket around zero: 7.6 µs.
pub(crate) const ZERO_THRESHOLD_S: f64 = 1.0 / 131_072.0;
/// The last exponential bucket ends at 2^17 s, a day and a half; what is longer is put
/// there. So there are at most 272 of them.
const LAST: i16 = 17 * 8;

/// A histogram, its buckets not cumulative.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Durations {
    /// By the fixed bounds; what is beyond the last is in `count` alone.
    pub(crate) buckets: Vec<u64>,
    pub(crate) count: u64,
    pub(crate) sum_s: f64,
    /// In the bucket around zero.
    pub(crate) zero: u64,
    /// By exponential bucket: number `i` ends at 2^(i/8) s.
    pub(crate) exponential: BTreeMap<i16, u64>,
}

impl Durations {
    pub(crate) fn new(bounds: &[f64]) -> Self {
        Self { buckets: vec![0; bounds.len()], count: 0, sum_s: 0.0, zero: 0, exponential: BTreeMap::new() }
    }

    /// Counts a duration that stands for `weight` of them.
    pub(super) fn take(&mut self, bounds: &[f64], duration_ns: u64, weight: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a duration below 100 days is exact to the ns")]
        let (seconds, times) = (duration_ns as f64 / 1e9, weight as f64);
        if let Some((bucket, _)) = self.buckets.iter_mut().zip(bounds).find(|(_, bound)| seconds <= **bound) {
            add(bucket, weight);
        }
        add(&mut self.count, weight);
        self.sum_s += seconds * times;
        if seconds <= ZERO_THRESHOLD_S {
            add(&mut self.zero, weight);
        } else {
            add(self.exponential.entry(exponential(seconds)).or_default(), weight);
        }
    }

    /// As it was kept, if it is one with these bounds.
    pub(super) fn resumed(self, bounds: &[f64]) -> Self {
        let in_range = self.exponential.keys().all(|bucket| (-LAST..=LAST).contains(bucket));
        let fits = self.buckets.len() == bounds.len() && in_range;
        if fits { self } else { Self::new(bounds) }
    }
}

/// The exponential bucket of a duration above the threshold.
fn exponential(seconds: f64) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "it is between -136 and 136")]
    let bucket = (seconds.log2() * 8.0).ceil().clamp(f64::from(-LAST), f64::from(LAST)) as i16;
    bucket
}

pub(super) fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}

#[cfg(test)]
mod tests {
    use super::{Durations, REQUEST_BOUNDS_S, exponential};

    #[test]
    fn every_duration_lies_in_one_bucket_of_each_kind() {
        let mut durations = Durations::new(REQUEST_BOUNDS_S);
        for ns in [0, 7_000, 5_000_000, 5_000_001, 10_334_512_000, 300_000_000_000, u64::MAX] {
            durations.take(REQUEST_BOUNDS_S, ns, 2);
        }
        assert_eq!((durations.count, durations.zero), (14, 4));
        assert_eq!(durations.exponential.values().sum::<u64>(), 10);
        let filled: Vec<usize> = (0..18).filter(|n| durations.buckets[*n] > 0).collect();
        assert_eq!(filled, [0, 1, 14, 17], "a longer one is in the count alone");
        assert_eq!(durations.buckets[0], 6, "the bound belongs to its bucket");
    }

    #[test]
    fn exponential_buckets_end_at_powers_of_the_eighth_root_of_two() {
        for (seconds, bucket) in [(1.0, 0), (1.000_1, 1), (2.0, 8), (0.5, -8), (1e9, 136), (8e-6, -135)] {
            assert_eq!(exponential(seconds), bucket, "{seconds}");
        }
    }
}
