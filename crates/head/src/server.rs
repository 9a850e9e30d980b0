//! A head as a whole: opens everything, deals connections to its threads, and
//! ends in order.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use repono_core::time::Timestamp;
use repono_journal::{Journal, JournalConfig, JournalError};
use repono_net::descriptors;
use repono_net::drain::{Allowance, Drain, Until};
use repono_net::listen::{self, Accepted, Acceptor, accept_loop};
use repono_net::proxy_v2::ProxyKey;
use repono_net::socket::reset;
use repono_net::tls::{self, PairFiles, ServerIdentity, TicketKeys, TlsError};
use repono_store::error::StoreError;
use repono_store::store::{Store, StoreConfig};
use repono_ticket::{MasterKey, SealError};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::admission::{self, Admission, Cause, Counts};
use crate::collector::collect;
use crate::config::Config;
use crate::connection::rules::Rules;
use crate::connection::{self, Arrival, Arrived};
use crate::directory::{BuildError, Built, DirectoryFeed, Masters, build, refresh};
use crate::limits::{
    CLOSING_MAX, CLOSING_STAGED_MAX, CONNECTIONS_RESERVE, DESCRIPTORS_BESIDES, DRAIN_CONNECTIONS_MAX,
};
use crate::shard::{Common, Shard};

/// Connections that wait for a thread to take them; a thread takes one in
/// microseconds, so a full queue means that it is stuck.
const DEALT_MAX: usize = 1024;

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
    let opened = Opened::open(&config).await?;
    let direct = listener(config.direct)?;
    let balanced = listener(config.balanced)?;
    let drain = Drain::new();
    let mut threads = Threads::start(&config, &opened, &drain)?;
    let refreshing = tokio::spawn(refresh(
        Arc::clone(&opened.common.directory),
        Arc::clone(opened.common.store.meta()),
        opened.common.store.reader()?,
        opened.masters,
        opened.ticket_keys,
        opened.epoch,
    ));
    let renewing = tokio::spawn(tls::keep_current(opened.identity));
    let collecting = tokio::spawn(collect(opened.common.store.clone(), config.store.clone()));
    let reporting = tokio::spawn(admission::report(Arc::clone(&opened.common.counts)));
    ready();
    {
        let deal = |arrival| {
            let threads = &threads;
            move |accepted: Accepted, guard| {
                let Accepted { stream, source, destination } = accepted;
                // A socket that cannot leave this runtime is one that broke already.
                if let Ok(stream) = stream.into_std() {
                    threads.deal(Arrived { stream, source, destination, arrival, guard });
                }
            }
        };
        let accept = async |acceptor: Acceptor, arrival| {
            let address = acceptor.local_addr();
            let broken = accept_loop(acceptor, drain.signal(), Until::Closing, deal(arrival)).await;
            if let Err(error) = broken {
                tracing::error!(%address, %error, "a listener broke: this head ends");
                drain.begin(Instant::now());
            }
        };
        let (_, (), ()) = tokio::join!(
            drain.end_in_order(shutdown, ALLOWANCE),
            accept(direct, Arrival::Direct),
            accept(balanced, Arrival::Balanced),
        );
    }
    threads.end();
    refreshing.abort();
    renewing.abort();
    collecting.abort();
    reporting.abort();
    opened.journal.close();
    Ok(())
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

fn listener(address: SocketAddr) -> Result<Acceptor, HeadError> {
    let bound = listen::bind(address, listen::BACKLOG).and_then(Acceptor::new);
    bound.map_err(|source| HeadError::Listen { address, source })
}

/// What a head opens before it listens.
struct Opened {
    common: Arc<Common>,
    journal: Journal,
    masters: Masters,
    ticket_keys: Arc<TicketKeys>,
    identity: Arc<ServerIdentity>,
    epoch: u64,
}

impl Opened {
    async fn open(config: &Config) -> Result<Self, HeadError> {
        let masters = Masters { heads: master_key(&config.heads_master_key_file)? };
        let proxy_key = ProxyKey::new(&*key_bytes(&config.proxy_key_file)?);
        let store = Store::open(StoreConfig::new(&config.store))?;
        let snapshot = store.meta().identity().await?;
        let Built { directory, tls: keys } = build(&snapshot, &masters, Timestamp::now().unix_seconds())?;
        let ticket_keys = TicketKeys::new(keys.current, keys.accepted);
        let identity = ServerIdentity::load(vec![
            PairFiles { chain: config.tls.ecdsa_chain.clone(), key: config.tls.ecdsa_key.clone() },
            PairFiles { chain: config.tls.rsa_chain.clone(), key: config.tls.rsa_key.clone() },
        ])?;
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
            rules: Rules::new(config),
        });
        Ok(Self { common, journal, masters, ticket_keys, identity, epoch: snapshot.epoch })
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

