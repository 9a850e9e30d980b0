//! The vending service as a whole: opens everything, listens, and ends in order.

mod session_tickets;
mod sources;

use std::error::Error;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{SeedableRng, rngs::StdRng};
use repono_core::time::Timestamp;
use repono_journal::{Journal, JournalConfig, JournalError, SharedRecorder};
use repono_net::drain::{Allowance, Drain, Until};
use repono_net::listen::{self, Acceptor, accept_loop};
use repono_net::tls::{self, ServerIdentity, TlsError};
use repono_store::error::StoreError;
use repono_store::model::identity::Audit;
use repono_store::store::{Store, StoreConfig};
use repono_ticket::{MasterKey, SealError};
use rustls::ServerConfig;
use tokio::task::JoinSet;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::admin;
use crate::admin::socket::AdminSocket;
use crate::config::{Config, SwiftLogin};
use crate::connection::{self, House};
use crate::desk::Desk;
use crate::directory::{Feed, RefreshError};
use crate::door::{self, Door};
use crate::introspection::Introspection;
use crate::key_ring::{self, Masters, RingError};
use crate::limits::{CLOSING_MAX, CONNECTIONS_MAX, DRAIN_MAX};
use crate::office::Office;
use crate::secret::Verifier;

use session_tickets::SessionTickets;
use sources::Sources;

/// What connections are given at the end.
const ALLOWANCE: Allowance = Allowance { replies: DRAIN_MAX, closes: CLOSING_MAX };

/// Why the service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum VendingError {
    /// A file that the configuration names cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A key file holds no key.
    #[error("{} holds no key: 64 hex digits are expected", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SealError,
    },
    /// Both master keys are the same: heads could sign tickets.
    #[error("the master keys of vending and of the heads are the same; make another")]
    SameKeys,
    /// The store cannot be opened or read.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The users, secrets or keys in the store cannot be used.
    #[error("the directory of users and keys cannot be built")]
    Directory(#[source] Box<dyn Error + Send + Sync>),
    /// Certificates or their keys cannot be used.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The journal cannot be opened.
    #[error("the journal cannot be opened")]
    Journal(#[from] JournalError),
    /// The public address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The administrators' socket cannot be opened.
    #[error("cannot open the admin socket {}", path.display())]
    AdminSocket {
        /// The socket.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Cryptography,
}

impl From<RefreshError> for VendingError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Store(error) => Self::Store(error),
            error @ (RefreshError::Keys(_) | RefreshError::Rights(_) | RefreshError::Unsettled) => {
                Self::Directory(Box::new(error))
            }
        }
    }
}

impl From<RingError> for VendingError {
    fn from(error: RingError) -> Self {
        match error {
            RingError::Store(error) => Self::Store(error),
            error @ (RingError::Key(_) | RingError::Rotation(_) | RingError::Transition(_)) => {
                Self::Directory(Box::new(error))
            }
        }
    }
}

/// Where the service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundAddresses {
    /// The public address, with the port that the kernel chose.
    pub https: SocketAddr,
    /// The administrators' socket.
    pub admin: PathBuf,
}

/// Runs the service until `shutdown` completes and its connections have ended.
///
/// `ready` is called once both listeners are open. After `shutdown` no connection
/// is accepted, idle ones end at once and the others with their next reply; what
/// is left after 30 s is closed.
///
/// *Errors*: [`VendingError`], all before `ready` except a listener that breaks.
pub async fn run(
    config: Config,
    ready: impl FnOnce(BoundAddresses),
    shutdown: impl Future<Output = ()>,
) -> Result<(), VendingError> {
    let opened = Opened::open(&config).await?;
    let acceptor = listener(config.listen)?;
    let socket = AdminSocket::bind(&config.admin_socket)
        .map_err(|source| VendingError::AdminSocket { path: config.admin_socket.clone(), source })?;
    let drain = Drain::new();
    let mut background = JoinSet::new();
    background.spawn({
        let feed = Arc::clone(&opened.feed);
        async move { feed.follow().await }
    });
    background.spawn({
        let office = Arc::clone(&opened.office);
        async move { office.tend().await }
    });
    let house = opened.house(&drain);
    background.spawn(opened.tickets.rotate());
    background.spawn(tls::keep_current(Arc::clone(&opened.identity)));
    let bound = BoundAddresses { https: acceptor.local_addr(), admin: config.admin_socket.clone() };
    let administrators = socket.serve(admin::routes(Arc::clone(&opened.office)), drain.signal());
    ready(bound);
    let received = receive(acceptor, house, &drain);
    let ((), broken, _) = tokio::join!(administrators, received, drain.end_in_order(shutdown, ALLOWANCE));
    background.shutdown().await;
    opened.journal.close();
    broken.map_err(|source| VendingError::Listen { address: config.listen, source })
}

