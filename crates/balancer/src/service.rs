//! A balancer as a whole: opens everything, serves, and ends in order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_journal::{Journal, JournalConfig, JournalError};
use repono_net::drain::Drain;
use repono_net::proxy_v2::{KeyFileError, ProxyKey};
use repono_net::tls::{self, TlsError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;

use crate::admin::Desk;
use crate::checks::{CHECK_MAX, check_while_held};
use crate::config::{Config, ConfigError};
use crate::connection::Common;
use crate::heads::Heads;
use crate::limits::Limits;
use crate::open::OpenConnections;
use crate::probe::Probe;
use crate::shard::Shard;
use crate::trace::Traces;
use crate::{admin, handover};

mod entrance;
mod reload;
mod running;

use entrance::Entrance;
use running::{Ended, Running};

/// How long connections may take to become quiet after the order to stop.
const STOP_MAX: Duration = Duration::from_secs(30);

/// How long connections may go on beside a successor.
const LEAVE_MAX: Duration = Duration::from_secs(3600);

/// How long the last ones may take to be reset and recorded.
const CUT_MAX: Duration = Duration::from_secs(3);

/// Where the balancer can be reached.
#[derive(Clone, Debug)]
pub struct BoundAddresses {
    /// For clients, with the port that the kernel chose.
    pub listen: SocketAddr,
    /// For the operator.
    pub admin_socket: PathBuf,
}

/// The balancer cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum BalancerError {
    /// The configuration cannot be used.
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    /// The key of the PROXY header cannot be used.
    #[error("the key that the heads know the balancer by cannot be used")]
    Key(#[from] KeyFileError),
    /// The authorities' certificates cannot be read.
    #[error("{} cannot be read", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The authorities' certificates cannot be used.
    #[error("the health checks cannot speak TLS")]
    Tls(#[from] TlsError),
    /// The journal cannot be opened.
    #[error("the journal cannot be opened")]
    Journal(#[from] JournalError),
    /// The clients' address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The kernel's reason.
        source: io::Error,
    },
    /// No running balancer hands over its listener.
    #[error("no balancer hands over its listener at {}", path.display())]
    Predecessor {
        /// Where it was asked.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The listener that was given listens elsewhere.
    #[error("the listener that was given is on {given}, the configuration says {configured}")]
    OtherAddress {
        /// `listen` of the configuration.
        configured: SocketAddr,
        /// Where the listener listens.
        given: SocketAddr,
    },
    /// The operator's socket cannot be opened.
    #[error("cannot listen on {}", path.display())]
    Admin {
        /// The socket.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A thread cannot be started, or can take no more connections.
    #[error("a relaying thread has failed")]
    Thread(#[source] io::Error),
    /// A thread has panicked.
    #[error("a relaying thread has panicked")]
    Panicked,
}

/// How a balancer starts, and what it hears while it runs.
#[derive(Debug, Default)]
pub struct Start {
    /// Where its listening socket comes from.
    pub listener: ListenerFrom,
    /// Configurations that are to take effect while it runs: heads, weights and
    /// limits. What else has changed in them is named in a warning.
    pub reloads: Option<mpsc::Receiver<Config>>,
}

/// Where a listening socket comes from.
#[derive(Debug, Default)]
pub enum ListenerFrom {
    /// It is opened.
    #[default]
    Own,
    /// It was inherited, as systemd passes it.
    Inherited(TcpListener),
    /// A running balancer with the same operator's socket hands it over and drains.
    Predecessor,
}

/// Runs a balancer until `shutdown` completes and its connections have ended.
///
/// `ready` is called once connections are accepted. After `shutdown` none is: those
/// that are quiet end with FIN, and what is left after 30 s with RST.
///
/// *Errors*: [`BalancerError`]; after `ready` only when a thread fails.
/// *Cancel safety*: dropping the future closes every connection at once.
pub async fn run(
    config: Config,
    ready: impl FnOnce(BoundAddresses),
    shutdown: impl Future<Output = ()>,
) -> Result<(), BalancerError> {
    run_from(config, Start::default(), ready, shutdown).await
}

/// The same with a listener from elsewhere, and reloads; it also ends when a
/// successor has taken over and the last connection has ended.
///
/// *Errors*: as [`run`].
/// *Cancel safety*: as [`run`].
pub async fn run_from(
    config: Config,
    start: Start,
    ready: impl FnOnce(BoundAddresses),
    shutdown: impl Future<Output = ()>,
) -> Result<(), BalancerError> {
    config.validate()?;
    if config.closes_before_heads() {
        tracing::warn!(
            idle_ms = config.idle_ms,
            "idle_ms: heads keep idle connections for longer, so closes can race requests"
        );
    }
    let opened = Opened::open(&config)?;
    let entrance = Entrance::open(&config, start.listener).await?;
    let drain = CloseOnDrop(Drain::new());
    let mut background = opened.start_background(&config)?;
    let mut threads = opened.start_threads(&config, &entrance.listener, &drain.0)?;
    let bound = entrance.bound.clone();
    let listener = entrance.listener.try_clone().map_err(BalancerError::Thread)?;
    let relief = entrance.open_to_successors()?;
    ready(bound);
    let mut shutdown = pin!(shutdown);
    let running = Running {
        opened: &opened,
        started: &config,
        current: config.clone(),
        listener,
        reloads: start.reloads,
    };
    let ended = running.until_told(&mut background, &mut threads, relief, shutdown.as_mut()).await;
    if let Ended::Relieved = ended {
        tracing::info!("a successor has taken over: connections are drained");
        drain.0.begin(Instant::now());
        opened.heads.begin_leave();
        tokio::select! {
            _ = drain.0.wait_idle(Instant::now() + LEAVE_MAX) => {}
            () = shutdown => {}
        }
    }
    stop(&opened.heads, &drain.0).await;
    let rest = join(threads).await;
    background.shutdown().await;
    if !matches!(ended, Ended::Relieved) {
        // The next balancer replaces a socket that cannot be removed.
        let _ = std::fs::remove_file(&config.admin_socket);
        let _ = std::fs::remove_file(handover::path(&config.admin_socket));
    }
    // Its thread is joined, which blocks; a panic in there has lost records only.
    let _ = spawn_blocking(move || opened.journal.close()).await;
    match ended {
        Ended::Stopped | Ended::Relieved => rest,
        Ended::Failed(error) => Err(error),
    }
}

async fn stop(heads: &Heads, drain: &Drain) {
    let begun = Instant::now();
    drain.begin(begun);
    heads.begin_stop();
    if let Err(open) = drain.wait_idle(begun + STOP_MAX).await {
        tracing::warn!(%open, "connections are reset before they were quiet");
        heads.cut();
        // What is left now hangs in a farewell, and is closed with its thread.
        let _ = drain.wait_idle(Instant::now() + CUT_MAX).await;
    }
    drain.close();
}

async fn join(mut threads: Threads) -> Result<(), BalancerError> {
    let mut ended = Ok(());
    while let Some(thread) = threads.join_next().await {
        ended = ended.and(thread.unwrap_or(Err(BalancerError::Panicked)));
    }
    ended
}

/// Ends the threads when [`run`] does, however it does.
struct CloseOnDrop(Drain);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

type Threads = JoinSet<Result<(), BalancerError>>;

/// What a balancer opens before it listens.
struct Opened {
    heads: Arc<Heads>,
    traces: Arc<Traces>,
    open: Arc<OpenConnections>,
    limits: watch::Sender<Limits>,
    proxy_key: ProxyKey,
    probe: Arc<Probe>,
    journal: Journal,
}

impl Opened {
    fn open(config: &Config) -> Result<Self, BalancerError> {
        let proxy_key = ProxyKey::read(&config.proxy_key_file)?;
        let ca = std::fs::read(&config.ca)
            .map_err(|source| BalancerError::Ca { path: config.ca.clone(), source })?;
        let tls = tls::client_config(&ca)?;
        let probe = Arc::new(Probe::new(tls, config.tls_name()?, &proxy_key, CHECK_MAX));
        let journal = Journal::open(JournalConfig::new(&config.journal, "balancer", &config.name))?;
        let heads = Heads::new(&config.heads, journal.shared());
        let traces = Arc::new(Traces::new(journal.shared()));
        let limits = watch::Sender::new(Limits::of(config));
        let open = Arc::default();
        Ok(Self { heads, traces, open, limits, proxy_key, probe, journal })
    }

    /// The health checks and the operator's interface, on the caller's runtime.
    fn start_background(&self, config: &Config) -> Result<JoinSet<()>, BalancerError> {
        let admin = admin::bind(&config.admin_socket)
            .map_err(|source| BalancerError::Admin { path: config.admin_socket.clone(), source })?;
        let mut background = JoinSet::new();
        for head in self.heads.all() {
            background.spawn(check_while_held(Arc::clone(&self.heads), head, Arc::clone(&self.probe)));
        }
        let desk = Desk {
            heads: Arc::clone(&self.heads),
            open: Arc::clone(&self.open),
            limits: self.limits.subscribe(),
        };
        let traces = Arc::clone(&self.traces);
        background.spawn(async move {
            if let Err(error) = admin::serve(admin, desk, traces).await {
                tracing::error!(%error, "the operator's socket broke");
            }
        });
        Ok(background)
    }

    fn start_threads(
        &self,
        config: &Config,
        listener: &TcpListener,
        drain: &Drain,
    ) -> Result<Threads, BalancerError> {
        let mut threads = JoinSet::new();
        for number in 0..config.threads {
            let shard = Shard {
                listener: listener.try_clone().map_err(BalancerError::Thread)?,
                common: self.common(),
                drain: drain.clone(),
            };
            threads.spawn(end_of(shard.start(number).map_err(BalancerError::Thread)?));
        }
        Ok(threads)
    }

    fn common(&self) -> Arc<Common> {
        Arc::new(Common {
            heads: Arc::clone(&self.heads),
            proxy_key: self.proxy_key.clone(),
            limits: self.limits.subscribe(),
            recorder: self.journal.shared(),
            traces: Arc::clone(&self.traces),
            open: self.open.shelf(),
            random: Mutex::new(StdRng::from_os_rng()),
        })
    }
}

async fn end_of(thread: oneshot::Receiver<io::Result<()>>) -> Result<(), BalancerError> {
    thread.await.map_err(|_| BalancerError::Panicked)?.map_err(BalancerError::Thread)
}
