//! What the store keeps and what it answers: objects, containers, listings.

pub mod identity;
pub mod large;
pub mod repeat;

use std::sync::Arc;

use bytes::Bytes;
use repono_core::etag::ETag;
use repono_core::id::{BlobId, VersionId};
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::time::Timestamp;

use crate::blob::FinishedBlob;
use crate::model::large::LargeObject;
use crate::model::repeat::Repeatable;

/// Where the store reads the present: injected, so that tests own the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where the store draws 128 random bits: injected, so that tests can repeat.
pub type Entropy = Arc<dyn Fn() -> u128 + Send + Sync>;

/// Names and values kept with an object, a container or an account: user
/// metadata and persisted headers, names in lower case, in the order given.
pub type Metadata = Vec<(String, String)>;

/// The persisted header under which the end of an object is kept, in Unix seconds:
/// from then on it is not there any more, and its row goes when the collector comes
/// by.
pub const DELETE_AT: &str = "x-delete-at";

/// When an object with this metadata ends, in Unix seconds.
#[must_use]
pub fn delete_at_s(metadata: &Metadata) -> Option<u64> {
    let (_, value) = metadata.iter().find(|(name, _)| name == DELETE_AT)?;
    value.parse().ok()
}

/// One version of an object, as a read finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The id of these bytes; a change of metadata keeps it.
    pub version: VersionId,
    /// When it was last written: strictly increasing for a key.
    pub timestamp: Timestamp,
    /// Bytes of the body.
    pub size: u64,
    /// MD5 of the body.
    pub etag: ETag,
    /// `Content-Type`.
    pub content_type: String,
    /// User metadata and persisted headers.
    pub metadata: Metadata,
    /// Where the body is.
    pub content: Content,
}

impl Object {
    /// Whether its end has come.
    #[must_use]
    pub fn is_expired(&self, now_s: u64) -> bool {
        delete_at_s(&self.metadata).is_some_and(|end| end <= now_s)
    }
}

/// Where the body of an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// In the metadata; the checksum was verified when it was read.
    Inline {
        /// The body.
        bytes: Bytes,
        /// CRC-64/NVME of the body.
        crc64: u64,
    },
    /// In the blob store.
    Blob(BlobPlace),
}

/// Where a blob is, and what its footer must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobPlace {
    /// Its name.
    pub id: BlobId,
    /// CRC-64/NVME of the footer.
    pub footer_crc64: u64,
    /// Bytes of the footer.
    pub footer_bytes: u32,
}

/// What a look-up of an object found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectLookup {
    /// The object.
    Found(Arc<Object>),
    /// The container is there, the key is not.
    NoKey,
    /// No such container, or no such account.
    NoContainer,
}

/// An object found by the id of its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedObject {
    /// The account.
    pub account: AccountName,
    /// The container.
    pub container: ContainerName,
    /// The key.
    pub key: ObjectKey,
    /// The object, which is the current one of its key.
    pub object: Arc<Object>,
}

/// What must hold for a write, checked within its transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// `If-None-Match: *`: the key must be free.
    IfNoneMatchAny,
    /// `If-Match: *`: the key must be taken.
    IfMatchAny,
    /// `If-Match`: the current object must have one of these tags.
    IfMatch(Vec<ETag>),
}

impl Precondition {
    /// Whether it holds when the key has this tag now.
    #[must_use]
    pub fn holds(&self, current: Option<ETag>) -> bool {
        match (self, current) {
            (Self::None, _) | (Self::IfNoneMatchAny, None) | (Self::IfMatchAny, Some(_)) => true,
            (Self::IfMatch(tags), Some(tag)) => tags.contains(&tag),
            (Self::IfNoneMatchAny, Some(_)) | (Self::IfMatchAny | Self::IfMatch(_), None) => false,
        }
    }
}

/// A new object, ready to be made visible. Its blob, if it has one, is durable.
pub struct CommitObject {
    /// The account.
    pub account: AccountName,
    /// The container; it must exist.
    pub container: ContainerName,
    /// The key.
    pub key: ObjectKey,
    /// The id of the new version.
    pub version: VersionId,
    /// Bytes of the body.
    pub size: u64,
    /// MD5 of the body.
    pub etag: ETag,
    /// `Content-Type`.
    pub content_type: String,
    /// User metadata and persisted headers.
    pub metadata: Metadata,
    /// What must hold.
    pub precondition: Precondition,
    /// Set where the answer is kept, for the same request when it comes again.
    pub repeatable: Option<Repeatable>,
    /// The body.
    pub content: NewContent,
}

/// The body of an object that is to be committed.
pub enum NewContent {
    /// Kept in the metadata.
    Inline {
        /// The body.
        bytes: Bytes,
        /// CRC-64/NVME of the body.
        crc64: u64,
    },
    /// A durable blob, held against collection until the commit is answered.
    Blob(FinishedBlob),
}

