//! The journals of this system: of the client, the balancer, the heads, vending and
//! recorders, joined by the ids of connections and requests.
//!
//! A client's records are its attempts. What the other sides wrote of the same
//! connections is kept until all is read, and then stands witness.

mod attempts;
mod clocks;
mod ledger;
mod odd;
mod record;
mod recorded;
#[cfg(test)]
mod tests;

use crate::adapter::{Adapter, Events};
use crate::event::Place;
use crate::finding::Step;
use crate::input::Line;
use crate::timeline::Attempt;
use crate::witness::Testimony;

use attempts::{Attempts, Told};
use ledger::Ledger;
use odd::OddEnds;
use record::{Dataset, Record, Side};
use recorded::Recorded;

/// Reads journals.
#[derive(Default)]
pub(crate) struct Journal {
    attempts: Attempts,
    ledger: Ledger,
    odd: OddEnds,
    recorded: Recorded,
}

impl Journal {
    /// Whether a line can only be a record of ours.
    pub(crate) fn recognizes(line: &str) -> bool {
        line.starts_with("{\"@timestamp\":") && line.contains("\"module\":\"repono\"")
    }

    fn connection(&mut self, record: &Record<'_>, place: Place, to: Events<'_>) {
        if record.repono.side == Some(Side::Recorder) {
            let clock = self.ledger.clock(record);
            self.recorded.connection(record, place, clock, to);
        }
        if let Some(text) = self.ledger.connection(record, place) {
            self.odd.take(record, place, &text);
        }
    }

    fn turn(&mut self, record: &Record<'_>, place: Place, to: Events<'_>) {
        let clock = self.ledger.clock(record);
        if let Some(names) = self.recorded.turn(record, place, clock, to) {
            self.odd.is_known(&names);
        }
    }

    fn attempt(&mut self, record: &Record<'_>, place: Place, to: Events<'_>) {
        let clock = self.ledger.clock(record);
        let Some(told) = Told::of(record, place, clock) else { return };
        if let Some((id, span)) = told.answered() {
            self.ledger.waited(id, clock, span);
        }
        self.odd.is_known(told.names());
        self.attempts.take(record, told, to);
    }
}

impl Adapter for Journal {
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        if line.text.is_empty() {
            return Vec::new();
        }
        let Ok(record) = serde_json::from_str::<Record<'_>>(line.text) else { return vec![line.place.line] };
        match (record.event.dataset, record.repono.side) {
            (Dataset::Request, Some(Side::Client)) => self.attempt(&record, line.place, to),
            (Dataset::Request, Some(Side::Head | Side::Vending)) => self.ledger.work(&record, line.place),
            (Dataset::Change, _) => self.ledger.change(&record, line.place),
            (Dataset::Connection, Some(_)) => self.connection(&record, line.place, to),
            (Dataset::Turn, Some(Side::Recorder)) => self.turn(&record, line.place, to),
            // What they tell of single turns and log-ins is in the other records too.
            (Dataset::Turn | Dataset::Audit, _) => {}
            (Dataset::Request, Some(Side::Balancer | Side::Recorder) | None)
            | (Dataset::Connection, None)
            | (Dataset::Other, _) => {
                return vec![line.place.line];
            }
        }
        Vec::new()
    }

    fn end_of_input(&mut self, _to: Events<'_>) -> Vec<u64> {
        Vec::new()
    }

    fn end(&mut self, to: Events<'_>) {
        self.ledger.compare_clocks();
        self.attempts.end(to);
        self.recorded.end(to);
        self.odd.end(to);
    }

    fn changes(&self) -> Vec<Step> {
        self.ledger.changes()
    }

    fn testimony(&self, attempt: &Attempt) -> Testimony {
        self.ledger.testimony(attempt)
    }
}
