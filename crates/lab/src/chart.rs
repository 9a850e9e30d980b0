//! Response times over time, a dot for each request: in the terminal, and as SVG.

mod svg;
mod terminal;

use crate::sample::Sample;

pub use svg::ChartError;
pub(crate) use svg::draw;
pub(crate) use terminal::plot;

/// One chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What it shows.
    pub(crate) title: String,
    /// The requests.
    pub(crate) samples: Vec<Sample>,
}

/// The top of the scale for these charts, in seconds: at least one, so that the
/// ripple of a flat chart does not fill it.
#[must_use]
pub(crate) fn top_s(charts: &[Chart]) -> f64 {
    let slowest = charts.iter().flat_map(|chart| &chart.samples).map(|sample| sample.took.as_secs_f64());
    slowest.fold(1.0, f64::max).ceil()
}

/// The length of the time axis, in seconds.
fn length_s(charts: &[Chart]) -> f64 {
    let last = charts.iter().flat_map(|chart| &chart.samples).map(|sample| sample.at.as_secs_f64());
    last.fold(1.0, f64::max).ceil()
}
