//! A diagnosis as text that can be sent on.

use std::fmt::Write;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::TIMES_CONFIGURATION;
use super::lanes::{Lanes, apart};
use crate::adapter::Format;
use crate::diagnosis::{Diagnosis, InputFacts, Limit, named};
use crate::event::Instant;
use crate::finding::{Candidate, Confidence, Finding, Hop, Tone};
use crate::span::in_words;
use crate::timeline::Mark;

/// Changes that are shown: what changed last is most often asked for.
const CHANGES_SHOWN_MAX: usize = 20;

/// Columns of a lane.
const LANE_COLUMNS: f64 = 64.0;

/// Columns of a step on it, with a gap.
const DOT_COLUMNS: f64 = 4.0;

/// Why several candidates are given.
pub(super) const UNDECIDED: &str = "These cannot be told apart without times: under 50 ms it is a race, from 1 s on a silent drop. What adds times is said at the end.";

/// Why no time is given that was lost.
pub(super) const UNTIMED: &str = "how long it took is not known: the log has no times";

/// How headings and quotations are set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Markdown,
}

/// For a terminal.
#[must_use]
pub fn text(diagnosis: &Diagnosis) -> String {
    report(diagnosis, Style::Plain)
}

/// For a ticket or a wiki.
#[must_use]
pub fn markdown(diagnosis: &Diagnosis) -> String {
    report(diagnosis, Style::Markdown)
}

struct Page {
    out: String,
    style: Style,
}

impl Page {
    fn line(&mut self, line: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.out, "{line}");
    }

    fn title(&mut self, title: &str) {
        match self.style {
            Style::Plain => self.line(title),
            Style::Markdown => self.line(&format!("# {title}\n")),
        }
    }

    fn heading(&mut self, heading: &str) {
        match self.style {
            Style::Plain => self.line(&format!("\n{heading}")),
            Style::Markdown => self.line(&format!("\n## {heading}\n")),
        }
    }

    fn item(&mut self, item: &str) {
        match self.style {
            Style::Plain => self.line(&format!("  - {item}")),
            Style::Markdown => self.line(&format!("- {item}")),
        }
    }

    fn numbered(&mut self, number: usize, item: &str) {
        match self.style {
            Style::Plain => self.line(&format!("  {number}. {item}")),
            Style::Markdown => self.line(&format!("{number}. {item}")),
        }
    }

    fn quote(&mut self, quoted: &str) {
        match self.style {
            Style::Plain => self.line(&format!("      {quoted}")),
            Style::Markdown => self.line(&format!("   ```\n   {quoted}\n   ```")),
        }
    }

    fn block(&mut self, language: &str, block: &str) {
        match self.style {
            Style::Plain => block.lines().for_each(|line| self.line(&format!("      {line}"))),
            Style::Markdown => self.line(&format!("```{language}\n{}\n```", block.trim_end())),
        }
    }
}

fn report(diagnosis: &Diagnosis, style: Style) -> String {
    let mut page = Page { out: String::new(), style };
    if diagnosis.findings.is_empty() {
        page.title("Nothing was found");
    }
    for finding in &diagnosis.findings {
        of_finding(&mut page, diagnosis, finding);
    }
    of_changes(&mut page, diagnosis);
    of_inputs(&mut page, diagnosis);
    page.out
}

fn of_finding(page: &mut Page, diagnosis: &Diagnosis, finding: &Finding) {
    let times = if finding.count == 1 { "once".to_owned() } else { format!("{} times", finding.count) };
    page.title(&capital(&finding.title));
    page.line(&format!("\n{} Seen {times}. Confidence: {}.", finding.summary, finding.confidence));
    page.line(&format!("\n{}", finding.explanation));
    page.heading(&happened(diagnosis));
    let mut quoted = None;
    for (at, step) in finding.steps.iter().enumerate() {
        page.numbered(at + 1, &format!("{}: {}", place(diagnosis, &step.mark), step.what));
        if quoted.replace(step.mark.place) != Some(step.mark.place) {
            page.quote(&step.mark.text);
        }
    }
    page.heading("Timeline");
    page.block("text", &drawn(&Lanes::of(&finding.steps)));
    if !finding.again.is_empty() {
        page.heading("Again");
        for mark in &finding.again {
            page.item(&place(diagnosis, mark));
            page.quote(&mark.text);
        }
    }
    page.heading("Where");
    page.item(&format!("Hop: {}", finding.hop));
    for candidate in &finding.candidates {
        page.item(&possible(candidate));
    }
    if !finding.candidates.is_empty() {
        page.item(UNDECIDED);
    }
    for other in &finding.ruled_out {
        page.item(&format!("Not {other}"));
    }
    page.heading("Impact");
    page.item(&format!("{} of {} attempts", finding.count, finding.attempts));
    if let (Some(added), Some(worst)) = (finding.added, finding.worst) {
        page.item(&format!("{} waited in all, {} at the longest", in_words(added), in_words(worst)));
    } else if finding.steps.iter().all(|step| step.mark.at.is_none()) {
        page.item(UNTIMED);
    }
    page.heading("What to change");
    for remedy in &finding.remedies {
        page.item(&format!("{}: {}", remedy.who, remedy.what));
    }
    page.heading("What would prove it");
    page.item(proof(finding));
    page.line("");
}

/// The heading of the steps: whoever gets the report knows no file by itself.
pub(super) fn happened(diagnosis: &Diagnosis) -> String {
    match diagnosis.inputs.as_slice() {
        [input] => format!("What happened in {}", input.name),
        [..] => "What happened".to_owned(),
    }
}

