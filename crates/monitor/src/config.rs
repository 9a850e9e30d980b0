//! The configuration of the monitor.

use std::net::SocketAddr;
use std::path::PathBuf;

use repono_net::tls::TlsFiles;
use serde::{Deserialize, Serialize};

mod vending_url;

pub use vending_url::{VendingUrl, VendingUrlError};

/// Everything that the monitor is told; TOML, every key as documented here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The monitor's name, shown on top of the page. Default `monitor`.
    #[serde(default = "name")]
    pub name: String,
    /// Address for browsers and Prometheus, HTTPS; port 0 picks a free port. Whoever
    /// reaches it sees the metrics, with the names and states of the heads; the rest is for
    /// those who log in.
    pub listen: SocketAddr,
    /// The balancer's administrators' socket. It may come later than the monitor.
    pub balancer_admin_socket: PathBuf,
    /// Folders of journals whose requests and connections are counted, read again and
    /// again; a folder may come later than the monitor. Default none: then there are no
    /// series. Whoever logs in sees the paths of slow requests, of all accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journals: Vec<PathBuf>,
    /// A folder of the monitor's own, made where it is missing, in which counts and the
    /// places in the journals outlive it: at most 30 days, some MiB. Default none:
    /// each start reads the journals from their beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// The vending service, `https://HOST[:PORT]`: it says whom a ticket speaks for and what
    /// that user may do here. Default none: then nobody can log in with a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vending: Option<VendingUrl>,
    /// File (PEM) with the authority that the vending service's certificate is of; goes
    /// with `vending`. No default: a ticket is shown to nobody who cannot prove who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// File that a supervisor on this machine leaves a one-time link in; it is taken and
    /// deleted at the start. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_time_link: Option<PathBuf>,
    /// Certificates and their private keys.
    pub tls: TlsFiles,
}

/// Settings that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One of the two without the other.
    #[error("`vending` and `ca` go together: the one names the service, the other proves that it is it")]
    VendingWithoutCa,
}

impl Config {
    /// Whether the settings go together.
    ///
    /// *Errors*: [`ConfigError`].
    pub const fn validate(&self) -> Result<(), ConfigError> {
        match (&self.vending, &self.ca) {
            (Some(_), Some(_)) | (None, None) => Ok(()),
            (Some(_), None) | (None, Some(_)) => Err(ConfigError::VendingWithoutCa),
        }
    }
}

fn name() -> String {
    "monitor".to_owned()
}
