//! Identifiers that appear on the wire, in the journal and in the store.

use std::fmt;

use data_encoding::HEXLOWER;
use rand::Rng;

use crate::time::Timestamp;

/// The id of one request, in Swift's form: `tx` + 21 hex + `-` + 10 hex of Unix
/// seconds, so that a log without clocks still tells when it was answered.
///
/// *Source*: `swift/common/utils/__init__.py`, `generate_trans_id`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransId([u8; Self::LEN]);

impl TransId {
    /// Bytes of the text form.
    pub const LEN: usize = 34;

    /// A new id for a request that arrived at `now`.
    #[must_use]
    pub fn new(now: Timestamp, random: &mut impl Rng) -> Self {
        let mut text = [0; Self::LEN];
        text[..2].copy_from_slice(b"tx");
        let entropy: [u8; 11] = random.random();
        let mut hex = [0; 22];
        HEXLOWER.encode_mut(&entropy, &mut hex);
        text[2..23].copy_from_slice(&hex[..21]);
        text[23] = b'-';
        let seconds = now.unix_seconds().to_be_bytes();
        HEXLOWER.encode_mut(&seconds[3..], &mut text[24..]);
        Self(text)
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TransId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TransId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The id of one TCP connection, the same in the records of every part that saw
/// it: 12 random bytes, written as 24 hex digits.
///
/// The balancer draws it and passes it on in PROXY v2 (TLV `PP2_TYPE_UNIQUE_ID`);
/// a head draws it only for connections that reached it directly.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId([u8; 12]);

impl ConnectionId {
    /// A new random id.
    #[must_use]
    pub fn random(random: &mut impl Rng) -> Self {
        Self(random.random())
    }

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// The id that these 24 hex digits name; `None` for anything else.
    #[must_use]
    pub fn parse(hex: &[u8]) -> Option<Self> {
        let mut bytes = [0; 12];
        let decoded = HEXLOWER.decode_len(hex.len()).is_ok_and(|len| len == bytes.len());
        (decoded && HEXLOWER.decode_mut(hex, &mut bytes).is_ok()).then_some(Self(bytes))
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// The 24 hex digits of the id.
    #[must_use]
    pub fn hex(&self) -> [u8; 24] {
        let mut hex = [0; 24];
        HEXLOWER.encode_mut(&self.0, &mut hex);
        hex
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The id of one version of an object: random, never reused, indexed by the
/// store so that a pre-authorized URI can name it.
///
/// 63 bits, because both metadata engines keep integers as signed 64-bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionId(u64);

impl VersionId {
    const MASK: u64 = i64::MAX as u64;

    /// A new random id.
    #[must_use]
    pub fn random(random: &mut impl Rng) -> Self {
        Self(random.random::<u64>() & Self::MASK)
    }

    /// The id with this number, if it is one that [`VersionId::random`] can make.
    #[must_use]
    pub const fn from_u64(number: u64) -> Option<Self> {
        if number <= Self::MASK { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The name of a blob: 16 random bytes, never derived from what a user sent,
/// never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId([u8; 16]);

impl BlobId {
    /// A new random name.
    #[must_use]
    pub fn random(random: &mut impl Rng) -> Self {
        Self(random.random())
    }

    /// The name with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the name.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Parses the 32 hex digits that [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::{BlobId, ConnectionId, TransId, VersionId};
    use crate::time::Timestamp;

    #[test]
    fn a_connection_is_found_again_by_what_is_written() {
        let id = ConnectionId::random(&mut StdRng::seed_from_u64(3));
        assert_eq!(ConnectionId::parse(id.to_string().as_bytes()), Some(id));
        for none in [&b""[..], b"00", b"zz0000000000000000000000", b"00000000000000000000000000"] {
            assert_eq!(ConnectionId::parse(none), None);
        }
    }

    #[test]
    fn trans_id_has_the_form_of_the_incident() {
        // tx72179a9abf4a4d7e8cc65-0055cfe147 was answered at 2015-08-16 01:03:03 UTC.
        let id = TransId::new(Timestamp::from_unix_seconds(1_439_686_983), &mut StdRng::seed_from_u64(1));
        let text = id.as_str();
        assert_eq!(text.len(), TransId::LEN);
        assert!(text.starts_with("tx"));
        assert!(text.ends_with("-0055cfe147"));
        assert!(text[2..23].bytes().all(|b| b.is_ascii_hexdigit()));
    }

    #[test]
    fn version_ids_stay_within_signed_64_bits() {
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..1000 {
            assert!(i64::try_from(VersionId::random(&mut random).as_u64()).is_ok());
        }
        assert_eq!(VersionId::from_u64(u64::MAX), None);
    }

    #[test]
    fn blob_names_survive_a_round_trip() {
        let id = BlobId::random(&mut StdRng::seed_from_u64(3));
        assert_eq!(BlobId::parse(&id.to_string()), Some(id));
        assert_eq!(BlobId::parse("../../etc/passwd"), None);
    }
}
