//! The client: objects by name, over connections that cannot stall a request.
//!
//! A download goes the way of the story: a ticket from vending, HEAD for the
//! pre-authorized URI, then GET of it. The pool drops a connection the moment its
//! end is announced, never reuses one for longer than the server promised to keep
//! it or than the path has let one live, and makes a second attempt at a GET or HEAD
//! where the connection died or fell silent unseen (`docs/client.md`). A PUT or DELETE
//! whose answer was lost is sent again under its `Idempotency-Key`.
//!
//! | item | is |
//! |---|---|
//! | [`Profile`] | endpoint, credentials and defaults, from a TOML file |
//! | [`Client`] | the operations on objects and containers |
//! | [`ObjectAddress`] | `account/container/key` |
//! | [`download`], [`upload`], [`tree`] | what a transfer takes and returns |
//! | [`Progress`] | how a transfer tells how far it is |
//! | [`ClientError`] | what went wrong, by what the caller can do |

mod address;
mod body;
mod client;
pub mod download;
mod endpoint;
mod error;
mod exchange;
mod limits;
pub mod listing;
mod local;
mod object;
mod pool;
mod profile;
mod progress;
mod repeat;
mod resume;
mod secret;
mod stream;
#[cfg(test)]
mod tests;
mod trace;
pub mod tree;
pub mod upload;
mod vending;

pub use address::{AddressError, ObjectAddress};
pub use client::{Client, Options};
pub use endpoint::EndpointError;
pub use error::{Answer, ClientError, Stage};
pub use limits::Limits;
pub use object::ObjectState;
pub use pool::idle::{IdleEnd, LearnedIdle};
pub use profile::{Profile, ProfileError, ProfileWarning, S3Keys};
pub use progress::{FileEnd, Progress, Silent};
pub use secret::Secret;
pub use trace::CallersTrace;
pub use vending::{TicketWish, VendedTicket};
