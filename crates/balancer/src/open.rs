//! The connections that are open: what each thread carries, for whoever asks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repono_core::id::ConnectionId;
use repono_journal::{Stamp, Text};
use tokio::time::Instant;

mod grid;

pub(crate) use grid::{Grid, waiting};

/// Connections that are read under one lock of a thread's shelf: some 10 µs, for which
/// that thread may have to wait when it opens or ends a connection at this moment.
const CHUNK: usize = 256;

/// All shelves of a balancer.
#[derive(Default)]
pub(crate) struct OpenConnections(Mutex<Vec<Arc<Shelf>>>);

/// The connections of one thread: as many as `connections_max` at most.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Shelved>);

#[derive(Default)]
struct Shelved {
    next: u64,
    connections: BTreeMap<u64, Arc<Open>>,
}

/// One connection. Its task alone writes it.
pub(crate) struct Open {
    id: ConnectionId,
    client: SocketAddr,
    head: Text<32>,
    opened_ns: u64,
    /// The same moment on both clocks.
    base: (Instant, u64),
    /// Nanoseconds from `base` to the last byte, doubled; the last bit is set while the
    /// client waits.
    last: AtomicU64,
}

/// A connection's place, given up when dropped.
pub(crate) struct Place<'a> {
    shelf: &'a Shelf,
    number: u64,
    open: Arc<Open>,
}

/// One connection at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) id: ConnectionId,
    pub(crate) client: SocketAddr,
    pub(crate) head: Text<32>,
    pub(crate) age: Duration,
    pub(crate) idle: Duration,
    pub(crate) turn: Turn,
}

/// Whether the client waits: it has sent something, and the head nothing since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Waiting,
    Quiet,
}

impl OpenConnections {
    /// A shelf for one more thread.
    pub(crate) fn shelf(&self) -> Arc<Shelf> {
        let shelf = Arc::<Shelf>::default();
        lock(&self.0).push(Arc::clone(&shelf));
        shelf
    }

    /// Looks at every connection, a few at a time.
    pub(crate) fn look(&self, now: Stamp, mut see: impl FnMut(Seen)) {
        let shelves = lock(&self.0).clone();
        for shelf in shelves {
            let mut from = 0;
            loop {
                let chunk = shelf.chunk(from);
                let Some((last, _)) = chunk.last() else { break };
                from = last.saturating_add(1);
                for (_, open) in &chunk {
                    see(open.seen(now.mono_ns));
                }
            }
        }
    }
}

impl Shelf {
    /// Keeps a connection until its place is dropped.
    pub(crate) fn place(
        &self,
        id: ConnectionId,
        client: SocketAddr,
        head: Text<32>,
        opened: Stamp,
    ) -> Place<'_> {
        let base = (Instant::now(), Stamp::mono_now());
        let open =
            Arc::new(Open { id, client, head, opened_ns: opened.mono_ns, base, last: AtomicU64::new(0) });
        let mut shelved = lock(&self.0);
        let number = shelved.next;
        shelved.next = number.saturating_add(1);
        shelved.connections.insert(number, Arc::clone(&open));
        Place { shelf: self, number, open }
    }

    fn chunk(&self, from: u64) -> Vec<(u64, Arc<Open>)> {
        let shelved = lock(&self.0);
        let chunk = shelved.connections.range(from..).take(CHUNK);
        chunk.map(|(number, open)| (*number, Arc::clone(open))).collect()
    }
}

impl Place<'_> {
    pub(crate) fn open(&self) -> &Open {
        &self.open
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.shelf.0).connections.remove(&self.number);
    }
}

impl Open {
    /// Bytes moved.
    ///
    /// *Cost*: one store into memory that no other thread writes.
    pub(crate) fn moved(&self, at: Instant, turn: Turn) {
        let since = at.saturating_duration_since(self.base.0).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX) << 1;
        self.last.store(since | u64::from(turn == Turn::Waiting), Ordering::Relaxed);
    }

    /// The head has answered.
    pub(crate) fn answered(&self) {
        self.last.store(self.last.load(Ordering::Relaxed) & !1, Ordering::Relaxed);
    }

    fn seen(&self, now_ns: u64) -> Seen {
        let last = self.last.load(Ordering::Relaxed);
        let active_ns = self.base.1.saturating_add(last >> 1);
        Seen {
            id: self.id,
            client: self.client,
            head: self.head,
            age: Duration::from_nanos(now_ns.saturating_sub(self.opened_ns)),
            idle: Duration::from_nanos(now_ns.saturating_sub(active_ns)),
            turn: if last & 1 == 1 { Turn::Waiting } else { Turn::Quiet },
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is a plain insertion or removal: a panic elsewhere leaves it whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
