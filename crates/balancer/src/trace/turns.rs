//! The turns of one connection, while it is traced.

use std::net::SocketAddr;

use repono_core::id::ConnectionId;
use repono_journal::{SharedRecorder, Stamp, Text, TurnRecord};
use repono_relay::Side;

use super::Traces;

/// What names a connection in its turns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) connection: ConnectionId,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) head: &'a str,
}

/// Follows one connection.
pub(crate) struct Turns<'a> {
    traces: &'a Traces,
    recorder: &'a SharedRecorder,
    names: Names<'a>,
    number: u64,
    last_mono_ns: Option<u64>,
    /// On the heap, so that a connection which nobody traces is not larger.
    open: Option<Box<TurnRecord>>,
}

impl<'a> Turns<'a> {
    pub(crate) const fn new(traces: &'a Traces, recorder: &'a SharedRecorder, names: Names<'a>) -> Self {
        Self { traces, recorder, names, number: 0, last_mono_ns: None, open: None }
    }

    /// Bytes came from a side.
    ///
    /// *Cost*: one load while there is no trace.
    pub(crate) fn moved(&mut self, from: Side, count: usize) {
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        match from {
            Side::Client => self.asked(bytes),
            Side::Server => self.answered(bytes),
        }
    }

    /// The connection is over.
    pub(crate) fn end(&mut self) {
        if let Some(turn) = self.open.take() {
            self.last_mono_ns = Some(turn.ended_mono_ns);
            self.recorder.turn(&turn);
        }
    }

    fn asked(&mut self, bytes: u64) {
        if self.open.as_ref().is_some_and(|turn| turn.answered_mono_ns.is_some()) {
            self.end();
        }
        if self.open.is_none() && !self.traces.covers(self.names.head, self.names.source.ip()) {
            return;
        }
        let now = Stamp::now();
        let turn = match &mut self.open {
            Some(turn) => turn,
            None => {
                self.number = self.number.saturating_add(1);
                let turn = begun(self.names, self.number, now, self.last_mono_ns);
                self.open.insert(Box::new(turn))
            }
        };
        turn.bytes_in = turn.bytes_in.saturating_add(bytes);
        turn.asked_last_mono_ns = now.mono_ns;
        turn.ended_mono_ns = now.mono_ns;
    }

    fn answered(&mut self, bytes: u64) {
        let Some(turn) = &mut self.open else { return };
        let now = Stamp::mono_now();
        turn.answered_mono_ns.get_or_insert(now);
        turn.bytes_out = turn.bytes_out.saturating_add(bytes);
        turn.ended_mono_ns = now;
    }
}

fn begun(names: Names<'_>, number: u64, now: Stamp, last_mono_ns: Option<u64>) -> TurnRecord {
    let Names { connection, source, destination, head } = names;
    TurnRecord {
        connection,
        source,
        destination,
        head: Text::new(head),
        number,
        asked: now,
        asked_last_mono_ns: now.mono_ns,
        answered_mono_ns: None,
        ended_mono_ns: now.mono_ns,
        idle_before_ns: last_mono_ns.map_or(0, |last| now.mono_ns.saturating_sub(last)),
        bytes_in: 0,
        bytes_out: 0,
    }
}
