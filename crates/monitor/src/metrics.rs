//! What Prometheus is told: families of metrics, as text or as protobuf.
//!
//! *Source*: OpenTelemetry's semantic conventions for HTTP metrics, under the names that
//! Prometheus gives them.
//!
//! `prometheus-client` writes OpenMetrics alone, whose counters `promtool check metrics`
//! takes for misnamed, and its histograms can neither count a sampled record as often as
//! it stands for nor go on after a restart; so the two forms are written here.

mod accept;
mod board;
mod heads;
mod path;
mod protobuf;
mod text;

use tokio::time::Instant;

use crate::board::{Board, Durations};
use crate::export::Counts;
use crate::heads::Answer;
use crate::path::Told;

pub(crate) use accept::Form;
pub(crate) use path::timeouts;

/// A family's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Up and down.
    Gauge,
    /// Only up, and from zero again when whoever counts is started again.
    Counter,
    /// Fixed bounds, and exponential ones where the form has them.
    Histogram,
}

/// Samples of one name.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample>,
}

/// One series of a family.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) labels: Labels,
    pub(crate) value: Value,
}

/// Names and values; the names of a series are always in the same order.
pub(crate) type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
pub(crate) enum Value {
    Number(f64),
    Durations { bounds: &'static [f64], durations: Durations },
}

impl Family {
    fn new(
        kind: Kind,
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = Sample>,
    ) -> Self {
        Self { name, help, kind, samples: samples.into_iter().collect() }
    }

    fn gauge(name: &'static str, help: &'static str, samples: impl IntoIterator<Item = Sample>) -> Self {
        Self::new(Kind::Gauge, name, help, samples)
    }

    fn counter(name: &'static str, help: &'static str, samples: impl IntoIterator<Item = Sample>) -> Self {
        Self::new(Kind::Counter, name, help, samples)
    }
}

impl Sample {
    fn number(labels: Labels, value: f64) -> Self {
        Self { labels, value: Value::Number(value) }
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
    fn count(labels: Labels, count: u64) -> Self {
        Self::number(labels, count as f64)
    }

    fn truth(labels: Labels, truth: Truth) -> Self {
        Self::number(
            labels,
            match truth {
                Truth::Yes => 1.0,
                Truth::No => 0.0,
            },
        )
    }

    fn durations(labels: Labels, bounds: &'static [f64], durations: Durations) -> Self {
        Self { labels, value: Value::Durations { bounds, durations } }
    }
}

/// A gauge that is 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }
}

/// A label whose value is a word.
fn label(name: &'static str, word: &str) -> (&'static str, String) {
    (name, word.to_owned())
}

/// Every metric, as of `now`; those of journals where some are followed.
pub(crate) fn families(latest: Option<&Answer>, board: Option<&Board>, now: Instant) -> Vec<Family> {
    let mut families = heads::families(latest, now);
    families.extend(board.into_iter().flat_map(board::families));
    families
}

/// What the probes of the path found.
pub(crate) fn probed(told: &Told) -> Vec<Family> {
    path::families(told)
}

/// What became of spans.
pub(crate) fn exported(counts: &Counts) -> Family {
    Family::counter(
        "repono_otlp_spans_total",
        "Spans of requests: sent to a collector, dropped on the way, or left out by the share that is sent.",
        counts.words().map(|(word, count)| Sample::count(vec![label("outcome", word)], count)),
    )
}

/// The families in a form.
pub(crate) fn encode(families: &[Family], form: Form) -> Vec<u8> {
    match form {
        Form::Text => text::encode(families).into_bytes(),
        Form::Protobuf => protobuf::encode(families),
    }
}

#[cfg(test)]
mod tests;
