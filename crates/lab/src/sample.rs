//! What a load measured: one sample for each request, and what they amount to.

use std::time::Duration;

use serde::Serialize;

/// One request as its caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it was made, since the run began.
    pub at: Duration,
    /// How long the caller waited.
    pub took: Duration,
    /// How it ended.
    pub end: End,
}

/// How a request ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the whole answer.
    Answered,
    /// With an error.
    Failed,
}

/// What a run's samples amount to.
///
/// *Units*: milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Requests made.
    pub requests: usize,
    /// Those of them that failed.
    pub failures: usize,
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// All but one in a hundred took no longer.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Summary {
    /// Counts and percentiles (nearest rank) of these samples.
    #[must_use]
    pub fn of(samples: &[Sample]) -> Self {
        let mut took: Vec<f64> = samples.iter().map(|sample| sample.took.as_secs_f64() * 1000.0).collect();
        took.sort_by(f64::total_cmp);
        let rank = |percent: usize| {
            let rank = (took.len() * percent).div_ceil(100).saturating_sub(1);
            took.get(rank).copied().unwrap_or_default()
        };
        Self {
            requests: samples.len(),
            failures: samples.iter().filter(|sample| sample.end == End::Failed).count(),
            p50_ms: rank(50),
            p99_ms: rank(99),
            max_ms: rank(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{End, Sample, Summary};

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sample = |ms: u64| {
            let end = if ms == 7 { End::Failed } else { End::Answered };
            Sample { at: Duration::ZERO, took: Duration::from_millis(ms), end }
        };
        let samples: Vec<_> = (1..=200).rev().map(sample).collect();
        let summary = Summary::of(&samples);
        assert_eq!((summary.requests, summary.failures), (200, 1));
        assert_eq!((summary.p50_ms, summary.p99_ms, summary.max_ms), (100.0, 198.0, 200.0));
        assert_eq!(Summary::of(&[]), Summary::default());
        assert_eq!(Summary::of(&[sample(3)]).p99_ms, 3.0);
    }
}
