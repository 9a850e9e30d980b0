//! Tickets that were verified a moment ago.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use zeroize::Zeroizing;

use crate::life::CLOCK_SKEW_S;
use crate::presented::Presented;
use crate::verify::{Refused, Verified, verify};
use crate::verifying_keys::VerifyingKeys;

/// A bounded table of verified tickets, one for each shard.
///
/// *Shape*: sets of [`Memory::WAYS`] entries, chosen by a randomly seeded hash of
/// everything that was presented; within a set the whole values are compared. A
/// full set gives up its expired entry, or else the one used longest ago, so a
/// ticket can only ever push out another, never be taken for it. Refusals are not
/// remembered.
///
/// The comparison may end early: it begins only where 64 bits of hash under a seed
/// that no caller knows are the same, so its time says nothing about a ticket that
/// someone is guessing at.
///
/// *Cost*: a remembered ticket is found in some 300 ns, without allocation or
/// decoding.
pub struct Memory {
    sets: Vec<Vec<Entry>>,
    hasher: RandomState,
    clock: u64,
    key: Zeroizing<Vec<u8>>,
}

/// Bytes of the longest presented ticket: reserved once, so that a credential is
/// never left behind by a growing buffer.
const KEY_BYTES: usize = 4 * 1024;

struct Entry {
    hash: u64,
    // The presented bytes are a bearer credential: wiped when the entry goes.
    key: Zeroizing<Vec<u8>>,
    verified: Verified,
    used: u64,
}

impl Memory {
    /// Entries that share one place: few enough to compare in line, enough that a
    /// half-full table hardly ever pushes out a live ticket.
    pub const WAYS: usize = 8;

    /// An empty table for at most `capacity` tickets, rounded down to whole sets,
    /// at least one set.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let mut sets = Vec::new();
        sets.resize_with((capacity / Self::WAYS).max(1), Vec::new);
        Self {
            sets,
            hasher: RandomState::default(),
            clock: 0,
            key: Zeroizing::new(Vec::with_capacity(KEY_BYTES)),
        }
    }

    /// Checks a presented ticket, by memory if it can.
    ///
    /// Time and key are checked for a remembered ticket too: an expired one, or one
    /// whose key is no longer live in `keys`, is refused and forgotten.
    ///
    /// *Errors*: [`Refused`], the same as [`verify()`] gives.
    pub fn check(
        &mut self,
        presented: &Presented<'_>,
        keys: &VerifyingKeys,
        now_s: u64,
    ) -> Result<Verified, Refused> {
        let (hash, place) = self.placed(presented);
        self.clock += 1;
        let Some(set) = self.sets.get_mut(place) else {
            return verify(presented, keys, now_s);
        };
        if let Some(at) = set.iter().position(|e| e.hash == hash && *e.key == *self.key) {
            return remembered(set, at, keys, now_s, self.clock);
        }
        let verified = verify(presented, keys, now_s)?;
        make_room(set, now_s);
        set.push(Entry { hash, key: self.key.clone(), verified: verified.clone(), used: self.clock });
        Ok(verified)
    }

    /// Whether a ticket is remembered: it was verified of late, whether or not it would
    /// be now.
    pub fn holds(&mut self, presented: &Presented<'_>) -> bool {
        let (hash, place) = self.placed(presented);
        self.sets.get(place).is_some_and(|set| set.iter().any(|e| e.hash == hash && *e.key == *self.key))
    }

    /// Writes the key; gives its hash and its place.
    fn placed(&mut self, presented: &Presented<'_>) -> (u64, usize) {
        self.key.clear();
        presented.write_key(&mut self.key);
        let hash = self.hasher.hash_one(self.key.as_slice());
        let places = self.sets.len();
        (hash, usize::try_from(hash % places as u64).unwrap_or_default())
    }

    /// How many tickets are remembered, expired ones included until their place is
    /// needed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.iter().all(Vec::is_empty)
    }
}

fn remembered(
    set: &mut Vec<Entry>,
    at: usize,
    keys: &VerifyingKeys,
    now_s: u64,
    clock: u64,
) -> Result<Verified, Refused> {
    let Some(entry) = set.get_mut(at) else { return Err(Refused::Signature) };
    let live = if keys.knows(entry.verified.kid()) {
        entry.verified.in_time(now_s)
    } else {
        Err(Refused::Signature)
    };
    match live {
        Ok(()) => {
            entry.used = clock;
            Ok(entry.verified.clone())
        }
        Err(refused) => {
            set.swap_remove(at);
            Err(refused)
        }
    }
}

fn make_room(set: &mut Vec<Entry>, now_s: u64) {
    set.retain(|entry| entry.verified.expiry().saturating_add(CLOCK_SKEW_S) >= now_s);
    if set.len() < Memory::WAYS {
        return;
    }
    let oldest = set.iter().enumerate().min_by_key(|(_, entry)| entry.used).map(|(at, _)| at);
    if let Some(at) = oldest {
        set.swap_remove(at);
    }
}

#[cfg(test)]
mod tests;