fn key_bytes(path: &Path) -> Result<Zeroizing<[u8; 32]>, HeadError> {
    let text = read(path)?;
    let mut bytes = Zeroizing::new([0; 32]);
    let decoded = data_encoding::HEXLOWER
        .decode_mut(text.trim_end().as_bytes().get(..64).unwrap_or_default(), &mut *bytes);
    match decoded {
        Ok(32) if text.trim_end().len() == 64 => Ok(bytes),
        Ok(_) | Err(_) => Err(HeadError::Key { path: path.to_owned(), source: SealError::KeyText }),
    }
}

/// The serving threads.
struct Threads {
    handles: Vec<thread::JoinHandle<()>>,
    queues: Vec<mpsc::Sender<Arrived>>,
    next: AtomicUsize,
    drain: Drain,
    connections_max: usize,
    counts: Arc<Counts>,
}

impl Threads {
    fn start(config: &Config, opened: &Opened, drain: &Drain) -> Result<Self, HeadError> {
        let mut threads = Self {
            handles: Vec::new(),
            queues: Vec::new(),
            next: AtomicUsize::new(0),
            drain: drain.clone(),
            connections_max: config.connections_max,
            counts: Arc::clone(&opened.common.counts),
        };
        for number in 0..config.threads.max(1) {
            let (queue, arriving) = mpsc::channel(DEALT_MAX);
            let common = Arc::clone(&opened.common);
            let reader = common.store.reader()?;
            let recorder = opened.journal.recorder();
            let signal = drain.signal();
            let config = config.clone();
            let handle = thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
                let shard = || {
                    let admission = Admission::new(&config, Arc::clone(&common.counts));
                    Shard::new(common, reader, recorder, signal, admission)
                };
                if let Err(error) = serve(arriving, shard) {
                    tracing::error!(%error, "a serving thread could not start");
                }
            });
            threads.handles.push(handle.map_err(HeadError::Thread)?);
            threads.queues.push(queue);
        }
        Ok(threads)
    }

    /// Gives a connection to the next thread; beyond the limit it is closed.
    fn deal(&self, arrived: Arrived) {
        let max = match arrived.arrival {
            Arrival::Direct => self.connections_max,
            Arrival::Balanced => self.connections_max.saturating_add(CONNECTIONS_RESERVE),
        };
        if self.drain.open() > max {
            reset(&arrived.stream);
            self.counts.note(Cause::Connection);
            return;
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let queue = self.queues.get(turn % self.queues.len().max(1));
        if queue.is_none_or(|queue| queue.try_send(arrived).is_err()) {
            self.counts.note(Cause::Connection);
            tracing::warn!("a connection was closed: its thread does not take it");
        }
    }

    /// Ends the threads: what is still open is dropped.
    fn end(&mut self) {
        self.queues.clear();
        for handle in self.handles.drain(..) {
            if handle.join().is_err() {
                tracing::error!("a serving thread panicked");
            }
        }
    }
}

/// One thread: serves what is dealt to it until its queue is closed.
fn serve(mut arriving: mpsc::Receiver<Arrived>, shard: impl FnOnce() -> Rc<Shard>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let shard = shard();
    runtime.block_on(local.run_until(async move {
        // They end with this block, as everything that is local to the thread.
        tokio::task::spawn_local(Rc::clone(&shard.admission.sources).dispatch());
        tokio::task::spawn_local(Rc::clone(&shard.admission.parties).dispatch());
        let connections = Rc::clone(&shard.admission.connections);
        tokio::task::spawn_local(Rc::clone(&shard.admission.crowd).tend(connections));
        tokio::task::spawn_local(Rc::clone(&shard).follow_drain());
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                arrived = arriving.recv() => match arrived {
                    Some(arrived) => {
                        let shard = Rc::clone(&shard);
                        connections.spawn_local(connection::serve(shard, arrived));
                    }
                    None => break,
                },
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the task of a connection failed");
                    }
                }
            }
        }
    }));
    Ok(())
}
