//! What two hosts' clocks differ by, from what one did within what the other did.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::event::Instant;

/// Requests that are compared: each narrows the difference down.
const SAMPLES_MAX: usize = 10_000;

/// Hosts whose clocks are told apart: more than a system of this kind has, with each
/// of them restarted now and then. Others are taken to be right.
const HOSTS_MAX: usize = 256;

/// A host between two of its starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Boot(pub(crate) u16);

/// Knows hosts by their boot ids.
#[derive(Default)]
pub(super) struct Clocks {
    boots: HashMap<Box<str>, Boot>,
    bounds: HashMap<(Boot, Boot), Bounds>,
}

/// What must be added to the one clock to get the other, at least and at most.
#[derive(Clone, Copy)]
struct Bounds {
    least: i128,
    most: i128,
}

impl Clocks {
    /// The host with this boot id.
    pub(super) fn boot(&mut self, id: &str) -> Boot {
        if let Some(known) = self.boots.get(id) {
            return *known;
        }
        let next = u16::try_from(self.boots.len().min(HOSTS_MAX)).unwrap_or(u16::MAX);
        if usize::from(next) < HOSTS_MAX {
            self.boots.insert(id.into(), Boot(next));
        }
        Boot(next)
    }

    /// Learns that the span of `inner` lies within that of `outer`.
    pub(super) fn within(&mut self, (outer_boot, outer): Span, (inner_boot, inner): Span) {
        if outer_boot == inner_boot {
            return;
        }
        let ([asked, answered], [begun, done]) = (outer, inner);
        let (least, most) = (asked.0.saturating_sub(begun.0), answered.0.saturating_sub(done.0));
        let bounds = self.bounds.entry((outer_boot, inner_boot)).or_insert(Bounds { least, most });
        bounds.least = bounds.least.max(least);
        bounds.most = bounds.most.min(most);
    }

    /// A time of the inner host by the clock of the outer one.
    pub(super) fn translated(&self, outer: Boot, inner: Boot, at: Instant) -> Instant {
        let offset =
            self.bounds.get(&(outer, inner)).map_or(0, |bounds| i128::midpoint(bounds.least, bounds.most));
        Instant(at.0.saturating_add(offset))
    }
}

/// Requests that both a client and a head told of, to compare their clocks by.
///
/// Of all requests those whose ids have the least hashes are kept, so that both sides
/// keep the same ones.
#[derive(Default)]
pub(super) struct Samples {
    clients: BTreeMap<u64, Span>,
    heads: BTreeMap<u64, Span>,
}

/// A span on the clock of a host.
pub(super) type Span = (Boot, [Instant; 2]);

impl Samples {
    /// A client waited so long for the reply with this id.
    pub(super) fn client(&mut self, id: &str, clock: Boot, span: [Instant; 2]) {
        keep(&mut self.clients, id, (clock, span));
    }

    /// A head worked so long for it.
    pub(super) fn head(&mut self, id: &str, clock: Boot, span: [Instant; 2]) {
        keep(&mut self.heads, id, (clock, span));
    }

    /// The client's and the head's spans of the same requests.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Span, Span)> {
        self.clients.iter().filter_map(|(id, client)| Some((*client, *self.heads.get(id)?)))
    }
}

fn keep(samples: &mut BTreeMap<u64, Span>, id: &str, span: Span) {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    samples.insert(hasher.finish(), span);
    if samples.len() > SAMPLES_MAX {
        samples.pop_last();
    }
}

#[cfg(test)]
mod tests {
    use super::Clocks;
    use crate::event::Instant;

    #[test]
    fn what_lies_within_bounds_the_difference_from_both_sides() {
        let mut clocks = Clocks::default();
        let (client, head) = (clocks.boot("client"), clocks.boot("head"));
        // The head's clock is 500 behind; its work lies within the client's wait.
        for (asked, answered, begun, done) in [(1_000, 1_090, 520, 580), (2_000, 2_030, 1_510, 1_522)] {
            let span = |from, to| [Instant(from), Instant(to)];
            clocks.within((client, span(asked, answered)), (head, span(begun, done)));
        }
        let at = clocks.translated(client, head, Instant(10_000));
        assert!((10_490..=10_508).contains(&at.0), "{at:?}");
        assert_eq!(clocks.translated(client, client, Instant(7)), Instant(7), "a host with itself");
    }
}
