//! Trace logs of System.Net (.NET Framework), as text listeners write them.

mod objects;
mod record;
mod syntax;

#[cfg(test)]
pub(crate) mod tests;

use crate::adapter::{Adapter, Events};
use crate::input::Line;

use objects::Objects;
use record::Pending;
use syntax::Head;

/// Reads one trace, a line at a time.
#[derive(Default)]
pub(crate) struct SystemNet {
    pending: Pending,
    objects: Objects,
}

impl SystemNet {
    /// Whether a line can only be of such a trace.
    pub(crate) fn recognizes(line: &str) -> bool {
        Head::parse(line).is_some()
    }
}

impl Adapter for SystemNet {
    /// Hands on what the event before the line says, if the line begins another.
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        if Head::parse(line.text).is_none() {
            return self.pending.push(line).into_iter().collect();
        }
        let foreign = self.end_of_input(to);
        self.pending.begin(line);
        foreign
    }

    fn end_of_input(&mut self, to: Events<'_>) -> Vec<u64> {
        let Some(record) = self.pending.record() else { return Vec::new() };
        let foreign = self.objects.take(&record, to);
        self.pending.clear();
        foreign
    }
}
