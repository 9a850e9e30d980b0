//! What the rules say of the attempts, counted: what becomes a finding.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::adapter::{Adapter, Format};
use crate::diagnosis::{InputFacts, Limit, named};
use crate::event::{Event, Instant, Kind};
use crate::finding::{Basis, Candidate, Confidence, Finding};
use crate::rules::{Case, Rule, Span, Traits, Variant, Verdict};
use crate::span::in_words;
use crate::story;
use crate::timeline::{Request, Seen, Timeline};

/// Failures of one kind that are quoted beside the first.
const AGAIN_MAX: usize = 5;

/// Times of the server that are kept, for a log that has no others.
const ANCHORS_MAX: usize = 1_000;

/// What was counted of events and of the verdicts on them.
pub(crate) struct Tallies {
    rules: Vec<Judged>,
    /// Which rules attempts are asked for that have the same traits.
    asked: HashMap<Traits, Vec<usize>, RandomState>,
    /// Verdicts that nobody was told of yet: the rule, and which of its verdicts.
    news: Vec<(usize, usize)>,
    requests: u64,
    attempts: u64,
    timed: u64,
    anchors: Vec<Instant>,
}

/// A rule, and what it has found.
struct Judged {
    rule: Rule,
    /// How many attempts it concerns, if not all.
    concerned: u64,
    /// As many as it has variants, and one.
    found: Vec<(Verdict, Tally)>,
}

/// What one rule, and one verdict of it, has found.
struct Tally {
    request: Request,
    attempt: usize,
    again: Vec<Seen>,
    count: u64,
    waits: u64,
    added: Duration,
    worst: Option<Duration>,
    news: News,
}

/// Whether anybody was told of a verdict.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    /// It waits to be told of.
    Waiting,
    /// It was not worth a word when it was its turn.
    Untold,
    Told,
}

impl Tallies {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        Self {
            rules: rules.into_iter().map(|rule| Judged { rule, concerned: 0, found: Vec::new() }).collect(),
            asked: HashMap::default(),
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
        let Self { rules, asked, news, .. } = self;
        for (at, attempt) in request.attempts.iter().enumerate() {
            let case = Case { request: &request, attempt, next: request.attempts.get(at + 1) };
            let has = Traits::of(attempt);
            let asked = asked.entry(has).or_insert_with(|| {
                let of_rule = |(at, judged): (usize, &Judged)| judged.is_asked(has).then_some(at);
                rules.iter().enumerate().filter_map(of_rule).collect()
            });
            for number in asked {
                let Some(judged) = rules.get_mut(*number) else { continue };
                if let Some(found) = judged.judge(&case, has, at) {
                    news.push((*number, found));
                }
            }
        }
    }

    /// Tells of what has become a finding.
    pub(crate) fn tell(&mut self, input: &InputFacts, found: &mut dyn FnMut(&Finding)) {
        let Self { rules, news, attempts, .. } = self;
        for (rule, verdict) in news.drain(..) {
            let Some(Judged { rule, concerned, found: tallies }) = rules.get_mut(rule) else { continue };
            let Some((verdict, tally)) = tallies.get_mut(verdict) else { continue };
            let among = Among::of(rule, *concerned, *attempts);
            tally.news = News::Untold;
            if let Some(finding) = finding(rule, verdict, tally, among, std::slice::from_ref(input)) {
                tally.news = News::Told;
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
        let Self { rules, attempts, .. } = self;
        let mut findings: Vec<_> = rules
            .into_iter()
            .flat_map(|Judged { rule, concerned, mut found }| {
                found.sort_by(|(one, _), (other, _)| one.cmp(other));
                let among = Among::of(&rule, concerned, attempts);
                let found =
                    found.iter().filter_map(|(verdict, tally)| finding(&rule, verdict, tally, among, inputs));
                found.collect::<Vec<_>>()
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

impl Judged {
    /// Whether attempts that have these are for it to look at.
    fn is_asked(&self, has: Traits) -> bool {
        self.rule.may_fit(has) || !self.rule.concerns_all()
    }

    /// Counts an attempt; tells which of its verdicts is news.
    fn judge(&mut self, case: &Case<'_>, has: Traits, attempt: usize) -> Option<usize> {
        let Self { rule, concerned, found } = self;
        if !rule.concerns_all() {
            *concerned += u64::from(rule.concerns(case));
        }
        let verdict = if rule.may_fit(has) { rule.judge(case)? } else { return None };
        let known = found.iter().position(|(known, _)| *known == verdict);
        let at = known.unwrap_or(found.len());
        if known.is_none() {
            found.push((verdict, Tally::of(case, attempt)));
        }
        let (_, tally) = found.get_mut(at)?;
        tally.count(case, rule.measure);
        match tally.news {
            News::Untold => {
                tally.news = News::Waiting;
                Some(at)
            }
            News::Waiting | News::Told => None,
        }
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
            news: News::Untold,
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

impl Among {
    const fn of(rule: &Rule, concerned: u64, all: u64) -> Self {
        Self { concerned: if rule.concerns_all() { all } else { concerned }, all }
    }
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
        again: tally.again.iter().map(Seen::mark).collect(),
        count: tally.count,
        basis: if rule.share_min > 0.0 { Basis::Share } else { Basis::Each },
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
