//! The monitor: shows how the heads are, to people as a page and to Prometheus as
//! text. It asks the balancer once a second and remembers the last answer alone; what
//! the journals tell of requests and connections it counts.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | what the service is told |
//! | [`server`] | the service as a whole: start, listener, end |
//! | `door` | the interface: the page, `/metrics`, `/api/v1/…`, `/healthcheck` |
//! | `collector` | the thread that follows the journals, and its state on disk |
//! | `board` | what the journals tell, counted |
//! | `diagnosis` | what is found in the last minutes of the journals, and the verdict |
//! | `metrics` | the text for Prometheus |
//! | `heads` | what the balancer said of its heads, and how old that is |
//! | `ask` | one question to the balancer, and asking again and again |
//! | `connection` | the life of one TLS connection |
//! | `limits` | clocks and bounds, each with its reason |

mod ask;
mod board;
mod collector;
pub mod config;
mod connection;
mod diagnosis;
mod door;
mod heads;
mod limits;
mod metrics;
pub mod server;

pub use config::Config;
pub use server::{BoundAddresses, MonitorError, run};
