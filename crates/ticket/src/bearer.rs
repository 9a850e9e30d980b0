//! A ticket as one string: `RK1.` and base64url without padding of
//!
//! | bytes | field |
//! |---|---|
//! | 4 | kid |
//! | 8 | expiry, Unix seconds, big-endian |
//! | 16 | salt |
//! | 64 + 64 | signatures of the ticket and of the dev-ticket |
//! | 2 + n | account, under its big-endian length |
//! | 2 + n | user |
//! | 2 + n | application |
//! | 2 + n | scope, empty if there is none |
//!
//! One text for each ticket: lengths are exact, nothing follows, the base64 is
//! canonical. The signatures are those of the headers, over the same bytes.

use data_encoding::BASE64URL_NOPAD;
use repono_core::name::{AccountName, ApplicationName, UserName};
use repono_core::time::Timestamp;

use crate::fields::{KeyId, Salt};
use crate::issue::Claims;
use crate::presented::{Malformed, Opened};
use crate::scope::Scope;
use crate::signer::SIGNATURE_BYTES;

/// The beginning of every token.
pub(crate) const PREFIX: &[u8] = b"RK1.";

/// Bytes before the names.
const FIXED_BYTES: usize = 4 + 8 + 16 + 2 * SIGNATURE_BYTES;

/// The most bytes before base64.
const BYTES_MAX: usize = FIXED_BYTES
    + 4 * 2
    + AccountName::BYTES_MAX
    + UserName::BYTES_MAX
    + ApplicationName::BYTES_MAX
    + Scope::BYTES_MAX;

/// The longest token: what is longer is no token, and is not read.
pub(crate) const TOKEN_BYTES_MAX: usize = PREFIX.len() + BYTES_MAX.div_ceil(3) * 4;

pub(crate) fn encode(
    kid: KeyId,
    claims: &Claims,
    ticket: &[u8; SIGNATURE_BYTES],
    dev: &[u8; SIGNATURE_BYTES],
) -> String {
    let mut bytes = Vec::with_capacity(BYTES_MAX);
    bytes.extend_from_slice(kid.as_bytes());
    // The same bound as the text that is signed, so that both say the same.
    bytes.extend_from_slice(&claims.expiry.min(Timestamp::MAX.unix_seconds()).to_be_bytes());
    bytes.extend_from_slice(claims.salt.as_bytes());
    bytes.extend_from_slice(ticket);
    bytes.extend_from_slice(dev);
    let scope = claims.scope.as_ref().map_or("", |scope| scope.as_str());
    for text in [claims.account.as_str(), claims.user.as_str(), claims.application.as_str(), scope] {
        // Names and scopes are bounded far below 65,536 bytes.
        let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    let mut token = String::with_capacity(TOKEN_BYTES_MAX);
    token.push_str("RK1.");
    BASE64URL_NOPAD.encode_append(&bytes, &mut token);
    token
}

/// *Errors*: [`Malformed::Form`].
pub(crate) fn decode(token: &[u8]) -> Result<Opened, Malformed> {
    opened(token).ok_or(Malformed::Form)
}

fn opened(token: &[u8]) -> Option<Opened> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(token.strip_prefix(PREFIX)?).ok()?;
    let mut rest = bytes.as_slice();
    let kid = KeyId::from_bytes(take(&mut rest)?);
    let expiry = u64::from_be_bytes(take(&mut rest)?);
    let salt = Salt::from_bytes(take(&mut rest)?);
    let ticket = take(&mut rest)?;
    let dev = take(&mut rest)?;
    let account = AccountName::new(prefixed(&mut rest)?).ok()?;
    let user = UserName::new(prefixed(&mut rest)?).ok()?;
    let application = ApplicationName::new(prefixed(&mut rest)?).ok()?;
    let scope = match prefixed(&mut rest)? {
        [] => None,
        text => Some(Scope::parse(text).ok().filter(|scope| scope.as_str().as_bytes() == text)?),
    };
    // A greater expiry would be signed as the greatest: two tokens for one ticket.
    if !rest.is_empty() || expiry > Timestamp::MAX.unix_seconds() {
        return None;
    }
    let claims = Claims { account, user, application, expiry, salt, scope };
    Some(Opened { claims, kid, dev_kid: kid, ticket, dev })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn prefixed<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u16::from_be_bytes(take(rest)?);
    let (head, tail) = rest.split_at_checked(usize::from(len))?;
    *rest = tail;
    Some(head)
}
