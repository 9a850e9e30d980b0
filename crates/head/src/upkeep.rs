//! The thread that looks after what a head has besides connections: directory,
//! certificates, garbage. It waits for the disk so that those who answer never do.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use repono_net::tls::{self, ServerIdentity, TicketKeys};
use repono_store::error::StoreError;
use repono_store::store::Store;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::admission::{self, Counts};
use crate::collector::collect;
use crate::directory::{DirectoryFeed, Masters, refresh};
use crate::limits::DISK_LOOK;
use crate::vitals::{Pulse, Turn};

/// What is looked after.
pub(crate) struct Charge {
    pub(crate) store: Store,
    pub(crate) directory: PathBuf,
    pub(crate) feed: Arc<DirectoryFeed>,
    pub(crate) masters: Masters,
    pub(crate) ticket_keys: Arc<TicketKeys>,
    pub(crate) epoch: u64,
    pub(crate) identity: Arc<ServerIdentity>,
    pub(crate) counts: Arc<Counts>,
    /// What the watch has found, to be said to people.
    pub(crate) said: mpsc::Receiver<Turn>,
}

/// The running thread.
pub(crate) struct Upkeep {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    /// Of the thread itself, which reads the metadata four times a second.
    pub(crate) pulse: Arc<Pulse>,
    /// Of the disk under the store.
    pub(crate) disk: Arc<Pulse>,
}

impl Upkeep {
    /// Starts the thread.
    ///
    /// *Errors*: the store's, for one more reader of it; the kernel's.
    pub(crate) fn start(charge: Charge) -> Result<Self, UpkeepError> {
        let reader = charge.store.reader()?;
        let (end, ended) = oneshot::channel();
        let (pulse, disk) = (Pulse::new("upkeep"), Pulse::new("store-disk"));
        let beating = Arc::clone(&pulse);
        let looking = Arc::clone(&disk);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("upkeep".to_owned()).spawn(move || {
            let Charge { store, directory, feed, masters, ticket_keys, epoch, identity, counts, said } =
                charge;
            let meta = Arc::clone(store.meta());
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = beating.beat_on() => {}
                    () = refresh(feed, meta, reader, masters, ticket_keys, epoch) => {}
                    () = look_at_disk(looking, directory.join(SUPERBLOCK)) => {}
                    () = admission::report(counts) => {}
                    () = say(said) => {}
                    () = beside(tls::keep_current(identity), collect(store, &directory)) => {}
                }
            });
            // A disk that does not answer holds up nobody's end.
            runtime.shutdown_background();
        })?;
        Ok(Self { end, thread, pulse, disk })
    }

    /// Ends the thread, unless it stands still.
    pub(crate) fn end(self) {
        // It may have ended by itself only by a panic, which was printed.
        let _ = self.end.send(());
        if !self.pulse.is_stalled() {
            let _ = self.thread.join();
        }
    }
}

/// Why the thread could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpkeepError {
    /// One more reader of the store could not be opened.
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    /// The kernel gives no thread.
    #[error("the thread cannot be started")]
    Thread(#[from] io::Error),
}

/// A small file of every store, which is opened to hear whether the disk answers.
const SUPERBLOCK: &str = "superblock.json";

/// Runs both, one of which may end by itself.
async fn beside(endless: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::join!(endless, other);
}

/// Says what the watch has found, for as long as it may find something.
async fn say(mut said: mpsc::Receiver<Turn>) {
    while let Some(turn) = said.recv().await {
        match turn {
            Turn::Stalled(what) => {
                tracing::error!(%what, "this head stands still and says that it is not ready")
            }
            Turn::Recovered(what) => tracing::info!(%what, "it moves again"),
        }
    }
    std::future::pending().await
}

/// Opens and reads a file of the store again and again; each time it comes back is a
/// sign of life of the disk.
async fn look_at_disk(disk: Arc<Pulse>, file: PathBuf) {
    loop {
        let file = file.clone();
        // What it says does not matter, nor whether it is there: that it does.
        let _ = tokio::task::spawn_blocking(move || std::fs::read(file)).await;
        disk.beat();
        sleep(DISK_LOOK).await;
    }
}
