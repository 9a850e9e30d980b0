//! What vending said a moment ago of tickets that scripts send with every request.

use std::net::IpAddr;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Visitor;
use crate::limits::{REMEMBERED_FOR, REMEMBERED_MAX};

/// A bounded list of answers, found by the whole of what was shown and from where; the
/// oldest goes first. Refusals are not remembered.
#[derive(Default)]
pub(super) struct Remembered(Vec<Entry>);

struct Entry {
    key: Zeroizing<Vec<u8>>,
    source: IpAddr,
    visitor: Visitor,
    told: Instant,
}

impl Entry {
    fn is(&self, key: &[u8], source: IpAddr) -> bool {
        self.source == source && *self.key == key
    }
}

impl Remembered {
    pub(super) fn find(&self, key: &[u8], source: IpAddr, now: Instant) -> Option<Visitor> {
        let fresh = |entry: &&Entry| now.saturating_duration_since(entry.told) < REMEMBERED_FOR;
        let found = self.0.iter().find(|entry| entry.is(key, source)).filter(fresh);
        found.map(|entry| entry.visitor.clone())
    }

    /// Whether the ticket held before, however long ago.
    pub(super) fn knows(&self, key: &[u8], source: IpAddr) -> bool {
        self.0.iter().any(|entry| entry.is(key, source))
    }

    pub(super) fn forget(&mut self, key: &[u8], source: IpAddr) {
        self.0.retain(|entry| !entry.is(key, source));
    }

    pub(super) fn keep(&mut self, key: Zeroizing<Vec<u8>>, source: IpAddr, visitor: Visitor, now: Instant) {
        self.forget(&key, source);
        if self.0.len() >= REMEMBERED_MAX {
            self.0.remove(0);
        }
        self.0.push(Entry { key, source, visitor, told: now });
    }
}
