//! The text for Prometheus.
//!
//! *Source*: Prometheus text exposition format 0.0.4.

use std::fmt::Write as _;

use super::{Family, Kind, Value};
use crate::board::Durations;

pub(super) fn encode(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        let kind = match family.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        let name = family.name;
        out.extend(["# HELP ", name, " ", family.help, "\n# TYPE ", name, " ", kind, "\n"]);
        for sample in &family.samples {
            let labels = labels(&sample.labels);
            match &sample.value {
                Value::Number(value) => line(&mut out, name, "", &labels, "", *value),
                Value::Durations { bounds, durations } => {
                    histogram(&mut out, name, &labels, bounds, durations)
                }
            }
        }
    }
    out
}

/// Names and values, without the braces.
fn labels(labels: &[(&'static str, String)]) -> String {
    let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    labels.collect::<Vec<_>>().join(",")
}

fn line(out: &mut String, name: &str, suffix: &str, labels: &str, more: &str, value: f64) {
    let comma = if labels.is_empty() || more.is_empty() { "" } else { "," };
    let (open, close) = if labels.is_empty() && more.is_empty() { ("", "") } else { ("{", "}") };
    // Writing into a string does not fail.
    let _written = writeln!(out, "{name}{suffix}{open}{labels}{comma}{more}{close} {value}");
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn histogram(out: &mut String, name: &str, labels: &str, bounds: &[f64], durations: &Durations) {
    let mut below: u64 = 0;
    for (bound, count) in bounds.iter().zip(&durations.buckets) {
        below = below.saturating_add(*count);
        line(out, name, "_bucket", labels, &format!("le=\"{bound}\""), below as f64);
    }
    let count = durations.count as f64;
    line(out, name, "_bucket", labels, "le=\"+Inf\"", count);
    line(out, name, "_sum", labels, "", durations.sum_s);
    line(out, name, "_count", labels, "", count);
}

/// A label's value: these three characters are the ones that the format escapes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
