//! One suite for every store.
//!
//! [`run`] holds a store to what the heads rely on, whatever engines are behind
//! it. It runs over SQLite with a local directory, and over [`model::ModelStore`],
//! a few maps that say the same in the plainest way; so a fault of the suite
//! shows as well as one of an engine. A state machine (`tests/machine.rs`) then
//! drives both with the same random commands and compares every answer.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a suite of tests: what does not hold must panic")]

pub mod fixture;
pub mod model;
mod suite;

pub use suite::run;
