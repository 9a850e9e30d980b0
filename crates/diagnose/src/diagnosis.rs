//! From inputs to findings.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, BufRead};
use std::time::Duration;

use crate::adapter::{Adapter, Format};
use crate::event::{Event, Instant, Kind, Place};
use crate::finding::{Candidate, Confidence, Finding, Step};
use crate::input::{Line, Lines};
use crate::rules::{Case, Rule, Span, Variant, Verdict};
use crate::span::in_words;
use crate::story;
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

/// What was read.
#[derive(Clone, Debug)]
pub struct InputFacts {
    /// Its name.
    pub name: String,
    /// What it is.
    pub format: Format,
    /// What its places count: lines, or events of a file that has none.
    pub unit: &'static str,
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
    /// What was changed in configuration or state, in the order of time.
    pub changes: Vec<Step>,
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
        /// The formats that were read: each has a way to add times.
        formats: Vec<Format>,
    },
    /// Lines that have no known form were passed over.
    Unclassified(u64),
    /// An input is of no known format.
    UnknownFormat(String),
}

/// Reads inputs, one after the other, and looks for causes.
pub struct Diagnoser {
    sources: BTreeMap<Format, Source>,
    inputs: Vec<InputFacts>,
    tally: Tallies,
}

/// What is read of one format.
struct Source {
    adapter: Box<dyn Adapter>,
    timeline: Timeline,
}

/// What was counted of events and of the verdicts on them.
struct Tallies {
    rules: Vec<Rule>,
    found: BTreeMap<(usize, Verdict), Tally>,
    /// Verdicts that nobody was told of yet.
    news: Vec<(usize, Verdict)>,
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
    told: bool,
}

impl Diagnoser {
    /// With the rules that are shipped.
    pub fn new() -> Result<Self, DiagnoseError> {
        let tally = Tallies {
            rules: Rule::shipped()?,
            found: BTreeMap::new(),
            news: Vec::new(),
            requests: 0,
            attempts: 0,
            timed: 0,
            anchors: Vec::new(),
        };
        Ok(Self { sources: BTreeMap::new(), inputs: Vec::new(), tally })
    }

    /// Reads an input to its end.
    ///
    /// *Cost*: one pass; what is kept does not grow with the input.
    pub fn read(&mut self, name: &str, input: impl BufRead) -> Result<(), DiagnoseError> {
        self.follow(name, input, &mut |_| {})
    }

    /// The same, and tells of each finding as soon as it is one: of the first time that
    /// something happened, as far as it is known by then.
    pub fn follow(
        &mut self,
        name: &str,
        input: impl BufRead,
        found: &mut dyn FnMut(&Finding),
    ) -> Result<(), DiagnoseError> {
        let failed = |source| DiagnoseError::Read { name: name.to_owned(), source };
        let mut facts = InputFacts::of(name);
        let mut lines = Lines::new(input, self.inputs.len()).map_err(failed)?;
        while let Some(line) = lines.next().map_err(failed)? {
            facts.recognize(line);
            facts.unit = line.unit;
            if let Some(source) = source(&mut self.sources, facts.format) {
                let foreign =
                    source.adapter.line(line, &mut |event| self.tally.event(&mut source.timeline, &event));
                facts.pass(&foreign);
                self.tally.judge_done(source);
                self.tally.tell(&facts, found);
            } else if !line.text.trim().is_empty() {
                facts.pass(&[line.place.line]);
            }
        }
        if let Some(source) = source(&mut self.sources, facts.format) {
            let foreign =
                source.adapter.end_of_input(&mut |event| self.tally.event(&mut source.timeline, &event));
            facts.pass(&foreign);
            self.tally.judge_done(source);
        }
        self.inputs.push(facts);
        Ok(())
    }

    /// What is known when all is read.
    #[must_use]
    pub fn finish(self) -> Diagnosis {
        let Self { sources, inputs, mut tally } = self;
        let mut changes = Vec::new();
        for mut source in sources.into_values() {
            let Source { adapter, timeline } = &mut source;
            adapter.end(&mut |event| tally.event(timeline, &event));
            for request in timeline.finish() {
                tally.judge(request, &*source.adapter);
            }
            changes.extend(source.adapter.changes());
        }
        let limits = tally.limits(&inputs);
        let Tallies { rules, found, requests, attempts, .. } = tally;
        let mut findings: Vec<_> = found
            .into_iter()
            .filter_map(|((rule, verdict), tally)| {
                finding(rules.get(rule)?, &verdict, &tally, attempts, &inputs)
            })
            .collect();
        // What costs most stands first; where no times are known, what is most frequent.
        findings.sort_by_key(|finding| std::cmp::Reverse((finding.added, finding.count)));
        Diagnosis { inputs, findings, requests, attempts, changes, limits }
    }
}