/// An object that was made visible and survives power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// MD5 of the body.
    pub etag: ETag,
    /// When: later than the version that it replaced.
    pub timestamp: Timestamp,
    /// The id of the new version.
    pub version: VersionId,
    /// Bytes of the body.
    pub size: u64,
    /// The version that it replaced.
    pub replaced: Option<VersionId>,
}

/// New metadata for an object whose bytes stay (Swift's POST).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMetadata {
    /// The new `Content-Type`; `None` keeps it.
    pub content_type: Option<String>,
    /// The new metadata, in place of all of the old.
    pub metadata: Metadata,
}

/// What became of a change of an object's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataReplaced {
    /// Done; version and bytes are as before.
    Replaced {
        /// The new timestamp.
        timestamp: Timestamp,
    },
    /// The key is free.
    NoKey,
    /// No such container, or no such account.
    NoContainer,
}

/// An object to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteObject {
    /// The account.
    pub account: AccountName,
    /// The container.
    pub container: ContainerName,
    /// The key.
    pub key: ObjectKey,
    /// Removed only if it is to end then, in Unix seconds.
    pub if_delete_at_s: Option<u64>,
    /// Set where the answer is kept, for the same request when it comes again.
    pub repeatable: Option<Repeatable>,
}

impl DeleteObject {
    /// Whatever it is.
    #[must_use]
    pub fn new(account: &AccountName, container: &ContainerName, key: &ObjectKey) -> Self {
        let (account, container, key) = (account.clone(), container.clone(), key.clone());
        Self { account, container, key, if_delete_at_s: None, repeatable: None }
    }
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// Done.
    Deleted {
        /// The version that is gone.
        version: VersionId,
    },
    /// The key was free.
    NoKey,
    /// No such container, or no such account.
    NoContainer,
}

/// What became of the creation of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is new.
    Created,
    /// It was there; the metadata given was merged into its own.
    Existed,
}

/// What became of the deletion of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerDeletion {
    /// Done.
    Deleted,
    /// It has objects and stays.
    NotEmpty,
    /// No such container, or no such account.
    NoSuch,
}

/// One change of metadata that is merged: `None` removes the name.
pub type MetadataChange = (String, Option<String>);

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// When it was created.
    pub created: Timestamp,
    /// When it was last PUT.
    pub last_put: Timestamp,
    /// Objects in it.
    pub object_count: u64,
    /// Bytes of their bodies.
    pub bytes_used: u64,
    /// User metadata and persisted headers.
    pub metadata: Metadata,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// When it was created.
    pub created: Timestamp,
    /// Containers in it.
    pub container_count: u64,
    /// Objects in them.
    pub object_count: u64,
    /// Bytes of their bodies.
    pub bytes_used: u64,
    /// User metadata and persisted headers.
    pub metadata: Metadata,
}

/// Which part of a listing is wanted. Names are compared by bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Only names that begin so.
    pub prefix: String,
    /// Names are rolled up at its first occurrence after the prefix.
    pub delimiter: Option<String>,
    /// What becomes of those names.
    pub roll_up: RollUp,
    /// Only names behind this one, in the order of the listing.
    pub marker: Option<String>,
    /// Only names before this one, in the order of the listing.
    pub end_marker: Option<String>,
    /// At most so many items; the listing ends early at [`ListPage::LIMIT_MAX`].
    pub limit: usize,
    /// The order.
    pub order: ListOrder,
}

impl ListPage {
    /// The most items of one page: Swift's `container_listing_limit`, which
    /// bounds the time that a shard spends in one listing to some 40 ms.
    pub const LIMIT_MAX: usize = 10_000;
}

/// What becomes of names that have the delimiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RollUp {
    /// Those that share a common prefix show as that prefix.
    #[default]
    Show,
    /// They are left out, but for the name that is the common prefix itself, and so
    /// is the name that is the page's prefix: Swift's `path`.
    Leave,
}

/// The order of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// Smallest name first.
    #[default]
    Ascending,
    /// Greatest name first (Swift's `reverse`): the marker is the upper bound.
    Descending,
}

/// One line of a listing of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListItem {
    /// An object.
    Object {
        /// Its key.
        key: String,
        /// Bytes of its body.
        size: u64,
        /// MD5 of its body.
        etag: ETag,
        /// `Content-Type`.
        content_type: String,
        /// When it was last written.
        timestamp: Timestamp,
        /// What it stands for, where its body is a manifest.
        large: Option<LargeObject>,
    },
    /// Keys that share these first bytes, the delimiter included.
    Prefix(String),
}

/// One line of a listing of containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerItem {
    /// A container.
    Container {
        /// Its name.
        name: String,
        /// When it was last PUT.
        last_put: Timestamp,
        /// Objects in it.
        object_count: u64,
        /// Bytes of their bodies.
        bytes_used: u64,
    },
    /// Names that share these first bytes, the delimiter included.
    Prefix(String),
}

/// Whether a store takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Reads and writes.
    Writable,
    /// The metadata found no space; writes are tried again once a second.
    Full,
    /// A commit failed; only a new process writes again.
    ReadOnly,
}
