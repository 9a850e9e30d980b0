//! Session tickets under keys that all heads share.
//!
//! *Shape* of a ticket: key name (16 bytes), nonce (12), the session under
//! AES-256-GCM, tag (16). The key's name is authenticated with it.
//!
//! A ticket lives as long as its key is accepted: whoever holds the keys rotates
//! them, a day being enough, and leaves the previous one accepted for
//! [`TICKET_LIFETIME`]. TLS 1.3 keeps forward secrecy on resumption by a fresh key
//! exchange; TLS 1.2 tickets hold the session's secret, which is why keys die.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use rustls::server::ProducesTickets;
use zeroize::Zeroizing;

/// How long a client may keep a ticket: a working day's pause, and well below the
/// seven days that RFC 8446 section 4.6.1 allows.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Keys that are accepted besides the current one: the previous, the next that
/// another head may use already, and two of an operator in a hurry.
pub const ACCEPTED_KEYS_MAX: usize = 4;

/// The largest ticket: a session without client certificate takes some 150 bytes
/// and the server's name, at most 255.
const TICKET_BYTES_MAX: usize = 1024;

const NAME_BYTES: usize = 16;
const NAME_LABEL: &[u8] = b"repono/v1/tls-ticket/name";
const KEY_LABEL: &[u8] = b"repono/v1/tls-ticket/key";

/// One ticket key. Heads that are given the same secret make the same key, name
/// included. Neither shown nor compared.
pub struct TicketKey {
    name: [u8; NAME_BYTES],
    aead: RandomizedNonceKey,
}

/// The library refused a key of the right length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ticket key cannot be made")]
pub struct TicketKeyError;

impl TicketKey {
    /// Derives name and key from a secret of the key ring; the caller wipes it. A
    /// service that shows another certificate needs another secret.
    ///
    /// *Errors*: [`TicketKeyError`], which means that the library is broken.
    pub fn derive(secret: &[u8; 32]) -> Result<Self, TicketKeyError> {
        // The secret is uniform already, so that HKDF's expand step suffices (RFC
        // 5869 section 3.3).
        let prf = Prk::new_less_safe(HKDF_SHA256, secret);
        let name_block = block(&prf, NAME_LABEL)?;
        let mut name = [0; NAME_BYTES];
        name.iter_mut().zip(name_block.iter()).for_each(|(to, from)| *to = *from);
        let key = block(&prf, KEY_LABEL)?;
        let aead = RandomizedNonceKey::new(&AES_256_GCM, &*key).map_err(|_| TicketKeyError)?;
        Ok(Self { name, aead })
    }

    fn seal(&self, session: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut sealed = session.to_vec();
        let nonce = self.aead.seal_in_place_append_tag(Aad::from(self.name), &mut sealed)?;
        Ok([&self.name[..], nonce.as_ref(), &sealed].concat())
    }

    fn open(&self, nonce: [u8; NONCE_LEN], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut session = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = self.aead.open_in_place(nonce, Aad::from(self.name), &mut session).ok()?.len();
        session.truncate(length);
        Some(session)
    }
}

fn block(prf: &Prk, label: &[u8]) -> Result<Zeroizing<[u8; 32]>, TicketKeyError> {
    let mut block = Zeroizing::new([0; 32]);
    let labels = [label];
    let okm = prf.expand(&labels, HKDF_SHA256).map_err(|_| TicketKeyError)?;
    okm.fill(&mut *block).map_err(|_| TicketKeyError)?;
    Ok(block)
}

struct KeySet {
    current: TicketKey,
    accepted: Vec<TicketKey>,
}

impl KeySet {
    fn new(current: TicketKey, mut accepted: Vec<TicketKey>) -> Self {
        accepted.truncate(ACCEPTED_KEYS_MAX);
        Self { current, accepted }
    }
}

/// The ticket keys of a server, replaced as a whole while it runs.
pub struct TicketKeys(ArcSwap<KeySet>);

