//! The layer-4 network load balancer: a connection to a head, never an HTTP
//! request.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | the configuration, every key with unit, default and reason |
//! | [`standing`] | what is known of a head, as one state machine |
//! | [`conduct`] | what connections say of a head: ejection of one that fails its clients |
//! | [`choice`] | which head takes the next connection |
//! | [`heads`] | the table of heads: leases, orders to connections, the operator's wishes |
//! | [`probe`] | the active check of a head: TCP, TLS, HTTP |
//! | [`counters`], [`idle_limits`] | what a head says at its check: what it has refused, how long it keeps idle connections |
//! | `connection` | one connection: reach a head, introduce the client, relay, record |
//! | `open` | the connections that are open, by age and idle time |
//! | `admin` | the operator's interface on a unix socket |
//! | `handover` | the listener passes to a successor |
//! | [`run`], [`run_from`] | all of it, until told to stop |
//!
//! No end is silent: FIN is passed on as FIN, RST as RST, an idle connection ends
//! with FIN on both sides, and a connection whose head has died with RST.

mod admin;
mod checks;
pub mod choice;
pub mod conduct;
pub mod config;
mod connection;
pub mod counters;
mod descriptors;
mod end_code;
mod handover;
pub mod heads;
pub mod idle_limits;
mod limits;
mod open;
pub mod probe;
mod service;
mod shard;
pub mod standing;
mod trace;
mod watch;

pub use config::Config;
pub use service::{BalancerError, BoundAddresses, ListenerFrom, Start, run, run_from};
