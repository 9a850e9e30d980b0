//! The monitor: shows how the heads are, to people as a page and to Prometheus as
//! text. It asks the balancer once a second and remembers the last answer alone; what
//! the journals tell of requests and connections it counts.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | what the service is told |
//! | [`server`] | the service as a whole: start, listener, end |
//! | `door` | the interface: the page, `/login`, `/metrics`, `/api/v1/…`, `/healthcheck` |
//! | `access` | who is at the door: sessions, tickets, the one-time link |
//! | `vending` | questions to vending: whom a ticket speaks for |
//! | `collector` | the thread that follows the journals, and its state on disk |
//! | `board` | what the journals tell, counted |
//! | `path` | the path to the system, probed now and then |
//! | `state_file` | a file of the state directory |
//! | `page` | the page's shell, and its files as they are built in |
//! | `diagnosis` | what is found in the last minutes of the journals, and the verdict |
//! | `metrics` | the text for Prometheus |
//! | `export`, `otlp` | records on their way to a collector of OpenTelemetry |
//! | `heads` | what the balancer said of its heads, and how old that is |
//! | `ask` | one question to the balancer, and asking again and again |
//! | `connection` | the life of one TLS connection |
//! | `limits` | clocks and bounds, each with its reason |

mod access;
mod ask;
mod board;
mod collector;
pub mod config;
mod connection;
mod diagnosis;
mod door;
mod export;
mod heads;
mod limits;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod page;
mod path;
pub mod server;
mod state_file;
mod vending;

pub use access::link::{Offer, offer};
pub use config::{Config, ConfigError, Otlp, PathProbe, VendingUrl};
pub use server::{BoundAddresses, MonitorError, run};
