//! Trace logs of System.Net (.NET Framework), as text listeners write them.

mod listener;
mod objects;
mod record;
mod syntax;

#[cfg(test)]
pub(crate) mod tests;

use crate::adapter::{Adapter, Events};
use crate::input::Line;

use listener::{Listener, Written};
use objects::Objects;
use record::Pending;
use syntax::Head;

/// Reads one trace, a line at a time.
#[derive(Default)]
pub(crate) struct SystemNet {
    listener: Listener,
    pending: Pending,
    objects: Objects,
}

impl SystemNet {
    /// Whether a line can only be of such a trace.
    pub(crate) fn recognizes(line: &str) -> bool {
        Head::parse(line).is_some() || Listener::recognizes(line)
    }
}

impl Adapter for SystemNet {
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        match self.listener.take(line) {
            Written::Line(text) => self.text(Line { text, ..line }, to),
            Written::Event(event) => self.event(&event, line, to),
            Written::EventBehind(event) => {
                let foreign = self.event(&event, line, to);
                if foreign.is_empty() { vec![line.place.line] } else { foreign }
            }
            Written::Part => Vec::new(),
            Written::Foreign => vec![line.place.line],
        }
    }

    fn end_of_input(&mut self, to: Events<'_>) -> Vec<u64> {
        let mut foreign = self.flush(to);
        foreign.extend(self.listener.end());
        foreign
    }
}

impl SystemNet {
    /// A whole event, which counts once, whatever in it is of no known form.
    fn event(&mut self, event: &str, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        let mut foreign: Vec<_> =
            event.lines().flat_map(|text| self.text(Line { text, ..line }, to)).collect();
        foreign.extend(self.flush(to));
        foreign.dedup();
        foreign
    }

    /// Hands on what the event before the line says, if the line begins another.
    fn text(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        if Head::parse(line.text).is_none() {
            return self.pending.push(line).into_iter().collect();
        }
        let foreign = self.flush(to);
        self.pending.begin(line);
        foreign
    }

    /// Hands on what the last event says.
    fn flush(&mut self, to: Events<'_>) -> Vec<u64> {
        let Some(record) = self.pending.record() else { return Vec::new() };
        let foreign = self.objects.take(&record, to);
        self.pending.clear();
        foreign
    }
}
