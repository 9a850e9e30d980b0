//! The configuration of a head.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that a head is told; TOML, every key as documented here.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The head's name in the journal and in `repono admin head list`.
    pub name: String,
    /// Address for clients that come without the balancer; a PROXY header is refused.
    pub direct: SocketAddr,
    /// Address for the balancer alone: every connection must begin with a PROXY v2
    /// header that carries the balancer's proof.
    pub balanced: SocketAddr,
    /// Directory of the store.
    pub store: PathBuf,
    /// Directory of the journal.
    pub journal: PathBuf,
    /// File with the heads' master key, 64 hex digits: opens the keys of
    /// pre-authorized URIs and of TLS session tickets, not those that sign tickets.
    pub heads_master_key_file: PathBuf,
    /// File with the key that the balancer proves itself with, 64 hex digits.
    pub proxy_key_file: PathBuf,
    /// Certificates and their private keys.
    pub tls: Tls,
    /// Threads that serve connections. Default 1; more than the machine's cores
    /// gain nothing.
    #[serde(default = "threads")]
    pub threads: usize,
    /// Connections at a time, over all threads. Default 10,000: each needs a
    /// descriptor, and the usual limit for a service is 20,000.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
}

/// Two certificate chains side by side, PEM; the client's offer decides which is used.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Chain of the ECDSA P-256 certificate.
    pub ecdsa_chain: PathBuf,
    /// Its private key.
    pub ecdsa_key: PathBuf,
    /// Chain of the RSA-2048 certificate.
    pub rsa_chain: PathBuf,
    /// Its private key.
    pub rsa_key: PathBuf,
}

const fn threads() -> usize {
    1
}

const fn connections_max() -> usize {
    10_000
}
