//! Protobuf for Prometheus, which carries exponential histograms beside the fixed ones.
//!
//! *Source*: `io/prometheus/client/metrics.proto` of prometheus/client_model, as far as
//! it is used here.

use prost::Message;

use super::{Family, Kind, Value};
use crate::board::{Durations, SCHEMA, ZERO_THRESHOLD_S};

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricFamily {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    help: String,
    /// 0 counter, 1 gauge, 4 histogram; written also where it is 0.
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(super) metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub(super) label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    pub(super) gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    pub(super) histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// `Gauge` and `Counter`, which are alike.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Number {
    #[prost(double, optional, tag = "1")]
    pub(super) value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    pub(super) sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    pub(super) bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    pub(super) zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    pub(super) positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    pub(super) positive_delta: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
}

/// Buckets that follow one another, so many after the end of the span before.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    pub(super) offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    pub(super) length: Option<u32>,
}

pub(super) fn encode(families: &[Family]) -> Vec<u8> {
    // A family without a series is none to Prometheus.
    let families = families.iter().filter(|family| !family.samples.is_empty());
    families.flat_map(|family| self::family(family).encode_length_delimited_to_vec()).collect()
}

fn family(family: &Family) -> MetricFamily {
    let kind = match family.kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 4,
    };
    let metric = family.samples.iter().map(|sample| {
        let label = sample.labels.iter();
        let label = label.map(|(name, value)| LabelPair { name: (*name).to_owned(), value: value.clone() });
        let mut metric = Metric { label: label.collect(), ..Metric::default() };
        match (&sample.value, family.kind) {
            (Value::Durations { bounds, durations }, _) => {
                metric.histogram = Some(histogram(bounds, durations))
            }
            (Value::Number(value), Kind::Counter) => metric.counter = Some(Number { value: Some(*value) }),
            (Value::Number(value), Kind::Gauge | Kind::Histogram) => {
                metric.gauge = Some(Number { value: Some(*value) });
            }
        }
        metric
    });
    MetricFamily {
        name: family.name.to_owned(),
        help: family.help.to_owned(),
        kind: Some(kind),
        metric: metric.collect(),
    }
}

fn histogram(bounds: &[f64], durations: &Durations) -> Histogram {
    let mut below: u64 = 0;
    let bucket = bounds.iter().zip(&durations.buckets).map(|(bound, count)| {
        below = below.saturating_add(*count);
        Bucket { cumulative_count: Some(below), upper_bound: Some(*bound) }
    });
    let bucket = bucket.collect();
    let mut spans: Vec<BucketSpan> = Vec::new();
    let (mut next, mut last) = (0, 0);
    let mut deltas = Vec::new();
    for (number, count) in &durations.exponential {
        let (number, count) = (i32::from(*number), i64::try_from(*count).unwrap_or(i64::MAX));
        match spans.last_mut() {
            Some(span) if number == next => span.length = span.length.map(|length| length.saturating_add(1)),
            Some(_) | None => spans.push(BucketSpan { offset: Some(number - next), length: Some(1) }),
        }
        next = number + 1;
        deltas.push(count - last);
        last = count;
    }
    Histogram {
        sample_count: Some(durations.count),
        sample_sum: Some(durations.sum_s),
        bucket,
        schema: Some(SCHEMA),
        zero_threshold: Some(ZERO_THRESHOLD_S),
        zero_count: Some(durations.zero),
        positive_span: spans,
        positive_delta: deltas,
    }
}
