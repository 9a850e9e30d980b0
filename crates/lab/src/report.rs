//! What a scenario showed: charts, a table, and a sentence.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::chart::{self, Chart, ChartError};
use crate::sample::{Sample, Summary};

/// Rows of a chart in the terminal: the fault's, and the others'.
const FIRST_ROWS: usize = 12;
const OTHER_ROWS: usize = 6;

/// The outcome of a scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub scenario: &'static str,
    /// Each way that it was run, the fault first.
    pub runs: Vec<Run>,
    /// What happened, from the journals.
    pub diagnosis: String,
    /// The charts.
    pub svg: Vec<PathBuf>,
}

/// One way of running a scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its name.
    pub name: &'static str,
    /// The remedy that it has over the fault.
    pub remedy: Option<&'static str>,
    /// The same in words.
    pub title: &'static str,
    #[serde(flatten)]
    /// Its requests.
    pub summary: Summary,
    /// Connections that it opened.
    pub tls_handshakes: usize,
    /// Why there is nothing to see of it here, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_shown: Option<String>,
    #[serde(skip)]
    /// The requests, for the chart.
    pub samples: Vec<Sample>,
}

impl Report {
    /// Draws the charts beside each other into `directory`, as `SCENARIO.svg`, and a
    /// fault that has remedies alone as `SCENARIO-fault.svg`.
    ///
    /// *Errors*: [`ChartError`].
    pub fn draw(&mut self, directory: &Path) -> Result<(), ChartError> {
        let charts = self.charts();
        let all = directory.join(format!("{}.svg", self.scenario));
        chart::draw(&all, &charts)?;
        self.svg = vec![all];
        if self.runs.iter().any(|run| run.remedy.is_some()) {
            let fault = directory.join(format!("{}-fault.svg", self.scenario));
            chart::draw(&fault, charts.get(..1).unwrap_or_default())?;
            self.svg.insert(0, fault);
        }
        Ok(())
    }

    /// The same for a terminal.
    #[must_use]
    pub fn for_people(&self) -> String {
        let charts = self.charts();
        let top = chart::top_s(&charts);
        let mut text = String::new();
        for (number, chart) in charts.iter().enumerate() {
            let rows = if number == 0 { FIRST_ROWS } else { OTHER_ROWS };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", chart::plot(chart, rows, top));
        }
        text.push_str(&self.table());
        for svg in &self.svg {
            let _ = writeln!(text, "chart: {}", svg.display());
        }
        let _ = write!(text, "\n{}", self.diagnosis);
        text
    }

    fn charts(&self) -> Vec<Chart> {
        let shown = self.runs.iter().filter(|run| run.not_shown.is_none());
        shown.map(|run| Chart { title: run.title.to_owned(), samples: run.samples.clone() }).collect()
    }

    fn table(&self) -> String {
        let mut text = format!(
            "{:<18}{:>9}{:>9}{:>11}{:>11}{:>11}{:>12}\n",
            "run", "requests", "failures", "p50", "p99", "max", "handshakes"
        );
        for run in &self.runs {
            let line = match &run.not_shown {
                Some(why) => format!("{:<18}not shown here: {why}", run.name),
                None => {
                    let Summary { requests, failures, p50_ms, p99_ms, max_ms } = run.summary;
                    format!(
                        "{:<18}{requests:>9}{failures:>9}{:>11}{:>11}{:>11}{:>12}",
                        run.name,
                        ms(p50_ms),
                        ms(p99_ms),
                        ms(max_ms),
                        run.tls_handshakes
                    )
                }
            };
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

fn ms(value: f64) -> String {
    if value < 10.0 { format!("{value:.1} ms") } else { format!("{value:.0} ms") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Report, Run};
    use crate::sample::{End, Sample, Summary};

    fn run(name: &'static str, remedy: Option<&'static str>, took_ms: u64) -> Run {
        let took = Duration::from_millis(took_ms);
        let samples = vec![Sample { at: Duration::from_secs(1), took, end: End::Answered }];
        let summary = Summary::of(&samples);
        Run { name, remedy, title: name, summary, tls_handshakes: 3, not_shown: None, samples }
    }

    #[test]
    fn scripts_and_people_read_the_same_figures() {
        let mut hidden = run("head-keepalive", Some("head-keepalive"), 4);
        hidden.not_shown = Some("a relay passes no keepalive on".into());
        let mut report = Report {
            scenario: "stale-keepalive",
            runs: vec![run("fault", None, 10_012), run("client-closes", Some("client-closes"), 9), hidden],
            diagnosis: "the box forgot".into(),
            svg: Vec::new(),
        };
        let directory = tempfile::tempdir().expect("a directory");
        report.draw(directory.path()).expect("drawn");
        let json = serde_json::to_value(&report).expect("JSON");
        assert_eq!(json["runs"][0]["remedy"], serde_json::Value::Null);
        assert_eq!(json["runs"][0]["max_ms"], 10_012.0);
        assert_eq!(json["runs"][1]["tls_handshakes"], 3);
        assert_eq!(json["svg"].as_array().map(Vec::len), Some(2));
        let text = report.for_people();
        assert!(text.ends_with("the box forgot"));
        assert!(text.contains("10012 ms") && text.contains("not shown here: a relay"), "{text}");
        assert!(report.svg.iter().all(|file| file.exists()));
    }
}
