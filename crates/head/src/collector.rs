//! Removing what no object refers to any more: one head at a time, by a lock in
//! the store's directory that dies with its holder.

use std::fs::{File, OpenOptions};
use std::path::Path;

use repono_core::time::Timestamp;
use repono_store::collect::ORPHAN_GRACE;
use repono_store::error::StoreError;
use repono_store::store::Store;
use tokio::time::{Instant, interval};

use crate::limits::{GARBAGE_EVERY, ORPHANS_EVERY};

/// Collects until the task is dropped.
pub(crate) async fn collect(store: Store, directory: impl AsRef<Path>) {
    let lock = match OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.as_ref().join("collector.lock"))
    {
        Ok(lock) => lock,
        Err(error) => {
            tracing::error!(%error, "nothing is collected: the collector's lock cannot be opened");
            return;
        }
    };
    let mut rounds = interval(GARBAGE_EVERY);
    let mut orphans_due = Instant::now() + ORPHANS_EVERY;
    loop {
        rounds.tick().await;
        let Some(_turn) = Turn::take(&lock) else { continue };
        let now = Timestamp::now();
        report("expired objects", store.expire().await);
        report("answers", store.forget_answers().await);
        report("garbage", store.collect_garbage(now).await);
        if Instant::now() >= orphans_due {
            orphans_due = Instant::now() + ORPHANS_EVERY;
            report("orphans", store.collect_orphans(now, ORPHAN_GRACE).await);
        }
    }
}

/// The right to collect, until it is dropped.
struct Turn<'f>(&'f File);

impl<'f> Turn<'f> {
    fn take(lock: &'f File) -> Option<Self> {
        lock.try_lock().ok().map(|()| Self(lock))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // It ends with the process at the latest.
        let _ = self.0.unlock();
    }
}

fn report(what: &'static str, collected: Result<u64, StoreError>) {
    match collected {
        Ok(0) => {}
        Ok(count) => tracing::info!(what, count, "collected"),
        Err(error) => {
            tracing::warn!(what, error = &error as &dyn std::error::Error, "the collection was cut short")
        }
    }
}
