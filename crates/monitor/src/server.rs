//! The monitor as a whole: opens everything, listens, and ends in order.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng;
use repono_journal::Stamp;
use repono_net::drain::{Allowance, Drain, Until};
use repono_net::listen::{self, Acceptor, accept_loop};
use repono_net::tls::{self, ServerIdentity, TicketKey, TicketKeyError, TicketKeys, TlsError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::access::Access;
use crate::access::link::OneTimeLink;
use crate::ask::{self, Latest};
use crate::collector::{Collector, SharedBoard};
use crate::config::{Config, ConfigError, Otlp};
use crate::connection::{self, House};
use crate::diagnosis::{Analyst, SharedWindow, Sources};
use crate::door::live::{self, Live};
use crate::door::{self, Aside, Door, Grids};
use crate::export::{Counts, Listener};
use crate::limits::{CLOSING_MAX, CONNECTIONS_MAX, DRAIN_MAX, TLS_TICKET_KEY_AGE_MAX};
#[cfg(feature = "otlp")]
use crate::otlp;
use crate::path as probed;
use crate::vending::Vending;

/// What connections are given at the end.
const ALLOWANCE: Allowance = Allowance { replies: DRAIN_MAX, closes: CLOSING_MAX };

/// Why the monitor cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// Settings that do not go together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file that the configuration names cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// Certificates or their keys cannot be used.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The journals cannot be followed: the folder of the state cannot be made, or there
    /// is no thread.
    #[error("the journals cannot be followed")]
    Collect(#[source] io::Error),
    /// The folder of the state cannot be made.
    #[error("the state directory cannot be used")]
    State(#[source] io::Error),
    /// Spans and metrics cannot be sent as `otlp` says.
    #[error("the collector of OpenTelemetry cannot be used")]
    Otlp(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// `otlp` without `journals`.
    #[error("otlp sends what the journals tell, and `journals` names none")]
    NothingToExport,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Cryptography(#[from] TicketKeyError),
}

/// Where the monitor listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundAddresses {
    /// The address, with the port that the kernel chose.
    pub https: SocketAddr,
}

/// Runs the monitor until `shutdown` completes and its connections have ended.
///
/// `ready` is called once the listener is open; the balancer need not be there. After
/// `shutdown` no connection is accepted; what is left after 5 s is closed.
///
/// *Errors*: [`MonitorError`], all before `ready` except a listener that breaks.
pub async fn run(
    config: Config,
    ready: impl FnOnce(BoundAddresses),
    shutdown: impl Future<Output = ()>,
) -> Result<(), MonitorError> {
    let access = Arc::new(access(&config)?);
    let tickets = TicketKeys::new(ticket_key()?, Vec::new());
    let identity = ServerIdentity::load(config.tls.pairs())?;
    let tls = tls::server_config(Arc::clone(&identity), Arc::clone(&tickets), &[tls::ALPN_HTTP1])?;
    let acceptor = listening(config.listen)?;
    let bound = BoundAddresses { https: acceptor.local_addr() };
    let (sender, latest) = watch::channel(None);
    let mut background = JoinSet::new();
    let balancer: Arc<Path> = config.balancer_admin_socket.into();
    let grids = Grids::new(&balancer);
    background.spawn({
        let balancer = Arc::clone(&balancer);
        async move { ask::again_and_again(&balancer, sender).await }
    });
    background.spawn(rotate(tickets));
    background.spawn(tls::keep_current(identity));
    let board = (!config.journals.is_empty()).then(SharedBoard::default);
    let exported = config.otlp.is_some().then(Arc::<Counts>::default);
    let listener = match (&config.otlp, &board, &exported) {
        (Some(otlp), Some(board), Some(counts)) => {
            Some(listener(otlp, board.clone(), latest.clone(), counts, &mut background)?)
        }
        (Some(_), None, _) => return Err(MonitorError::NothingToExport),
        (Some(_) | None, _, _) => None,
    };
    let window = SharedWindow::default();
    let collector = board
        .clone()
        .map(|board| {
            Collector::start(config.journals, config.state_dir.clone(), board, listener, window.clone())
        })
        .transpose()
        .map_err(MonitorError::Collect)?;
    let path = config.path.map(|path| probed::Path::open(path, config.state_dir.as_deref(), board.clone()));
    let path = path.transpose().map_err(MonitorError::State)?;
    if let Some(path) = path.clone() {
        background.spawn(path.again_and_again());
    }
    let sources = Sources {
        latest: latest.clone(),
        board: board.clone(),
        window,
        path: path.clone(),
        state_dir: config.state_dir,
    };
    let (analyst, findings) = Analyst::start(sources).map_err(MonitorError::Collect)?;
    let drain = Drain::new();
    let live = Live::new(drain.signal());
    let name = config.name.into();
    let aside = Aside::default();
    let door = Door { name, latest, board, live, findings, grids, balancer, access, path, exported, aside };
    background.spawn(live::again_and_again(door.clone()));
    let routes = door::routes(door);
    ready(bound);
    let received = receive(acceptor, Arc::new(House { tls, routes }), &drain);
    let (broken, _) = tokio::join!(received, drain.end_in_order(shutdown, ALLOWANCE));
    background.shutdown().await;
    drop(collector);
    drop(analyst);
    broken.map_err(|source| MonitorError::Listen { address: config.listen, source })
}

/// Who lets people in: by vending where there is one, by the one-time link where the
/// supervisor left one.
fn access(config: &Config) -> Result<Access, MonitorError> {
    config.validate()?;
    let vending = match (&config.vending, &config.ca) {
        (Some(url), Some(ca)) => {
            let pem = fs::read(ca).map_err(|source| MonitorError::File { path: ca.clone(), source })?;
            Some(Vending::new(url.clone(), &pem)?)
        }
        (None, _) | (_, None) => None,
    };
    let now_ms = Stamp::now().wall_ns / 1_000_000;
    let link = config.one_time_link.as_ref().and_then(|path| OneTimeLink::take(path, now_ms, Instant::now()));
    Ok(Access::new(vending, link))
}

/// Accepts connections until the drain begins, and sees them to their ends.
///
/// *Errors*: those of a listener that broke, which begins the drain.
async fn receive(acceptor: Acceptor, house: Arc<House>, drain: &Drain) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let broken = accept_loop(acceptor, drain.signal(), Until::Draining, |accepted, guard| {
        while connections.try_join_next().is_some() {}
        if drain.open() > CONNECTIONS_MAX {
            tracing::warn!(source = %accepted.source, "a connection was closed: too many are open");
            return;
        }
        connections.spawn(connection::serve(Arc::clone(&house), accepted, drain.signal(), guard));
    });
    let broken = broken.await;
    drain.begin(Instant::now());
    drain.signal().reached(Until::Closing).await;
    // Those that are left close in stages now, and are dropped if they do not.
    let _ = drain.wait_idle(Instant::now() + ALLOWANCE.closes).await;
    connections.shutdown().await;
    broken
}

/// Begins to send spans and metrics.
#[cfg(feature = "otlp")]
fn listener(
    config: &Otlp,
    board: SharedBoard,
    latest: watch::Receiver<Latest>,
    counts: &Arc<Counts>,
    background: &mut JoinSet<()>,
) -> Result<Listener, MonitorError> {
    let collector = otlp::Collector::open(config).map_err(|error| MonitorError::Otlp(error.into()))?;
    Ok(otlp::start(config, collector, board, latest, counts, background))
}

#[cfg(not(feature = "otlp"))]
fn listener(
    _: &Otlp,
    _: SharedBoard,
    _: watch::Receiver<Latest>,
    _: &Arc<Counts>,
    _: &mut JoinSet<()>,
) -> Result<Listener, MonitorError> {
    Err(MonitorError::Otlp("this program was built without the feature otlp".into()))
}

fn listening(address: SocketAddr) -> Result<Acceptor, MonitorError> {
    let bound = listen::bind(address, listen::BACKLOG).and_then(Acceptor::new);
    bound.map_err(|source| MonitorError::Listen { address, source })
}

fn ticket_key() -> Result<TicketKey, TicketKeyError> {
    let secret: Zeroizing<[u8; 32]> = Zeroizing::new(rand::rng().random());
    TicketKey::derive(&secret)
}

/// Replaces the key of TLS session tickets every day, until the future is dropped. The
/// one before is forgotten: that costs each client one full handshake a day.
async fn rotate(tickets: Arc<TicketKeys>) {
    loop {
        sleep(TLS_TICKET_KEY_AGE_MAX).await;
        match ticket_key() {
            Ok(key) => tickets.replace(key, Vec::new()),
            Err(error) => {
                tracing::error!(%error, "the key of TLS session tickets stays in use for another day");
            }
        }
    }
}
