//! A recorder as a whole: opens everything, relays, and ends in order.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use repono_journal::{Journal, JournalConfig, JournalError};
use repono_net::drain::{Drain, Until};
use repono_net::listen::{Acceptor, BACKLOG, accept_loop, bind};
use repono_net::tls::{ALPN_HTTP1, TrustError, Versions};
use repono_relay::Order;
use rustls_pki_types::ServerName;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::config::{Config, Depth};
use crate::connection::{Common, OpenTls, refuse, serve};
use crate::mint::{CA_FILE, Mint, MintError};

/// Connections at a time; more are reset. A client that is looked into has a pool of
/// some hundred at most, and each takes two descriptors of the usual 1,024 and more.
const CONNECTIONS_MAX: usize = 400;

/// How long connections may take to become quiet at the end,
const QUIET_MAX: Duration = Duration::from_secs(2);
/// and to be reset and recorded.
const RESET_MAX: Duration = Duration::from_secs(1);

/// A recorder that is ready.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Where it listens, with the port that the kernel chose.
    pub listen: SocketAddr,
    /// The file that is written.
    pub journal: PathBuf,
    /// The authority that clients must trust, where TLS is opened.
    pub ca: Option<PathBuf>,
}

/// The recorder cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The kernel's reason.
        source: io::Error,
    },
    /// It would relay to itself.
    #[error("{address} is this recorder itself")]
    Itself {
        /// The address.
        address: SocketAddr,
    },
    /// The destination's name cannot be resolved.
    #[error("{host} has no address")]
    Unresolved {
        /// The name.
        host: String,
        /// The resolver's reason.
        source: io::Error,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No certificates can be made.
    #[error("no certificates can be made for clients")]
    Mint(#[from] MintError),
    /// Nobody can be believed.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The name of the server can be in no certificate.
    #[error("{host} can be in no certificate")]
    Name {
        /// The name.
        host: String,
    },
    /// Nothing more can be accepted.
    #[error("no connections can be accepted any more")]
    Accept(#[source] io::Error),
}

/// Records until `shutdown`; `ready` is told when clients can connect.
///
/// *Errors*: [`RecorderError`].
pub async fn run(
    config: Config,
    ready: impl FnOnce(&Recording),
    shutdown: impl Future<Output = ()>,
) -> Result<(), RecorderError> {
    let listen = |source| RecorderError::Listen { address: config.listen, source };
    let listener = bind(config.listen, BACKLOG).map_err(listen)?;
    let acceptor = Acceptor::new(listener).map_err(listen)?;
    let address = acceptor.local_addr();
    not_itself(&config, address).await?;
    let instance = format!("recorder-{}", address.port());
    let journal = Journal::open(JournalConfig::new(&config.dir, "recorder", &instance))?;
    let open = open_tls(&config)?;
    let recording = Recording {
        listen: address,
        journal: config.dir.join(format!("{instance}.jsonl")),
        ca: open.is_some().then(|| config.dir.join(CA_FILE)),
    };
    let (orders, ordered) = watch::channel(Order::Continue);
    let common = Arc::new(Common { to: config.to, open, recorder: journal.shared(), orders: ordered });
    let drain = Drain::new();
    ready(&recording);
    let mut running = JoinSet::new();
    let accepting = accept_loop(acceptor, drain.signal(), Until::Closing, |accepted, guard| {
        while running.try_join_next().is_some() {}
        if running.len() >= CONNECTIONS_MAX {
            return refuse(&common, accepted);
        }
        let (common, signal) = (Arc::clone(&common), drain.signal());
        running.spawn(async move {
            serve(&common, accepted, signal).await;
            drop(guard);
        });
    });
    tokio::select! {
        ended = accepting => ended.map_err(RecorderError::Accept)?,
        () = shutdown => {}
    }
    drain.close();
    orders.send_replace(Order::Finish { quiet: Duration::ZERO, spread: Duration::ZERO });
    if drain.wait_idle(Instant::now() + QUIET_MAX).await.is_err() {
        orders.send_replace(Order::Reset { silent: Duration::ZERO });
        // What is left then is dropped, and has no record: it is of no use to wait on.
        let _left = drain.wait_idle(Instant::now() + RESET_MAX).await;
    }
    Ok(())
}

async fn not_itself(config: &Config, listen: SocketAddr) -> Result<(), RecorderError> {
    let host = &config.to.host;
    let unresolved = |source| RecorderError::Unresolved { host: host.clone(), source };
    let mut addresses = tokio::net::lookup_host((host.as_str(), config.to.port)).await.map_err(unresolved)?;
    match addresses.find(|address| *address == listen) {
        Some(address) => Err(RecorderError::Itself { address }),
        None => Ok(()),
    }
}

fn open_tls(config: &Config) -> Result<Option<OpenTls>, RecorderError> {
    let Depth::Requests { trust } = &config.depth else { return Ok(None) };
    let host = &config.to.host;
    let name = ServerName::try_from(host.clone()).map_err(|_| RecorderError::Name { host: host.clone() })?;
    Ok(Some(OpenTls {
        to_clients: Mint::open(&config.dir, host)?.server_config(ALPN_HTTP1)?,
        to_server: trust.client(Versions::Both, &[ALPN_HTTP1])?,
        name,
    }))
}
