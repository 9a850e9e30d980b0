//! The commands about heads, which the balancer carries out.

use clap::Subcommand;
use serde_json::json;

use super::call::Call;
use crate::length::seconds;

#[derive(Subcommand, Debug)]
pub(super) enum Head {
    /// List the heads with their state and connections
    List,
    /// Give a head no new connections, and end its quiet ones
    Drain { head: String },
    /// Take a drained head back
    Ready { head: String },
    /// Give a head another share of new connections, 0 to 256; with 0 it gets none
    Weight { head: String, weight: u32 },
    /// Journal every turn of one head, or of an address or prefix, in sizes and times
    Trace {
        /// A head, an address or a prefix such as 10.0.0.0/8
        target: String,
        /// How long: 90s, 10m, 2h, at most 24h; 0s ends it
        #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = seconds)]
        length: u64,
    },
    /// List the traces that run
    Traces,
    /// Send every new connection to one head; `off` ends it
    Only { head: String },
}

impl Head {
    /// What is asked of the balancer.
    pub(super) fn call(&self) -> Call {
        match self {
            Self::List => Call::get(&["heads"]),
            Self::Drain { head } => Call::post(&["heads", head, "drain"], json!({})),
            Self::Ready { head } => Call::post(&["heads", head, "ready"], json!({})),
            Self::Weight { head, weight } => {
                Call::post(&["heads", head, "weight", &weight.to_string()], json!({}))
            }
            Self::Trace { target, length } => {
                Call::post(&["heads", target, "trace", &length.to_string()], json!({}))
            }
            Self::Traces => Call::get(&["heads", "traces"]),
            Self::Only { head } if head == "off" => Call::post(&["heads", "only", "off"], json!({})),
            Self::Only { head } => Call::post(&["heads", head, "only"], json!({})),
        }
    }
}
