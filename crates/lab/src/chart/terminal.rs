//! A chart of characters.

use std::fmt::Write;

use super::{Chart, length_s};
use crate::sample::End;

/// Columns of a chart: with its scale it fits into a terminal of 80.
const COLUMNS: usize = 68;

/// Draws a chart of so many rows on a scale up to `top_s` seconds: `.` is one request,
/// `:` a few, `#` many, `x` has failures among them.
#[must_use]
pub(crate) fn plot(chart: &Chart, rows: usize, top_s: f64) -> String {
    let rows = rows.max(2);
    let length = length_s(std::slice::from_ref(chart));
    let mut cells = vec![(0usize, false); COLUMNS * rows];
    for sample in &chart.samples {
        let column = scaled(sample.at.as_secs_f64() / length, COLUMNS);
        let row = scaled(sample.took.as_secs_f64() / top_s, rows);
        if let Some((count, failed)) = cells.get_mut(row * COLUMNS + column) {
            *count += 1;
            *failed |= sample.end == End::Failed;
        }
    }
    let mut text = format!("{}\n", chart.title);
    for (row, line) in cells.chunks(COLUMNS).enumerate().rev() {
        let scale = top_s * row as f64 / rows as f64;
        let line: String = line.iter().map(|(count, failed)| mark(*count, *failed)).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{scale:5.1} s |{}", line.trim_end());
    }
    let _ = writeln!(text, "        +{:-<COLUMNS$}", "");
    let _ = writeln!(text, "        0{:>width$}", format!("{length:.0} s"), width = COLUMNS);
    text
}

/// The cell that a share of the axis falls into.
fn scaled(share: f64, cells: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a few cells")]
    let cell = (share.clamp(0.0, 1.0) * cells as f64) as usize;
    cell.min(cells - 1)
}

const fn mark(count: usize, failed: bool) -> char {
    match (count, failed) {
        (0, _) => ' ',
        (_, true) => 'x',
        (1, false) => '.',
        (2..=5, false) => ':',
        (_, false) => '#',
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::plot;
    use crate::chart::Chart;
    use crate::sample::{End, Sample};

    #[test]
    fn a_request_stands_where_it_belongs() {
        let sample = |at: u64, took_ms: u64, end: End| Sample {
            at: Duration::from_secs(at),
            took: Duration::from_millis(took_ms),
            end,
        };
        let samples = vec![
            sample(0, 5, End::Answered),
            sample(0, 6, End::Answered),
            sample(30, 10_004, End::Answered),
            sample(60, 5_000, End::Failed),
        ];
        let drawn = plot(&Chart { title: "t".into(), samples }, 11, 11.0);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines.len(), 1 + 11 + 2);
        assert_eq!(lines[0], "t");
        assert!(lines[1].starts_with(" 10.0 s |") && lines[1].ends_with('.'), "{drawn}");
        assert!(lines[6].starts_with("  5.0 s |") && lines[6].ends_with('x'), "{drawn}");
        assert_eq!(lines[11], "  0.0 s |:");
        assert!(lines[13].ends_with("60 s"));
    }
}
