//! Checking a ticket: a head's side.

use std::sync::Arc;

use repono_core::name::{AccountName, ApplicationName, UserName};

use crate::fields::{KeyId, Salt};
use crate::issue::Claims;
use crate::life::{CLOCK_SKEW_S, Life};
use crate::presented::{Malformed, Presented};
use crate::scope::Scope;
use crate::verifying_keys::VerifyingKeys;

/// A ticket whose signatures held: only [`verify()`] and [`crate::Memory`] make one.
///
/// It says who asks. Revocation, the state of user and application, the scope and
/// policy are still to be asked, at every request.
///
/// *Cost*: cloning is one reference count.
#[derive(Clone, Debug)]
pub struct Verified(Arc<Proven>);

#[derive(Debug)]
struct Proven {
    claims: Claims,
    kid: KeyId,
}

/// Why a presented ticket does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not of a ticket's form; [`Malformed::status_hint`] tells 400 from 401.
    #[error("the ticket is malformed")]
    Malformed(#[from] Malformed),
    /// Signed by no key that counts, or not over these values: 401.
    #[error("the ticket's signature does not hold")]
    Signature,
    /// The signatures held, the time is over: 401, and the only refusal that may
    /// be told apart.
    #[error("the ticket has expired")]
    Expired,
    /// The signatures held, but it would live longer than any ticket may: 401.
    #[error("the ticket lives longer than any ticket may")]
    TooLong,
}

impl Verified {
    /// The tenant.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        &self.0.claims.account
    }

    /// The user within it.
    #[must_use]
    pub fn user(&self) -> &UserName {
        &self.0.claims.user
    }

    /// The application that asked.
    #[must_use]
    pub fn application(&self) -> &ApplicationName {
        &self.0.claims.application
    }

    /// Unix seconds at which the ticket ends.
    #[must_use]
    pub fn expiry(&self) -> u64 {
        self.0.claims.expiry
    }

    /// The ticket's id.
    #[must_use]
    pub fn salt(&self) -> Salt {
        self.0.claims.salt
    }

    /// The key that signed it.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.0.kid
    }

    /// What the ticket is narrowed to, if it is.
    #[must_use]
    pub fn scope(&self) -> Option<&Scope> {
        self.0.claims.scope.as_ref()
    }

    /// Whether the ticket counts at `now_s`, by its times alone.
    pub(crate) fn in_time(&self, now_s: u64) -> Result<(), Refused> {
        if self.expiry().saturating_add(CLOCK_SKEW_S) < now_s {
            return Err(Refused::Expired);
        }
        if self.expiry() > Life::MAX.expiry(now_s).saturating_add(CLOCK_SKEW_S) {
            return Err(Refused::TooLong);
        }
        Ok(())
    }
}

/// Checks a presented ticket: form, then both signatures under one live key, then
/// its times at `now_s`, in Unix seconds.
///
/// An unknown or dead key costs the same work as a wrong signature.
///
/// *Errors*: [`Refused`].
///
/// *Cost*: two Ed25519 verifications, some 120 µs; see [`crate::Memory`].
pub fn verify(presented: &Presented<'_>, keys: &VerifyingKeys, now_s: u64) -> Result<Verified, Refused> {
    let opened = presented.open()?;
    if !keys.both_hold(&opened) {
        return Err(Refused::Signature);
    }
    let verified = Verified(Arc::new(Proven { claims: opened.claims, kid: opened.kid }));
    verified.in_time(now_s)?;
    Ok(verified)
}

#[cfg(test)]
mod tests {
    use super::{Refused, verify};
    use crate::fixture::{NOW, claims, head, keys, keys_in, presented, signer, signer_of};
    use crate::keyring::KeyState;
    use crate::{CLOCK_SKEW_S, Claims, Life, Malformed, Ticket, VerifyingKeys, issue};

    fn check(ticket: &Ticket, keys: &VerifyingKeys, now: u64) -> Result<(), Refused> {
        let head = head(ticket.headers());
        verify(&presented(&head), keys, now).map(|_| ())
    }

    #[test]
    fn times_hold_up_to_the_second() {
        let ticket = issue(&signer(), &claims());
        let expiry = ticket.expiry();
        let longest = Life::MAX.seconds() + CLOCK_SKEW_S;
        assert_eq!(check(&ticket, &keys(), expiry + CLOCK_SKEW_S), Ok(()));
        assert_eq!(check(&ticket, &keys(), expiry + CLOCK_SKEW_S + 1), Err(Refused::Expired));
        assert_eq!(check(&ticket, &keys(), expiry - longest), Ok(()));
        assert_eq!(check(&ticket, &keys(), expiry - longest - 1), Err(Refused::TooLong));
        let forever = issue(&signer(), &Claims { expiry: u64::MAX, ..claims() });
        assert_eq!(check(&forever, &keys(), NOW), Err(Refused::TooLong));
    }

    #[test]
    fn every_live_key_verifies_and_no_other() {
        let ticket = issue(&signer(), &claims());
        for state in KeyState::ALL {
            let expected = if state.verifies() { Ok(()) } else { Err(Refused::Signature) };
            assert_eq!(check(&ticket, &keys_in(state), NOW), expected, "{state:?}");
        }
        assert_eq!(check(&ticket, &VerifyingKeys::default(), NOW), Err(Refused::Signature));
    }

    #[test]
    fn both_halves_are_under_one_key() {
        let (one, two) = (signer(), signer_of(&"42".repeat(32)));
        let active = [&one, &two].map(|s| (s.kid(), s.public_key(), KeyState::Active));
        let keys = VerifyingKeys::new(active).expect("two keys");
        let (first, second) = (issue(&one, &claims()), issue(&two, &claims()));
        assert_eq!((check(&first, &keys, NOW), check(&second, &keys, NOW)), (Ok(()), Ok(())));
        let mut mixed = first.headers();
        mixed[4] = second.headers().swap_remove(4);
        let head = head(mixed);
        assert_eq!(verify(&presented(&head), &keys, NOW).map(|_| ()), Err(Refused::Signature));
    }

    #[test]
    fn the_cause_is_the_source_and_not_in_the_text() {
        let refused = Refused::from(Malformed::Form);
        assert_eq!(refused.to_string(), "the ticket is malformed");
        let source = std::error::Error::source(&refused).map(ToString::to_string);
        assert_eq!(source, Some(Malformed::Form.to_string()));
    }
}
