//! Trace logs of System.Net (.NET Framework), as text listeners write them.

mod objects;
mod record;
mod syntax;

#[cfg(test)]
pub(crate) mod tests;

use crate::event::Event;
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

    /// Takes the next line; hands on what the event before it says, if it begins one.
    /// Gives the number of lines that turned out to be of no known form.
    pub(crate) fn line(&mut self, line: Line<'_>, to: &mut dyn FnMut(Event<'_>)) -> Vec<u64> {
        if Head::parse(line.text).is_none() {
            return self.pending.push(line).into_iter().collect();
        }
        let foreign = self.finish(to);
        self.pending.begin(line);
        foreign
    }

    /// Hands on what the last event says.
    pub(crate) fn finish(&mut self, to: &mut dyn FnMut(Event<'_>)) -> Vec<u64> {
        let Some(record) = self.pending.record() else { return Vec::new() };
        let foreign = self.objects.take(&record, to);
        self.pending.clear();
        foreign
    }
}
