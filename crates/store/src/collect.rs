//! Removal of blobs that nothing refers to.
//!
//! *Garbage* is what a commit or a deletion left behind: the metadata lists it,
//! and it goes once its grace has ended. *Orphans* are what a process left that
//! died between naming a blob and committing its row: found by walking the blob
//! store. A writer holds a lock on its blob from before the blob has a name until
//! its commit is answered, and the lock dies with the process; an orphan is only
//! removed by who gets that lock and after that still finds no row. So no age of
//! a blob has to be guessed, and a grace of zero is safe.

use std::time::Duration;

use repono_core::id::BlobId;
use repono_core::time::Timestamp;

use crate::blob::PARTITIONS;
use crate::error::StoreError;
use crate::meta::{ANSWERS_BATCH_MAX, EXPIRED_BATCH_MAX, GARBAGE_BATCH_MAX};
use crate::store::Store;

/// The age at which a blob without a row is first looked at by default.
pub const ORPHAN_GRACE: Duration = Duration::from_secs(60 * 60);

impl Store {
    /// Removes garbage whose grace ended at or before `now`; answers how many
    /// blobs went.
    ///
    /// *Errors*: those of writes, and `Io`; what was not removed stays listed.
    pub async fn collect_garbage(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let batch = self.meta().garbage_batch(now).await?;
            if batch.is_empty() {
                return Ok(removed);
            }
            for id in &batch {
                self.blobs().remove(*id).await?;
            }
            removed += batch.len() as u64;
            self.meta().garbage_done(batch).await?;
        }
    }

    /// Removes objects whose end has come; answers how many went.
    ///
    /// *Errors*: those of writes; what was not removed is removed another time.
    pub async fn expire(&self) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let batch = self.meta().expire().await?;
            removed += batch;
            if batch < EXPIRED_BATCH_MAX {
                return Ok(removed);
            }
        }
    }

    /// Forgets answers to writes that nobody sends again; answers how many.
    ///
    /// *Errors*: those of writes; what was not forgotten is forgotten another time.
    pub async fn forget_answers(&self) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let batch = self.meta().forget_answers().await?;
            forgotten += batch;
            if batch < ANSWERS_BATCH_MAX {
                return Ok(forgotten);
            }
        }
    }

    /// Removes blobs without a row that were last written at least `grace` before
    /// `now`; answers how many went.
    ///
    /// Not to be run on metadata that was restored from a backup before an
    /// operator has looked: newer blobs look like orphans to older metadata.
    ///
    /// *Errors*: `Io`, `Database`.
    pub async fn collect_orphans(&self, now: Timestamp, grace: Duration) -> Result<u64, StoreError> {
        let units = u64::try_from(grace.as_micros() / 10).unwrap_or(u64::MAX);
        let instant = Timestamp::from_units(now.units().saturating_sub(units));
        let mut removed = 0;
        for part in 0..PARTITIONS {
            let part = u8::try_from(part).unwrap_or(u8::MAX);
            let candidates = self.blobs().older_than(part, instant).await?;
            for candidates in candidates.chunks(GARBAGE_BATCH_MAX) {
                removed += self.collect_candidates(candidates).await?;
            }
        }
        Ok(removed)
    }

    async fn collect_candidates(&self, candidates: &[BlobId]) -> Result<u64, StoreError> {
        let referenced = self.meta().blobs_referenced(candidates).await?;
        let mut removed = 0;
        for id in candidates.iter().filter(|id| !referenced.contains(*id)) {
            let Some(claim) = self.blobs().claim(*id).await? else { continue };
            // Only under the claim is the answer final: the writer is gone.
            if self.meta().blobs_referenced(&[*id]).await?.is_empty() {
                self.blobs().remove(*id).await?;
                removed += 1;
            }
            drop(claim);
        }
        Ok(removed)
    }
}
