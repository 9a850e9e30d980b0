//! What an endpoint does to its connections, measured from outside: how long they may
//! be quiet, how they end, and which clients live with that. How a single connection is
//! probed, and how many of them are together, is `repono-probe`'s.
//!
//! | module | holds |
//! |---|---|
//! | [`advertised`] | what an endpoint says of itself |
//! | [`limits`] | requests of a connection, `Connection: close`, `Expect` |
//! | [`race`] | requests at the moment of the end |
//! | [`stranger`] | a packet of a connection that nobody knows |
//! | [`during`] | what clients meet while a command runs |
//! | [`examination`] | all of that in a row |
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
pub mod limits;
pub mod race;
pub mod report;
pub mod stranger;
