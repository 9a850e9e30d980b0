//! The bytes that are signed.
//!
//! ```text
//! REPONO-TICKET-V1\n
//! kid:8:0a1b2c3d\n
//! account:4:acme\n
//! user:5:alice\n
//! application:6:reader\n
//! expiry:20:2015-08-16T01:22:43Z\n
//! salt:32:…\n
//! scope:0:\n
//! ```
//!
//! Each field stands under its name and its length, so that no byte can slide
//! from one field into its neighbour, and the first line separates the two
//! signatures of a ticket from each other and from any other use of a key.

use repono_core::time;

use crate::fields::KeyId;
use crate::issue::Claims;

/// What a signature is for: the first line of the signed bytes.
#[derive(Clone, Copy)]
pub(crate) enum Tag {
    /// `x-auth-ticket`
    Ticket,
    /// `x-auth-dev-ticket`
    Dev,
}

impl Tag {
    const fn line(self) -> &'static [u8] {
        match self {
            Self::Ticket => b"REPONO-TICKET-V1\n",
            Self::Dev => b"REPONO-DEV-V1\n",
        }
    }
}

/// Bytes of a message without its names and scope: tag, labels, kid, expiry, salt.
const FIXED_BYTES: usize = 160;

/// The message under `tag` for these claims and this key.
///
/// An absent scope is signed as an empty one; an empty scope cannot be presented
/// ([`crate::Scope::parse`] refuses it), so the two cannot be exchanged.
pub(crate) fn message(tag: Tag, kid: KeyId, claims: &Claims) -> Vec<u8> {
    let scope = claims.scope.as_ref().map_or("", |scope| scope.as_str());
    let names =
        claims.account.as_str().len() + claims.user.as_str().len() + claims.application.as_str().len();
    let mut message = Vec::with_capacity(FIXED_BYTES + names + scope.len());
    message.extend_from_slice(tag.line());
    field(&mut message, "kid", &kid.hex());
    field(&mut message, "account", claims.account.as_str().as_bytes());
    field(&mut message, "user", claims.user.as_str().as_bytes());
    field(&mut message, "application", claims.application.as_str().as_bytes());
    field(&mut message, "expiry", time::utc_seconds(claims.expiry).as_bytes());
    field(&mut message, "salt", &claims.salt.hex());
    field(&mut message, "scope", scope.as_bytes());
    message
}

fn field(message: &mut Vec<u8>, name: &str, value: &[u8]) {
    message.extend_from_slice(name.as_bytes());
    message.push(b':');
    message.extend_from_slice(value.len().to_string().as_bytes());
    message.push(b':');
    message.extend_from_slice(value);
    message.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::{Tag, message};
    use crate::{Claims, KeyId, Salt};

    #[test]
    fn every_field_stands_under_its_name_and_length() {
        let claims = Claims {
            account: "acme".parse().expect("name"),
            user: "alice".parse().expect("name"),
            application: "reader".parse().expect("name"),
            expiry: 1_439_688_163,
            salt: Salt::from_bytes([0xab; 16]),
            scope: None,
        };
        let bytes = message(Tag::Ticket, KeyId::from_bytes([1, 2, 3, 4]), &claims);
        let expected = "REPONO-TICKET-V1\nkid:8:01020304\naccount:4:acme\nuser:5:alice\n\
            application:6:reader\nexpiry:20:2015-08-16T01:22:43Z\n\
            salt:32:abababababababababababababababab\nscope:0:\n";
        assert_eq!(str::from_utf8(&bytes), Ok(expected));
        let dev = message(Tag::Dev, KeyId::from_bytes([1, 2, 3, 4]), &claims);
        assert_eq!(&dev[13..], &bytes[16..]);
    }
}
