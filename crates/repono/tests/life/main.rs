//! How a head ends connections: never without a word, never by a reset that erases a
//! reply, and not at all while their clients may still use them.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod announced;
mod drain;
mod early;
mod frames;
mod peers;
mod stall;
mod stand;
