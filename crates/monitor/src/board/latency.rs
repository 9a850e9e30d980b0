//! Response times by second, minute and hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;
use repono_journal::Reuse;
use repono_journal::read::Request;
use serde::{Deserialize, Serialize};

/// Two significant digits: a quantile is off by less than 1 %. Three would take eight
/// times the memory, and no chart shows them.
pub(super) const DIGITS: u8 = 2;
/// The unit of the histograms. A small GET takes 200 µs on a head.
pub(super) const UNIT_NS: u64 = 10_000;
/// The longest time that is told apart from longer ones, in units: 300 s, the longest
/// bound of the metrics. The maximum is kept beside it, exactly.
pub(super) const UNITS_MAX: u64 = 30_000_000;

// What this takes: two digits are 256 values in the lowest bucket and 128 in each that
// doubles it; 300 s need 18 buckets, (18 + 1) * 128 counts of 4 bytes, 9.5 KiB. Slots:
// (600 + 1,440 + 720) of two views, 5,520, so 52 MiB at most. A slot whose slowest
// request took a second has 10 buckets and 5.6 KiB, and one without requests is not there.

/// The upper ends of a heatmap's rows: each is twice as high as the one before, which
/// shows what lies far apart and hides what does not matter.
pub(crate) const ROW_BOUNDS_MS: [u64; ROWS - 1] = {
    let mut bounds = [1; ROWS - 1];
    let mut at = 1;
    while at < bounds.len() {
        bounds[at] = 2 * bounds[at - 1];
        at += 1;
    }
    bounds
};
/// 1 ms to 524 s, and what is beyond.
const ROWS: usize = 21;

/// How many requests there were in each row.
pub(crate) type Rows = [u64; ROWS];

/// How finely time is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Step {
    Second,
    Minute,
    Hour,
}

impl Step {
    pub(super) const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    pub(crate) const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    /// Slots that are kept: 10 minutes, a day, 30 days.
    pub(crate) const fn slots(self) -> u64 {
        match self {
            Self::Second => 600,
            Self::Minute => 1_440,
            Self::Hour => 720,
        }
    }

    /// The first slot that is kept at this time, as its beginning in Unix seconds.
    pub(crate) const fn oldest(self, now_s: u64) -> u64 {
        self.begin(now_s).saturating_sub((self.slots() - 1) * self.seconds())
    }

    /// Where the slots begin and end that are kept of a span.
    fn range(self, from: u64, to: u64, now_s: u64) -> (u64, u64) {
        (self.begin(from).max(self.oldest(now_s)), to.min(now_s.saturating_add(1)))
    }

    /// The beginning of the slot of a time.
    pub(crate) const fn begin(self, at_s: u64) -> u64 {
        at_s - at_s % self.seconds()
    }
}

/// What is counted of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at_s: u64,
    pub(super) duration_ns: u64,
    /// For how many requests it stands.
    pub(super) weight: u32,
    pub(super) failed: bool,
    reused: bool,
}

impl Sample {
    pub(super) fn of(request: &Request<'_>) -> Self {
        Self {
            at_s: request.ended.wall_ns / 1_000_000_000,
            duration_ns: request.duration_ns(),
            weight: u32::try_from(request.one_in).unwrap_or(u32::MAX),
            failed: request.is_failed(),
            reused: matches!(request.reuse, Reuse::Reused { .. }),
        }
    }
}

/// One side's response times.
///
/// *Cost*: a copy shares its slots with the original, 2,760 at most, some 60 µs; what is
/// counted next copies the slots that it changes, three of at most 10 KiB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latency {
    seconds: Slots,
    minutes: Slots,
    hours: Slots,
}

/// By their beginning, Unix seconds.
type Slots = BTreeMap<u64, Arc<Slot>>;

#[derive(Clone, Debug)]
struct Slot {
    histogram: Histogram<u32>,
    max_ns: u64,
    failed: u64,
    reused: u64,
}

/// A slot, as it outlives the process.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct KeptSlot {
    step: Step,
    t: u64,
    max_ns: u64,
    failed: u64,
    reused: u64,
    /// Value in units, and how often it was seen.
    counts: Vec<(u64, u32)>,
}

/// A slot, as a chart shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Its beginning, Unix seconds.
    pub(crate) t: u64,
    pub(crate) count: u64,
    pub(crate) failed: u64,
    pub(crate) reused: u64,
    /// p50, p95, p99 and the maximum, in ms; `None` where there was no request.
    pub(crate) ms: Option<[f64; 4]>,
}

impl Latency {
    pub(super) fn take(&mut self, sample: &Sample, now_ns: u64) {
        let now_s = now_ns / 1_000_000_000;
        for step in Step::ALL {
            let slots = self.slots_mut(step);
            let (t, oldest) = (step.begin(sample.at_s), step.oldest(now_s));
            while slots.first_key_value().is_some_and(|(t, _)| *t < oldest) {
                slots.pop_first();
            }
            if t < oldest {
                continue;
            }
            if let Some(slot) = slots.get_mut(&t) {
                Arc::make_mut(slot).take(sample);
            } else if let Some(mut slot) = Slot::new() {
                slot.take(sample);
                slots.insert(t, Arc::new(slot));
            }
        }
    }