/// A place in words: files are named where there are several.
pub(crate) fn named(inputs: &[InputFacts], place: Place) -> String {
    match inputs {
        [input] => format!("{} {}", input.unit, place.line),
        inputs => {
            let name = inputs.get(place.file).map_or("?", |input| input.name.as_str());
            format!("{name}:{}", place.line)
        }
    }
}

fn source(sources: &mut BTreeMap<Format, Source>, format: Format) -> Option<&mut Source> {
    match sources.entry(format) {
        Entry::Occupied(known) => Some(known.into_mut()),
        Entry::Vacant(none) => {
            let adapter = format.adapter()?;
            Some(none.insert(Source { adapter, timeline: Timeline::default() }))
        }
    }
}

impl Tallies {
    fn event(&mut self, timeline: &mut Timeline, event: &Event<'_>) {
        self.timed += u64::from(event.at.is_some());
        if let Kind::Fields { clock: Some(clock), .. } = event.kind
            && self.anchors.len() < ANCHORS_MAX
        {
            self.anchors.push(clock);
        }
        timeline.take(event);
    }

    fn judge_done(&mut self, source: &mut Source) {
        for request in source.timeline.done() {
            self.judge(request, &*source.adapter);
        }
    }

    fn judge(&mut self, mut request: Request, adapter: &dyn Adapter) {
        self.requests = self.requests.saturating_add(1);
        self.attempts = self.attempts.saturating_add(request.attempts.len() as u64);
        for attempt in &mut request.attempts {
            attempt.testimony = adapter.testimony(attempt);
        }
        for (at, attempt) in request.attempts.iter().enumerate() {
            let case = Case { request: &request, attempt, next: request.attempts.get(at + 1) };
            for (number, rule, verdict) in
                self.rules.iter().enumerate().filter_map(|(n, rule)| Some((n, rule, rule.judge(&case)?)))
            {
                let key = (number, verdict);
                let tally = self.found.entry(key.clone()).or_insert_with(|| Tally::of(&case, at));
                tally.count(&case, rule.measure);
                if !tally.told && !self.news.contains(&key) {
                    self.news.push(key);
                }
            }
        }
    }

    /// Tells of what has become a finding.
    fn tell(&mut self, input: &InputFacts, found: &mut dyn FnMut(&Finding)) {
        for key in std::mem::take(&mut self.news) {
            let (Some(rule), Some(tally)) = (self.rules.get(key.0), self.found.get_mut(&key)) else {
                continue;
            };
            if let Some(finding) = finding(rule, &key.1, tally, self.attempts, std::slice::from_ref(input)) {
                tally.told = true;
                found(&finding);
            }
        }
    }

    fn limits(&self, inputs: &[InputFacts]) -> Vec<Limit> {
        let mut limits = Vec::new();
        for input in inputs.iter().filter(|input| input.format == Format::Unknown && input.lines > 0) {
            limits.push(Limit::UnknownFormat(input.name.clone()));
        }
        if self.timed == 0 && self.requests > 0 {
            let between = self.anchors.iter().min().copied().zip(self.anchors.iter().max().copied());
            let formats: BTreeSet<_> = inputs.iter().map(|input| input.format).collect();
            let formats = formats.into_iter().collect();
            limits.push(Limit::NoTimes { anchors: self.anchors.len(), between, formats });
        }
        let known = inputs.iter().filter(|input| input.format != Format::Unknown);
        let unclassified = known.map(|input| input.unclassified).sum();
        if unclassified > 0 {
            limits.push(Limit::Unclassified(unclassified));
        }
        limits
    }
}

impl Tally {
    fn of(case: &Case<'_>, attempt: usize) -> Self {
        Self {
            request: case.request.clone(),
            attempt,
            again: Vec::new(),
            count: 0,
            waits: 0,
            added: Duration::ZERO,
            worst: None,
            told: false,
        }
    }

