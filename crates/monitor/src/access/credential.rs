//! A ticket as it was shown: passed on to vending, never read here.

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue, InvalidHeaderValue};
use zeroize::Zeroizing;

use crate::limits::CREDENTIAL_BYTES_MAX;

/// The fields that a ticket comes in, as at heads.
const FIELDS: [&str; 8] = [
    "x-auth-user",
    "x-auth-expiry",
    "x-auth-salt",
    "x-auth-ticket",
    "x-auth-dev-ticket",
    "x-auth-scope",
    "x-auth-token",
    "x-storage-token",
];

/// The fields of one ticket, wiped when dropped. No `Debug`: it is a bearer credential.
pub(crate) struct Credential(Vec<(&'static str, Zeroizing<Vec<u8>>)>);

/// What was shown is larger than any ticket.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl Credential {
    /// The ticket among header fields, if any of its fields is there.
    ///
    /// *Errors*: [`TooLarge`].
    pub(crate) fn shown(headers: &HeaderMap) -> Result<Option<Self>, TooLarge> {
        let of = |name: &'static str| headers.get_all(name).iter().map(move |value| (name, value.as_bytes()));
        let fields: Vec<_> = FIELDS.into_iter().flat_map(of).collect();
        if fields.is_empty() { Ok(None) } else { Self::of(&fields).map(Some) }
    }

    /// A ticket in one string.
    ///
    /// *Errors*: [`TooLarge`].
    pub(crate) fn token(token: &str) -> Result<Self, TooLarge> {
        Self::of(&[("x-auth-token", token.as_bytes())])
    }

    fn of(fields: &[(&'static str, &[u8])]) -> Result<Self, TooLarge> {
        let bytes: usize = fields.iter().map(|(_, value)| value.len()).sum();
        if bytes > CREDENTIAL_BYTES_MAX {
            return Err(TooLarge);
        }
        Ok(Self(fields.iter().map(|(name, value)| (*name, Zeroizing::new(value.to_vec()))).collect()))
    }

    /// Adds the fields to those of a question, each marked as sensitive.
    ///
    /// *Errors*: a value that no header field can have, such as one with a line end.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) -> Result<(), InvalidHeaderValue> {
        for (name, value) in &self.0 {
            let mut value = HeaderValue::from_bytes(value)?;
            value.set_sensitive(true);
            headers.append(HeaderName::from_static(name), value);
        }
        Ok(())
    }

    /// Everything that was shown, each value under its length: the same only for the same.
    pub(crate) fn key(&self) -> Zeroizing<Vec<u8>> {
        // Reserved once: a growing buffer would leave copies behind.
        let bytes: usize = self.0.iter().map(|(name, value)| name.len() + value.len() + 16).sum();
        let mut key = Zeroizing::new(Vec::with_capacity(bytes));
        for part in self.0.iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
            key.extend_from_slice(&part.len().to_be_bytes());
            key.extend_from_slice(part);
        }
        key
    }
}
