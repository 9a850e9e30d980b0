//! Blobs in a directory of the local file system.
//!
//! A blob is one file, `blobs/xx/<32 hex>`, where `xx` are the first digits of
//! its random name: the body, then the footer. It is written as an unnamed file
//! (`O_TMPFILE`), so that whatever dies before it is complete leaves nothing, and
//! is never changed once it has a name.

mod directory;
pub mod footer;
mod reader;
mod writer;

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use repono_core::id::BlobId;
use repono_core::time::Timestamp;

use self::directory::BlobDirectory;
use self::reader::LocalReader;
use self::writer::LocalWriter;
use super::{BlobClaim, BlobReader, BlobStore, BlobWriter};
use crate::error::StoreError;
use crate::model::{BlobPlace, Entropy};
use crate::space::SpaceGauge;

/// Blobs in a directory.
pub struct LocalBlobStore {
    directory: Arc<BlobDirectory>,
    space: Arc<SpaceGauge>,
    entropy: Entropy,
}

impl LocalBlobStore {
    /// Opens the directory, or makes it with its 256 parts.
    ///
    /// *Errors*: `Incompatible` when the file system has no unnamed files, `Io`.
    ///
    /// *Cost*: blocks.
    pub fn open(path: &Path, entropy: Entropy) -> Result<Self, StoreError> {
        let directory = Arc::new(BlobDirectory::open(path)?);
        let space = Arc::new(SpaceGauge::new(File::open(path)?));
        Ok(Self { directory, space, entropy })
    }
}

#[async_trait]
impl BlobStore for LocalBlobStore {
    fn admit(&self, bytes: u64) -> Result<(), StoreError> {
        self.space.space()?.admit(bytes)
    }

    async fn create(&self, expected: Option<u64>) -> Result<Box<dyn BlobWriter>, StoreError> {
        let id = BlobId::from_bytes((self.entropy)().to_be_bytes());
        let (directory, space) = (Arc::clone(&self.directory), Arc::clone(&self.space));
        blocking(move || LocalWriter::create(directory, space, id, expected))
            .await
            .map(|writer| Box::new(writer) as Box<dyn BlobWriter>)
    }

    async fn open(&self, place: BlobPlace, size: u64) -> Result<Box<dyn BlobReader>, StoreError> {
        let file = self.directory.open_blob(place.id)?;
        Ok(Box::new(LocalReader::open(file, place, size).await?))
    }

    async fn verify(&self, place: BlobPlace, size: u64) -> Result<(), StoreError> {
        let file = self.directory.open_blob(place.id)?;
        blocking(move || reader::verify(&file, place, size)).await
    }

    async fn remove(&self, id: BlobId) -> Result<(), StoreError> {
        let directory = Arc::clone(&self.directory);
        blocking(move || Ok(directory.remove(id)?)).await
    }

    async fn older_than(&self, part: u8, instant: Timestamp) -> Result<Vec<BlobId>, StoreError> {
        let instant = UNIX_EPOCH + Duration::from_micros(instant.units().saturating_mul(10));
        let directory = Arc::clone(&self.directory);
        blocking(move || Ok(directory.older_than(part, instant)?)).await
    }

    async fn claim(&self, id: BlobId) -> Result<Option<BlobClaim>, StoreError> {
        let file = match self.directory.open_blob(id) {
            Ok(file) => file,
            Err(StoreError::Missing) => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(BlobClaim { id, lock: Box::new(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

/// Runs blocking work on tokio's pool for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Io(Arc::new(io::Error::other(error)))),
    }
}

#[cfg(test)]
mod tests;
