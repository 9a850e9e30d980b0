//! Metadata in SQLite: one database that every head on a machine has open.
//!
//! | module | holds |
//! |---|---|
//! | `schema` | connections, and the tables of `schema.sql` |
//! | `lock` | the lock between processes |
//! | `queue`, `writer`, `gate` | group commit on one thread, and when it stops |
//! | `objects`, `answers`, `containers`, `identity`, `garbage` | the writes |
//! | `reader`, `listing`, `snapshot` | the reads |
//! | `wal_index`, `object_cache` | what a reader need not read again |
//! | `rows` | columns to types |

mod answers;
mod containers;
mod garbage;
mod gate;
mod identity;
mod listing;
mod lock;
mod object_cache;
mod objects;
mod queue;
mod reader;
mod rows;
mod schema;
mod snapshot;
mod wal_index;
mod writer;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use repono_core::id::BlobId;
use repono_core::name::{AccountName, ApplicationName, ContainerName, ObjectKey, UserName};
use repono_core::time::Timestamp;
use rusqlite::{Connection, ErrorCode};

pub use self::lock::{LockHolder, lock_holder};
use self::reader::SqliteReader;
use self::writer::Writer;
use super::{MetaReader, MetaStore};
use crate::error::{Part, StoreError};
use crate::model::identity::{
    Audit, ChangeOutcome, IdentityChange, IdentitySnapshot, SecretSnapshot, StoredSecret,
};
use crate::model::{
    Clock, CommitObject, Committed, ContainerDeletion, Creation, DeleteObject, Deleted, Health, Metadata,
    MetadataChange, MetadataReplaced, ObjectMetadata,
};

/// How the database is opened.
pub struct SqliteConfig {
    /// The database file.
    pub database: PathBuf,
    /// The lock file beside it, the same for every process.
    pub lock: PathBuf,
    /// How long garbage stays.
    pub garbage_grace: Duration,
    /// How long a write waits for the lock.
    pub commit_wait: Duration,
    /// The present.
    pub clock: Clock,
}

/// Metadata in SQLite.
pub struct SqliteMetaStore {
    database: PathBuf,
    writer: Writer,
    garbage_grace: Duration,
    /// For reads that may take long, on the pool for blocking work.
    reads: Arc<Mutex<Connection>>,
    /// For the epoch, which is read in line.
    epoch: Mutex<SqliteReader>,
}

impl SqliteMetaStore {
    /// Opens the database, or makes it, and starts the writer thread.
    ///
    /// *Errors*: `Incompatible`, `Io`, `Database`, `Corrupt`.
    ///
    /// *Cost*: blocks; waits for the lock.
    pub fn open(config: SqliteConfig) -> Result<Self, StoreError> {
        schema::check_engine()?;
        let writer = Writer::start(&config.database, &config.lock, config.commit_wait, config.clock)?;
        let reads = Arc::new(Mutex::new(schema::open_reader(&config.database)?));
        let epoch = Mutex::new(SqliteReader::open(&config.database)?);
        Ok(Self { database: config.database, writer, garbage_grace: config.garbage_grace, reads, epoch })
    }

    /// Runs a read on the pool for blocking work.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reads = Arc::clone(&self.reads);
        tokio::task::spawn_blocking(move || read(&mut locked(&reads)))
            .await
            .unwrap_or(Err(StoreError::Closed))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => Self::Corrupt { what: Part::Row },
            rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DiskFull => Self::Full,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                    Self::Busy { retry: Duration::from_secs(1) }
                }
                ErrorCode::SystemIoFailure | ErrorCode::ReadOnly => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the metadata disk failed");
                    Self::ReadOnly
                }
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Self::Corrupt { what: Part::Database }
                }
                _ => Self::Database(Arc::new(error)),
            },
            _ => Self::Database(Arc::new(error)),
        }
    }
}

#[async_trait]
impl MetaStore for SqliteMetaStore {
    fn reader(&self) -> Result<Box<dyn MetaReader>, StoreError> {
        Ok(Box::new(SqliteReader::open(&self.database)?))
    }

    fn health(&self) -> Health {
        self.writer.health()
    }

