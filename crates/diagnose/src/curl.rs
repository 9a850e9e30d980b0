//! What curl tells: `-v`, `--trace` and `--trace-ascii`, each with and without
//! `--trace-time` and `--trace-ids`, and lines of `-w '%{json}'`.
//!
//! *Source*: output of curl 7.88; wordings of curl 7.19 to 8.17 as its users report them.

mod line;
mod summary;
mod transfer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::adapter::{Adapter, Events};
use crate::event::Id;
use crate::input::Line;

use line::{Clock, Dump, Way, Written};
use summary::Summary;
use transfer::{At, Transfer};

/// Transfers that are told apart by `--trace-ids` at a time; `curl --parallel-max` is
/// at most 300. Beyond that all are told as they stand.
const TRANSFERS_MAX: usize = 1_024;

/// Connections whose numbers are remembered: curl keeps fewer in its pool.
const CONNECTIONS_MAX: usize = 4_096;

/// Reads what curl tells.
#[derive(Default)]
pub(crate) struct Curl {
    clock: Clock,
    dump: Dump,
    /// By the number of `--trace-ids`; one without.
    transfers: HashMap<Option<u64>, Transfer>,
    names: Numbers,
    /// Whether more than summaries was seen: these would count twice.
    verbose: bool,
    /// Nanoseconds that the summaries before took: a clock that starts with them.
    summed: i128,
}

/// Requests and connections, as they are counted.
#[derive(Default)]
pub(crate) struct Numbers {
    requests: u32,
    connections: u32,
    /// By curl's numbers: a later process of curl counts from 0 again.
    open: HashMap<u64, Id>,
}

impl Numbers {
    pub(crate) fn request(&mut self) -> Id {
        self.requests = self.requests.wrapping_add(1);
        Id(self.requests)
    }

    /// A connection that was made now.
    pub(crate) fn made(&mut self, number: Option<u64>) -> Id {
        self.connections = self.connections.wrapping_add(1);
        let id = Id(self.connections);
        if self.open.len() >= CONNECTIONS_MAX {
            self.open.clear();
        }
        self.open.extend(number.map(|number| (number, id)));
        id
    }

    /// The connection that curl calls so.
    pub(crate) fn kept(&mut self, number: u64) -> Id {
        match self.open.get(&number) {
            Some(known) => *known,
            None => self.made(Some(number)),
        }
    }

    /// What curl calls it from now on: newer ones tell the number last.
    pub(crate) fn called(&mut self, number: u64, id: Id) {
        self.open.insert(number, id);
    }
}

impl Curl {
    /// Whether a line can only be of curl.
    pub(crate) fn recognizes(text: &str) -> bool {
        line::is_of_curl(text) || line::is_heading_of_meter(text) || Summary::recognizes(text)
    }

    fn written(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        let text = line::unmetered(line.text);
        if text.trim().is_empty() || line::is_heading_of_meter(text) {
            return Vec::new();
        }
        if Summary::recognizes(text) {
            return self.summary(Line { text, ..line }, to);
        }
        let Some((stamp, ids, written)) = line::parse(text) else { return vec![line.place.line] };
        self.verbose = true;
        let at = At { place: line.place, at: stamp.map(|stamp| self.clock.at(stamp)), text };
        if self.transfers.len() >= TRANSFERS_MAX {
            self.end_all(to);
        }
        let Self { transfers, names, dump, .. } = self;
        let transfer = transfers.entry(ids.map(|ids| ids.transfer)).or_default();
        let number = ids.and_then(|ids| ids.connection);
        match written {
            Written::Info(info) => {
                dump.end();
                transfer.info(info, number, at, names, to);
            }
            Written::Sent(head) => transfer.sent(head, at, names, to),
            Written::Received(head) => transfer.received(head, at, to),
            Written::Body(Way::Out) => transfer.body_sent(at, to),
            Written::Body(Way::In) => {}
            Written::Dumped(kind) => {
                dump.begin(kind, ids.map(|ids| ids.transfer), at.at);
                if kind == line::Dumped::BodyOut {
                    transfer.body_sent(at, to);
                }
            }
            Written::Error(code) => transfer.error(code, at, to),
        }
        Vec::new()
    }

    /// A row of a dump: heads are put together from rows.
    fn row(&mut self, line: Line<'_>, to: Events<'_>) -> bool {
        let Some(row) = self.dump.row(line.text) else { return false };
        let transfer = self.transfers.entry(self.dump.transfer()).or_default();
        let at = At { place: line.place, at: self.dump.at(), text: line.text };
        for head in &row.lines {
            let at = At { text: head, ..at };
            match row.way {
                Way::Out => transfer.sent(head, at, &mut self.names, to),
                Way::In => transfer.received(head, at, to),
            }
        }
        true
    }

    fn summary(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        if self.verbose {
            return Vec::new();
        }
        match Summary::parse(line.text) {
            Some(summary) => {
                self.summed = summary.tell(line.place, self.summed, &mut self.names, to);
                Vec::new()
            }
            None => vec![line.place.line],
        }
    }

    fn end_all(&mut self, to: Events<'_>) {
        let mut all: Vec<_> = self.transfers.drain().collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().for_each(|(_, transfer)| transfer.end(to));
    }
}

impl Adapter for Curl {
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        if self.row(line, to) { Vec::new() } else { self.written(line, to) }
    }

    fn end_of_input(&mut self, to: Events<'_>) -> Vec<u64> {
        self.end_all(to);
        Vec::new()
    }
}
