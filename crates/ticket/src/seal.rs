//! The master key: what is sealed at rest, and the keys derived for each purpose.
//!
//! Vending and the heads have a master key each. Sealed bytes: format 1 in one
//! byte, 12 bytes of nonce, the AES-256-GCM ciphertext, 16 bytes of tag. The
//! associated data are role and id, each under its length, so a row cannot be put
//! in another's place.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

/// Format of sealed bytes.
const FORMAT: u8 = 1;
/// Bytes of the GCM tag.
const TAG_BYTES: usize = 16;

/// 32 bytes from which everything else is derived. No `Debug`, no `Display`; wiped
/// when it goes.
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// What a derived key is for: its HKDF label. No key serves two purposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `repono/v1/seal`: sealing at rest.
    Seal,
    /// `repono/v1/preauth`: pre-authorized URIs.
    Preauth,
    /// `repono/v1/tls-stek`: TLS session tickets, shared by all heads.
    TlsTicket,
    /// `repono/v1/proxy`: the keyed TLV of PROXY v2 between balancer and heads.
    Proxy,
    /// `repono/v1/session`: secrets of temporary S3 keys.
    Session,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Seal => b"repono/v1/seal",
            Self::Preauth => b"repono/v1/preauth",
            Self::TlsTicket => b"repono/v1/tls-stek",
            Self::Proxy => b"repono/v1/proxy",
            Self::Session => b"repono/v1/session",
        }
    }
}

/// Why a key or a sealed value was refused; never with bytes of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text of a master key is not 64 hex digits.
    #[error("the master key is not 64 hex digits")]
    KeyText,
    /// A master key of 32 equal bytes: a file that was never filled.
    #[error("the master key is 32 times the same byte")]
    WeakKey,
    /// Not sealed by this master key, not for this role and id, or changed since.
    #[error("the sealed value does not open with this master key")]
    Opening,
    /// The cryptographic library or the system's random source failed.
    #[error("the system gave no random bytes or no memory")]
    System,
}

impl MasterKey {
    /// The key with these bytes.
    ///
    /// *Errors*: [`SealError::WeakKey`].
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, SealError> {
        let bytes = Zeroizing::new(bytes);
        let [first, rest @ ..] = &*bytes;
        if rest.iter().all(|b| b == first) {
            return Err(SealError::WeakKey);
        }
        Ok(Self(bytes))
    }

    /// The key in the text of its file: 64 hex digits, then at most one line end.
    ///
    /// *Errors*: [`SealError::KeyText`], [`SealError::WeakKey`].
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        let digits = text.strip_suffix('\n').unwrap_or(text);
        let digits = digits.strip_suffix('\r').unwrap_or(digits);
        let mut bytes = Zeroizing::new([0; 32]);
        if digits.len() != 64 || HEXLOWER_PERMISSIVE.decode_mut(digits.as_bytes(), &mut *bytes).is_err() {
            return Err(SealError::KeyText);
        }
        Self::from_bytes(*bytes)
    }

    /// The text of a new key from the system's random source, with a line end: what
    /// a first run writes to a file that only its owner reads.
    ///
    /// *Errors*: [`SealError::System`].
    pub fn generate_hex() -> Result<Zeroizing<String>, SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| SealError::System)?;
        let mut text = Zeroizing::new(String::with_capacity(65));
        HEXLOWER.encode_append(&*bytes, &mut text);
        text.push('\n');
        Ok(text)
    }

    /// The key for one purpose: HKDF-SHA-256 with salt `repono` and the purpose's
    /// label (RFC 5869).
    ///
    /// *Errors*: [`SealError::System`].
    pub fn derive(&self, purpose: Purpose) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let prk = Salt::new(HKDF_SHA256, b"repono").extract(self.0.as_slice());
        let label = [purpose.label()];
        let okm = prk.expand(&label, Bytes32).map_err(|_| SealError::System)?;
        let mut key = Zeroizing::new([0; 32]);
        okm.fill(key.as_mut_slice()).map_err(|_| SealError::System)?;
        Ok(key)
    }

    /// Seals a value for one role and id, under a random nonce.
    ///
    /// *Errors*: [`SealError::System`].
    ///
    /// *Source*: NIST SP 800-38D section 8.3 allows 2^32 random nonces for a key;
    /// this seals one value for each key or secret made.
    pub fn seal(&self, role: &str, id: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| SealError::System)?;
        // Room for the tag: the plain text must not be left behind by a move.
        let mut inner = Zeroizing::new(Vec::with_capacity(plain.len() + TAG_BYTES));
        inner.extend_from_slice(plain);
        self.sealing_key()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated(role, id)),
                &mut *inner,
            )
            .map_err(|_| SealError::System)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + inner.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&inner);
        Ok(sealed)
    }

    /// Opens what [`MasterKey::seal`] made for the same role and id.
    ///
    /// *Errors*: [`SealError::Opening`], [`SealError::System`].
    pub fn open(&self, role: &str, id: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let Some((&[FORMAT, ref nonce @ ..], inner)) = sealed.split_first_chunk::<{ 1 + NONCE_LEN }>() else {
            return Err(SealError::Opening);
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Opening)?;
        let mut inner = Zeroizing::new(inner.to_vec());
        let plain = self
            .sealing_key()?
            .open_in_place(nonce, Aad::from(associated(role, id)), &mut inner)
            .map_err(|_| SealError::Opening)?
            .len();
        inner.truncate(plain);
        Ok(inner)
    }

    fn sealing_key(&self) -> Result<LessSafeKey, SealError> {
        let key = self.derive(Purpose::Seal)?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| SealError::System)?;
        Ok(LessSafeKey::new(key))
    }
}

fn associated(role: &str, id: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * size_of::<u64>() + role.len() + id.len());
    for text in [role, id] {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The length of a derived key, in the form that the library asks for.
struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

#[cfg(test)]
mod tests;