    /// The slots from `from` until before `to`, in Unix seconds, as far as they are kept.
    pub(crate) fn points(&self, step: Step, from: u64, to: u64, now_s: u64) -> Vec<Point> {
        let slots = self.slots(step);
        let (first, end) = step.range(from, to, now_s);
        let times = (first..end).step_by(usize::try_from(step.seconds()).unwrap_or(usize::MAX));
        times.map(|t| slots.get(&t).map_or_else(|| Point::empty(t), |slot| slot.point(t))).collect()
    }

    /// How many requests took how long, in the slots from `from` until before `to`: in
    /// each as many rows as there are bounds, and one for what is beyond.
    pub(crate) fn rows(&self, step: Step, from: u64, to: u64, now_s: u64) -> Vec<(u64, Rows)> {
        let slots = self.slots(step);
        let (first, end) = step.range(from, to, now_s);
        let times = (first..end).step_by(usize::try_from(step.seconds()).unwrap_or(usize::MAX));
        times.map(|t| (t, slots.get(&t).map_or([0; ROWS], |slot| slot.rows()))).collect()
    }

    /// What outlives the process: minutes and hours. A second is gone within minutes.
    pub(super) fn kept(&self) -> Vec<KeptSlot> {
        let of = |step| self.slots(step).iter().map(move |(t, slot)| slot.kept(step, *t));
        of(Step::Minute).chain(of(Step::Hour)).collect()
    }

    pub(super) fn resume(&mut self, kept: Vec<KeptSlot>) {
        for slot in kept {
            let most = usize::try_from(slot.step.slots()).unwrap_or(usize::MAX);
            let slots = self.slots_mut(slot.step);
            if let Some(resumed) = Slot::resumed(&slot)
                && slots.len() < most
            {
                slots.insert(slot.t, Arc::new(resumed));
            }
        }
    }

    const fn slots(&self, step: Step) -> &Slots {
        match step {
            Step::Second => &self.seconds,
            Step::Minute => &self.minutes,
            Step::Hour => &self.hours,
        }
    }

    const fn slots_mut(&mut self, step: Step) -> &mut Slots {
        match step {
            Step::Second => &mut self.seconds,
            Step::Minute => &mut self.minutes,
            Step::Hour => &mut self.hours,
        }
    }
}

impl Slot {
    /// `None` never comes: the digits are valid.
    fn new() -> Option<Self> {
        let histogram = Histogram::new(DIGITS).ok()?;
        Some(Self { histogram, max_ns: 0, failed: 0, reused: 0 })
    }

    fn take(&mut self, sample: &Sample) {
        let Sample { duration_ns, weight, failed, reused, .. } = *sample;
        let units = (duration_ns / UNIT_NS).clamp(1, UNITS_MAX);
        // It grows by itself up to UNITS_MAX, where every value has its place.
        let _in_range = self.histogram.record_n(units, weight);
        self.max_ns = self.max_ns.max(duration_ns);
        self.failed = self.failed.saturating_add(if failed { weight.into() } else { 0 });
        self.reused = self.reused.saturating_add(if reused { weight.into() } else { 0 });
    }

    fn point(&self, t: u64) -> Point {
        let quantile = |quantile| in_ms(self.histogram.value_at_quantile(quantile).saturating_mul(UNIT_NS));
        let max = in_ms(self.max_ns);
        Point {
            t,
            count: self.histogram.len(),
            failed: self.failed,
            reused: self.reused,
            // A histogram gives the upper end of a value's range.
            ms: Some([quantile(0.5).min(max), quantile(0.95).min(max), quantile(0.99).min(max), max]),
        }
    }

    fn rows(&self) -> Rows {
        let mut rows = [0; ROWS];
        for value in self.histogram.iter_recorded() {
            // The range of a value may lie on both sides of a bound: its lower end counts, so
            // that what took a bound's time exactly is in the row that ends there.
            let ns = self.histogram.lowest_equivalent(value.value_iterated_to()).saturating_mul(UNIT_NS);
            let row = ROW_BOUNDS_MS.partition_point(|bound| bound.saturating_mul(1_000_000) < ns);
            if let Some(row) = rows.get_mut(row) {
                *row += u64::from(value.count_at_value());
            }
        }
        rows
    }

    fn kept(&self, step: Step, t: u64) -> KeptSlot {
        let Self { histogram, max_ns, failed, reused } = self;
        let counts =
            histogram.iter_recorded().map(|value| (value.value_iterated_to(), value.count_at_value()));
        KeptSlot { step, t, max_ns: *max_ns, failed: *failed, reused: *reused, counts: counts.collect() }
    }

    fn resumed(kept: &KeptSlot) -> Option<Self> {
        let mut slot = Self::new()?;
        for (units, count) in &kept.counts {
            slot.histogram.record_n((*units).clamp(1, UNITS_MAX), *count).ok()?;
        }
        (slot.max_ns, slot.failed, slot.reused) = (kept.max_ns, kept.failed, kept.reused);
        Some(slot)
    }
}

impl Point {
    const fn empty(t: u64) -> Self {
        Self { t, count: 0, failed: 0, reused: 0, ms: None }
    }
}

/// Milliseconds to the µs.
pub(crate) fn in_ms(ns: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "µs are exact up to 285 years")]
    let us = (ns / 1_000) as f64;
    us / 1e3
}
