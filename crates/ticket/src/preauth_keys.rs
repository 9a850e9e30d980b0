//! The shared secrets under which heads make and check pre-authorized URIs.

use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

use crate::keyring::{self, KeyRow, KeyState, KeyringError, Role};
use crate::seal::MasterKey;

/// Secrets by id, one of them active. No `Debug`, no `Display`.
///
/// Pending and verify-only secrets verify as well; dead ones are not here.
pub struct PreauthKeys {
    active: (u8, hmac::Key),
    others: Vec<(u8, hmac::Key)>,
    dummy: hmac::Key,
}

impl PreauthKeys {
    /// The most keys, the active one included: see [`crate::VerifyingKeys::KEYS_MAX`].
    pub const KEYS_MAX: usize = 64;

    /// The key that mints, and those that only verify.
    ///
    /// *Errors*: [`KeyringError::Duplicate`], [`KeyringError::TooMany`],
    /// [`KeyringError::Random`].
    pub fn new<'a>(
        active: (u8, &[u8; 32]),
        others: impl IntoIterator<Item = (u8, &'a [u8; 32])>,
    ) -> Result<Self, KeyringError> {
        let mut keys = Self { active: (active.0, key(active.1)), others: Vec::new(), dummy: random_key()? };
        for (id, secret) in others {
            if keys.find(id).is_some() {
                return Err(KeyringError::Duplicate);
            }
            if keys.others.len() + 1 == Self::KEYS_MAX {
                return Err(KeyringError::TooMany);
            }
            keys.others.push((id, key(secret)));
        }
        Ok(keys)
    }

    /// The pre-authorization keys among the rows of the key ring, opened with the
    /// heads' master key; other roles and dead keys are left out.
    ///
    /// *Errors*: as [`PreauthKeys::new`]; [`KeyringError::NoActive`] when no row is
    /// active, [`KeyringError::Duplicate`] when two are; what
    /// [`keyring::open_secret`] gives.
    pub fn from_rows(rows: &[KeyRow], master: &MasterKey) -> Result<Self, KeyringError> {
        let (mut active, mut others) = (None, Vec::new());
        for row in rows.iter().filter(|row| row.role == Role::Preauth) {
            match row.state {
                KeyState::Active => {
                    if active.replace(opened(row, master)?).is_some() {
                        return Err(KeyringError::Duplicate);
                    }
                }
                KeyState::Pending | KeyState::VerifyOnly => others.push(opened(row, master)?),
                KeyState::Dead => {}
            }
        }
        let (id, secret) = active.ok_or(KeyringError::NoActive)?;
        Self::new((id, &secret), others.iter().map(|(id, secret)| (*id, &**secret)))
    }

    pub(crate) const fn active(&self) -> (u8, &hmac::Key) {
        (self.active.0, &self.active.1)
    }

    pub(crate) fn find(&self, id: u8) -> Option<&hmac::Key> {
        if self.active.0 == id {
            return Some(&self.active.1);
        }
        self.others.iter().find(|(other, _)| *other == id).map(|(_, key)| key)
    }

    /// A key under which nothing was ever minted.
    pub(crate) const fn dummy(&self) -> &hmac::Key {
        &self.dummy
    }
}

fn opened(row: &KeyRow, master: &MasterKey) -> Result<(u8, Zeroizing<[u8; 32]>), KeyringError> {
    let id = keyring::parse_preauth_id(&row.id).ok_or(KeyringError::Id)?;
    Ok((id, keyring::open_secret(row, master)?))
}

fn key(secret: &[u8; 32]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

fn random_key() -> Result<hmac::Key, KeyringError> {
    let mut secret = Zeroizing::new([0; 32]);
    rand::fill(secret.as_mut_slice()).map_err(|_| KeyringError::Random)?;
    Ok(key(&secret))
}
