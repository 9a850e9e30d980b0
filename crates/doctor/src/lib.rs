//! What an endpoint does to its connections, measured from outside: how long they may
//! be quiet, how they end, and which clients live with that.
//!
//! | module | holds |
//! |---|---|
//! | [`target`] | what is probed |
//! | [`probe`] | one connection and its end |
//! | `reply` | the head of an answer |
//! | [`advertised`] | what an endpoint says of itself |
//! | [`ladder`] | many connections, each quiet for longer |
//! | [`limits`] | requests of a connection, `Connection: close`, `Expect` |
//! | [`race`] | requests at the moment of the end |
//! | [`stranger`] | a packet of a connection that nobody knows |
//! | [`during`] | what clients meet while a command runs |
//! | [`examination`] | all of that in a row |
//! | [`watch`] | how far it is |
//! | [`clients`] | which stock clients are safe; `clients.toml` is the data |
//! | [`finding`] | what is wrong |
//! | [`compared`] | an endpoint against its baseline, and against its heads |
//! | [`report`] | all of it as text or JSON |

pub mod advertised;
pub mod clients;
pub mod compared;
pub mod during;
pub mod examination;
pub mod finding;
pub mod ladder;
pub mod limits;
pub mod probe;
pub mod race;
mod reply;
pub mod report;
pub mod stranger;
pub mod target;
pub mod watch;
