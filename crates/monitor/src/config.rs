//! The configuration of the monitor.

use std::net::SocketAddr;
use std::path::PathBuf;

use repono_net::tls::TlsFiles;
use serde::{Deserialize, Serialize};

/// Everything that the monitor is told; TOML, every key as documented here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The monitor's name, shown on top of the page. Default `monitor`.
    #[serde(default = "name")]
    pub name: String,
    /// Address for browsers and Prometheus, HTTPS; port 0 picks a free port. Whoever
    /// reaches it sees the names, addresses and states of the heads.
    pub listen: SocketAddr,
    /// The balancer's administrators' socket. It may come later than the monitor.
    pub balancer_admin_socket: PathBuf,
    /// Certificates and their private keys.
    pub tls: TlsFiles,
}

fn name() -> String {
    "monitor".to_owned()
}
