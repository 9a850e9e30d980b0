//! From the rows of the store to a directory.

use repono_net::tls::{TicketKey, TicketKeyError};
use repono_store::model::identity::IdentitySnapshot;
use repono_store::rights::{Rights, RightsError, key_rows};
use repono_ticket::keyring::{self, KeyringError, Role};
use repono_ticket::{MasterKey, PreauthKeys};

use super::Directory;

/// The master key that a head opens its secrets with.
pub(crate) struct Masters {
    pub(crate) heads: MasterKey,
}

/// A directory, and the keys that TLS needs.
pub(crate) struct Built {
    pub(crate) directory: Directory,
    pub(crate) tls: TlsTicketKeys,
}

/// The key that seals TLS session tickets, and those that still open them.
pub(crate) struct TlsTicketKeys {
    pub(crate) current: TicketKey,
    pub(crate) accepted: Vec<TicketKey>,
}

/// Why rows do not make a directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("the key ring cannot be used")]
    Keys(#[from] KeyringError),
    #[error("a TLS ticket key cannot be derived")]
    TlsTicketKey(#[from] TicketKeyError),
    #[error(transparent)]
    Rights(#[from] RightsError),
}

/// Builds a directory from one consistent snapshot.
pub(crate) fn build(snapshot: &IdentitySnapshot, masters: &Masters, now_s: u64) -> Result<Built, BuildError> {
    let keys = key_rows(&snapshot.keys);
    let directory = Directory {
        rights: Rights::read(snapshot, &keys, now_s)?,
        preauth_keys: PreauthKeys::from_rows(&keys, &masters.heads)?,
    };
    Ok(Built { directory, tls: tls_ticket_keys(&keys, &masters.heads)? })
}

fn tls_ticket_keys(keys: &[keyring::KeyRow], master: &MasterKey) -> Result<TlsTicketKeys, BuildError> {
    let mut current = None;
    let mut accepted = Vec::new();
    for row in keys.iter().filter(|row| row.role == Role::TlsTicket && row.state.verifies()) {
        let key = TicketKey::derive(&*keyring::open_secret(row, master)?)?;
        match row.state {
            keyring::KeyState::Active => current = Some(key),
            keyring::KeyState::Pending | keyring::KeyState::VerifyOnly => accepted.push(key),
            keyring::KeyState::Dead => {}
        }
    }
    Ok(TlsTicketKeys { current: current.ok_or(KeyringError::NoActive)?, accepted })
}