/// Accepts connections until the drain begins, and sees them to their ends.
///
/// *Errors*: those of a listener that broke, which begins the drain.
async fn receive(acceptor: Acceptor, house: Arc<House>, drain: &Drain) -> io::Result<()> {
    let sources = Sources::default();
    let mut connections = JoinSet::new();
    let broken = accept_loop(acceptor, drain.signal(), Until::Draining, |accepted, guard| {
        while connections.try_join_next().is_some() {}
        let place = sources.admit(accepted.source.ip());
        let Some(place) = place.filter(|_| drain.open() <= CONNECTIONS_MAX) else {
            tracing::warn!(source = %accepted.source, "a connection was closed: too many are open");
            return;
        };
        let (house, signal) = (Arc::clone(&house), drain.signal());
        connections.spawn(async move {
            connection::serve(house, accepted, signal, guard).await;
            drop(place);
        });
    });
    let broken = broken.await;
    drain.begin(Instant::now());
    drain.signal().reached(Until::Closing).await;
    // Those that are left close in stages now, and are dropped if they do not.
    let _ = drain.wait_idle(Instant::now() + ALLOWANCE.closes).await;
    connections.shutdown().await;
    broken
}

fn listener(address: SocketAddr) -> Result<Acceptor, VendingError> {
    let bound = listen::bind(address, listen::BACKLOG).and_then(Acceptor::new);
    bound.map_err(|source| VendingError::Listen { address, source })
}

/// What the service opens before it listens.
struct Opened {
    feed: Arc<Feed>,
    office: Arc<Office>,
    desk: Arc<Desk>,
    introspection: Arc<Introspection>,
    tls: Arc<ServerConfig>,
    identity: Arc<ServerIdentity>,
    swift: Option<Arc<SwiftLogin>>,
    tickets: SessionTickets,
    recorder: SharedRecorder,
    journal: Journal,
}

impl Opened {
    async fn open(config: &Config) -> Result<Self, VendingError> {
        let masters = Arc::new(masters(config)?);
        let store = StoreConfig::new(&config.store);
        let clock = Arc::clone(&store.clock);
        let meta = Arc::clone(Store::open(store)?.meta());
        let now = clock();
        let by = started(now);
        key_ring::apply(&*meta, by, |rows| key_ring::complete(rows, &masters, now.unix_seconds())).await?;
        let feed = Arc::new(Feed::open(Arc::clone(&meta), Arc::clone(&masters)).await?);
        let journal = Journal::open(JournalConfig::new(&config.journal, "vending", &config.name))?;
        let recorder = journal.shared();
        let turns = std::thread::available_parallelism().map_or(1, usize::from);
        let mut random = StdRng::from_rng(&mut rand::rng());
        let verifier = Verifier::new(turns, &mut random).map_err(|_| VendingError::Cryptography)?;
        let verifier = Arc::new(verifier);
        let desk = Arc::new(Desk::new(Arc::clone(&feed), Arc::clone(&verifier), recorder.clone()));
        let introspection = Arc::new(Introspection::new(Arc::clone(&feed), recorder.clone()));
        let office = Office::new(meta, Arc::clone(&feed), masters, verifier, recorder.clone(), clock);
        let tickets = SessionTickets::new().map_err(|_| VendingError::Cryptography)?;
        let identity = ServerIdentity::load(config.tls.pairs())?;
        let swift = config.swift_login.clone().map(Arc::new);
        let tls = tls::server_config(Arc::clone(&identity), tickets.keys(), &[tls::ALPN_HTTP1])?;
        let office = Arc::new(office);
        Ok(Self { feed, office, desk, introspection, tls, identity, swift, tickets, recorder, journal })
    }

    fn house(&self, drain: &Drain) -> Arc<House> {
        let door = Door {
            desk: Arc::clone(&self.desk),
            introspection: Arc::clone(&self.introspection),
            drain: drain.clone(),
            swift: self.swift.clone(),
        };
        Arc::new(House {
            tls: Arc::clone(&self.tls),
            routes: door::routes(door),
            recorder: self.recorder.clone(),
        })
    }
}

pub(crate) fn started(at: Timestamp) -> Audit {
    Audit {
        at,
        who: "vending".to_owned(),
        source: "this process".to_owned(),
        what: "make the keys that are missing".to_owned(),
    }
}

fn masters(config: &Config) -> Result<Masters, VendingError> {
    let vending = read_key(&config.vending_master_key_file)?;
    let heads = read_key(&config.heads_master_key_file)?;
    if vending.trim().eq_ignore_ascii_case(heads.trim()) {
        return Err(VendingError::SameKeys);
    }
    Ok(Masters {
        vending: parse_key(&vending, &config.vending_master_key_file)?,
        heads: parse_key(&heads, &config.heads_master_key_file)?,
    })
}

fn read_key(path: &Path) -> Result<Zeroizing<String>, VendingError> {
    let failed = |source| VendingError::File { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let mode = format!("{:o}", mode & 0o777);
        tracing::warn!(file = %path.display(), mode, "a master key can be read by others: set its mode to 600");
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(failed)
}

fn parse_key(text: &str, path: &Path) -> Result<MasterKey, VendingError> {
    MasterKey::from_hex(text).map_err(|source| VendingError::Key { path: path.to_owned(), source })
}
