//! A diagnosis as one HTML file that needs nothing else.

use std::fmt::Write;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::TIMES_CONFIGURATION;
use super::lanes::{Dot, Lanes, apart};
use super::text::{UNDECIDED, UNTIMED, capital, happened, instant, limit, place, possible, proof, units};
use crate::adapter::Format;
use crate::diagnosis::{Diagnosis, Limit};
use crate::finding::{Finding, Tone};
use crate::span::in_words;

/// Colours that differ in lightness too; dark where the reader wants it dark.
const STYLE: &str = include_str!("report.css");

/// The width of the lanes, and of the names before them, in units of the drawing.
const LANES_WIDE: f64 = 720.0;
const NAMES_WIDE: f64 = 240.0;
/// From the middle of a dot to that of the next.
const DOTS_APART: f64 = 22.0;
/// The height of one lane.
const LANE_HIGH: f64 = 34.0;

/// For a browser or an attachment: one file, no script, nothing from elsewhere.
#[must_use]
pub fn html(diagnosis: &Diagnosis) -> String {
    let title =
        diagnosis.findings.first().map_or("Nothing was found".to_owned(), |first| capital(&first.title));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @if diagnosis.findings.is_empty() {
                    h1 { "Nothing was found" }
                }
                @for finding in &diagnosis.findings {
                    (of_finding(diagnosis, finding))
                }
                (of_inputs(diagnosis))
            }
        }
    };
    page.into_string()
}

fn of_finding(diagnosis: &Diagnosis, finding: &Finding) -> Markup {
    let lanes = Lanes::of(&finding.steps);
    html! {
        article {
            h1 { (capital(&finding.title)) }
            p.facts {
                span.hop { "Hop: " (finding.hop) }
                span { "Confidence: " (finding.confidence) }
                span { (finding.count) " of " (finding.attempts) " attempts" }
                @if let (Some(added), Some(worst)) = (finding.added, finding.worst) {
                    span { (in_words(added)) " waited in all, " (in_words(worst)) " at the longest" }
                } @else if finding.steps.iter().all(|step| step.mark.at.is_none()) {
                    span { (UNTIMED) }
                }
            }
            p { (finding.summary) }
            p { (finding.explanation) }
            (drawing(&lanes))
            h2 { (happened(diagnosis)) }
            ol {
                @for (at, step) in finding.steps.iter().enumerate() {
                    li.(tone(step.tone)) {
                        span.place { (place(diagnosis, &step.mark)) } " " (step.what)
                        @if at == 0 || finding.steps.get(at - 1).is_some_and(|before| before.mark.place != step.mark.place) {
                            pre { (step.mark.text) }
                        }
                    }
                }
            }
            @if !finding.again.is_empty() {
                h2 { "Again" }
                ul {
                    @for mark in &finding.again {
                        li { span.place { (place(diagnosis, mark)) } pre { (mark.text) } }
                    }
                }
            }
            h2 { "Where" }
            ul {
                @for candidate in &finding.candidates {
                    li { (possible(candidate)) }
                }
                @if !finding.candidates.is_empty() {
                    li { (UNDECIDED) }
                }
                @for other in &finding.ruled_out {
                    li { "Not " (other) }
                }
            }
            h2 { "What to change" }
            ul {
                @for remedy in &finding.remedies {
                    li { strong { (capital(&remedy.who.to_string())) } ": " (remedy.what) }
                }
            }
            h2 { "What would prove it" }
            p { (proof(finding)) }
        }
    }
}

fn of_inputs(diagnosis: &Diagnosis) -> Markup {
    html! {
        footer {
            @if !diagnosis.changes.is_empty() {
                h2 { "What changed" }
                ul {
                    @for change in &diagnosis.changes {
                        li { span.place { (place(diagnosis, &change.mark)) } " " (change.what) }
                    }
                }
            }
            h2 { "Evidence" }
            ul {
                @for input in &diagnosis.inputs {
                    li {
                        (input.name) ": " (input.format.as_str()) ", " (input.lines) " " (units(input))
                        @if input.unclassified > 0 {
                            ", " (input.unclassified) " of no known form"
                        }
                    }
                }
                li { (diagnosis.requests) " requests, " (diagnosis.attempts) " attempts" }
            }
            @if !diagnosis.limits.is_empty() {
                h2 { "Limits of this evidence" }
                ul {
                    @for known in &diagnosis.limits {
                        li {
                            (limit(known))
                            @if let Limit::NoTimes { formats, .. } = known && formats.contains(&Format::SystemNet) {
                                pre { (TIMES_CONFIGURATION) }
                            }
                        }
                    }
                }
            }
        }
    }
}

const fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Well => "well",
        Tone::Badly => "badly",
    }
}

/// The lanes as SVG; the numbers are those of the steps.
fn drawing(lanes: &Lanes<'_>) -> Markup {
    let wide = NAMES_WIDE + LANES_WIDE + 30.0;
    let high = LANE_HIGH * (lanes.lanes.len() as f64 + 1.0);
    let scale = match lanes.times {
        Some((first, last)) => format!("from {} for {}", instant(first), in_words(last.since(first))),
        None => "the order alone is known".to_owned(),
    };
    html! {
        svg viewBox=(format!("0 0 {wide} {high}")) role="img" aria-label=(format!("Timeline, {scale}")) {
            @for (at, (name, dots)) in lanes.lanes.iter().enumerate() {
                (lane(name, dots, LANE_HIGH * (at as f64 + 0.5)))
            }
            text.scale x=(NAMES_WIDE) y=(high - LANE_HIGH / 3.0) { (scale) }
        }
    }
}

fn lane(name: &str, dots: &[Dot], y: f64) -> Markup {
    let places: Vec<_> =
        apart(dots, LANES_WIDE, DOTS_APART).into_iter().map(|place| place + NAMES_WIDE + 12.0).collect();
    let mut path = String::new();
    if let (Some(first), Some(last)) = (places.first(), places.last()) {
        // Writing to a String does not fail.
        let _ = write!(path, "M {first} {y} H {last}");
    }
    html! {
        text.name x="0" y=(y + 4.0) { (name) }
        path.lane d=(path) {}
        @for (dot, x) in dots.iter().zip(&places) {
            g.(tone(dot.tone)) {
                circle cx=(x) cy=(y) r="10" {}
                text x=(x) y=(y + 4.0) { (dot.number) }
            }
        }
    }
}
