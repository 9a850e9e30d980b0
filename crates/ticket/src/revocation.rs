//! What was ended before its time, as a head knows it.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use crate::fields::Salt;
use crate::life::CLOCK_SKEW_S;
use crate::preauth::{PREAUTH_LIFE_MAX_S, VerifiedPreauth};
use crate::verify::Verified;

/// Revoked tickets, users and applications: an immutable snapshot, built from rows
/// whenever they change.
///
/// Revoking a user or an application at second T ends what was issued in second T
/// or before. A ticket made directly after that carries a later stamp
/// ([`Salt::after_revocation`]) and holds.
#[derive(Default)]
pub struct Revocations {
    salts: HashMap<Salt, u64, RandomState>,
    prefixes: HashMap<[u8; Salt::PREFIX_BYTES], u64, RandomState>,
    users: HashMap<u32, u64, RandomState>,
    applications: HashMap<u32, u64, RandomState>,
}

/// More revocations than a head can hold. Keep the snapshot at hand and raise an
/// alarm: a snapshot with revocations left out must never come into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are more than {} revocations of one kind", Revocations::MAX)]
pub struct TooManyRevocations;

impl Revocations {
    /// The most entries of one kind: some 100 MiB at worst. An hour of revoking 250
    /// single tickets a second; whoever needs more revokes users.
    pub const MAX: usize = 1_000_000;

    /// Builds the snapshot from rows: `(salt, Unix second until which the ticket
    /// could have counted)`, `(user id, Unix second of revocation)`, `(application
    /// id, Unix second of revocation)`.
    ///
    /// Salts whose tickets have expired at `now_s` are dropped; of two entries for
    /// one id the later counts.
    ///
    /// *Errors*: [`TooManyRevocations`].
    pub fn build(
        now_s: u64,
        salts: impl IntoIterator<Item = (Salt, u64)>,
        users: impl IntoIterator<Item = (u32, u64)>,
        applications: impl IntoIterator<Item = (u32, u64)>,
    ) -> Result<Self, TooManyRevocations> {
        let mut built = Self::default();
        for (salt, until) in salts {
            if until.saturating_add(CLOCK_SKEW_S) >= now_s {
                latest(&mut built.salts, salt, until)?;
                latest(&mut built.prefixes, salt.prefix(), until)?;
            }
        }
        for (user, at) in users {
            latest(&mut built.users, user, at)?;
        }
        for (application, at) in applications {
            latest(&mut built.applications, application, at)?;
        }
        Ok(built)
    }

    /// Whether a ticket was ended: by itself, or with its user or application.
    #[must_use]
    pub fn ticket_revoked(&self, ticket: &Verified, user_id: u32, application_id: u32) -> bool {
        let issued = ticket.salt().issued_at();
        self.salts.contains_key(&ticket.salt())
            || self.users.get(&user_id).is_some_and(|at| issued <= *at)
            || self.applications.get(&application_id).is_some_and(|at| issued <= *at)
    }

    /// Whether a pre-authorized URI was ended.
    ///
    /// A handle carries no time of issue, so this errs on the side of refusal. When
    /// user or application were revoked at T, every URI that ends by T + 15 minutes
    /// is refused: all that could have been made before, and those made after that
    /// live shorter than the full 15 minutes. When one ticket was revoked, a URI of
    /// another ticket is refused too if both salts begin with the same 40 bits.
    #[must_use]
    pub fn preauth_revoked(&self, preauth: &VerifiedPreauth) -> bool {
        let ended = |at: &u64| preauth.expiry() <= at.saturating_add(PREAUTH_LIFE_MAX_S);
        self.prefixes.contains_key(&preauth.salt_prefix())
            || self.users.get(&preauth.user_id()).is_some_and(ended)
            || self.applications.get(&preauth.application_id()).is_some_and(ended)
    }

    /// How many single tickets are revoked.
    #[must_use]
    pub fn salts(&self) -> usize {
        self.salts.len()
    }
}

fn latest<K: std::hash::Hash + Eq>(
    map: &mut HashMap<K, u64, RandomState>,
    key: K,
    value: u64,
) -> Result<(), TooManyRevocations> {
    let kept = map.entry(key).or_default();
    *kept = value.max(*kept);
    if map.len() > Revocations::MAX { Err(TooManyRevocations) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
