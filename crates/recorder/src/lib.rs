//! The instrumented machine between a client and a server: every connection passes
//! unchanged, and its turns and its end are recorded.
//!
//! | module | holds |
//! |---|---|
//! | [`Config`], [`Depth`], [`Destination`] | what is relayed to whom, and what of it is read |
//! | [`run`] | listening, and the end in order |
//! | `connection` | one connection: reached, relayed, recorded |
//! | `layer4` | bytes as they are, over the relay |
//! | `opened` | TLS taken off and put on again |
//! | `mint` | certificates that the client is shown then |
//! | `conversation` | turns out of the bytes that pass |
//! | `talk` | heads of HTTP/1.1 in them |
//!
//! It adds nothing that would change what is looked for: no keepalive that would hold a
//! quiet connection open, no limit of its own below a day. A FIN goes on as FIN, an RST
//! as RST.

mod config;
mod connection;
mod conversation;
mod layer4;
mod mint;
mod opened;
mod service;
mod talk;

pub use config::{Config, Depth, Destination, DestinationError};
pub use mint::MintError;
pub use service::{RecorderError, Recording, run};
