//! The key ring: rows of the store as the ticket crate reads them, and what is
//! done to them.
//!
//! Ticket keys are sealed with vending's master key, the others with the heads'.
//! Each function is from rows to rows; whoever calls it writes those that changed
//! in one transaction.

use repono_store::error::StoreError;
use repono_store::meta::MetaStore;
use repono_store::model::identity::{
    Audit, IdentityChange, KeyRole, KeyRow as StoredKey, KeyState as Stored,
};
use repono_store::rights::key_rows;
use repono_ticket::MasterKey;
use repono_ticket::keyring::{
    self, KeyRow, KeyState, KeyringError, Role, RotationError, TransitionError, new_preauth_key,
    new_ticket_key, new_tls_ticket_key,
};

use crate::limits::TLS_TICKET_KEY_AGE_MAX;

/// The two master keys, of which only vending has both.
pub struct Masters {
    /// Seals the keys that sign tickets.
    pub vending: MasterKey,
    /// Seals the keys of pre-authorized URIs and of TLS session tickets.
    pub heads: MasterKey,
}

/// Why a key ring was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RingError {
    /// A key cannot be made or opened.
    #[error("a key of the ring cannot be made or opened")]
    Key(#[from] KeyringError),
    /// The rows do not allow what was asked.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// A state was to follow one that it cannot follow.
    #[error("the key ring is not in order")]
    Transition(#[from] TransitionError),
    /// The store refused.
    #[error("the key ring cannot be kept")]
    Store(#[from] StoreError),
}

fn stored_of(row: &KeyRow) -> StoredKey {
    StoredKey {
        id: row.id.clone(),
        role: match row.role {
            Role::Ticket => KeyRole::Ticket,
            Role::Preauth => KeyRole::Preauth,
            Role::TlsTicket => KeyRole::TlsTicket,
        },
        state: match row.state {
            KeyState::Pending => Stored::Pending,
            KeyState::Active => Stored::Active,
            KeyState::VerifyOnly => Stored::VerifyOnly,
            KeyState::Dead => Stored::Dead,
        },
        public: row.public.clone(),
        sealed: row.sealed.clone(),
        created_s: row.created_s,
        active_from_s: row.active_from_s.unwrap_or_default(),
        verify_until_s: row.verify_until_s,
    }
}

/// The rows of `after` that are new or differ from `before`.
pub(crate) fn changed(before: &[KeyRow], after: &[KeyRow]) -> Vec<KeyRow> {
    after.iter().filter(|row| !before.contains(row)).cloned().collect()
}

/// The change that writes these rows.
pub(crate) fn put(rows: &[KeyRow]) -> IdentityChange {
    IdentityChange::PutKeys(rows.iter().map(stored_of).collect())
}

/// Adds a new key of a role; [`keyring::advance`] does the rest as time goes by.
pub(crate) fn rotate(
    rows: &[KeyRow],
    role: Role,
    masters: &Masters,
    now_s: u64,
) -> Result<Vec<KeyRow>, RingError> {
    let new = match role {
        Role::Ticket => new_ticket_key(&masters.vending, now_s)?,
        Role::Preauth => new_preauth_key(&masters.heads, rows, now_s)?,
        Role::TlsTicket => new_tls_ticket_key(&masters.heads, now_s)?,
    };
    Ok(keyring::rotate(rows, role, now_s, new)?)
}

/// Ends a key at once, and has another active in the same step: heads do not take
/// over a ring without active keys, and would go on with the stolen one.
pub(crate) fn revoke(
    rows: &[KeyRow],
    role: Role,
    id: &str,
    masters: &Masters,
    now_s: u64,
) -> Result<Vec<KeyRow>, RingError> {
    let mut rows = keyring::retire(rows, role, id, now_s)?;
    if keyring::active(&rows, role).is_some() {
        return Ok(rows);
    }
    match rows.iter_mut().find(|row| row.role == role && row.state == KeyState::Pending) {
        Some(pending) => {
            pending.state = pending.state.transition(KeyState::Active)?;
            pending.active_from_s = Some(now_s);
            Ok(rows)
        }
        None => rotate(&rows, role, masters, now_s),
    }
}

/// The rows as they must stand at `now_s`: time's own steps, and a new TLS ticket
/// key where the active one has served its time.
pub(crate) fn tend(rows: &[KeyRow], masters: &Masters, now_s: u64) -> Result<Vec<KeyRow>, RingError> {
    let next = keyring::advance(rows, now_s);
    let active = keyring::active(&next, Role::TlsTicket).and_then(|row| row.active_from_s);
    let aged = active.is_some_and(|from| now_s.saturating_sub(from) >= TLS_TICKET_KEY_AGE_MAX.as_secs());
    let under_way = next.iter().any(|row| row.role == Role::TlsTicket && row.state == KeyState::Pending);
    if aged && !under_way { rotate(&next, Role::TlsTicket, masters, now_s) } else { Ok(next) }
}

/// Makes a key, active at once, for each role that has neither an active nor a
/// pending one.
pub(crate) fn complete(rows: &[KeyRow], masters: &Masters, now_s: u64) -> Result<Vec<KeyRow>, RingError> {
    let mut rows = rows.to_vec();
    for role in Role::ALL {
        let usable = |row: &&KeyRow| matches!(row.state, KeyState::Active | KeyState::Pending);
        if !rows.iter().filter(|row| row.role == role).any(|row| usable(&row)) {
            rows = rotate(&rows, role, masters, now_s)?;
        }
    }
    Ok(rows)
}

/// Writes what a function of rows makes of the rows in the store; writes nothing
/// where nothing changes. Answers the rows written.
pub(crate) async fn apply<E: From<StoreError>>(
    meta: &dyn MetaStore,
    by: Audit,
    change: impl FnOnce(&[KeyRow]) -> Result<Vec<KeyRow>, E>,
) -> Result<Vec<KeyRow>, E> {
    let before = key_rows(&meta.identity().await?.keys);
    let written = changed(&before, &change(&before)?);
    if !written.is_empty() {
        meta.change_identity(put(&written), by).await?;
    }
    Ok(written)
}

#[cfg(test)]
mod tests;
