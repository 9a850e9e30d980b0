//! The two identifiers that a ticket carries: its key's and its own.

use std::fmt;

use data_encoding::HEXLOWER;
use rand::Rng;

/// The name of a signing key: the first four bytes of SHA-256 over its public
/// key, written as 8 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// The 8 hex digits.
    #[must_use]
    pub fn hex(&self) -> [u8; 8] {
        let mut hex = [0; 8];
        HEXLOWER.encode_mut(&self.0, &mut hex);
        hex
    }

    /// Parses exactly 8 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        hex(text).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The id of one ticket, for revocation and audit; not a secret.
///
/// *Shape*: 12 random bytes, then the Unix second of issue as big-endian `u32`,
/// written as 32 lower-case hex digits. The time of issue makes "end everything
/// that this user holds" one number instead of a list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Salt([u8; 16]);

impl Salt {
    /// Bytes of a salt that a pre-authorized URI carries.
    pub const PREFIX_BYTES: usize = 5;

    /// A new salt for a ticket issued at `now_s`, in Unix seconds.
    #[must_use]
    pub fn new(now_s: u64, random: &mut impl Rng) -> Self {
        let entropy: [u8; 12] = random.random();
        // Saturates in the year 2106, when the field is used up.
        let issued = u32::try_from(now_s).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..12].copy_from_slice(&entropy);
        bytes[12..].copy_from_slice(&issued);
        Self(bytes)
    }

    /// A new salt for a user or application whose tickets were all ended at
    /// `revoked_at_s`: never stamped at or before that second, so that a log-in
    /// directly after a revocation holds although both fall into one second.
    #[must_use]
    pub fn after_revocation(now_s: u64, revoked_at_s: Option<u64>, random: &mut impl Rng) -> Self {
        let earliest = revoked_at_s.map_or(0, |at| at.saturating_add(1));
        // More than one second ahead is a clock that went back, not a revocation
        // of this second: such a ticket stays refused.
        let stamp = if earliest <= now_s.saturating_add(1) { now_s.max(earliest) } else { now_s };
        Self::new(stamp, random)
    }

    /// The salt with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the salt.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Unix seconds at which the ticket was issued, by vending's clock.
    #[must_use]
    pub fn issued_at(&self) -> u64 {
        let [.., a, b, c, d] = self.0;
        u64::from(u32::from_be_bytes([a, b, c, d]))
    }

    /// The first bytes, which pre-authorized URIs carry: 40 random bits.
    #[must_use]
    pub fn prefix(&self) -> [u8; Self::PREFIX_BYTES] {
        let [a, b, c, d, e, ..] = self.0;
        [a, b, c, d, e]
    }

    /// The 32 hex digits.
    #[must_use]
    pub fn hex(&self) -> [u8; 32] {
        let mut hex = [0; 32];
        HEXLOWER.encode_mut(&self.0, &mut hex);
        hex
    }

    /// Parses exactly 32 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        hex(text).map(Self)
    }
}

impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Lower-case hex of exactly `N` bytes: one text for each value.
pub(crate) fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    HEXLOWER.decode_mut(text, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::{KeyId, Salt};

    #[test]
    fn a_salt_tells_when_it_was_issued() {
        let mut random = StdRng::seed_from_u64(1);
        let salt = Salt::new(1_439_686_983, &mut random);
        assert_eq!(salt.issued_at(), 1_439_686_983);
        assert_eq!(Salt::parse(&salt.hex()), Some(salt));
        assert_eq!(salt.prefix(), salt.as_bytes()[..5]);
        assert_ne!(salt.prefix(), Salt::new(1_439_686_983, &mut random).prefix());
        assert_eq!(Salt::new(u64::MAX, &mut random).issued_at(), u64::from(u32::MAX));
    }

    #[test]
    fn a_log_in_in_the_second_of_a_revocation_is_stamped_after_it() {
        let mut random = StdRng::seed_from_u64(1);
        let stamp = |now, at, random: &mut StdRng| Salt::after_revocation(now, at, random).issued_at();
        assert_eq!(stamp(100, None, &mut random), 100);
        assert_eq!(stamp(100, Some(50), &mut random), 100);
        assert_eq!(stamp(100, Some(100), &mut random), 101);
        assert_eq!(stamp(100, Some(5_000), &mut random), 100);
        assert_eq!(stamp(100, Some(u64::MAX), &mut random), 100);
    }

    #[test]
    fn hex_has_one_form() {
        assert!(KeyId::parse(b"0a1b2c3d").is_some());
        for bad in ["0A1b2c3d", "0a1b2c3", "0a1b2c3d0", "0a1b2c3g", ""] {
            assert_eq!(KeyId::parse(bad.as_bytes()), None, "{bad}");
            assert_eq!(Salt::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
