//! The key ring: rows that the metadata keeps, their states, their rotation.
//!
//! ```text
//! Pending ──10 s──▶ Active ──next key──▶ VerifyOnly ──its time──▶ Dead
//! ```
//!
//! Ticket keys are sealed with vending's master key, which heads never have;
//! pre-authorization and TLS ticket keys with the heads' master key. A dead row
//! keeps its name and times; its secret is gone.

use std::fmt;

use zeroize::Zeroizing;

use crate::seal::{MasterKey, SealError};
use crate::signer::TicketSigner;

mod create;
mod rotation;

pub use create::{new_preauth_key, new_ticket_key, new_tls_ticket_key};
pub use rotation::{PENDING_S, RotationError, advance, retire, rotate, verify_only_s};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Signs tickets: Ed25519.
    Ticket,
    /// Proves pre-authorized URIs: 32 secret bytes.
    Preauth,
    /// Seals TLS session tickets: 32 secret bytes.
    TlsTicket,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Ticket, Self::Preauth, Self::TlsTicket];

    /// The name in rows and commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Preauth => "preauth",
            Self::TlsTicket => "tls-ticket",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Known, not yet used: every head learns of it before anything depends on it.
    /// Exit: `Active`.
    Pending,
    /// Signs and verifies; at most one for each role. Exit: `VerifyOnly`.
    Active,
    /// Verifies what it signed until the last of it has expired. Exit: `Dead`.
    VerifyOnly,
    /// Counts for nothing. No exit.
    Dead,
}

/// A state was to follow one that it cannot follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key cannot go from {} to {}", .from.as_str(), .to.as_str())]
pub struct TransitionError {
    /// The state that the key is in.
    pub from: KeyState,
    /// The state that was asked for.
    pub to: KeyState,
}

impl KeyState {
    /// Every state, in the order of a key's life.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::VerifyOnly, Self::Dead];

    /// The name in rows and commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::VerifyOnly => "verify-only",
            Self::Dead => "dead",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// The state after this one.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Pending => Some(Self::Active),
            Self::Active => Some(Self::VerifyOnly),
            Self::VerifyOnly => Some(Self::Dead),
            Self::Dead => None,
        }
    }

    /// Goes to `to`, one step at a time.
    ///
    /// *Errors*: [`TransitionError`] unless `to` is the next state.
    pub fn transition(self, to: Self) -> Result<Self, TransitionError> {
        if self.next() == Some(to) { Ok(to) } else { Err(TransitionError { from: self, to }) }
    }

    /// Whether what was made under the key counts.
    #[must_use]
    pub const fn verifies(self) -> bool {
        match self {
            Self::Pending | Self::Active | Self::VerifyOnly => true,
            Self::Dead => false,
        }
    }
}

/// One key as the metadata keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its name within its role: 8 hex digits, for [`Role::Preauth`] 2.
    pub id: String,
    /// What it is for.
    pub role: Role,
    /// Where it is in its life.
    pub state: KeyState,
    /// The Ed25519 public key, or nothing for secret keys.
    pub public: Vec<u8>,
    /// The sealed secret; nothing once the key is dead.
    pub sealed: Vec<u8>,
    /// Unix seconds at which it was made.
    pub created_s: u64,
    /// Unix seconds from which it was active, if it has been.
    pub active_from_s: Option<u64>,
    /// Unix seconds until which it verifies, once it only verifies.
    pub verify_until_s: Option<u64>,
}

impl fmt::Debug for KeyRow {
    /// Everything but the sealed secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRow")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("state", &self.state)
            .field("created_s", &self.created_s)
            .field("active_from_s", &self.active_from_s)
            .field("verify_until_s", &self.verify_until_s)
            .finish_non_exhaustive()
    }
}

/// Why keys could not be made or taken from rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The row's secret does not open.
    #[error("a key's secret cannot be opened")]
    Seal(#[from] SealError),
    /// Bytes that are no key of their kind.
    #[error("a key is not of its form")]
    Rejected,
    /// The row's id is not one of its role, or not that of its public key.
    #[error("a key's id does not fit the key")]
    Id,
    /// The row is for another role.
    #[error("a key is for another role")]
    Role,
    /// The key is dead.
    #[error("the key is dead")]
    Dead,
    /// Two live keys with one id, or two active ones.
    #[error("two keys stand where one may be")]
    Duplicate,
    /// More live keys than a rotation can leave behind, or all ids taken.
    #[error("there are too many live keys")]
    TooMany,
    /// No key is active.
    #[error("no key is active")]
    NoActive,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

/// The active key of a role.
#[must_use]
pub fn active(rows: &[KeyRow], role: Role) -> Option<&KeyRow> {
    rows.iter().find(|row| row.role == role && row.state == KeyState::Active)
}

/// Opens the active ticket key with vending's master key.
///
/// *Errors*: [`KeyringError::NoActive`]; what [`open_signer`] gives.
pub fn active_signer(rows: &[KeyRow], master: &MasterKey) -> Result<TicketSigner, KeyringError> {
    open_signer(active(rows, Role::Ticket).ok_or(KeyringError::NoActive)?, master)
}

/// Opens a ticket key with vending's master key.
///
/// *Errors*: [`KeyringError::Role`], [`KeyringError::Dead`],
/// [`KeyringError::Seal`], [`KeyringError::Rejected`], and [`KeyringError::Id`]
/// when id or public key of the row are not those of the secret.
pub fn open_signer(row: &KeyRow, master: &MasterKey) -> Result<TicketSigner, KeyringError> {
    if row.role != Role::Ticket {
        return Err(KeyringError::Role);
    }
    let signer = TicketSigner::from_pkcs8(&open(row, master)?)?;
    let fits = signer.kid().hex() == row.id.as_bytes() && signer.public_key() == row.public;
    if fits { Ok(signer) } else { Err(KeyringError::Id) }
}

/// Opens a pre-authorization or TLS ticket key with the heads' master key.
///
/// *Errors*: [`KeyringError::Role`], [`KeyringError::Dead`],
/// [`KeyringError::Seal`], [`KeyringError::Rejected`].
pub fn open_secret(row: &KeyRow, master: &MasterKey) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    match row.role {
        Role::Preauth | Role::TlsTicket => {}
        Role::Ticket => return Err(KeyringError::Role),
    }
    let opened = open(row, master)?;
    let mut secret = Zeroizing::new([0; 32]);
    if opened.len() != secret.len() {
        return Err(KeyringError::Rejected);
    }
    secret.copy_from_slice(&opened);
    Ok(secret)
}

fn open(row: &KeyRow, master: &MasterKey) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    if !row.state.verifies() {
        return Err(KeyringError::Dead);
    }
    Ok(master.open(row.role.as_str(), &row.id, &row.sealed)?)
}

/// The number of a pre-authorization key, from the id of its row.
pub(crate) fn parse_preauth_id(id: &str) -> Option<u8> {
    crate::fields::hex(id.as_bytes()).map(|[id]| id)
}

#[cfg(test)]
mod tests;
