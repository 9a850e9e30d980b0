//! What a request carries: five header fields, or the same ticket as one token.

use data_encoding::BASE64URL_NOPAD;
use repono_core::name::{AccountName, ApplicationName, UserName};
use repono_core::request::RequestHead;
use repono_core::time;

use crate::bearer;
use crate::fields::{KeyId, Salt};
use crate::issue::Claims;
use crate::scope::Scope;
use crate::signer::SIGNATURE_BYTES;

/// A ticket as a request presents it: nothing about it is believed yet.
///
/// *Cost*: borrows the head; one pass over the fields, no allocation.
pub struct Presented<'a>(Form<'a>);

/// What is wrong with the form of a presented ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Part of a ticket is absent, or a token of some other system stands there.
    #[error("a part of the ticket is missing")]
    Missing,
    /// A field stands twice, or a token stands beside the five fields.
    #[error("a part of the ticket stands twice")]
    Duplicate,
    /// A value that no ticket can have.
    #[error("a part of the ticket is not of its form")]
    Form,
}

impl Malformed {
    /// 401 when the caller may just log in, 400 when the request contradicts
    /// itself or cannot be read.
    #[must_use]
    pub const fn status_hint(self) -> u16 {
        match self {
            Self::Missing => 401,
            Self::Duplicate | Self::Form => 400,
        }
    }
}

enum Form<'a> {
    Headers(Headers<'a>),
    Token(&'a [u8]),
}

struct Headers<'a> {
    user: &'a [u8],
    expiry: &'a [u8],
    salt: &'a [u8],
    ticket: &'a [u8],
    dev_ticket: &'a [u8],
    scope: Option<&'a [u8]>,
}

/// The typed content of a presented ticket. Each text has one form only, so the
/// bytes that are verified, made anew from this, are the bytes received.
pub(crate) struct Opened {
    pub(crate) claims: Claims,
    pub(crate) kid: KeyId,
    pub(crate) dev_kid: KeyId,
    pub(crate) ticket: [u8; SIGNATURE_BYTES],
    pub(crate) dev: [u8; SIGNATURE_BYTES],
}

/// Field names and the longest value of each, in the order of the slots below;
/// the two names of the token share the last slot.
const FIELDS: [(&str, usize, usize); 8] = [
    ("x-auth-user", 0, AccountName::BYTES_MAX + 1 + UserName::BYTES_MAX),
    ("x-auth-expiry", 1, 20),
    ("x-auth-salt", 2, 32),
    ("x-auth-ticket", 3, 4 + 9 + SIGNATURE_TEXT),
    ("x-auth-dev-ticket", 4, 4 + ApplicationName::BYTES_MAX + 1 + 9 + SIGNATURE_TEXT),
    ("x-auth-scope", 5, Scope::BYTES_MAX),
    ("x-auth-token", 6, bearer::TOKEN_BYTES_MAX),
    ("x-storage-token", 6, bearer::TOKEN_BYTES_MAX),
];

/// Base64url characters of a signature.
const SIGNATURE_TEXT: usize = 86;

impl<'a> Presented<'a> {
    /// The ticket in a request's head; `None` when no ticket field is there.
    ///
    /// *Errors*: [`Malformed`]. What needs decoding is looked at only by
    /// [`crate::verify()`], so that a remembered ticket costs no decoding.
    pub fn from_head(head: &'a RequestHead) -> Result<Option<Self>, Malformed> {
        let slots = slots(head)?;
        if slots.iter().all(Option::is_none) {
            return Ok(None);
        }
        let form = match slots {
            [None, None, None, None, None, None, Some(token)] => {
                // A token of another system: the caller can log in here instead.
                if !token.starts_with(bearer::PREFIX) {
                    return Err(Malformed::Missing);
                }
                Form::Token(token)
            }
            [.., Some(_)] => return Err(Malformed::Duplicate),
            [Some(user), Some(expiry), Some(salt), Some(ticket), Some(dev_ticket), scope, None] => {
                Form::Headers(Headers { user, expiry, salt, ticket, dev_ticket, scope })
            }
            [.., None] => return Err(Malformed::Missing),
        };
        Ok(Some(Self(form)))
    }

