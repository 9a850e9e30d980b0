//! The entity tag of an object: the MD5 of its bytes.

use std::fmt;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// MD5 of an object's bytes, written as 32 lower-case hex digits.
///
/// *Source*: OpenStack Swift and S3 both use the MD5 of a plain object as its
/// `ETag`; Swift writes it bare, without quotes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ETag([u8; 16]);

impl ETag {
    /// The tag of these digest bytes.
    #[must_use]
    pub const fn from_md5(digest: [u8; 16]) -> Self {
        Self(digest)
    }

    /// The digest bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Parses 32 hex digits, bare or in double quotes, in either case.
    ///
    /// *Errors*: `None` for anything else, a weak tag (`W/"…"`) included: it can
    /// never equal a strong one (RFC 9110 section 8.8.3.2).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let bare = match text {
            [b'"', inner @ .., b'"'] => inner,
            bare => bare,
        };
        if bare.len() != 32 {
            return None;
        }
        let mut digest = [0; 16];
        HEXLOWER_PERMISSIVE.decode_mut(bare, &mut digest).ok()?;
        Some(Self(digest))
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hex = [0; 32];
        HEXLOWER.encode_mut(&self.0, &mut hex);
        f.write_str(str::from_utf8(&hex).unwrap_or_default())
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::ETag;

    #[test]
    fn parses_bare_and_quoted_and_refuses_the_rest() {
        let hex = "40fb56bde55a37911d253debfa002005";
        let tag = ETag::parse(hex.as_bytes()).expect("bare");
        assert_eq!(tag.to_string(), hex);
        assert_eq!(ETag::parse(format!("\"{hex}\"").as_bytes()), Some(tag));
        assert_eq!(ETag::parse(hex.to_uppercase().as_bytes()), Some(tag));
        for bad in
            ["", "\"\"", "40fb", "W/\"40fb56bde55a37911d253debfa002005\"", "zzfb56bde55a37911d253debfa002005"]
        {
            assert_eq!(ETag::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
