//! HAProxy's log in its default formats: `option tcplog` and `option httplog`, also with
//! the fields that `option httpslog` adds, behind whatever syslog put before.
//!
//! *Source*: HAProxy configuration manual, sections 8.2.2 (TCP), 8.2.3 (HTTP), 8.4
//! (timing events) and 8.5 (session state at disconnection).

mod record;

#[cfg(test)]
mod tests;

use crate::adapter::{Adapter, Events};
use crate::input::Line;
use crate::proxy::Records;

use record::{Other, Record};

/// Reads HAProxy's log.
#[derive(Default)]
pub(crate) struct HaProxy {
    records: Records,
}

impl HaProxy {
    /// Whether a line can only be of HAProxy.
    pub(crate) fn recognizes(line: &str) -> bool {
        Record::parse(line).is_some()
    }
}

impl Adapter for HaProxy {
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64> {
        if let Some(record) = Record::parse(line.text) {
            self.records.tell(&record.access(), line, to);
            return Vec::new();
        }
        if let Some(other) = Other::parse(line.text) {
            if let Some(access) = other.access() {
                self.records.tell(&access, line, to);
            }
            return Vec::new();
        }
        if line.text.trim().is_empty() { Vec::new() } else { vec![line.place.line] }
    }

    fn end_of_input(&mut self, _to: Events<'_>) -> Vec<u64> {
        Vec::new()
    }
}
