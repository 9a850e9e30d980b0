//! A head as a whole: opens everything, accepts, looks after its threads, and ends
//! in order.

mod threads;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use repono_core::time::Timestamp;
use repono_journal::{ChangeRecord, Journal, JournalConfig, JournalError, Recorder, Stamp};
use repono_net::descriptors;
use repono_net::drain::{Allowance, Drain, Until};
use repono_net::listen::{self, Accepted, Acceptor, accept_loop};
use repono_net::proxy_v2::{KeyFileError, ProxyKey};
use repono_net::socket::{SocketOptions, prepare_accepted};
use repono_net::tls::{self, ServerIdentity, TicketKeys, TlsError};
use repono_store::error::StoreError;
use repono_store::store::{Store, StoreConfig};
use repono_ticket::{MasterKey, SealError};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::connection::rules::Rules;
use crate::connection::{Arrival, Arrived};
use crate::directory::{BuildError, Built, DirectoryFeed, Masters, build};
use crate::limits::{
    CLOSING_MAX, CLOSING_STAGED_MAX, DESCRIPTORS_BESIDES, DRAIN_CONNECTIONS_MAX, LOOK_EVERY,
};
use crate::shard::Common;
use crate::upkeep::{Charge, Upkeep, UpkeepError};
use crate::vitals::{Turn, Watch};

use threads::Threads;

/// What the journal is called when it stands still.
const JOURNAL: &str = "journal";

/// Findings of the watch that wait to be said: two for each thread of a large machine.
const SAYINGS_MAX: usize = 64;

/// Quiet connections end at once when it is over, those within a request when that is
/// answered or cut short.
const ALLOWANCE: Allowance =
    Allowance { replies: DRAIN_CONNECTIONS_MAX, closes: CLOSING_MAX.saturating_add(CLOSING_STAGED_MAX) };

/// Why a head cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
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
    /// The key of the PROXY header cannot be used.
    #[error("the key that the balancer proves itself with cannot be used")]
    ProxyKey(#[from] KeyFileError),
    /// The store cannot be opened or read.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The key ring or the revocations in the store cannot be used.
    #[error("the directory of users and keys cannot be built")]
    Directory(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Certificates or their keys cannot be used.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The journal cannot be opened.
    #[error("the journal cannot be opened")]
    Journal(#[from] JournalError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A thread or its runtime cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
}

impl From<UpkeepError> for HeadError {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::Store(error) => Self::Store(error),
            UpkeepError::Thread(error) => Self::Thread(error),
        }
    }
}

impl From<BuildError> for HeadError {
    fn from(error: BuildError) -> Self {
        Self::Directory(Box::new(error))
    }
}

/// Runs a head until `shutdown` completes and its connections have ended.
///
/// `ready` is called once both listeners are open. After `shutdown` every reply
/// announces the end of its connection. Connections end that were quiet for a
/// minute; after 30 s all that are quiet, and the others with what they are at.
///
/// *Errors*: [`HeadError`], all before `ready` except a listener that breaks.
pub async fn run(
    config: Config,
    ready: impl FnOnce(),
    shutdown: impl Future<Output = ()>,
) -> Result<(), HeadError> {
    raise_descriptors(&config);
    let (sayings, said) = mpsc::channel(SAYINGS_MAX);
    let Opened { common, journal, charge } = Opened::open(&config, said).await?;
    let options = config.socket_options();
    let direct = listener(config.direct, &options)?;
    let balanced = listener(config.balanced, &options)?;
    let drain = Drain::new();
    // The standby serves on this thread, which waits for no disk.
    let local = LocalSet::new();
    let (threads, standby) = Threads::start(&config, &common, &journal, &drain)?;
    local.spawn_local(standby);
    let upkeep = Upkeep::start(charge)?;
    let mut watch = Watch::new(Arc::clone(&common.condition));
    threads.pulses().for_each(|pulse| watch.pulse(pulse));
    watch.pulse(&upkeep.pulse);
    watch.pulse(&upkeep.disk);
    watch.answering(JOURNAL, || journal.sign_of_life());
    let mut recorder = journal.recorder();
    let watching = look_on(&mut watch, &common.name, &mut recorder, sayings);
    ready();
    let serving =
        serve(&threads, &drain, [(direct, Arrival::Direct), (balanced, Arrival::Balanced)], shutdown);
    local
        .run_until(async {
            tokio::select! {
                () = serving => {}
                () = watching => {}
            }
        })
        .await;
    let journal_stalled = watch.is_stalled(JOURNAL);
    drop((watch, local));
    threads.end();
    upkeep.end();
    if journal_stalled {
        // It would be waited for without end.
        std::mem::forget(journal);
    } else {
        journal.close();
    }
    Ok(())
}

