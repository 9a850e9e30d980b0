//! What the rules say of the attempts, counted: what becomes a finding.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use crate::adapter::{Adapter, Format};
use crate::diagnosis::{InputFacts, Limit, named};
use crate::event::{Event, Instant, Kind};
use crate::finding::{Candidate, Confidence, Finding};
use crate::rules::{Case, Rule, Span, Traits, Variant, Verdict};
use crate::span::in_words;
use crate::story;
use crate::timeline::{Mark, Request, Timeline};

/// Failures of one kind that are quoted beside the first.
const AGAIN_MAX: usize = 5;

/// Times of the server that are kept, for a log that has no others.
const ANCHORS_MAX: usize = 1_000;

/// What was counted of events and of the verdicts on them.
pub(crate) struct Tallies {
    rules: Vec<Rule>,
    /// How many attempts each rule concerns.
    concerned: Vec<u64>,
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

impl Tallies {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        Self {
            concerned: vec![0; rules.len()],
            rules,
            found: BTreeMap::new(),
            news: Vec::new(),
            requests: 0,
            attempts: 0,
            timed: 0,
            anchors: Vec::new(),
        }
    }

    /// Takes an event.
    pub(crate) fn event(&mut self, timeline: &mut Timeline, event: &Event<'_>) {
        self.timed += u64::from(event.at.is_some());
        if let Kind::Fields { clock: Some(clock), .. } = event.kind
            && self.anchors.len() < ANCHORS_MAX
        {
            self.anchors.push(clock);
        }
        timeline.take(event);
    }

    /// Lets every rule judge every attempt at a request that is over.
    pub(crate) fn judge(&mut self, mut request: Request, adapter: &dyn Adapter) {
        self.requests = self.requests.saturating_add(1);
        self.attempts = self.attempts.saturating_add(request.attempts.len() as u64);
        for attempt in &mut request.attempts {
            attempt.testimony = adapter.testimony(attempt);
        }
        for (at, attempt) in request.attempts.iter().enumerate() {
            let case = Case { request: &request, attempt, next: request.attempts.get(at + 1) };
            let has = Traits::of(attempt);
            for (rule, concerned) in self.rules.iter().zip(&mut self.concerned) {
                *concerned += u64::from(rule.concerns(&case));
            }
            for (number, rule, verdict) in
                self.rules.iter().enumerate().filter_map(|(n, rule)| Some((n, rule, rule.judge(&case, has)?)))
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
    pub(crate) fn tell(&mut self, input: &InputFacts, found: &mut dyn FnMut(&Finding)) {
        for key in std::mem::take(&mut self.news) {
            let (Some(rule), Some(tally)) = (self.rules.get(key.0), self.found.get_mut(&key)) else {
                continue;
            };
            let among =
                Among { concerned: self.concerned.get(key.0).copied().unwrap_or(0), all: self.attempts };
            if let Some(finding) = finding(rule, &key.1, tally, among, std::slice::from_ref(input)) {
                tally.told = true;
                found(&finding);
            }
        }
    }

    /// How many requests there were, and attempts at them.
    pub(crate) const fn counts(&self) -> (u64, u64) {
        (self.requests, self.attempts)
    }

    /// All that was found, the most important first.
    pub(crate) fn findings(self, inputs: &[InputFacts]) -> Vec<Finding> {
        let Self { rules, found, attempts, concerned, .. } = self;
        let found = found.into_iter();
        let mut findings: Vec<_> = found
            .filter_map(|((rule, verdict), tally)| {
                let among = Among { concerned: concerned.get(rule).copied()?, all: attempts };
                finding(rules.get(rule)?, &verdict, &tally, among, inputs)
            })
            .collect();
        // What costs most stands first; where no times are known, what is most frequent.
        findings.sort_by_key(|finding| std::cmp::Reverse((finding.added, finding.count)));
        findings
    }

    /// What the evidence cannot tell.
    pub(crate) fn limits(&self, inputs: &[InputFacts]) -> Vec<Limit> {
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
        // A capture says by itself what of it is damaged.
        let known = inputs.iter().filter(|input| !matches!(input.format, Format::Unknown | Format::Pcap));
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

/// The attempts among which something happened.
#[derive(Clone, Copy)]
struct Among {
    /// Those that the rule concerns.
    concerned: u64,
    all: u64,
}

fn finding(
    rule: &Rule,
    verdict: &Verdict,
    tally: &Tally,
    among: Among,
    inputs: &[InputFacts],
) -> Option<Finding> {
    let share = tally.count as f64 / among.concerned.max(1) as f64;
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
        confidence: variant
            .and_then(|variant| variant.confidence)
            .unwrap_or(if tally.count > 1 || known_by_time {
                Confidence::Likely
            } else {
                Confidence::Possible
            })
            .min(rule.confidence.unwrap_or(Confidence::Certain)),
        hop: variant.map_or(rule.hop, |variant| variant.hop),
        title: filled(variant.map_or(&rule.title, |variant| &variant.title)),
        summary: story::summary(&case, &|place| named(inputs, place)),
        explanation,
        steps,
        again: tally.again.clone(),
        count: tally.count,
        attempts: among.all,
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