impl TicketKeys {
    /// `current` makes tickets; it and `accepted` (at most [`ACCEPTED_KEYS_MAX`],
    /// the first ones count) open them.
    #[must_use]
    pub fn new(current: TicketKey, accepted: Vec<TicketKey>) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(KeySet::new(current, accepted))))
    }

    /// Replaces all keys at once. A ticket of a key that is in neither place leads
    /// to a full handshake.
    pub fn replace(&self, current: TicketKey, accepted: Vec<TicketKey>) {
        self.0.store(Arc::new(KeySet::new(current, accepted)));
    }
}

impl ProducesTickets for TicketKeys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(TICKET_LIFETIME.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let sealed = self.0.load().current.seal(plain).ok()?;
        (sealed.len() <= TICKET_BYTES_MAX).then_some(sealed)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        if cipher.len() > TICKET_BYTES_MAX {
            return None;
        }
        let (name, rest) = cipher.split_first_chunk::<NAME_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.0.load();
        let mut candidates = std::iter::once(&keys.current).chain(&keys.accepted);
        candidates.find(|key| key.name == *name)?.open(*nonce, sealed)
    }
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").field("accepted", &self.0.load().accepted.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use proptest::{prop_assert, prop_assert_eq};
    use rustls::server::ProducesTickets;

    use super::{ACCEPTED_KEYS_MAX, TICKET_BYTES_MAX, TicketKey, TicketKeys};

    fn key(byte: u8) -> TicketKey {
        TicketKey::derive(&[byte; 32]).expect("key")
    }

    #[test]
    fn a_ticket_of_one_head_opens_at_another_until_its_key_dies() {
        let (one, other) = (TicketKeys::new(key(1), vec![]), TicketKeys::new(key(1), vec![]));
        let ticket = one.encrypt(b"session").expect("sealed");
        assert_ne!(one.encrypt(b"session").expect("sealed"), ticket, "nonces differ");
        assert_eq!(other.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        other.replace(key(2), vec![key(1)]);
        assert_eq!(other.decrypt(&ticket).as_deref(), Some(&b"session"[..]), "still accepted");
        let newer = other.encrypt(b"newer").expect("sealed");
        assert_eq!(one.decrypt(&newer), None, "this head has not rotated yet");
        other.replace(key(3), vec![key(2)]);
        assert_eq!(other.decrypt(&ticket), None, "dead");
        assert_eq!(other.decrypt(&newer).as_deref(), Some(&b"newer"[..]));
    }

    #[test]
    fn sizes_and_numbers_are_bounded() {
        let accepted = (2..).take(ACCEPTED_KEYS_MAX + 1).map(key).collect();
        let keys = TicketKeys::new(key(1), accepted);
        let beyond = TicketKeys::new(key(2 + ACCEPTED_KEYS_MAX as u8), vec![]);
        assert_eq!(keys.decrypt(&beyond.encrypt(b"s").expect("sealed")), None);
        assert_eq!(keys.encrypt(&[0; TICKET_BYTES_MAX]), None);
        assert_eq!(keys.decrypt(&[0; TICKET_BYTES_MAX + 1]), None);
        assert!(!format!("{keys:?}").contains("name"));
    }

    proptest! {
        #[test]
        fn a_changed_ticket_never_opens(
            session in proptest::collection::vec(any::<u8>(), 0..300),
            at in any::<proptest::sample::Index>(),
            change in 1..=255_u8,
        ) {
            let keys = TicketKeys::new(key(1), vec![key(2)]);
            let mut ticket = keys.encrypt(&session).expect("sealed");
            prop_assert_eq!(keys.decrypt(&ticket), Some(session));
            let at = at.index(ticket.len());
            prop_assert!(keys.decrypt(&ticket[..at]).is_none());
            ticket[at] ^= change;
            prop_assert!(keys.decrypt(&ticket).is_none());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(TicketKeys::new(key(1), vec![]).decrypt(&bytes).is_none());
        }
    }
}