/// Accepts connections until the head has ended in order.
async fn serve(
    threads: &Threads,
    drain: &Drain,
    listeners: [(Acceptor, Arrival); 2],
    shutdown: impl Future<Output = ()>,
) {
    let accept = async |(acceptor, arrival): (Acceptor, Arrival)| {
        let address = acceptor.local_addr();
        let broken = accept_loop(acceptor, drain.signal(), Until::Closing, |accepted, guard| {
            let Accepted { stream, source, destination } = accepted;
            // A socket that cannot leave this runtime is one that broke already.
            if let Ok(stream) = stream.into_std() {
                threads.deal(Arrived { stream, source, destination, arrival, guard });
            }
        });
        if let Err(error) = broken.await {
            tracing::error!(%address, %error, "a listener broke: this head ends");
            drain.begin(Instant::now());
        }
    };
    let [direct, balanced] = listeners;
    let ended = drain.end_in_order(shutdown, ALLOWANCE);
    // Those that are open even after that are dropped; the drain has said so.
    let (_, (), ()) = tokio::join!(ended, accept(direct), accept(balanced));
}

/// Looks at what is watched until the future is dropped, and has said what it finds:
/// in the journal at once, and to people by a thread that may wait for them.
async fn look_on(watch: &mut Watch<'_>, head: &str, recorder: &mut Recorder, sayings: mpsc::Sender<Turn>) {
    let what = format!("{head}.readiness");
    loop {
        sleep(LOOK_EVERY).await;
        for turn in watch.look() {
            let (from, to) = match &turn {
                Turn::Stalled(name) => ("moving".to_owned(), format!("stalled: {name}")),
                Turn::Recovered(name) => (format!("stalled: {name}"), "moving".to_owned()),
            };
            recorder.change(ChangeRecord {
                at: Stamp::now(),
                who: "watchdog",
                what: &what,
                from: &from,
                to: &to,
            });
            // A thread that stands still says nothing; the journal has it.
            let _ = sayings.try_send(turn);
        }
    }
}

/// A shortage of descriptors is survived, but it is better to know of it at once.
fn raise_descriptors(config: &Config) {
    let needed = config.connections_max as u64 + DESCRIPTORS_BESIDES;
    match descriptors::raise_limit() {
        Ok(None) => {}
        Ok(Some(limit)) if limit >= needed => {}
        Ok(Some(limit)) => tracing::warn!(limit, needed, "too few files may be open for all connections"),
        Err(error) => tracing::warn!(%error, "the limit on open files cannot be raised"),
    }
}

fn listener(address: SocketAddr, options: &SocketOptions) -> Result<Acceptor, HeadError> {
    let bound = listen::bind(address, listen::BACKLOG).and_then(|listener| {
        prepare_accepted(&listener, options)?;
        Acceptor::new(listener)
    });
    bound.map_err(|source| HeadError::Listen { address, source })
}

/// What a head opens before it listens.
struct Opened {
    common: Arc<Common>,
    journal: Journal,
    charge: Charge,
}

impl Opened {
    async fn open(config: &Config, said: mpsc::Receiver<Turn>) -> Result<Self, HeadError> {
        let masters = Masters { heads: master_key(&config.heads_master_key_file)? };
        let proxy_key = ProxyKey::read(&config.proxy_key_file)?;
        let store = Store::open(StoreConfig::new(&config.store))?;
        let snapshot = store.meta().identity().await?;
        let Built { directory, tls: keys } = build(&snapshot, &masters, Timestamp::now().unix_seconds())?;
        let ticket_keys = TicketKeys::new(keys.current, keys.accepted);
        let identity = ServerIdentity::load(config.tls.pairs())?;
        let tls = tls::server_config(
            Arc::clone(&identity),
            Arc::clone(&ticket_keys),
            &[tls::ALPN_HTTP2, tls::ALPN_HTTP1],
        )?;
        let journal = Journal::open(JournalConfig::new(&config.journal, "head", &config.name))?;
        let common = Arc::new(Common {
            name: config.name.as_str().into(),
            store,
            directory: Arc::new(DirectoryFeed::new(directory)),
            proxy_key,
            tls,
            counts: Arc::default(),
            condition: Arc::default(),
            journal_requests: config.journal_requests,
            rules: Rules::new(config),
        });
        let charge = Charge {
            store: common.store.clone(),
            directory: config.store.clone(),
            feed: Arc::clone(&common.directory),
            masters,
            ticket_keys,
            epoch: snapshot.epoch,
            identity,
            counts: Arc::clone(&common.counts),
            said,
        };
        Ok(Self { common, journal, charge })
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, HeadError> {
    let text =
        fs::read_to_string(path).map_err(|source| HeadError::File { path: path.to_owned(), source })?;
    Ok(Zeroizing::new(text))
}

fn master_key(path: &Path) -> Result<MasterKey, HeadError> {
    MasterKey::from_hex(&read(path)?).map_err(|source| HeadError::Key { path: path.to_owned(), source })
}
