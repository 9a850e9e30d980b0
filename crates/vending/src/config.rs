//! The configuration of the vending service.

use std::net::SocketAddr;
use std::path::PathBuf;

use repono_net::tls::TlsFiles;
use serde::{Deserialize, Serialize};

mod swift_login;

pub use swift_login::{StorageUrl, StorageUrlError, SwiftLogin};

/// Everything that the service is told; TOML, every key as documented here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The service's name in the journal. Default `vending`.
    #[serde(default = "name")]
    pub name: String,
    /// Address for clients, HTTPS; port 0 picks a free port.
    pub listen: SocketAddr,
    /// The administrators' unix socket: made with mode 0600, replaced if it is
    /// there. Its directory should be its owner's alone.
    pub admin_socket: PathBuf,
    /// Directory of the store.
    pub store: PathBuf,
    /// Directory of the journal.
    pub journal: PathBuf,
    /// File with vending's master key, 64 hex digits: opens the keys that sign
    /// tickets. No head may have it.
    pub vending_master_key_file: PathBuf,
    /// File with the heads' master key, 64 hex digits: seals the keys of
    /// pre-authorized URIs and of TLS session tickets.
    pub heads_master_key_file: PathBuf,
    /// Certificates and their private keys.
    pub tls: TlsFiles,
    /// Swift's v1 log-in, `GET /auth/v1.0`. Default: not served, because a user's
    /// secret is enough for it and no application's is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swift_login: Option<SwiftLogin>,
}

fn name() -> String {
    "vending".to_owned()
}
