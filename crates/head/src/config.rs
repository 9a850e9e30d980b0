//! The configuration of a head.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use repono_net::socket::{KEEPALIVE_S, SocketOptions};
use repono_net::tls::TlsFiles;
use serde::{Deserialize, Serialize};

use crate::limits::{
    CONNECTION_AGE_MAX, CONNECTION_REQUESTS_MAX, IDLE_MAX, KEEP_ALIVE_ADVERTISED, KEEP_ALIVE_GRACE,
    REQUESTS_MAX,
};

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
    /// Which requests it has: `all`, or `none`; connections, changes and decisions are
    /// in it in either case. Default `all`: without them neither the monitor nor
    /// `repono diagnose` knows of a slow request.
    #[serde(default, skip_serializing_if = "Journaled::is_all")]
    pub journal_requests: Journaled,
    /// File with the heads' master key, 64 hex digits: opens the keys of
    /// pre-authorized URIs and of TLS session tickets, not those that sign tickets.
    pub heads_master_key_file: PathBuf,
    /// File with the key that the balancer proves itself with, 64 hex digits.
    pub proxy_key_file: PathBuf,
    /// Certificates and their private keys.
    pub tls: TlsFiles,
    /// Threads that serve connections. Default 1; more than the machine's cores
    /// gain nothing.
    #[serde(default = "threads")]
    pub threads: usize,
    /// Connections at a time, over all threads; one source holds half of them at
    /// most. Default 12,000: each needs a descriptor, the usual limit for a service
    /// is 20,000, and bodies need some, too.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// What `Keep-Alive` tells clients, in seconds: how long they may keep a
    /// connection that they do not use. Default 55, shorter than any silent
    /// middlebox.
    #[serde(default = "idle_advertised_s")]
    pub idle_advertised_s: u64,
    /// How long a connection of a known client may really be quiet, in seconds.
    /// Default 650, longer than clients and balancers keep an idle connection, so
    /// that the close is never ours and never races a request. More than
    /// `idle_advertised_s` by more than 10 s.
    #[serde(default = "idle_close_s")]
    pub idle_close_s: u64,
    /// Age of a connection, in seconds, from which on the next reply announces its
    /// end. Default 3,600: connections follow a change of heads or balancers within
    /// an hour. Each connection gets up to a tenth less, so that those which were
    /// opened together do not end together.
    #[serde(default = "connection_age_max_s")]
    pub connection_age_max_s: u64,
    /// Requests of one connection, of which the last reply announces the end.
    /// Default 100,000: a handshake in so many requests is nothing, and a client
    /// that is never quiet moves on.
    #[serde(default = "connection_requests_max")]
    pub connection_requests_max: u64,
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

/// Which requests are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Journaled {
    /// Each, but for what sampling leaves out.
    #[default]
    All,
    /// None.
    None,
}

impl Journaled {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}

/// A configuration that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Clients would use connections that this head is about to close.
    #[error(
        "idle_close_s = {idle_close_s} would close connections that clients may still use: idle_advertised_s = {idle_advertised_s} asks for more than {} s",
        idle_advertised_s.saturating_add(KEEP_ALIVE_GRACE.as_secs())
    )]
    IdleBeforeAdvertised {
        /// The real limit.
        idle_close_s: u64,
        /// What clients are told.
        idle_advertised_s: u64,
    },
    /// A limit of 0 would end each connection with its first reply.
    #[error("{0} = 0 would end every connection at its first request")]
    Zero(&'static str),
}

impl Config {
    /// What is set on the sockets of clients.
    pub(crate) fn socket_options(&self) -> SocketOptions {
        SocketOptions::SERVER.asking_after(Duration::from_secs(self.keepalive_s.get().into()))
    }

    /// Holds the keys against one another.
    ///
    /// *Errors*: [`ConfigError`].
    pub const fn validate(&self) -> Result<(), ConfigError> {
        let Self { idle_close_s, idle_advertised_s, .. } = *self;
        if idle_close_s <= idle_advertised_s.saturating_add(KEEP_ALIVE_GRACE.as_secs()) {
            return Err(ConfigError::IdleBeforeAdvertised { idle_close_s, idle_advertised_s });
        }
        if self.connection_age_max_s == 0 {
            return Err(ConfigError::Zero("connection_age_max_s"));
        }
        if self.connection_requests_max == 0 {
            return Err(ConfigError::Zero("connection_requests_max"));
        }
        Ok(())
    }
}

const fn threads() -> usize {
    1
}

const fn connections_max() -> usize {
    12_000
}

const fn idle_advertised_s() -> u64 {
    KEEP_ALIVE_ADVERTISED.as_secs()
}

const fn idle_close_s() -> u64 {
    IDLE_MAX.as_secs()
}

const fn connection_age_max_s() -> u64 {
    CONNECTION_AGE_MAX.as_secs()
}

const fn connection_requests_max() -> u64 {
    CONNECTION_REQUESTS_MAX
}

const fn requests_max() -> usize {
    REQUESTS_MAX
}

fn keepalive_s() -> NonZeroU16 {
    KEEPALIVE_S
}
