//! How many connections each source has open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::CONNECTIONS_PER_SOURCE_MAX;
use repono_net::throttle::Source;

/// Open connections by source. Bounded by the connections that are open.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources(Arc<Mutex<HashMap<Source, usize>>>);

/// The place of one connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    sources: Sources,
    source: Source,
}

impl Sources {
    /// A place for one more connection of the source, unless it has too many.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Place> {
        let source = Source::from(address);
        let mut open = self.open();
        let count = open.entry(source).or_default();
        if *count >= CONNECTIONS_PER_SOURCE_MAX {
            return None;
        }
        *count += 1;
        Some(Place { sources: self.clone(), source })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Source, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sources.open();
        if let Some(count) = open.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::Sources;
    use crate::limits::CONNECTIONS_PER_SOURCE_MAX;

    #[test]
    fn one_source_cannot_take_every_place() {
        let sources = Sources::default();
        let (one, other) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv4Addr::BROADCAST));
        let mut places: Vec<_> =
            (0..CONNECTIONS_PER_SOURCE_MAX).map(|_| sources.admit(one).expect("a place")).collect();
        assert!(sources.admit(one).is_none());
        assert!(sources.admit(other).is_some());
        places.pop();
        assert!(sources.admit(one).is_some());
        drop(places);
        assert!(sources.open().is_empty());
    }
}
