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
    /// Folders of journals whose requests and connections are counted, read again and
    /// again; a folder may come later than the monitor. Default none: then there are no
    /// series. Whoever reaches the monitor sees the paths of slow requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journals: Vec<PathBuf>,
    /// A folder of the monitor's own, made where it is missing, in which counts and the
    /// places in the journals outlive it: at most 30 days, some MiB. Default none:
    /// each start reads the journals from their beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// Certificates and their private keys.
    pub tls: TlsFiles,
}

fn name() -> String {
    "monitor".to_owned()
}
