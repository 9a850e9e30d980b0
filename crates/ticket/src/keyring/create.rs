//! New keys, sealed and pending.

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::{KeyRow, KeyState, KeyringError, Role, parse_preauth_id};
use crate::fields::KeyId;
use crate::seal::MasterKey;
use crate::signer::TicketSigner;

/// A new ticket key, sealed with vending's master key.
///
/// *Errors*: [`KeyringError::Random`], [`KeyringError::Seal`].
pub fn new_ticket_key(master: &MasterKey, now_s: u64) -> Result<KeyRow, KeyringError> {
    let (signer, document) = TicketSigner::generate()?;
    let mut row = sealed(master, Role::Ticket, signer.kid().to_string(), &document, now_s)?;
    row.public = signer.public_key().to_vec();
    Ok(row)
}

/// A new pre-authorization key, sealed with the heads' master key, under the first
/// number that no live key of `rows` has.
///
/// *Errors*: [`KeyringError::TooMany`] when all 256 are taken,
/// [`KeyringError::Random`], [`KeyringError::Seal`].
pub fn new_preauth_key(master: &MasterKey, rows: &[KeyRow], now_s: u64) -> Result<KeyRow, KeyringError> {
    let live = |row: &&KeyRow| row.role == Role::Preauth && row.state.verifies();
    let taken: Vec<u8> = rows.iter().filter(live).filter_map(|row| parse_preauth_id(&row.id)).collect();
    // After the newest: a number comes back as late as it can.
    let newest = rows.iter().filter(|row| row.role == Role::Preauth).max_by_key(|row| row.created_s);
    let start = newest.and_then(|row| parse_preauth_id(&row.id)).map_or(1, |id| id.wrapping_add(1));
    let id = (0..=u8::MAX).map(|step| start.wrapping_add(step)).find(|id| !taken.contains(id));
    let id = format!("{:02x}", id.ok_or(KeyringError::TooMany)?);
    sealed(master, Role::Preauth, id, secret()?.as_slice(), now_s)
}

/// A new TLS ticket key, sealed with the heads' master key.
///
/// *Errors*: [`KeyringError::Random`], [`KeyringError::Seal`].
pub fn new_tls_ticket_key(master: &MasterKey, now_s: u64) -> Result<KeyRow, KeyringError> {
    let mut id = [0; 4];
    rand::fill(&mut id).map_err(|_| KeyringError::Random)?;
    let id = KeyId::from_bytes(id).to_string();
    sealed(master, Role::TlsTicket, id, secret()?.as_slice(), now_s)
}

fn secret() -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let mut secret = Zeroizing::new([0; 32]);
    rand::fill(secret.as_mut_slice()).map_err(|_| KeyringError::Random)?;
    Ok(secret)
}

fn sealed(
    master: &MasterKey,
    role: Role,
    id: String,
    secret: &[u8],
    now_s: u64,
) -> Result<KeyRow, KeyringError> {
    Ok(KeyRow {
        sealed: master.seal(role.as_str(), &id, secret)?,
        id,
        role,
        state: KeyState::Pending,
        public: Vec::new(),
        created_s: now_s,
        active_from_s: None,
        verify_until_s: None,
    })
}
