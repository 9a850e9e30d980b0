//! Texts with `*`, `?` and policy variables, compiled.
//!
//! A pattern is cut at its stars into stretches. The first is held against the
//! start of the text, the last against its end, and those between are looked for
//! from left to right, the leftmost hit being as good as any other. So nothing is
//! ever tried twice: a plain stretch is found by a linear search, and one that
//! holds `?` or a variable costs at most its length times the text's, bounded by
//! [`FLOATING_BYTES_MAX`].

mod atom;

use memchr::memmem::Finder;

use self::atom::{Atom, stretches, strip_end, strip_start};
pub(crate) use self::atom::{NoVariables, Resolve, Variable, VariableUse, Wildcards};
use crate::error::Fault;

/// Longest pattern, in bytes: more than the 1,281 bytes of the longest
/// `container/key`, with room for the names of variables.
pub(crate) const PATTERN_BYTES_MAX: usize = 2048;
/// Most bytes, in all patterns of one document, of the stretches whose search is
/// not linear: at most 330,000 comparisons per document for the longest resource
/// (measured: 50 µs for a hostile document of 20 KiB).
pub(crate) const FLOATING_BYTES_MAX: usize = 256;

/// The outcome of holding a text against a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// The pattern holds a variable that has no value in this request, so there is
    /// nothing to hold the text against.
    Unresolved,
}

impl Match {
    pub(crate) const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }

    pub(crate) const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// One compiled text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    variables: Box<[Variable]>,
    head: Box<[Atom]>,
    /// What follows the first star.
    open: Option<Open>,
}

#[derive(Clone, Debug)]
struct Open {
    middles: Box<[Middle]>,
    tail: Box<[Atom]>,
}

#[derive(Clone, Debug)]
enum Middle {
    Plain(Box<Finder<'static>>),
    Mixed(Box<[Atom]>),
}

impl Pattern {
    /// *Errors*: [`Fault::PatternTooLong`], and what is wrong with a variable.
    pub(crate) fn compile(text: &str, wildcards: Wildcards, variables: VariableUse) -> Result<Self, Fault> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(Fault::PatternTooLong { max: PATTERN_BYTES_MAX });
        }
        let mut stretches = stretches(text, wildcards, variables)?.into_iter();
        let head = stretches.next().unwrap_or_default();
        let mut rest: Vec<Vec<Atom>> = stretches.collect();
        let mut named = Vec::new();
        for atom in head.iter().chain(rest.iter().flatten()) {
            if let Atom::Variable(variable) = atom {
                named.push(*variable);
            }
        }
        let open = rest.pop().map(|tail| Open {
            middles: rest.into_iter().filter(|m| !m.is_empty()).map(Middle::new).collect(),
            tail: tail.into(),
        });
        Ok(Self { variables: named.into(), head: head.into(), open })
    }

    /// Bytes of the stretches whose search is not linear.
    pub(crate) fn floating_bytes(&self) -> usize {
        let middles = self.open.iter().flat_map(|open| &open.middles);
        middles
            .map(|m| match m {
                Middle::Plain(_) => 0,
                Middle::Mixed(atoms) => atoms.iter().map(Atom::weight).sum(),
            })
            .sum()
    }

    /// Holds the whole text against the pattern.
    ///
    /// *Cost*: linear in the text for patterns without floating `?` and variables.
    /// No allocation.
    pub(crate) fn matches(&self, text: &[u8], values: &impl Resolve) -> Match {
        if self.lacks_value(values) { Match::Unresolved } else { Match::of(self.fits(text, values)) }
    }

    /// Like [`Pattern::matches`] for a pattern without wildcards, ignoring case.
    pub(crate) fn matches_ignoring_case(&self, text: &[u8], values: &impl Resolve) -> Match {
        if self.lacks_value(values) {
            return Match::Unresolved;
        }
        // Every expectation is UTF-8, so a text that is not equals none of them.
        let Ok(text) = str::from_utf8(text) else { return Match::No };
        let expected = self.head.iter().filter_map(|atom| atom.literal(values));
        let expected = expected.flat_map(|bytes| str::from_utf8(bytes).unwrap_or_default().chars());
        Match::of(expected.flat_map(char::to_lowercase).eq(text.chars().flat_map(char::to_lowercase)))
    }

    fn lacks_value(&self, values: &impl Resolve) -> bool {
        self.variables.iter().any(|v| values.resolve(*v).is_none())
    }

    fn fits(&self, text: &[u8], values: &impl Resolve) -> bool {
        let Some(rest) = strip_start(&self.head, text, values) else { return false };
        let Some(open) = &self.open else { return rest.is_empty() };
        let Some(between) = strip_end(&open.tail, rest, values) else { return false };
        open.middles.iter().try_fold(between, |rest, middle| middle.strip_through(rest, values)).is_some()
    }
}

impl Middle {
    fn new(atoms: Vec<Atom>) -> Self {
        match atoms.as_slice() {
            [Atom::Literal(bytes)] => Self::Plain(Box::new(Finder::new(bytes).into_owned())),
            _ => Self::Mixed(atoms.into()),
        }
    }

    /// What follows the leftmost occurrence.
    fn strip_through<'t>(&self, text: &'t [u8], values: &impl Resolve) -> Option<&'t [u8]> {
        match self {
            Self::Plain(finder) => {
                let at = finder.find(text)?;
                text.get(at + finder.needle().len()..)
            }
            Self::Mixed(atoms) => {
                atom::character_starts(text).find_map(|start| strip_start(atoms, text.get(start..)?, values))
            }
        }
    }
}

#[cfg(test)]
mod tests;
