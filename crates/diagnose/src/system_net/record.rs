//! One event with the lines that belong to it.

use super::syntax::{Footer, Head, Line as Production, Message, Within};
use crate::event::{Instant, Place};
use crate::input::Line;
use crate::moment;

/// The lines of one event that are kept: a certificate has some 40, a call stack
/// some 100.
const LINES_MAX: usize = 2_048;

/// The bytes of one event that are kept; `maxdatasize` defaults to 1 KiB.
const BYTES_MAX: usize = 256 << 10;

/// The event that is being read.
#[derive(Default)]
pub(crate) struct Pending {
    text: String,
    /// The end of each line in `text`.
    ends: Vec<usize>,
    place: Option<Place>,
    /// The number of each line.
    numbers: Vec<u64>,
}

/// An event, whole.
pub(crate) struct Record<'a> {
    pub(crate) place: Place,
    pub(crate) head: Head<'a>,
    /// The first line, as it stands.
    pub(crate) text: &'a str,
    /// The others, without the prefix that they share with the first.
    others: Vec<(u64, &'a str)>,
}

/// What the lines of an event say beside its message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest<'a> {
    pub(crate) process: Option<u32>,
    pub(crate) at: Option<Instant>,
    pub(crate) fields: Vec<(&'a str, &'a str)>,
    /// Whether there is a block of fields, be it empty.
    pub(crate) has_fields: bool,
    /// Numbers of lines of no known form.
    pub(crate) foreign: Vec<u64>,
}

impl Pending {
    pub(crate) fn begin(&mut self, line: Line<'_>) {
        self.clear();
        self.place = Some(line.place);
        self.keep(line);
    }

    /// A further line; its number if it belongs to no event.
    pub(crate) fn push(&mut self, line: Line<'_>) -> Option<u64> {
        match self.place {
            None => (!super::syntax::is_empty(line.text)).then_some(line.place.line),
            Some(_) => {
                if self.ends.len() < LINES_MAX && self.text.len() + line.text.len() <= BYTES_MAX {
                    self.keep(line);
                }
                None
            }
        }
    }

    fn keep(&mut self, line: Line<'_>) {
        self.text.push_str(line.text);
        self.ends.push(self.text.len());
        self.numbers.push(line.place.line);
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.numbers.clear();
        self.place = None;
    }

    pub(crate) fn record(&self) -> Option<Record<'_>> {
        let place = self.place?;
        let mut start = 0;
        let mut lines = self.ends.iter().zip(&self.numbers).filter_map(|(end, number)| {
            let line = self.text.get(std::mem::replace(&mut start, *end)..*end)?;
            Some((*number, line))
        });
        let (_, text) = lines.next()?;
        let head = Head::parse(text)?;
        let shape = Shape::of(head.prefix);
        let others = lines.map(|(number, line)| (number, shape.strip(line))).collect();
        Some(Record { place, head, text, others })
    }
}

impl<'a> Record<'a> {
    /// Reads the other lines.
    pub(crate) fn rest(&self, message: Option<&Message<'_>>) -> Rest<'a> {
        let mut rest = Rest { at: stamp(self.head.prefix), ..Rest::default() };
        if message.is_none() {
            rest.foreign.push(self.place.line);
        }
        let mut within = message.map_or(Within::Message, |message| Within::after(&self.head, message));
        for (number, line) in &self.others {
            let (production, next) = within.next(line);
            within = next;
            match production {
                Production::Footer { footer: Footer::ProcessId, value, .. } => {
                    rest.process = value.parse().ok()
                }
                Production::Footer { footer: Footer::DateTime, value, .. } => {
                    rest.at = instant(value).or(rest.at);
                }
                Production::Open(_) => rest.has_fields = true,
                Production::Field { name, value } => rest.fields.push((name, value.trim())),
                Production::Foreign(_) => rest.foreign.push(*number),
                Production::Footer { .. }
                | Production::Close(_)
                | Production::Blank(_)
                | Production::Certificate { .. }
                | Production::Frame(_)
                | Production::Wrapped(_)
                | Production::Elided(_) => {}
            }
        }
        rest
    }
}

/// The time at the beginning of what a shipper of logs put before an event.
fn stamp(prefix: &str) -> Option<Instant> {
    instant(prefix.split_whitespace().next()?)
}

/// The round-trip format of .NET, which is RFC 3339 with seven digits.
fn instant(text: &str) -> Option<Instant> {
    moment::rfc3339(text.trim())
}

/// What the prefixes of one shipper have in common: digits, letters, and what stands
/// between them.
struct Shape(Vec<Run>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Digits,
    Letters,
    Blanks,
    Mark(char),
}

impl Run {
    fn of(c: char) -> Self {
        match c {
            c if c.is_ascii_digit() => Self::Digits,
            c if c.is_alphabetic() => Self::Letters,
            ' ' | '\t' => Self::Blanks,
            c => Self::Mark(c),
        }
    }
}

impl Shape {
    fn of(prefix: &str) -> Self {
        let mut runs = Vec::new();
        for c in prefix.chars() {
            let run = Run::of(c);
            if runs.last() != Some(&run) || matches!(run, Run::Mark(_)) {
                runs.push(run);
            }
        }
        Self(runs)
    }

    /// The line without a prefix of this shape; as it is, if it has none.
    fn strip<'a>(&self, line: &'a str) -> &'a str {
        if self.0.is_empty() {
            return line;
        }
        let mut rest = line;
        for run in &self.0 {
            let whole = match run {
                Run::Mark(mark) => rest.strip_prefix(*mark),
                Run::Digits | Run::Letters | Run::Blanks => {
                    let end = rest.find(|c| Run::of(c) != *run).unwrap_or(rest.len());
                    // A line that ends within the prefix has lost its blanks at the end.
                    (end > 0 || (*run == Run::Blanks && rest.is_empty())).then(|| rest.get(end..)).flatten()
                }
            };
            let Some(shorter) = whole else { return line };
            rest = shorter;
        }
        rest
    }
}
