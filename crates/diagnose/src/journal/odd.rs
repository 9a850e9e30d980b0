//! Connections that the balancer saw end badly, and no client's journal tells of.
//!
//! Where the clients' journals are read too, what happened to their requests is found
//! in these, and the balancer is their witness.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::record::{Record, Side};
use crate::adapter::Events;
use crate::event::{Instant, Place};
use crate::input::Line;
use crate::proxy::{Access, By, Ending, Phase, Records};
use crate::witness::Names;

/// Ends that are remembered; of more the first ones are.
const ENDS_MAX: usize = 100_000;

/// Clients' connections that are remembered.
const KNOWN_MAX: usize = 400_000;

/// The first number of these requests: those of clients' records are counted from 0.
const FIRST: u32 = 1 << 31;

/// The ends.
#[derive(Default)]
pub(super) struct OddEnds {
    ends: Vec<OddEnd>,
    /// Connections that clients tell of, by the ids of their peer and by their own ends.
    known: HashSet<u128>,
    sources: HashSet<SocketAddr>,
}

struct OddEnd {
    connection: u128,
    place: Place,
    text: Box<str>,
    source: SocketAddr,
    head: Box<str>,
    opened: Instant,
    ended: Instant,
    ending: Ending,
}

impl OddEnds {
    /// A client tells of this connection.
    pub(super) fn is_known(&mut self, names: &Names) {
        if self.known.len() < KNOWN_MAX {
            self.known.extend(names.peer_connection);
        }
        if self.sources.len() < KNOWN_MAX {
            self.sources.extend(names.source);
        }
    }

    /// Takes the record of a connection that has ended, and what it says in words.
    pub(super) fn take(&mut self, record: &Record<'_>, place: Place, text: &str) {
        let own = &record.repono;
        let Some(connection) = own.connection.as_ref().filter(|_| own.side == Some(Side::Balancer)) else {
            return;
        };
        let ending = connection.end_code.as_deref().and_then(ending);
        let (Some(ending), Some(key), Some(source)) = (ending, connection.key(), record.source) else {
            return;
        };
        if self.ends.len() < ENDS_MAX {
            self.ends.push(OddEnd {
                connection: key,
                place,
                text: text.into(),
                source: source.address(),
                head: own.head.as_deref().unwrap_or("the balancer").into(),
                opened: record.started(),
                ended: record.ended(),
                ending,
            });
        }
    }

    /// Hands on those that no client tells of.
    pub(super) fn end(&mut self, to: Events<'_>) {
        let mut records = Records::counted_from(FIRST);
        let Self { ends, known, sources } = self;
        for end in ends.drain(..) {
            if known.contains(&end.connection) || sources.contains(&end.source) {
                continue;
            }
            let name = format!("the connection of {}", end.source);
            let access = Access {
                name: &name,
                to: &end.head,
                begun: Some(end.opened),
                ended: Some(end.ended),
                ending: Some(end.ending),
                ..Access::default()
            };
            records.tell(&access, Line { place: end.place, unit: "line", text: &end.text, frame: None }, to);
        }
    }
}

/// What the two letters mean that say of something wrong behind the balancer, or in it;
/// what clients do with their connections, and orderly ends, are none of that.
fn ending(code: &str) -> Option<Ending> {
    let mut letters = code.chars();
    let by = match letters.next()? {
        'S' => By::BackClosed,
        's' => By::BackSilent,
        'D' => By::Withdrawn,
        'P' => By::Exhausted,
        _ => return None,
    };
    let phase = match letters.next()? {
        'C' => Phase::Connect,
        'D' | 'L' => Phase::Data,
        _ => Phase::Untold,
    };
    Some(Ending { by, phase })
}
