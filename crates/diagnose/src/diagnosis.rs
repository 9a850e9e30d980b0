//! From inputs to findings.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::time::Duration;

use crate::event::{Event, Instant};
use crate::finding::{Candidate, Confidence, Finding};
use crate::input::{Line, Lines};
use crate::rules::{Case, Rule, Verdict};
use crate::story;
use crate::system_net::SystemNet;
use crate::timeline::{Mark, Request, Timeline};

/// Lines that are looked at to recognize a format: what stands before the first
/// event of a trace is a heading.
const HEADING_LINES_MAX: u64 = 1_000;

/// Lines of no known form that are shown.
const FOREIGN_SHOWN_MAX: usize = 5;

/// Failures of one kind that are quoted beside the first.
const AGAIN_MAX: usize = 5;

/// Times of the server that are kept, for a log that has no others.
const ANCHORS_MAX: usize = 1_000;

/// Why there is no diagnosis.
#[derive(Debug, thiserror::Error)]
pub enum DiagnoseError {
    /// An input could not be read.
    #[error("cannot read {name}")]
    Read {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The rules are broken, which is a fault of the program.
    #[error("the rules are not whole")]
    Rules(#[from] toml::de::Error),
}

/// What a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A trace of System.Net, .NET Framework.
    SystemNet,
    /// None that is known here.
    Unknown,
}

impl Format {
    /// Its name in a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SystemNet => "system.net",
            Self::Unknown => "unknown",
        }
    }
}

/// What was read.
#[derive(Clone, Debug)]
pub struct InputFacts {
    /// Its name.
    pub name: String,
    /// What it is.
    pub format: Format,
    /// Lines.
    pub lines: u64,
    /// Lines of no known form.
    pub unclassified: u64,
    /// The numbers of the first of them.
    pub shown: Vec<u64>,
}

/// What became known.
#[derive(Debug)]
pub struct Diagnosis {
    /// What was read.
    pub inputs: Vec<InputFacts>,
    /// What was found, the most important first.
    pub findings: Vec<Finding>,
    /// Requests that the inputs tell of.
    pub requests: u64,
    /// Attempts at them.
    pub attempts: u64,
    /// What the evidence cannot tell.
    pub limits: Vec<Limit>,
}

/// Something that the evidence cannot tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// No event has a time. Some replies tell the server's clock.
    NoTimes {
        /// How many replies do.
        anchors: usize,
        /// The first and the last of them.
        between: Option<(Instant, Instant)>,
    },
    /// Lines that have no known form were passed over.
    Unclassified(u64),
    /// An input is of no known format.
    UnknownFormat(String),
}

/// Reads inputs, one after the other, and looks for causes.
pub struct Diagnoser {
    rules: Vec<Rule>,
    timeline: Timeline,
    tallies: BTreeMap<(usize, Verdict), Tally>,
    inputs: Vec<InputFacts>,
    requests: u64,
    attempts: u64,
    timed: u64,
    anchors: Vec<Instant>,
}

/// What one rule, and one verdict of it, has found.
struct Tally {
    request: Request,
    attempt: usize,
    again: Vec<Mark>,
    count: u64,
    waits: u64,
    added: Duration,
    worst: Option<Duration>,
}

impl Diagnoser {
    /// With the rules that are shipped.
    pub fn new() -> Result<Self, DiagnoseError> {
        Ok(Self {
            rules: Rule::shipped()?,
            timeline: Timeline::default(),
            tallies: BTreeMap::new(),
            inputs: Vec::new(),
            requests: 0,
            attempts: 0,
            timed: 0,
            anchors: Vec::new(),
        })
    }

    /// Reads an input to its end.
    ///
    /// *Cost*: one pass; what is kept does not grow with the input.
    pub fn read(&mut self, name: &str, input: impl BufRead) -> Result<(), DiagnoseError> {
        let failed = |source| DiagnoseError::Read { name: name.to_owned(), source };
        let mut facts = InputFacts {
            name: name.to_owned(),
            format: Format::Unknown,
            lines: 0,
            unclassified: 0,
            shown: Vec::new(),
        };
        let mut lines = Lines::new(input, self.inputs.len());
        let mut adapter = SystemNet::default();
        while let Some(line) = lines.next().map_err(failed)? {
            facts.lines = line.place.line;
            if facts.format == Format::Unknown && !self.recognize(&mut facts, line) {
                continue;
            }
            let foreign = adapter.line(line, &mut |event| self.event(&event));
            facts.pass(&foreign);
            self.judge_done();
        }
        let foreign = adapter.finish(&mut |event| self.event(&event));
        facts.pass(&foreign);
        self.judge_done();
        self.inputs.push(facts);
        Ok(())
    }

    /// What is known when all is read.
    #[must_use]
    pub fn finish(mut self) -> Diagnosis {
        for request in self.timeline.finish() {
            self.judge(request);
        }
        let limits = self.limits();
        let Self { rules, tallies, inputs, requests, attempts, .. } = self;
        let mut findings: Vec<_> = tallies
            .into_iter()
            .filter_map(|((rule, verdict), tally)| finding(rules.get(rule)?, &verdict, tally, attempts))
            .collect();
        // What costs most stands first; where no times are known, what is most frequent.
        findings.sort_by_key(|finding| std::cmp::Reverse((finding.added, finding.count)));
        Diagnosis { inputs, findings, requests, attempts, limits }
    }

    /// Whether the line is of a known format, or the input has been found to be of none.
    fn recognize(&mut self, facts: &mut InputFacts, line: Line<'_>) -> bool {
        if line.place.line <= HEADING_LINES_MAX && SystemNet::recognizes(line.text) {
            facts.format = Format::SystemNet;
            return true;
        }
        if !line.text.trim().is_empty() {
            facts.pass(&[line.place.line]);
        }
        false
    }

