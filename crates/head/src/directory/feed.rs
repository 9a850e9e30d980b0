//! Keeping the directory current, and knowing how current it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use repono_core::time::Timestamp;
use repono_net::tls::TicketKeys;
use repono_store::error::StoreError;
use repono_store::meta::{MetaReader, MetaStore};
use tokio::time::{Instant, interval};

use super::{BuildError, Built, Directory, Masters, build};
use crate::limits::{DIRECTORY_POLL, DIRECTORY_STALE_READS, DIRECTORY_STALE_WRITES};

/// The directory as every thread sees it.
pub(crate) struct DirectoryFeed {
    current: ArcSwap<Directory>,
    started: Instant,
    /// Milliseconds after `started` at which the store last confirmed it.
    confirmed_ms: AtomicU64,
}

/// How far a directory can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Confirmed a moment ago.
    Fresh,
    /// Not confirmed for so long that writes must not rely on it.
    ReadsOnly,
    /// Not confirmed for so long that nothing must rely on it.
    Stale,
}

impl DirectoryFeed {
    pub(crate) fn new(first: Directory) -> Self {
        Self {
            current: ArcSwap::from_pointee(first),
            started: Instant::now(),
            confirmed_ms: AtomicU64::new(0),
        }
    }

    /// The newest state.
    pub(crate) fn current(&self) -> Arc<Directory> {
        self.current.load_full()
    }

    pub(crate) fn freshness(&self) -> Freshness {
        let confirmed = std::time::Duration::from_millis(self.confirmed_ms.load(Ordering::Relaxed));
        let age = self.started.elapsed().saturating_sub(confirmed);
        if age < DIRECTORY_STALE_WRITES {
            Freshness::Fresh
        } else if age < DIRECTORY_STALE_READS {
            Freshness::ReadsOnly
        } else {
            Freshness::Stale
        }
    }

    fn confirm(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.confirmed_ms.store(elapsed, Ordering::Relaxed);
    }
}

/// Why a round of refreshing did not confirm the directory.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("the store did not answer")]
    Store(#[from] StoreError),
    #[error("the new state cannot be used; the old one stays until it is too old")]
    Build(#[from] BuildError),
}

/// Refreshes the directory until the task is dropped.
pub(crate) async fn refresh(
    feed: Arc<DirectoryFeed>,
    meta: Arc<dyn MetaStore>,
    mut reader: Box<dyn MetaReader>,
    masters: Masters,
    tls: Arc<TicketKeys>,
    mut epoch: u64,
) {
    let mut ticks = interval(DIRECTORY_POLL);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match round(&feed, &*meta, &mut *reader, &masters, &tls, &mut epoch).await {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!(?error, "the directory is still not confirmed"),
            Err(error) => {
                failing = true;
                tracing::error!(?error, "the directory was not confirmed");
            }
        }
    }
}

async fn round(
    feed: &DirectoryFeed,
    meta: &dyn MetaStore,
    reader: &mut dyn MetaReader,
    masters: &Masters,
    tls: &TicketKeys,
    epoch: &mut u64,
) -> Result<(), RefreshError> {
    if reader.identity_epoch().await? != *epoch {
        let snapshot = meta.identity().await?;
        let Built { directory, tls: keys } = build(&snapshot, masters, Timestamp::now().unix_seconds())?;
        tls.replace(keys.current, keys.accepted);
        feed.current.store(Arc::new(directory));
        *epoch = snapshot.epoch;
    }
    feed.confirm();
    Ok(())
}
