//! Faults on demand: what boxes and programs on the way do to connections, done by
//! a relay as a [`Plan`] says, and recorded when it is done.
//!
//! | item | is |
//! |---|---|
//! | [`Plan`] | which connections suffer what: the [`Door`], a [`Pace`] for each direction, FINs that get lost, and [`Strike`]s |
//! | [`FaultRelay`] | a listener in front of a server, under a plan that can be changed |
//! | [`Faulty`] | an [`crate::Observer`] that carries out a plan on one connection; wraps another one |
//! | [`Injection`], [`Ledger`] | what was done, when, to which connection |
//!
//! Everything is drawn from a seed: connection *n* suffers the same under the same
//! plan, whatever the others do. Time is tokio's.
//!
//! What a relay cannot do: it acknowledges what it reads, so its silence is that of
//! a balancer which has lost its server, never that of a box which drops packets.

mod front;
mod gate;
mod ledger;
mod pace;
mod plan;
mod trip;

pub use front::FaultRelay;
pub use gate::Faulty;
pub use ledger::{Deed, Injection, Ledger, Subject};
pub use plan::{Chance, Door, Effect, Fins, Pace, Plan, Rate, Reach, Strike, When};

#[cfg(test)]
mod tests;
