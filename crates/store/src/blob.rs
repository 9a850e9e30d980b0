//! The blob store: immutable bytes under random names.

pub mod local;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use repono_core::etag::ETag;
use repono_core::id::{BlobId, VersionId};
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::time::Timestamp;

use crate::error::StoreError;
use crate::model::BlobPlace;

/// Bytes of a checksummed block: small enough that a range of one byte costs
/// little, large enough that the checksums of 5 GiB stay below 1 MiB.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// The most bytes that one read hands out: four blocks.
pub const READ_BYTES_MAX: usize = 4 * BLOCK_BYTES;

/// The most bytes of one object: 5 GiB, the limit of a single PUT in Swift and S3;
/// it bounds the footer that a reader keeps to 640 KiB and some names.
pub const OBJECT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// Where bodies beyond the inline limit are kept.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// Whether a body of so many bytes may come.
    ///
    /// *Errors*: `Full`.
    fn admit(&self, bytes: u64) -> Result<(), StoreError>;

    /// Begins a blob; space for `expected` bytes is reserved at once.
    ///
    /// *Errors*: `Full`, `Io`.
    async fn create(&self, expected: Option<u64>) -> Result<Box<dyn BlobWriter>, StoreError>;

    /// Opens the blob of an object of `size` bytes and verifies its footer.
    ///
    /// *Errors*: `Missing`, `Corrupt`, `Io`.
    async fn open(&self, place: BlobPlace, size: u64) -> Result<Box<dyn BlobReader>, StoreError>;

    /// Reads a whole blob and compares every checksum.
    ///
    /// *Errors*: `Missing`, `Corrupt`, `Io`.
    async fn verify(&self, place: BlobPlace, size: u64) -> Result<(), StoreError>;

    /// Removes a blob; one that is gone already is no error.
    ///
    /// *Errors*: `Io`.
    async fn remove(&self, id: BlobId) -> Result<(), StoreError>;

    /// Blobs in this one of [`PARTITIONS`] parts that were last
    /// written at or before an instant: candidates for collection.
    ///
    /// *Errors*: `Io`.
    async fn older_than(&self, part: u8, instant: Timestamp) -> Result<Vec<BlobId>, StoreError>;

    /// Takes a blob for collection; `None` when it is gone, or when a writer
    /// still holds it.
    ///
    /// *Errors*: `Io`.
    async fn claim(&self, id: BlobId) -> Result<Option<BlobClaim>, StoreError>;
}

/// A blob in the making; dropping it leaves nothing.
#[async_trait]
pub trait BlobWriter: Send {
    /// Appends bytes; returns before they are on disk, after so much earlier
    /// data was taken off that the memory held stays within 1 MiB.
    ///
    /// *Errors*: `Full`, `Io`.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Makes the blob durable and gives it its name.
    ///
    /// *Errors*: `DigestMismatch`, `LengthMismatch`, `Full`, `Io`.
    async fn finish(self: Box<Self>, description: BlobDescription) -> Result<FinishedBlob, StoreError>;
}

/// What the footer of a blob tells, so that lost metadata can be rebuilt.
#[derive(Clone, Debug)]
pub struct BlobDescription {
    /// The account.
    pub account: AccountName,
    /// The container.
    pub container: ContainerName,
    /// The key.
    pub key: ObjectKey,
    /// The version.
    pub version: VersionId,
    /// The announced MD5: the blob is only kept if it matches.
    pub expected_etag: Option<ETag>,
    /// The announced length: the blob is only kept if it matches.
    pub expected_len: Option<u64>,
}

/// A durable blob that nothing refers to yet; dropping it removes it.
pub struct FinishedBlob {
    /// Where it is.
    pub place: BlobPlace,
    /// Bytes of the body.
    pub size: u64,
    /// MD5 of the body.
    pub etag: ETag,
    /// Keeps the collector away.
    pub hold: Box<dyn BlobHold>,
}

/// Holds a blob against the collector. Dropping it removes the blob, unless it
/// was kept.
pub trait BlobHold: Send {
    /// From now on a row may refer to the blob: dropping the hold leaves it.
    ///
    /// Called just before the commit, because the outcome of a commit that
    /// failed is not certain; what is then not referred to is an orphan.
    fn keep(&mut self);
}

/// The sole right to remove a blob; it ends with this value.
pub struct BlobClaim {
    /// Which.
    pub id: BlobId,
    /// Released on drop.
    pub lock: Box<dyn Send>,
}

/// An open blob. Bytes are handed out only after their checksum held.
#[async_trait]
pub trait BlobReader: Send {
    /// Bytes of the body.
    fn size(&self) -> u64;

    /// Appends bytes `[offset, offset + want)` to `out` if they can be had
    /// without waiting for a disk.
    ///
    /// *Shape*: at most [`READ_BYTES_MAX`] bytes counted from the start of the
    /// block that holds `offset`; fewer at the end of the body, none behind it.
    ///
    /// *Errors*: `Corrupt`, `Io`; `out` is then as before.
    fn try_read_cached(
        &mut self,
        offset: u64,
        want: usize,
        out: &mut BytesMut,
    ) -> Result<CachedRead, StoreError>;

    /// The same, waiting for the disk on a thread of the pool for blocking work.
    ///
    /// *Cancel safety*: the bytes read are lost, and what `out` held with them.
    ///
    /// *Errors*: `Corrupt`, `Io`; `out` is then as before.
    async fn read_at(&mut self, offset: u64, want: usize, out: &mut BytesMut) -> Result<usize, StoreError>;
}

/// What a read without waiting led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CachedRead {
    /// So many bytes were appended.
    Read(usize),
    /// The disk would have to be waited for; nothing was appended.
    WouldBlock,
}

/// Parts into which a blob store divides its names: the first byte of the name.
pub const PARTITIONS: u16 = 256;