    async fn commit_object(&self, object: CommitObject) -> Result<Committed, StoreError> {
        self.writer.submit(objects::Commit { object, grace: self.garbage_grace }).await
    }

    async fn replace_metadata(
        &self,
        account: &AccountName,
        container: &ContainerName,
        key: &ObjectKey,
        new: ObjectMetadata,
    ) -> Result<MetadataReplaced, StoreError> {
        let name = objects::FullName::new(account, container, key);
        self.writer.submit(objects::ReplaceMetadata { name, new }).await
    }

    async fn delete_object(&self, object: DeleteObject) -> Result<Deleted, StoreError> {
        self.writer.submit(objects::Delete { object, grace: self.garbage_grace }).await
    }

    async fn create_container(
        &self,
        account: &AccountName,
        container: &ContainerName,
        metadata: Metadata,
    ) -> Result<Creation, StoreError> {
        let (account, container) = (account.clone(), container.clone());
        self.writer.submit(containers::Create { account, container, metadata }).await
    }

    async fn change_container_metadata(
        &self,
        account: &AccountName,
        container: &ContainerName,
        changes: Vec<MetadataChange>,
    ) -> Result<(), StoreError> {
        let (account, container) = (account.clone(), container.clone());
        self.writer.submit(containers::ChangeMetadata { account, container, changes }).await
    }

    async fn delete_container(
        &self,
        account: &AccountName,
        container: &ContainerName,
    ) -> Result<ContainerDeletion, StoreError> {
        let (account, container) = (account.clone(), container.clone());
        self.writer.submit(containers::Delete { account, container }).await
    }

    async fn change_account_metadata(
        &self,
        account: &AccountName,
        changes: Vec<MetadataChange>,
    ) -> Result<(), StoreError> {
        self.writer.submit(containers::ChangeAccountMetadata { account: account.clone(), changes }).await
    }

    async fn change_identity(&self, change: IdentityChange, by: Audit) -> Result<ChangeOutcome, StoreError> {
        self.writer.submit(identity::Change { change, by }).await
    }

    async fn identity(&self) -> Result<IdentitySnapshot, StoreError> {
        self.read(snapshot::identity).await
    }

    async fn secrets(&self) -> Result<SecretSnapshot, StoreError> {
        self.read(snapshot::secrets).await
    }

    async fn identity_epoch(&self) -> Result<u64, StoreError> {
        locked(&self.epoch).epoch()
    }

    async fn secret_of_user(
        &self,
        account: &AccountName,
        user: &UserName,
    ) -> Result<Option<StoredSecret>, StoreError> {
        let (account, user) = (account.clone(), user.clone());
        self.read(move |connection| snapshot::secret_of_user(connection, &account, &user)).await
    }

    async fn secret_of_application(
        &self,
        name: &ApplicationName,
    ) -> Result<Option<StoredSecret>, StoreError> {
        let name = name.clone();
        self.read(move |connection| snapshot::secret_of_application(connection, &name)).await
    }

    async fn audit(&self, entry: Audit) -> Result<(), StoreError> {
        self.writer.submit(identity::Append { entry }).await
    }

    async fn audit_tail(&self, limit: usize) -> Result<Vec<Audit>, StoreError> {
        self.read(move |connection| snapshot::audit_tail(connection, limit)).await
    }

    async fn expire(&self) -> Result<u64, StoreError> {
        self.writer.submit(objects::Expire { grace: self.garbage_grace }).await
    }

    async fn forget_answers(&self) -> Result<u64, StoreError> {
        self.writer.submit(answers::Forget).await
    }

    async fn garbage_batch(&self, now: Timestamp) -> Result<Vec<BlobId>, StoreError> {
        self.read(move |connection| garbage::batch(connection, now)).await
    }

    async fn garbage_done(&self, ids: Vec<BlobId>) -> Result<(), StoreError> {
        self.writer.submit(garbage::Done { ids }).await
    }

    async fn blobs_referenced(&self, ids: &[BlobId]) -> Result<HashSet<BlobId>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |connection| garbage::referenced(connection, &ids)).await
    }
}

#[cfg(test)]
mod tests;
