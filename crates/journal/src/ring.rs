//! What passes from a recorder to the writer's thread.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use rtrb::Consumer;

use crate::change::{AuditRecord, Change};
use crate::connection::ConnectionRecord;
use crate::request::RequestRecord;
use crate::turn::TurnRecord;

/// One place of a ring.
#[derive(Clone, Copy)]
#[expect(
    clippy::large_enum_variant,
    reason = "a ring of places of one size is the point: no heap when a record is pushed"
)]
pub(crate) enum Entry {
    Request(RequestRecord),
    Connection(ConnectionRecord),
    Turn(TurnRecord),
    Change(Change),
    Audit(AuditRecord),
}

/// A larger entry would make a ring of the default length cost more than 4 MiB.
const _: () = assert!(size_of::<Entry>() <= 1024);

/// What recorders, the journal's handle and the writer's thread share.
#[derive(Default)]
pub(crate) struct Shared {
    /// Rings of recorders that the writer has not taken over yet.
    joining: Mutex<Vec<Consumer<Entry>>>,
    /// Records lost: a ring or the disk was full.
    dropped: AtomicU64,
    /// Requests left out by sampling.
    sampled_out: AtomicU64,
    /// The writer sleeps without a limit: the next record must wake it.
    asleep: AtomicBool,
    /// Flushes asked for, and the last one done.
    flushes: Mutex<Flushes>,
    pub(crate) flushed: std::sync::Condvar,
    /// No more records will come: write what there is, and end.
    stopping: AtomicBool,
    writer: OnceLock<Thread>,
}

/// How far flushing has come: a flush is done when the writer, having read its
/// number, has emptied every ring.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flushes {
    pub(crate) asked: u64,
    pub(crate) done: u64,
}

impl Shared {
    pub(crate) fn join(&self, ring: Consumer<Entry>) {
        lock(&self.joining).push(ring);
    }

    pub(crate) fn take_joining(&self) -> Vec<Consumer<Entry>> {
        std::mem::take(&mut *lock(&self.joining))
    }

    pub(crate) fn has_joining(&self) -> bool {
        !lock(&self.joining).is_empty()
    }

    pub(crate) fn drop_records(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(crate) fn count_sampled_out(&self) {
        self.sampled_out.fetch_add(1, Ordering::Relaxed);
    }

    /// One that was left out is written after all.
    pub(crate) fn count_sampled_in(&self) {
        self.sampled_out.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn sampled_out(&self) -> u64 {
        self.sampled_out.load(Ordering::Relaxed)
    }

    pub(crate) fn writer_is(&self, thread: Thread) {
        // Set once, by the only thread that `Journal::open` starts.
        let _already = self.writer.set(thread);
    }

    /// Wakes the writer, whatever it waits for.
    pub(crate) fn wake(&self) {
        self.asleep.store(false, Ordering::Release);
        if let Some(thread) = self.writer.get() {
            thread.unpark();
        }
    }

    /// Wakes the writer only if it sleeps until it is woken.
    pub(crate) fn wake_if_asleep(&self) {
        // The load keeps the common case free of a write to a shared line.
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// The writer is about to sleep until woken; it must look at its rings once
    /// more after this, or a record pushed meanwhile would wait.
    pub(crate) fn fall_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
    }

    pub(crate) fn flushes(&self) -> MutexGuard<'_, Flushes> {
        lock(&self.flushes)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// A holder that panicked leaves these values whole, so poison is no reason to
/// stop recording.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
