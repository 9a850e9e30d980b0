//! A head: the stateless HTTPS front of the store.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | what a head is told |
//! | [`server`] | a head as a whole: start, threads, end |
//! | `connection` | the life of one connection, from the PROXY header to the staged close |
//! | `carrier` | what carries an exchange: a connection of HTTP/1.1, a stream of HTTP/2 |
//! | `exchange` | one request and its reply |
//! | `admission` | fairness among users and sources, and what is held at most |
//! | `caller` | who asks, and the permit to act |
//! | `directory` | users, policies, keys and revocations, kept current |
//! | `collector` | removal of what no object refers to |
//! | `vitals` | whether its threads, its journal and its disk move |
//! | `upkeep` | the thread that waits for the disk, so that those who answer do not |
//! | `shard` | what one thread owns |
//! | `fault` | what goes over the wire when something does not hold |
//! | `limits` | the clocks and bounds, each with its reason |

mod admission;
mod caller;
mod carrier;
mod collector;
pub mod config;
mod connection;
mod directory;
mod exchange;
mod fault;
mod limits;
pub mod server;
mod shard;
mod upkeep;
mod vitals;

pub use config::Config;
pub use server::{HeadError, run};
