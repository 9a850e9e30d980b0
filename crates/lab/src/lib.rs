//! Faults replayed on one machine, the incident first: clients fetch, something goes
//! wrong, and each remedy shows what it is worth.
//!
//! | item | is |
//! |---|---|
//! | [`Scenario`] | what can be played |
//! | [`Enclosure`] | the namespaces that a network with a box is built in |
//! | [`Report`] | what a scenario showed: charts, a table, a sentence |
//! | [`Fetch`], [`Pool`] | a client under the lab; the program's own |

mod chart;
mod clients;
mod event;
mod evidence;
mod failover;
mod load;
mod middlebox;
mod middleware;
mod network;
mod one_shot;
mod report;
mod sample;
mod scenario;
mod side_by_side;
mod stale;
mod stand;

pub use chart::ChartError;
pub use clients::Pool;
pub use event::Event;
pub use evidence::EvidenceError;
pub use load::{Fetch, FetchError};
pub use middlebox::Ground;
pub use network::{Enclosure, NetworkError};
pub use report::{Report, Run};
pub use sample::{End, Sample, Summary};
pub use scenario::{LabError, Options, Scenario, Stage};
pub use stand::StandError;
