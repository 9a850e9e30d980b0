//! Metadata and blobs together.
//!
//! The order of a PUT: space is admitted, the body goes to an unnamed file, the
//! file is made durable and named, its directory is made durable, and only then
//! one transaction makes the object visible. The answer follows the commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use repono_core::id::VersionId;
use repono_core::time::Timestamp;

use crate::blob::local::LocalBlobStore;
use crate::blob::{BlobReader, BlobStore, OBJECT_BYTES_MAX};
use crate::error::StoreError;
use crate::meta::sqlite::{SqliteConfig, SqliteMetaStore};
use crate::meta::{MetaReader, MetaStore};
use crate::model::{Clock, Content, Entropy, Health, Object, ObjectLookup};
use crate::superblock;
use crate::upload::Upload;

/// Bodies up to this size live in the metadata, where they share one fsync with
/// their row.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;

/// How long the blob of a replaced or deleted object stays for readers that have
/// resolved its row but not yet opened it.
pub const GARBAGE_GRACE: Duration = Duration::from_secs(10 * 60);

/// How long a write waits for the lock of the database before it is `Busy`.
pub const COMMIT_WAIT: Duration = Duration::from_secs(2);

/// How a store on a local directory is opened.
#[derive(Clone)]
pub struct StoreConfig {
    /// The data directory.
    pub directory: PathBuf,
    /// The most bytes of a body that is kept in the metadata.
    pub inline_bytes_max: usize,
    /// How long garbage stays.
    pub garbage_grace: Duration,
    /// How long a write waits for the lock.
    pub commit_wait: Duration,
    /// The present.
    pub clock: Clock,
    /// Randomness, for the names of blobs and versions.
    pub entropy: Entropy,
}

impl StoreConfig {
    /// The defaults, with the system's clock and randomness.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            inline_bytes_max: INLINE_BYTES_MAX,
            garbage_grace: GARBAGE_GRACE,
            commit_wait: COMMIT_WAIT,
            clock: Arc::new(Timestamp::now),
            entropy: Arc::new(|| rand::rng().random()),
        }
    }
}

/// The lock file of the database in a data directory, for
/// [`crate::meta::sqlite::lock_holder`].
#[must_use]
pub fn lock_path(directory: &Path) -> PathBuf {
    directory.join("meta.lock")
}

/// Objects over a metadata engine and a blob engine.
///
/// *Cost*: a clone shares both engines.
#[derive(Clone)]
pub struct Store {
    meta: Arc<dyn MetaStore>,
    blobs: Arc<dyn BlobStore>,
    entropy: Entropy,
    inline_bytes_max: usize,
}