    /// Decodes every value.
    ///
    /// *Errors*: [`Malformed::Form`].
    pub(crate) fn open(&self) -> Result<Opened, Malformed> {
        match &self.0 {
            Form::Headers(headers) => headers.open().ok_or(Malformed::Form),
            Form::Token(token) => bearer::decode(token),
        }
    }

    /// Writes all presented bytes, each value under its length, so that two
    /// tickets have the same key only if every value is the same.
    pub(crate) fn write_key(&self, key: &mut Vec<u8>) {
        match &self.0 {
            Form::Headers(h) => {
                let scope = h.scope.unwrap_or_default();
                for value in [h.user, h.expiry, h.salt, h.ticket, h.dev_ticket, scope] {
                    key.extend_from_slice(&value.len().to_be_bytes());
                    key.extend_from_slice(value);
                }
                // An empty scope is not an absent one.
                key.push(u8::from(h.scope.is_some()));
            }
            Form::Token(token) => key.extend_from_slice(token),
        }
    }
}

fn slots(head: &RequestHead) -> Result<[Option<&[u8]>; 7], Malformed> {
    let mut slots = [None; 7];
    for (name, value) in head.fields() {
        if !matches!(name, [b'x' | b'X', b'-', ..]) {
            continue;
        }
        let known = FIELDS.iter().find(|(field, _, _)| name.eq_ignore_ascii_case(field.as_bytes()));
        let Some((_, slot, bytes_max)) = known else { continue };
        if value.len() > *bytes_max {
            return Err(Malformed::Form);
        }
        match slots.get_mut(*slot) {
            Some(slot @ None) => *slot = Some(value),
            Some(Some(_)) | None => return Err(Malformed::Duplicate),
        }
    }
    Ok(slots)
}

impl Headers<'_> {
    fn open(&self) -> Option<Opened> {
        let (account, user) = split_once(self.user, b':')?;
        let (kid, ticket) = signed(self.ticket.strip_prefix(b"RT1.")?)?;
        let dev_ticket = self.dev_ticket.strip_prefix(b"RD1.")?;
        // Names of applications may contain points: the last two parts are fixed.
        let at = dev_ticket.len().checked_sub(9 + SIGNATURE_TEXT)?;
        let (application, rest) = dev_ticket.split_at_checked(at)?;
        let (dev_kid, dev) = signed(rest)?;
        let expiry = time::parse_utc_seconds(self.expiry)?;
        let scope = match self.scope {
            None => None,
            Some(text) => Some(Scope::parse(text).ok().filter(|s| s.as_str().as_bytes() == text)?),
        };
        let claims = Claims {
            account: AccountName::new(account).ok()?,
            user: UserName::new(user).ok()?,
            application: ApplicationName::new(application.strip_suffix(b".")?).ok()?,
            expiry,
            salt: Salt::parse(self.salt)?,
            scope,
        };
        (time::utc_seconds(expiry).as_bytes() == self.expiry).then_some(Opened {
            claims,
            kid,
            dev_kid,
            ticket,
            dev,
        })
    }
}

/// `<kid>.<signature>`
fn signed(text: &[u8]) -> Option<(KeyId, [u8; SIGNATURE_BYTES])> {
    let (kid, rest) = text.split_at_checked(8)?;
    let encoded = rest.strip_prefix(b".")?;
    if encoded.len() != SIGNATURE_TEXT {
        return None;
    }
    let mut signature = [0; SIGNATURE_BYTES];
    // Refuses other alphabets, padding and set trailing bits.
    BASE64URL_NOPAD.decode_mut(encoded, &mut signature).ok()?;
    Some((KeyId::parse(kid)?, signature))
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|b| *b == at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests;
