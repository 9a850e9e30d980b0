//! The configuration of a head.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use repono_net::socket::{KEEPALIVE_S, SocketOptions};
use serde::{Deserialize, Serialize};

use crate::limits::REQUESTS_MAX;

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
    /// Connections at a time, over all threads; one source holds half of them at
    /// most. Default 12,000: each needs a descriptor, the usual limit for a service
    /// is 20,000, and bodies need some, too.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// Requests in progress at a time, over all threads; one user, or one
    /// source of those without a ticket, holds half of them at most. Default 2,048.
    #[serde(default = "requests_max")]
    pub requests_max: usize,
    /// Quiet seconds on a client's connection after which the kernel asks whether
    /// the client is still there (TCP keepalive). Default 30: half of the shortest
    /// idle limit of a box on the way that is known, so that none forgets the
    /// connection.
    #[serde(default = "keepalive_s")]
    pub keepalive_s: NonZeroU16,
    /// Requests a second of one user, over all threads; beyond it the answer is
    /// 429. Default: no limit but the turns among users that compete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_requests_per_s: Option<u32>,
    /// The same of one source, an address of IPv4 or a /64 of IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_requests_per_s: Option<u32>,
}

impl Config {
    /// What is set on the sockets of clients.
    pub(crate) fn socket_options(&self) -> SocketOptions {
        SocketOptions::SERVER.asking_after(Duration::from_secs(self.keepalive_s.get().into()))
    }
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
    12_000
}

const fn requests_max() -> usize {
    REQUESTS_MAX
}

fn keepalive_s() -> NonZeroU16 {
    KEEPALIVE_S
}
