//! One group of requests beside the rest.

use serde::Serialize;

use super::causes::{Cause, Tally};
use super::{Sample, THOUSAND};

/// Fewer samples in one of the two groups say nothing.
const SAMPLES_MIN: usize = 5;
/// Causes that are told.
const TOLD_MAX: usize = 20;
/// Shares that differ by less are alike, for a person.
const DIFFERENCE_MIN: f64 = 0.2;
/// So many standard errors apart: among some hundred causes none is there by chance.
const ERRORS_MIN: f64 = 4.0;

/// A box in the heatmap: beginnings are in it, ends are not.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) time_ns: std::ops::Range<u64>,
    pub(crate) duration_ns: std::ops::Range<u64>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    selected: u64,
    rest: u64,
    sentence: String,
    dimensions: Vec<Told>,
}

/// One cause, with its share in both groups.
#[derive(Debug, Serialize)]
struct Told {
    dimension: &'static str,
    value: String,
    selected: f64,
    rest: f64,
}

/// Samples, weighted by the requests that each stands for.
#[derive(Default)]
struct Group<'a> {
    samples: usize,
    tally: Tally<'a>,
    thousandths: u64,
    squares: f64,
}

struct Difference {
    cause: Cause,
    selected: f64,
    rest: f64,
    errors: f64,
}

impl Comparison {
    pub(super) fn of<'a>(selection: &Selection, samples: impl Iterator<Item = (&'a Sample, u64)>) -> Self {
        let (mut selected, mut rest) = (Group::default(), Group::default());
        let spans_all = selection.duration_ns == (0..u64::MAX);
        for (sample, weight) in samples {
            let in_time = selection.time_ns.contains(&sample.at_ns);
            let in_box = in_time && selection.duration_ns.contains(&sample.duration_ns);
            if in_box {
                selected.add(sample, weight);
            } else if in_time || spans_all {
                rest.add(sample, weight);
            }
        }
        let told = differences(&selected, &rest);
        Self {
            selected: selected.requests(),
            rest: rest.requests(),
            sentence: sentence(&selected, &rest, told.first()),
            dimensions: told.into_iter().take(TOLD_MAX).map(Told::of).collect(),
        }
    }
}

impl<'a> Group<'a> {
    fn add(&mut self, sample: &'a Sample, thousandths: u64) {
        let weight = float(thousandths);
        self.samples += 1;
        self.tally.add(sample, thousandths);
        self.thousandths = self.thousandths.saturating_add(thousandths);
        self.squares += weight * weight;
    }

    const fn requests(&self) -> u64 {
        self.thousandths.saturating_add(THOUSAND / 2) / THOUSAND
    }

    const fn weight(&self) -> f64 {
        float(self.thousandths)
    }

    fn share(&self, thousandths: u64) -> f64 {
        float(thousandths) / self.weight()
    }

    /// As how many samples of equal weight these tell (Kish).
    fn effective(&self) -> f64 {
        self.weight() * self.weight() / self.squares
    }

    const fn is_enough(&self) -> bool {
        self.samples >= SAMPLES_MIN
    }
}

/// What more of the selected have than of the rest, the most telling first.
fn differences(selected: &Group<'_>, rest: &Group<'_>) -> Vec<Difference> {
    if !selected.is_enough() || !rest.is_enough() {
        return Vec::new();
    }
    let error = 1.0 / selected.effective() + 1.0 / rest.effective();
    let all = selected.weight() + rest.weight();
    let mut found: Vec<Difference> = selected
        .tally
        .causes()
        .map(|(cause, with)| {
            let (of_selected, of_rest) = (selected.share(with), rest.share(rest.tally.with(&cause)));
            let pooled = (of_selected * selected.weight() + of_rest * rest.weight()) / all;
            // Nobody of many is not never: half a sample keeps the error above zero.
            let pooled = pooled.clamp(error / 2.0, (1.0 - error / 2.0).max(error / 2.0));
            let errors =
                (of_selected - of_rest) / (pooled * (1.0 - pooled) * error).max(f64::MIN_POSITIVE).sqrt();
            Difference { cause, selected: of_selected, rest: of_rest, errors }
        })
        .filter(|found| found.by() > 0.0)
        .collect();
    // Stable: of equals the more specific one stays first.
    found.sort_by(|one, other| other.by().total_cmp(&one.by()));
    let mut bounds = Vec::new();
    found.retain(|found| {
        let dimension = found.cause.dimension();
        let again = found.cause.is_bound() && bounds.contains(&dimension);
        bounds.push(dimension);
        !again
    });
    found
}

impl Difference {
    fn by(&self) -> f64 {
        self.selected - self.rest
    }

    fn is_telling(&self) -> bool {
        self.by() >= DIFFERENCE_MIN && self.errors >= ERRORS_MIN
    }
}

impl Told {
    fn of(found: Difference) -> Self {
        let round = |share: f64| (share * 1e4).round() / 1e4;
        Self {
            dimension: found.cause.dimension(),
            value: found.cause.value(),
            selected: round(found.selected),
            rest: round(found.rest),
        }
    }
}

fn sentence(selected: &Group<'_>, rest: &Group<'_>, first: Option<&Difference>) -> String {
    if !selected.is_enough() {
        return format!("Only {} requests are selected: too few to tell a cause.", selected.requests());
    }
    if !rest.is_enough() {
        return format!("Only {} requests are not selected: too few to compare with.", rest.requests());
    }
    match first.filter(|found| found.is_telling()) {
        Some(found) => format!(
            "{:.0} % of the selected were {}; {:.0} % of the rest were.",
            found.selected * 100.0,
            found.cause.clause(),
            found.rest * 100.0
        ),
        None => "Nothing that is known of a request tells the selected from the rest.".to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown in hundredths")]
const fn float(number: u64) -> f64 {
    number as f64
}
