//! Making a ticket: vending's side.

use data_encoding::BASE64URL_NOPAD;
use repono_core::name::{AccountName, ApplicationName, UserName};
use repono_core::time;

use crate::bearer;
use crate::canonical::{self, Tag};
use crate::fields::{KeyId, Salt};
use crate::scope::Scope;
use crate::signer::{SIGNATURE_BYTES, TicketSigner};

/// What a ticket says: who, in the name of which application, until when, and
/// narrowed to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The tenant.
    pub account: AccountName,
    /// The user within it.
    pub user: UserName,
    /// The application that asked.
    pub application: ApplicationName,
    /// Unix seconds at which the ticket ends; see [`crate::Life::expiry`].
    pub expiry: u64,
    /// The ticket's id.
    pub salt: Salt,
    /// What the ticket is narrowed to, if it is.
    pub scope: Option<Scope>,
}

/// A signed ticket: a bearer credential, hence no `Debug` and no `Display`.
pub struct Ticket {
    claims: Claims,
    kid: KeyId,
    user: [u8; SIGNATURE_BYTES],
    dev: [u8; SIGNATURE_BYTES],
}

/// Signs claims.
///
/// The caller has checked who asks and for how long: a ticket that lives longer
/// than [`crate::Life::MAX`] is signed here and refused by every head.
///
/// *Cost*: two Ed25519 signatures, some 30 µs.
#[must_use]
pub fn issue(signer: &TicketSigner, claims: &Claims) -> Ticket {
    let kid = signer.kid();
    Ticket {
        user: signer.sign(&canonical::message(Tag::Ticket, kid, claims)),
        dev: signer.sign(&canonical::message(Tag::Dev, kid, claims)),
        claims: claims.clone(),
        kid,
    }
}

impl Ticket {
    /// The five header fields, and a sixth for the scope if there is one.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let Claims { account, user, application, expiry, salt, scope } = &self.claims;
        let mut headers = Vec::with_capacity(6);
        headers.push(("x-auth-user", format!("{account}:{user}")));
        headers.push(("x-auth-expiry", time::utc_seconds(*expiry)));
        headers.push(("x-auth-salt", salt.to_string()));
        let signature = BASE64URL_NOPAD.encode(&self.user);
        headers.push(("x-auth-ticket", format!("RT1.{}.{signature}", self.kid)));
        let signature = BASE64URL_NOPAD.encode(&self.dev);
        headers.push(("x-auth-dev-ticket", format!("RD1.{application}.{}.{signature}", self.kid)));
        if let Some(scope) = scope {
            headers.push(("x-auth-scope", scope.to_string()));
        }
        headers
    }

    /// The same ticket as one string, `RK1.…`, for `X-Auth-Token`.
    #[must_use]
    pub fn token(&self) -> String {
        bearer::encode(self.kid, &self.claims, &self.user, &self.dev)
    }

    /// What was signed.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The key that signed it.
    #[must_use]
    pub const fn kid(&self) -> KeyId {
        self.kid
    }

    /// Unix seconds at which the ticket ends.
    #[must_use]
    pub const fn expiry(&self) -> u64 {
        self.claims.expiry
    }

    /// The ticket's id.
    #[must_use]
    pub const fn salt(&self) -> Salt {
        self.claims.salt
    }
}