impl Store {
    /// Opens the store in a directory, which is made if there is none. Several
    /// processes may have it open.
    ///
    /// *Errors*: `Incompatible`, `Corrupt`, `Io`, `Database`.
    ///
    /// *Cost*: blocks; some milliseconds, more after a crash.
    pub fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let directory = &config.directory;
        superblock::prepare(directory, &lock_path(directory))?;
        let blobs = LocalBlobStore::open(&directory.join("blobs"), Arc::clone(&config.entropy))?;
        let meta = SqliteMetaStore::open(SqliteConfig {
            database: directory.join("meta.sqlite"),
            lock: lock_path(directory),
            garbage_grace: config.garbage_grace,
            commit_wait: config.commit_wait,
            clock: Arc::clone(&config.clock),
        })?;
        Ok(Self::over(Arc::new(meta), Arc::new(blobs), config.inline_bytes_max, config.entropy))
    }

    /// A store over two engines.
    #[must_use]
    pub fn over(
        meta: Arc<dyn MetaStore>,
        blobs: Arc<dyn BlobStore>,
        inline_bytes_max: usize,
        entropy: Entropy,
    ) -> Self {
        Self { meta, blobs, entropy, inline_bytes_max }
    }

    /// The metadata engine: deletion, containers, identities.
    #[must_use]
    pub fn meta(&self) -> &Arc<dyn MetaStore> {
        &self.meta
    }

    /// The blob engine.
    #[must_use]
    pub fn blobs(&self) -> &Arc<dyn BlobStore> {
        &self.blobs
    }

    /// A reader of the metadata for one thread.
    ///
    /// *Errors*: `Database`.
    pub fn reader(&self) -> Result<Box<dyn MetaReader>, StoreError> {
        self.meta.reader()
    }

    /// Whether writes are taken.
    #[must_use]
    pub fn health(&self) -> Health {
        self.meta.health()
    }

    /// Whether a body of so many bytes may come: asked before the body is read,
    /// and before `100 Continue`.
    ///
    /// *Errors*: `TooLarge`, `Full`, `ReadOnly`.
    pub fn admit(&self, bytes: u64) -> Result<(), StoreError> {
        if bytes > OBJECT_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        match self.health() {
            Health::Writable | Health::Full => self.blobs.admit(bytes),
            Health::ReadOnly => Err(StoreError::ReadOnly),
        }
    }

    /// Begins an upload of `expected` bytes, or of a length not yet known.
    ///
    /// *Errors*: as [`Store::admit`].
    pub fn begin_upload(&self, expected: Option<u64>) -> Result<Upload, StoreError> {
        self.admit(expected.unwrap_or(0))?;
        Ok(Upload::new(self.clone(), expected))
    }

    /// Opens the body of an object that a look-up found.
    ///
    /// *Errors*: `Missing` when the object was replaced or deleted longer ago than
    /// the grace: look it up again, once, as [`Store::read`] does. `Corrupt`, `Io`.
    pub async fn open_body(&self, object: &Object) -> Result<Body, StoreError> {
        match &object.content {
            Content::Inline { bytes, .. } => Ok(Body::Inline(bytes.clone())),
            Content::Blob(place) => Ok(Body::Blob(self.blobs.open(*place, object.size).await?)),
        }
    }

    /// Looks up an object and opens its body. A body that is gone is looked up
    /// once more: its object was replaced meanwhile.
    ///
    /// *Errors*: `Missing` when the row stays and the blob is gone; `Corrupt`,
    /// `Io`, `Database`.
    pub async fn read(
        &self,
        reader: &mut dyn MetaReader,
        account: &str,
        container: &str,
        key: &str,
    ) -> Result<ObjectRead, StoreError> {
        match self.read_once(reader, account, container, key).await {
            Err(StoreError::Missing) => self.read_once(reader, account, container, key).await,
            read => read,
        }
    }

    async fn read_once(
        &self,
        reader: &mut dyn MetaReader,
        account: &str,
        container: &str,
        key: &str,
    ) -> Result<ObjectRead, StoreError> {
        Ok(match reader.object(account, container, key).await? {
            ObjectLookup::Found(object) => {
                let body = self.open_body(&object).await?;
                ObjectRead::Found(OpenObject { object, body })
            }
            ObjectLookup::NoKey => ObjectRead::NoKey,
            ObjectLookup::NoContainer => ObjectRead::NoContainer,
        })
    }

    pub(crate) fn new_version(&self) -> VersionId {
        VersionId::from_u64(((self.entropy)() >> 65) as u64)
            .unwrap_or_else(|| VersionId::random(&mut rand::rng()))
    }

    pub(crate) const fn inline_bytes_max(&self) -> usize {
        self.inline_bytes_max
    }
}

/// The body of an object, ready to be read.
pub enum Body {
    /// All of it, verified.
    Inline(Bytes),
    /// An open blob, verified block by block as it is read.
    Blob(Box<dyn BlobReader>),
}

/// An object and its open body.
pub struct OpenObject {
    /// The object.
    pub object: Arc<Object>,
    /// The body.
    pub body: Body,
}

/// What a read found.
pub enum ObjectRead {
    /// The object, open.
    Found(OpenObject),
    /// The container is there, the key is not.
    NoKey,
    /// No such container, or no such account.
    NoContainer,
}
