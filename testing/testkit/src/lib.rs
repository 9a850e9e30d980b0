//! Real processes and raw TLS for tests: a whole system of the built program,
//! and connections on which a test writes exactly the bytes it wants.
//!
//! | module | holds |
//! |---|---|
//! | [`system`] | `repono up` in a directory of its own, its addresses, its commands |
//! | [`network`] | a network of the test's own, in namespaces, with faults by nftables |
//! | [`needs`] | saying that something is not installed |
//! | [`rsyslog`] | Debian's rsyslog with a configuration of ours |
//! | [`port`] | ports for the servers that a test configures itself |
//! | [`wire`] | one TLS connection: bytes out, responses in |
//! | [`frames`] | one connection of HTTP/2: frames out, frames in |
//! | [`wait`] | waiting for a state, with a bound |

pub mod frames;
pub mod needs;
pub mod network;
pub mod port;
pub mod rsyslog;
pub mod system;
pub mod wait;
pub mod wire;
