//! The private half of a ticket key: vending's alone.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use crate::fields::KeyId;
use crate::keyring::KeyringError;

/// Bytes of an Ed25519 public key (RFC 8032 section 5.1.5).
pub(crate) const PUBLIC_BYTES: usize = 32;
/// Bytes of an Ed25519 signature (RFC 8032 section 5.1.6).
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// An Ed25519 key pair and its id. No `Debug`, no `Display`.
pub struct TicketSigner {
    kid: KeyId,
    pair: Ed25519KeyPair,
}

impl TicketSigner {
    /// Makes a new key pair from the system's random source; the second value is
    /// its PKCS#8 document, to be sealed before it is kept.
    ///
    /// *Errors*: [`KeyringError::Random`].
    pub fn generate() -> Result<(Self, Zeroizing<Vec<u8>>), KeyringError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyringError::Random)?;
        let document = pair.to_pkcs8().map_err(|_| KeyringError::Random)?;
        Ok((Self::of(pair), Zeroizing::new(document.as_ref().to_vec())))
    }

    /// Opens a PKCS#8 document, version 1 or 2.
    ///
    /// *Errors*: [`KeyringError::Rejected`].
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, KeyringError> {
        Ed25519KeyPair::from_pkcs8(document).map(Self::of).map_err(|_| KeyringError::Rejected)
    }

    /// The id of the key.
    #[must_use]
    pub const fn kid(&self) -> KeyId {
        self.kid
    }

    /// The public half, 32 bytes.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut bytes = [0; SIGNATURE_BYTES];
        // Signing fails only without memory; an all-zero signature never verifies.
        if let Ok(signature) = self.pair.try_sign(message)
            && signature.as_ref().len() == SIGNATURE_BYTES
        {
            bytes.copy_from_slice(signature.as_ref());
        }
        bytes
    }

    fn of(pair: Ed25519KeyPair) -> Self {
        Self { kid: kid_of(pair.public_key().as_ref()), pair }
    }
}

/// The id of a public key.
pub(crate) fn kid_of(public: &[u8]) -> KeyId {
    let digest = digest::digest(&digest::SHA256, public);
    let mut bytes = [0; 4];
    for (byte, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *byte = *from;
    }
    KeyId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::TicketSigner;
    use crate::keyring::KeyringError;

    #[test]
    fn a_document_opens_to_the_same_key() {
        let (signer, document) = TicketSigner::generate().expect("random");
        let opened = TicketSigner::from_pkcs8(&document).expect("document");
        assert_eq!(opened.kid(), signer.kid());
        assert_eq!(opened.public_key(), signer.public_key());
        assert_eq!(opened.sign(b"x"), signer.sign(b"x"));
        assert!(matches!(TicketSigner::from_pkcs8(&document[1..]), Err(KeyringError::Rejected)));
    }
}