    fn event(&mut self, event: &Event<'_>) {
        self.timed += u64::from(event.at.is_some());
        if let crate::event::Kind::Fields { clock: Some(clock), .. } = event.kind
            && self.anchors.len() < ANCHORS_MAX
        {
            self.anchors.push(clock);
        }
        self.timeline.take(event);
    }

    fn judge_done(&mut self) {
        for request in self.timeline.done() {
            self.judge(request);
        }
    }

    fn judge(&mut self, request: Request) {
        self.requests = self.requests.saturating_add(1);
        let verdicts: Vec<_> = request
            .attempts
            .iter()
            .enumerate()
            .flat_map(|(at, attempt)| {
                let case = Case { request: &request, attempt, next: request.attempts.get(at + 1) };
                let rules = self.rules.iter().enumerate();
                rules.filter_map(move |(rule, r)| Some((at, rule, r.judge(&case)?))).collect::<Vec<_>>()
            })
            .collect();
        self.attempts = self.attempts.saturating_add(request.attempts.len() as u64);
        for (at, rule, verdict) in verdicts {
            let Some(attempt) = request.attempts.get(at) else { continue };
            let wait = Case { request: &request, attempt, next: None }.wait();
            let mark = attempt.failed.as_ref().map(|(mark, _, _)| mark).or(attempt.head_sent.as_ref());
            let tally = self.tallies.entry((rule, verdict)).or_insert_with(|| Tally {
                request: request.clone(),
                attempt: at,
                again: Vec::new(),
                count: 0,
                waits: 0,
                added: Duration::ZERO,
                worst: None,
            });
            if tally.count > 0 && tally.again.len() < AGAIN_MAX {
                tally.again.extend(mark.cloned());
            }
            tally.count += 1;
            if let Some(wait) = wait {
                tally.waits += 1;
                tally.added += wait;
                tally.worst = tally.worst.max(Some(wait));
            }
        }
    }

    fn limits(&self) -> Vec<Limit> {
        let mut limits = Vec::new();
        for input in &self.inputs {
            match input.format {
                Format::Unknown => limits.push(Limit::UnknownFormat(input.name.clone())),
                Format::SystemNet => {}
            }
        }
        if self.timed == 0 && self.requests > 0 {
            let between = self.anchors.iter().min().copied().zip(self.anchors.iter().max().copied());
            limits.push(Limit::NoTimes { anchors: self.anchors.len(), between });
        }
        let known = self.inputs.iter().filter(|input| input.format != Format::Unknown);
        let unclassified = known.map(|input| input.unclassified).sum();
        if unclassified > 0 {
            limits.push(Limit::Unclassified(unclassified));
        }
        limits
    }
}

impl InputFacts {
    fn pass(&mut self, foreign: &[u64]) {
        self.unclassified = self.unclassified.saturating_add(foreign.len() as u64);
        let room = FOREIGN_SHOWN_MAX.saturating_sub(self.shown.len());
        self.shown.extend(foreign.iter().take(room));
    }
}

fn finding(rule: &Rule, verdict: &Verdict, tally: Tally, attempts: u64) -> Option<Finding> {
    let share = tally.count as f64 / attempts.max(1) as f64;
    if tally.count < rule.count_min || share < rule.share_min {
        return None;
    }
    let attempt = tally.request.attempts.get(tally.attempt)?;
    let next = tally.request.attempts.get(tally.attempt + 1);
    let case = Case { request: &tally.request, attempt, next };
    let filled = |text: &str| fill(text, &case, tally.count);
    let variant = match verdict {
        Verdict::Variant(at) => rule.variant.get(*at),
        Verdict::Plain | Verdict::Undecided(_) => None,
    };
    let candidates = match verdict {
        Verdict::Undecided(open) => open.iter().filter_map(|at| rule.variant.get(*at)).collect(),
        Verdict::Plain | Verdict::Variant(_) => Vec::new(),
    };
    let explanation = match variant {
        Some(variant) => format!("{} {}", filled(&rule.explanation), filled(&variant.explanation)),
        None => filled(&rule.explanation),
    };
    let known_by_time = tally.waits == tally.count && tally.waits > 0;
    Some(Finding {
        rule: rule.id.clone(),
        variant: variant.map(|variant| variant.id.clone()),
        candidates: candidates
            .into_iter()
            .map(|v| Candidate { variant: v.id.clone(), hop: v.hop, title: v.title.clone() })
            .collect(),
        confidence: if tally.count > 1 || known_by_time { Confidence::Likely } else { Confidence::Possible },
        hop: variant.map_or(rule.hop, |variant| variant.hop),
        title: filled(variant.map_or(&rule.title, |variant| &variant.title)),
        summary: story::summary(&case),
        explanation,
        steps: story::steps(&case),
        again: tally.again,
        count: tally.count,
        attempts,
        added: (tally.waits > 0).then_some(tally.added),
        worst: tally.worst,
        remedies: rule.remedy.clone(),
        ruled_out: rule.ruled_out.clone(),
        prove: rule.prove.clone(),
    })
}

fn fill(text: &str, case: &Case<'_>, count: u64) -> String {
    let wait = case.wait().map_or_else(|| "an unknown time".to_owned(), in_words);
    text.replace("{wait}", &wait).replace("{count}", &count.to_string())
}

/// A span for people.
pub(crate) fn in_words(span: Duration) -> String {
    match span.as_millis() {
        ms @ 0..1_000 => format!("{ms} ms"),
        ms => format!("{}.{:01} s", ms / 1_000, ms % 1_000 / 100),
    }
}
