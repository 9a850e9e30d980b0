//! The configuration of the monitor.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use repono_net::tls::TlsFiles;
use serde::{Deserialize, Serialize};

mod path;
mod vending_url;

pub use path::PathProbe;
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
    /// A collector of OpenTelemetry that spans and metrics of the journals are sent to.
    /// Default none; needs a program that was built with the feature `otlp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<Otlp>,
    /// The path to the system, probed now and then. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathProbe>,
}

/// A collector of OpenTelemetry.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// `http://HOST:PORT` or `https://HOST:PORT`; `/v1/traces` and `/v1/metrics` are asked.
    pub endpoint: String,
    /// Authorities to trust with `https`, PEM. Default: those of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Traces with a request that took so many milliseconds are always sent, like those
    /// with one that failed or was sent again. Default 1,000: what people notice.
    #[serde(default = "slow_ms")]
    pub slow_ms: u64,
    /// The share of all other traces that is sent, from 0 to 1. Default 0.01.
    #[serde(default = "share")]
    pub share: f64,
    /// Seconds between two dispatches of the metrics. Default 60.
    #[serde(default = "metrics_s")]
    pub metrics_s: NonZeroU16,
}

const fn slow_ms() -> u64 {
    1_000
}

const fn share() -> f64 {
    0.01
}

fn metrics_s() -> NonZeroU16 {
    NonZeroU16::MIN.saturating_add(59)
}

/// Settings that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One of the two without the other.
    #[error("`vending` and `ca` go together: the one names the service, the other proves that it is it")]
    VendingWithoutCa,
    /// No URL.
    #[error("`path.target` is no URL that can be probed: give one such as https://store.example.net/")]
    PathTarget,
    /// Too short, or longer than any limit.
    #[error("`path.idle_max_s` is from 2 to 3600")]
    PathIdle,
    /// Probes would follow one another without a pause.
    #[error("`path.every_s` is 0, or at least {shortest_s}: twice what one probe takes")]
    PathEvery {
        /// The shortest, seconds.
        shortest_s: u64,
    },
}

impl Config {
    /// Whether the settings go together.
    ///
    /// *Errors*: [`ConfigError`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        match (&self.vending, &self.ca) {
            (Some(_), Some(_)) | (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return Err(ConfigError::VendingWithoutCa),
        }
        self.path.as_ref().map_or(Ok(()), PathProbe::validate)
    }
}

fn name() -> String {
    "monitor".to_owned()
}
