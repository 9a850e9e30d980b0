//! The writer thread: one transaction for as many writes as wait.
//!
//! Each write runs in a savepoint of its own, so that a failed precondition never
//! fails its batch. The batch is gathered only once the lock is held: what came
//! while another process wrote shares one fsync.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::gate::Gate;
use super::lock::WriteLock;
use super::queue::{Claim, Pending, Queued, Taking, Verb};
use super::schema;
use crate::error::StoreError;
use crate::model::{Clock, Health};

/// Writes that may wait: at 64 a batch and some milliseconds each, what is
/// behind would wait beyond its time anyway.
const QUEUE_MAX: usize = 1024;

/// Writes of one transaction: by then the fsync is shared so widely that more
/// gain nothing, and the lock is held for some milliseconds only.
const BATCH_MAX: usize = 64;

/// When a `Busy` write may come again.
const RETRY: Duration = Duration::from_secs(1);

/// Pages of 8 KiB in the write-ahead log after which it is written back: 8 MiB.
const CHECKPOINT_PAGES: i32 = 1024;

/// The way to the writer thread.
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Queued>>,
    gate: Arc<Gate>,
    wait: Duration,
}

impl Writer {
    /// Opens the database for writing and starts the thread. The thread ends when
    /// this value is dropped and the queue is empty; nobody waits for that,
    /// because the lock may be held elsewhere for long.
    pub(super) fn start(
        database: &Path,
        lock: &Path,
        wait: Duration,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let mut lock = WriteLock::open(lock)?;
        let guard = lock.acquire()?;
        let mut connection = schema::open_writer(database)?;
        drop(guard);
        let pages = Arc::new(AtomicI32::new(0));
        connection.wal_hook(Some({
            let pages = Arc::clone(&pages);
            move |_: &mut Wal, count| {
                pages.store(count, Ordering::Relaxed);
                Ok(())
            }
        }))?;
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let gate = Arc::new(Gate::default());
        let thread = Thread { connection, lock, waiting, gate: Arc::clone(&gate), clock, pages };
        thread::Builder::new().name("meta-writer".into()).spawn(move || thread.run())?;
        Ok(Self { queue, gate, wait })
    }

    pub(super) fn health(&self) -> Health {
        self.gate.health()
    }

    /// Queues a write and waits for its outcome.
    pub(super) async fn submit<V: Verb>(&self, verb: V) -> Result<V::Answer, StoreError> {
        self.gate.admit(verb.need())?;
        let (reply, mut answer) = oneshot::channel();
        let claim = Claim::waiting();
        let pending = Box::new(Pending::new(verb, Arc::clone(&claim), reply));
        self.queue.try_send(pending).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        let caller = Caller(claim);
        if let Ok(answered) = timeout(self.wait, &mut answer).await {
            return answered.unwrap_or(Err(StoreError::Closed));
        }
        match caller.0.abandon() {
            Taking::Had => Err(StoreError::Busy { retry: RETRY }),
            Taking::TooLate => answer.await.unwrap_or(Err(StoreError::Closed)),
        }
    }
}

/// A caller that goes away abandons what still waits.
struct Caller(Arc<Claim>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

struct Thread {
    connection: Connection,
    lock: WriteLock,
    waiting: mpsc::Receiver<Box<dyn Queued>>,
    gate: Arc<Gate>,
    clock: Clock,
    pages: Arc<AtomicI32>,
}

impl Thread {
    fn run(mut self) {
        while let Some(first) = self.waiting.blocking_recv() {
            self.turn(first);
        }
    }

    /// One turn with the lock.
    fn turn(&mut self, first: Box<dyn Queued>) {
        let Self { connection, lock, waiting, gate, clock, pages } = self;
        let guard = match lock.acquire() {
            Ok(guard) => guard,
            Err(error) => {
                if first.take() == Taking::Had {
                    first.answer(Err(error.into()));
                }
                return;
            }
        };
        let mut batch = gather(first, waiting);
        if batch.is_empty() {
            return;
        }
        let outcome = write(connection, clock, &mut batch);
        gate.learn(&outcome);
        let checkpoint =
            pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES && gate.health() == Health::Writable;
        if checkpoint {
            // The answers do not wait for it; the next turn does.
            answer(batch, &outcome);
            pages.store(0, Ordering::Relaxed);
            gate.learn(&write_back(connection));
            drop(guard);
        } else {
            drop(guard);
            answer(batch, &outcome);
        }
    }
}

/// What waits now, without what was abandoned.
fn gather(first: Box<dyn Queued>, waiting: &mut mpsc::Receiver<Box<dyn Queued>>) -> Vec<Box<dyn Queued>> {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut next = Some(first);
    while let Some(queued) = next.take() {
        if queued.take() == Taking::Had {
            batch.push(queued);
        }
        if batch.len() < BATCH_MAX {
            next = waiting.try_recv().ok();
        }
    }
    batch
}

fn answer(batch: Vec<Box<dyn Queued>>, outcome: &Result<(), StoreError>) {
    for queued in batch {
        queued.answer(outcome.clone());
    }
}

/// Runs a batch in one transaction.
///
/// *Errors*: those that fail the whole batch; then none of it is applied, unless
/// the commit itself failed on the disk, which makes the store read-only.
fn write(connection: &Connection, clock: &Clock, batch: &mut [Box<dyn Queued>]) -> Result<(), StoreError> {
    let outcome = write_all(connection, clock, batch);
    if outcome.is_err() && !connection.is_autocommit() {
        // A rollback that fails leaves the connection unusable, and every later
        // batch fails at its BEGIN.
        drop(connection.execute_batch("ROLLBACK"));
    }
    outcome
}

fn write_all(
    connection: &Connection,
    clock: &Clock,
    batch: &mut [Box<dyn Queued>],
) -> Result<(), StoreError> {
    run(connection, "BEGIN IMMEDIATE")?;
    for queued in batch.iter_mut() {
        run(connection, "SAVEPOINT verb")?;
        match queued.apply(connection, clock()) {
            Ok(()) => {}
            Err(error) if Gate::fails_batch(&error) => return Err(error),
            Err(_) => run(connection, "ROLLBACK TO verb")?,
        }
        run(connection, "RELEASE verb")?;
    }
    for queued in batch.iter_mut() {
        queued.committing();
    }
    run(connection, "COMMIT")
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Writes the log back into the database, as far as readers let it.
fn write_back(connection: &Connection) -> Result<(), StoreError> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}