/// A candidate, and where it would lie.
pub(super) fn possible(candidate: &Candidate) -> String {
    match candidate.hop {
        Hop::Unknown => format!("Possible: {}", candidate.title),
        hop => format!("Possible: {} ({hop})", candidate.title),
    }
}

/// What would prove a finding; what is certain is proved.
pub(super) fn proof(finding: &Finding) -> &str {
    match finding.confidence {
        Confidence::Certain => {
            "Nothing more is needed: the records of the other sides, or the packets, quoted above, say so."
        }
        Confidence::Likely | Confidence::Possible => &finding.prove,
    }
}

/// Lanes drawn with characters; the numbers are those of the steps.
fn drawn(lanes: &Lanes<'_>) -> String {
    let wide = lanes.lanes.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let mut drawn = String::new();
    for (name, dots) in &lanes.lanes {
        let mut lane = String::new();
        let mut used = 0;
        for (dot, place) in dots.iter().zip(apart(dots, LANE_COLUMNS, DOT_COLUMNS)) {
            let tone = match dot.tone {
                Tone::Plain => "",
                Tone::Well => "✓",
                Tone::Badly => "✗",
            };
            let label = format!("{}{tone}", dot.number);
            let free = (place as usize).saturating_sub(used);
            lane.extend(std::iter::repeat_n(if used == 0 { ' ' } else { '─' }, free));
            lane.push_str(&label);
            used += free + label.chars().count();
        }
        let _ = writeln!(drawn, "{name:wide$}  {}", lane);
    }
    let _ = match lanes.times {
        Some((first, last)) => writeln!(drawn, "from {} for {}", instant(first), in_words(last.since(first))),
        None => writeln!(drawn, "the order alone is known"),
    };
    drawn
}

fn of_changes(page: &mut Page, diagnosis: &Diagnosis) {
    if diagnosis.changes.is_empty() {
        return;
    }
    page.heading("What changed");
    let earlier = diagnosis.changes.len().saturating_sub(CHANGES_SHOWN_MAX);
    if earlier > 0 {
        page.item(&format!("{earlier} earlier changes"));
    }
    for change in diagnosis.changes.iter().skip(earlier) {
        page.item(&format!("{}: {}", place(diagnosis, &change.mark), change.what));
    }
}

fn of_inputs(page: &mut Page, diagnosis: &Diagnosis) {
    page.heading("Evidence");
    for input in &diagnosis.inputs {
        let mut said = format!("{}: {}, {} {}", input.name, input.format.as_str(), input.lines, units(input));
        if input.unclassified > 0 {
            let shown: Vec<_> = input.shown.iter().map(u64::to_string).collect();
            let more = if input.unclassified > shown.len() as u64 { " …" } else { "" };
            let unit = if input.unit == "packet" { "packet" } else { "line" };
            let _ =
                write!(said, ", {} of no known form ({unit} {}{more})", input.unclassified, shown.join(", "));
        }
        page.item(&said);
    }
    page.item(&format!("Requests: {}; attempts: {}", diagnosis.requests, diagnosis.attempts));
    if diagnosis.limits.is_empty() {
        return;
    }
    page.heading("Limits of this evidence");
    for known in &diagnosis.limits {
        page.item(&limit(known));
        if let Limit::NoTimes { formats, .. } = known
            && formats.contains(&Format::SystemNet)
        {
            page.block("xml", TIMES_CONFIGURATION);
        }
    }
}

/// What an input's places count, of more than one.
pub(super) fn units(input: &InputFacts) -> &'static str {
    match input.unit {
        "entry" => "entries",
        "event" => "events",
        "packet" => "packets",
        _ => "lines",
    }
}

/// A limit in words.
pub(super) fn limit(limit: &Limit) -> String {
    match limit {
        Limit::NoTimes { anchors, between, formats } => {
            let mut said = "no timestamps: only the order is known".to_owned();
            for adds in formats.iter().filter_map(|format| format.times()) {
                let _ = write!(said, "; {adds} adds them");
            }
            if let (1.., Some((first, last))) = (anchors, between) {
                let _ = write!(
                    said,
                    ". Clock of the server, to the second, in replies ({anchors}): {}",
                    instant(*first)
                );
                if first != last {
                    let _ = write!(said, " to {}", instant(*last));
                }
            }
            said
        }
        Limit::Unclassified(count) => format!("{count} lines are of no known form and were passed over"),
        Limit::UnknownFormat(name) => {
            format!("{name} is of no known format: docs/diagnose.md has those that are read")
        }
        Limit::Capture(limit) => limit.to_string(),
    }
}

pub(super) fn instant(at: Instant) -> String {
    // Digits below a microsecond tell nobody anything.
    let known = OffsetDateTime::from_unix_timestamp_nanos(at.0 - at.0.rem_euclid(1_000)).ok();
    let said =
        known.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| "an impossible time".to_owned());
    // Of a log that has times of day alone, the date would be made up.
    match said.split_once('T') {
        Some((_, time)) if at.has_no_date() => time.trim_end_matches('Z').to_owned(),
        Some(_) | None => said,
    }
}

pub(super) fn place(diagnosis: &Diagnosis, mark: &Mark) -> String {
    let at = mark.at.map(|at| format!(", {}", instant(at))).unwrap_or_default();
    format!("{}{at}", named(&diagnosis.inputs, mark.place))
}

pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
