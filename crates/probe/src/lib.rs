//! Connections to an endpoint, probed from outside: what is asked on one, how long it
//! may be quiet, and how it ends.
//!
//! | module | holds |
//! |---|---|
//! | [`target`] | what is probed |
//! | [`conversation`] | one connection and its end |
//! | [`reply`] | the head of an answer |
//! | [`ladder`] | many connections, each quiet for longer |
//! | [`watch`] | how far that is |

pub mod conversation;
pub mod ladder;
pub mod reply;
pub mod target;
pub mod watch;
