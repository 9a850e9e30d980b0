//! Charts as one SVG: the first across the whole width, the others in two columns
//! below it, all on one scale.

use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DrawingArea, IntoDrawingArea, RGBColor, SVGBackend, WHITE,
};
use plotters::style::{IntoFont, ShapeStyle};

use super::{Chart, length_s, top_s};
use crate::sample::End;

const WIDTH: u32 = 1000;
const FIRST_HEIGHT: u32 = 300;
const OTHER_HEIGHT: u32 = 180;

/// Above this a request is slow; the incident's chart was in whole seconds.
const SLOW_S: f64 = 1.0;

/// A dot at the top must not touch the frame.
const HEADROOM: f64 = 1.1;

const QUICK: RGBColor = RGBColor(31, 119, 180);
const SLOW: RGBColor = RGBColor(214, 39, 40);

/// An SVG that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw {}", path.display())]
pub struct ChartError {
    path: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Draws charts into a file.
///
/// *Errors*: the file cannot be written.
pub(crate) fn draw(path: &Path, charts: &[Chart]) -> Result<(), ChartError> {
    let failed = |source| ChartError { path: path.to_owned(), source };
    let Some((first, others)) = charts.split_first() else { return Ok(()) };
    let (top, length) = (top_s(charts), length_s(charts));
    let rows = u32::try_from(others.len().div_ceil(2)).unwrap_or(u32::MAX);
    let height = FIRST_HEIGHT.saturating_add(rows.saturating_mul(OTHER_HEIGHT));
    let all = || {
        let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let (upper, lower) = root.split_vertically(FIRST_HEIGHT);
        one(&upper, first, length, top)?;
        if rows > 0 {
            let places = lower.split_evenly((usize::try_from(rows)?, 2));
            places.iter().zip(others).try_for_each(|(place, chart)| one(place, chart, length, top))?;
        }
        root.present()?;
        Ok(())
    };
    all().map_err(failed)
}

type Drawn = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn one(area: &DrawingArea<SVGBackend<'_>, Shift>, chart: &Chart, length: f64, top: f64) -> Drawn {
    let mut axes = ChartBuilder::on(area)
        .caption(&chart.title, ("sans-serif", 16).into_font())
        .margin(8)
        // Half of the last label stands beyond the axis.
        .margin_right(24)
        .x_label_area_size(24)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..length, 0.0..top * HEADROOM)?;
    axes.configure_mesh()
        .light_line_style(WHITE)
        .x_label_formatter(&|s| format!("{s:.0} s"))
        .y_label_formatter(&|s| format!("{s:.0} s"))
        .y_labels(6)
        .draw()?;
    axes.draw_series(chart.samples.iter().map(|sample| {
        let took = sample.took.as_secs_f64();
        let colour = if took > SLOW_S || sample.end == End::Failed { SLOW } else { QUICK };
        let style =
            ShapeStyle { color: colour.mix(0.7), filled: sample.end == End::Answered, stroke_width: 1 };
        Circle::new((sample.at.as_secs_f64(), took), 3, style)
    }))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::draw;
    use crate::chart::Chart;
    use crate::sample::{End, Sample};

    #[test]
    fn every_request_is_a_dot() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("chart.svg");
        let sample = |at: u64| Sample {
            at: Duration::from_secs(at),
            took: Duration::from_millis(at * 100),
            end: End::Answered,
        };
        let chart = |title: &str, count: u64| Chart {
            title: title.into(),
            samples: (0..count).map(sample).collect(),
        };
        draw(&path, &[chart("fault", 30), chart("remedy", 5), chart("other", 6)]).expect("drawn");
        let svg = std::fs::read_to_string(&path).expect("written");
        assert_eq!(svg.matches("<circle").count(), 41);
        for title in ["fault", "remedy", "other"] {
            assert!(svg.contains(title));
        }
        assert!(draw(&directory.path().join("no/where.svg"), &[chart("x", 1)]).is_err());
    }
}
