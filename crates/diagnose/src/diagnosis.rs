//! From inputs to findings.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufRead};

use crate::adapter::{Adapter, Format};
use crate::event::{Instant, Place};
use crate::finding::{Finding, Step};
use crate::input::{Line, Lines};
use crate::pcap::CaptureLimit;
use crate::rules::Rule;
use crate::tally::Tallies;
use crate::timeline::Timeline;

/// Lines that are looked at to recognize a format: what stands before the first
/// event of a trace is a heading.
const HEADING_LINES_MAX: u64 = 1_000;

/// Lines of no known form that are shown.
const FOREIGN_SHOWN_MAX: usize = 5;

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
    /// What a capture does not show.
    Capture(CaptureLimit),
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

impl Diagnoser {
    /// With the rules that are shipped.
    pub fn new() -> Result<Self, DiagnoseError> {
        let tally = Tallies::new(Rule::shipped()?);
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
                source.judge_done(&mut self.tally);
                self.tally.tell(&facts, found);
            } else if !line.text.trim().is_empty() {
                facts.pass(&[line.place.line]);
            }
        }
        // One without a packet has no line to be known by.
        if lines.is_capture() {
            (facts.format, facts.unit) = (Format::Pcap, "packet");
        }
        if let Some(source) = source(&mut self.sources, facts.format) {
            let foreign =
                source.adapter.end_of_input(&mut |event| self.tally.event(&mut source.timeline, &event));
            facts.pass(&foreign);
            source.judge_done(&mut self.tally);
        }
        self.inputs.push(facts);
        Ok(())
    }

    /// What is known when all is read.
    #[must_use]
    pub fn finish(self) -> Diagnosis {
        let Self { sources, inputs, mut tally } = self;
        let (mut changes, mut own_limits) = (Vec::new(), Vec::new());
        for mut source in sources.into_values() {
            let Source { adapter, timeline } = &mut source;
            adapter.end(&mut |event| tally.event(timeline, &event));
            for request in timeline.finish() {
                tally.judge(request, &**adapter);
            }
            changes.extend(source.adapter.changes());
            own_limits.extend(source.adapter.limits());
        }
        let mut limits = tally.limits(&inputs);
        limits.extend(own_limits);
        let (requests, attempts) = tally.counts();
        let findings = tally.findings(&inputs);
        Diagnosis { inputs, findings, requests, attempts, changes, limits }
    }
}

impl Source {
    fn judge_done(&mut self, tally: &mut Tallies) {
        for request in self.timeline.done() {
            tally.judge(request, &*self.adapter);
        }
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

impl InputFacts {
    fn of(name: &str) -> Self {
        let name = name.to_owned();
        Self { name, format: Format::Unknown, unit: "line", lines: 0, unclassified: 0, shown: Vec::new() }
    }

    fn recognize(&mut self, line: Line<'_>) {
        self.lines = line.place.line;
        if self.format == Format::Unknown && self.lines <= HEADING_LINES_MAX {
            self.format = Format::of(line);
        }
    }

    fn pass(&mut self, foreign: &[u64]) {
        self.unclassified = self.unclassified.saturating_add(foreign.len() as u64);
        let room = FOREIGN_SHOWN_MAX.saturating_sub(self.shown.len());
        self.shown.extend(foreign.iter().take(room));
    }
}