    fn count(&mut self, case: &Case<'_>, span: Span) {
        let Case { attempt, .. } = case;
        let mark = attempt.failed.as_ref().map(|(mark, _, _)| mark).or(attempt.head_sent.as_ref());
        if self.count > 0 && self.again.len() < AGAIN_MAX {
            self.again.extend(mark.cloned());
        }
        self.count += 1;
        if let Some(wait) = case.took(span) {
            self.waits += 1;
            self.added += wait;
            self.worst = self.worst.max(Some(wait));
        }
    }
}

impl InputFacts {
    fn of(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, format: Format::Unknown, unit: "line", lines: 0, unclassified: 0, shown: Vec::new() }
    }

    fn recognize(&mut self, line: Line<'_>) {
        self.lines = line.place.line;
        if self.format == Format::Unknown && self.lines <= HEADING_LINES_MAX {
            self.format = Format::of(line.text);
        }
    }

    fn pass(&mut self, foreign: &[u64]) {
        self.unclassified = self.unclassified.saturating_add(foreign.len() as u64);
        let room = FOREIGN_SHOWN_MAX.saturating_sub(self.shown.len());
        self.shown.extend(foreign.iter().take(room));
    }
}

fn finding(
    rule: &Rule,
    verdict: &Verdict,
    tally: &Tally,
    attempts: u64,
    inputs: &[InputFacts],
) -> Option<Finding> {
    let share = tally.count as f64 / attempts.max(1) as f64;
    if tally.count < rule.count_min || share < rule.share_min {
        return None;
    }
    let attempt = tally.request.attempts.get(tally.attempt)?;
    let next = tally.request.attempts.get(tally.attempt + 1);
    let case = Case { request: &tally.request, attempt, next };
    let filled = |text: &str| fill(text, case.took(rule.measure), tally.count);
    let variant = match verdict {
        Verdict::Variant(at) => rule.variant.get(*at),
        Verdict::Plain | Verdict::Undecided(_) => None,
    };
    let candidates = match verdict {
        Verdict::Undecided(open) => different(open.iter().filter_map(|at| rule.variant.get(*at))),
        Verdict::Plain | Verdict::Variant(_) => Vec::new(),
    };
    let explanation = match variant {
        Some(variant) => format!("{} {}", filled(&rule.explanation), filled(&variant.explanation)),
        None => filled(&rule.explanation),
    };
    let steps = story::steps(&case);
    let of = steps.first().and_then(|step| inputs.get(step.mark.place.file)).map(|input| input.format);
    let remedies = variant.iter().flat_map(|variant| &variant.remedy).chain(&rule.remedy);
    let known_by_time = tally.waits == tally.count && tally.waits > 0;
    Some(Finding {
        rule: rule.id.clone(),
        variant: variant.map(|variant| variant.id.clone()),
        candidates: candidates
            .into_iter()
            .map(|v| Candidate { variant: v.id.clone(), hop: v.hop, title: v.title.clone() })
            .collect(),
        confidence: variant.and_then(|variant| variant.confidence).unwrap_or(
            if tally.count > 1 || known_by_time { Confidence::Likely } else { Confidence::Possible },
        ),
        hop: variant.map_or(rule.hop, |variant| variant.hop),
        title: filled(variant.map_or(&rule.title, |variant| &variant.title)),
        summary: story::summary(&case, &|place| named(inputs, place)),
        explanation,
        steps,
        again: tally.again.clone(),
        count: tally.count,
        attempts,
        added: (tally.waits > 0).then_some(tally.added),
        worst: tally.worst,
        remedies: remedies
            .filter(|remedy| of.is_none() || remedy.of.is_none() || remedy.of == of)
            .cloned()
            .collect(),
        ruled_out: rule.ruled_out.clone(),
        prove: rule.prove.clone(),
    })
}

/// Variants with several sets of conditions are one candidate.
fn different<'r>(variants: impl Iterator<Item = &'r Variant>) -> Vec<&'r Variant> {
    let mut seen = HashSet::new();
    variants.filter(|variant| seen.insert(&variant.id)).collect()
}

fn fill(text: &str, wait: Option<Duration>, count: u64) -> String {
    let wait = wait.map_or_else(|| "an unknown time".to_owned(), in_words);
    text.replace("{wait}", &wait).replace("{count}", &count.to_string())
}
