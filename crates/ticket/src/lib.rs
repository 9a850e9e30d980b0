//! Tickets, pre-authorized URIs and the keys behind them. No I/O: time, rows and
//! request heads are passed in.
//!
//! | module | holds |
//! |---|---|
//! | `fields` | [`KeyId`], [`Salt`] |
//! | `life` | how long a ticket may live ([`Life`]) |
//! | `scope` | what a ticket is narrowed to ([`Scope`]) |
//! | `canonical` | the bytes that are signed |
//! | `signer`, `issue` | [`TicketSigner`], [`issue()`]: vending's side |
//! | `presented`, `bearer` | what a request carries: five headers, or one `RK1.` token |
//! | `verify`, `memory` | [`verify()`], [`Memory`]: a head's side; the proof is [`Verified`] |
//! | `preauth` | pre-authorized URIs; the proof is [`VerifiedPreauth`] |
//! | `revocation` | what was ended before its time ([`Revocations`]) |
//! | `seal` | the master key: sealing at rest, one derived key per purpose |
//! | [`keyring`] | rows of the key ring, their states and their rotation |

mod bearer;
mod canonical;
mod fields;
#[cfg(test)]
mod fixture;
mod issue;
pub mod keyring;
mod life;
mod memory;
mod preauth;
mod preauth_keys;
mod presented;
mod revocation;
mod scope;
mod seal;
mod signer;
mod verify;
mod verifying_keys;

pub use fields::{KeyId, Salt};
pub use issue::{Claims, Ticket, issue};
pub use life::{CLOCK_SKEW_S, Life, LifeError};
pub use memory::Memory;
pub use preauth::{
    PREAUTH_HANDLE_HEX, PREAUTH_LIFE_MAX_S, PREAUTH_TOKEN_PREFIX, PreauthClaims, PreauthFlags,
    PreauthRefused, VerifiedPreauth, append_preauth_uri, mint, verify_preauth,
};
pub use preauth_keys::PreauthKeys;
pub use presented::{Malformed, Presented};
pub use revocation::{Revocations, TooManyRevocations};
pub use scope::{Scope, ScopeError};
pub use seal::{MasterKey, Purpose, SealError};
pub use signer::TicketSigner;
pub use verify::{Refused, Verified, verify};
pub use verifying_keys::VerifyingKeys;
