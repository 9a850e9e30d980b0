//! The balancer as a process: replaced, reloaded, and in front of hosts that vanish.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod stage;
mod stopped;
mod successor;
mod vanished;
