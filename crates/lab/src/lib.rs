//! The incident, replayed on one machine: the fault on, then each remedy on.
//!
//! | item | is |
//! |---|---|
//! | [`stale`] | the incident: a box on the way forgets idle connections |
//! | [`Enclosure`] | the namespaces that its network is built in |
//! | [`Report`] | what a scenario showed: charts, a table, a sentence |
//! | [`Fetch`] | a client under the lab |

mod chart;
mod evidence;
mod load;
mod middleware;
mod network;
mod one_shot;
mod report;
mod sample;
pub mod stale;
mod stand;

pub use chart::{Chart, ChartError};
pub use evidence::EvidenceError;
pub use load::{Fetch, FetchError};
pub use network::{Enclosure, NetworkError};
pub use report::{Report, Run};
pub use sample::{End, Sample, Summary};
pub use stand::StandError;
