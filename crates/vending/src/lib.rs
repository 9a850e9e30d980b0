//! Vending: turns a long-lived credential into a short-lived ticket, and keeps
//! the accounts, users, applications, groups, policies and keys.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | what the service is told |
//! | [`server`] | the service as a whole: start, listeners, end |
//! | [`first_run`] | what a new store is filled with |
//! | `door` | the public interface: `POST /v1/tickets`, `POST /v1/introspect`, `GET /auth/v1.0`, `GET /healthcheck` |
//! | `swift_login` | Swift's v1 log-in at the same door |
//! | `desk` | one request for a ticket, from the log-in to the signature |
//! | `introspection` | whom a ticket speaks for and what that user may do at the monitor |
//! | `office` | changes of identities and keys, with their audit |
//! | `nearest` | names that exist, for the hint about one that does not |
//! | `admin` | the administrators' interface on a unix socket |
//! | `connection` | the life of one TLS connection |
//! | `directory` | users, applications, secrets and the signing key, in memory |
//! | `secret` | secrets: made, hashed, compared |
//! | `key_ring` | the rows of the key ring and their rotation |
//! | `reply` | the one shape of a refusal |
//! | `limits` | clocks and bounds, each with its reason |

mod admin;
pub mod config;
mod connection;
mod desk;
mod directory;
mod door;
pub mod first_run;
mod introspection;
mod key_ring;
mod limits;
mod nearest;
mod office;
mod reply;
mod secret;
pub mod server;
mod swift_login;

pub use config::Config;
pub use server::{BoundAddresses, VendingError, run};
