//! The turns of one connection, while it is traced.

use repono_journal::{TurnKind, TurnMeter};

use super::Traces;

/// Follows one connection.
pub(crate) struct Turns<'a> {
    traces: &'a Traces,
    meter: TurnMeter<'a>,
}

impl<'a> Turns<'a> {
    pub(crate) const fn new(traces: &'a Traces, meter: TurnMeter<'a>) -> Self {
        Self { traces, meter }
    }

    /// Bytes came from the client.
    ///
    /// *Cost*: one load while there is no trace.
    pub(crate) fn asked(&mut self, bytes: usize) {
        let names = self.meter.names();
        if self.meter.is_asking() || self.traces.covers(names.head, names.source.ip()) {
            self.meter.asked(bytes);
        } else {
            self.meter.end();
        }
    }

    /// Bytes came from the head.
    pub(crate) fn answered(&mut self, kind: TurnKind, bytes: usize) {
        self.meter.answered(kind, bytes);
    }

    /// The connection is over.
    pub(crate) fn end(&mut self) {
        self.meter.end();
    }
}
