//! The public halves of the ticket keys, as a head knows them.

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};

use crate::canonical::{self, Tag};
use crate::fields::KeyId;
use crate::keyring::{KeyRow, KeyState, KeyringError, Role};
use crate::presented::Opened;
use crate::signer::{PUBLIC_BYTES, kid_of};

/// Public keys by id.
///
/// Pending, active and verify-only keys verify: vending signs with a pending key
/// as soon as it is active, and no head must learn of that in time. Dead and
/// unknown keys are one and the same, and cost the same work as a live one.
#[derive(Clone, Default)]
pub struct VerifyingKeys {
    keys: Vec<(KeyId, ParsedPublicKey)>,
    dummy: Option<ParsedPublicKey>,
}

/// The public key of RFC 8032 section 7.1, test 1. Its private key is public, so
/// what verifies under it proves nothing: it only makes the refusal of an unknown
/// key id take as long as that of a known one.
const DUMMY: [u8; PUBLIC_BYTES] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
    0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

impl VerifyingKeys {
    /// The most live keys: one pending, one active and a verify-only one for each
    /// rotation of the last hour.
    pub const KEYS_MAX: usize = 64;

    /// The keys of these rows; dead ones are left out.
    ///
    /// *Errors*: [`KeyringError::Rejected`] for bytes that are no public key,
    /// [`KeyringError::Duplicate`], [`KeyringError::TooMany`].
    pub fn new<'a>(
        keys: impl IntoIterator<Item = (KeyId, &'a [u8], KeyState)>,
    ) -> Result<Self, KeyringError> {
        let dummy = ParsedPublicKey::new(&ED25519, DUMMY).map_err(|_| KeyringError::Rejected)?;
        let mut known: Vec<(KeyId, ParsedPublicKey)> = Vec::new();
        for (kid, public, state) in keys {
            if !state.verifies() {
                continue;
            }
            if known.iter().any(|(other, _)| *other == kid) {
                return Err(KeyringError::Duplicate);
            }
            if known.len() == Self::KEYS_MAX {
                return Err(KeyringError::TooMany);
            }
            known.push((kid, parse(public)?));
        }
        Ok(Self { keys: known, dummy: Some(dummy) })
    }

    /// The ticket keys among the rows of the key ring; other roles are left out.
    ///
    /// *Errors*: as [`VerifyingKeys::new`], and [`KeyringError::Id`] for a row whose
    /// id is not that of its public key.
    pub fn from_rows(rows: &[KeyRow]) -> Result<Self, KeyringError> {
        let tickets = rows.iter().filter(|row| row.role == Role::Ticket && row.state.verifies());
        let keys: Result<Vec<_>, _> = tickets
            .map(|row| match KeyId::parse(row.id.as_bytes()) {
                Some(kid) if kid == kid_of(&row.public) => Ok((kid, row.public.as_slice(), row.state)),
                Some(_) | None => Err(KeyringError::Id),
            })
            .collect();
        Self::new(keys?)
    }

    /// Whether tickets under this key count.
    #[must_use]
    pub fn knows(&self, kid: KeyId) -> bool {
        self.keys.iter().any(|(known, _)| *known == kid)
    }

    /// Whether both signatures hold, under one live key. Both are always computed.
    pub(crate) fn both_hold(&self, opened: &Opened) -> bool {
        let known = self.keys.iter().find(|(kid, _)| *kid == opened.kid).map(|(_, key)| key);
        let Some(key) = known.or(self.dummy.as_ref()) else { return false };
        let holds = |tag, signature| {
            key.verify_sig(&canonical::message(tag, opened.kid, &opened.claims), signature).is_ok()
        };
        let ticket = holds(Tag::Ticket, &opened.ticket);
        let dev = holds(Tag::Dev, &opened.dev);
        known.is_some() & ticket & dev & (opened.kid == opened.dev_kid)
    }
}

fn parse(public: &[u8]) -> Result<ParsedPublicKey, KeyringError> {
    // The parser takes X.509 forms as well: one form only here.
    if public.len() != PUBLIC_BYTES {
        return Err(KeyringError::Rejected);
    }
    ParsedPublicKey::new(&ED25519, public).map_err(|_| KeyringError::Rejected)
}
