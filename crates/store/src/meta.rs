//! The metadata engine: the verbs of the domain, not of a key-value store.
//!
//! SQLite stands behind it by default. Every verb is asynchronous so that an
//! engine across a network can stand there too; one conformance suite holds for
//! each of them.

pub mod sqlite;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use repono_core::id::{BlobId, VersionId};
use repono_core::name::{AccountName, ApplicationName, ContainerName, ObjectKey, UserName};
use repono_core::time::Timestamp;

use crate::error::StoreError;
use crate::model::identity::{
    Audit, ChangeOutcome, IdentityChange, IdentitySnapshot, SecretSnapshot, StoredSecret,
};
use crate::model::repeat::Repeatable;
use crate::model::{
    Account, CommitObject, Committed, Container, ContainerDeletion, ContainerItem, Creation, DeleteObject,
    Deleted, Health, ListItem, ListPage, Metadata, MetadataChange, MetadataReplaced, ObjectLookup,
    ObjectMetadata, VersionedObject,
};

/// Metadata of one store: writes, and whatever is not on the path of a read.
///
/// *Errors* of every write: `Busy` and `Overloaded` (surely not applied), `Full`,
/// `ReadOnly`, `Closed`, and what its own line says.
///
/// *Cancel safety*: a write whose future is dropped is applied wholly or not at
/// all.
#[async_trait]
pub trait MetaStore: Send + Sync {
    /// A reader of its own for one thread.
    ///
    /// *Errors*: `Database`.
    fn reader(&self) -> Result<Box<dyn MetaReader>, StoreError>;

    /// Whether writes are taken.
    fn health(&self) -> Health;

    /// Makes an object visible: the linearisation point of a PUT. What it
    /// replaces becomes garbage in the same transaction.
    ///
    /// *Errors*: `NoContainer`, `PreconditionFailed`, `KeyReused`.
    async fn commit_object(&self, object: CommitObject) -> Result<Committed, StoreError>;

    /// Replaces the metadata of an object; version, bytes and tag stay, the
    /// timestamp grows.
    async fn replace_metadata(
        &self,
        account: &AccountName,
        container: &ContainerName,
        key: &ObjectKey,
        new: ObjectMetadata,
    ) -> Result<MetadataReplaced, StoreError>;

    /// Removes an object; its blob becomes garbage in the same transaction.
    ///
    /// *Errors*: `PreconditionFailed`, `KeyReused`.
    async fn delete_object(&self, object: DeleteObject) -> Result<Deleted, StoreError>;

    /// Creates a container, or merges metadata into one that is there and dates its
    /// last PUT.
    ///
    /// *Errors*: `NoSuch(Account)`.
    async fn create_container(
        &self,
        account: &AccountName,
        container: &ContainerName,
        metadata: Metadata,
    ) -> Result<Creation, StoreError>;

    /// Merges metadata into that of a container.
    ///
    /// *Errors*: `NoContainer`.
    async fn change_container_metadata(
        &self,
        account: &AccountName,
        container: &ContainerName,
        changes: Vec<MetadataChange>,
    ) -> Result<(), StoreError>;

    /// Removes an empty container, and the policies attached to it.
    async fn delete_container(
        &self,
        account: &AccountName,
        container: &ContainerName,
    ) -> Result<ContainerDeletion, StoreError>;

    /// Merges metadata into that of an account.
    ///
    /// *Errors*: `NoSuch(Account)`.
    async fn change_account_metadata(
        &self,
        account: &AccountName,
        changes: Vec<MetadataChange>,
    ) -> Result<(), StoreError>;

    /// Applies one change of identities, grows the epoch and writes the audit, in
    /// one transaction.
    ///
    /// *Errors*: `AlreadyExists`, `NoSuch`, `Conflict`.
    async fn change_identity(&self, change: IdentityChange, by: Audit) -> Result<ChangeOutcome, StoreError>;

    /// Everything that a head needs in order to decide, as of one moment.
    async fn identity(&self) -> Result<IdentitySnapshot, StoreError>;

    /// Every secret hash, as of one moment.
    async fn secrets(&self) -> Result<SecretSnapshot, StoreError>;

    /// The epoch of the identities.
    ///
    /// *Cost*: microseconds; meant to be asked several times a second.
    async fn identity_epoch(&self) -> Result<u64, StoreError>;

    /// What a user's log-in is checked against.
    async fn secret_of_user(
        &self,
        account: &AccountName,
        user: &UserName,
    ) -> Result<Option<StoredSecret>, StoreError>;

    /// What an application's log-in is checked against.
    async fn secret_of_application(&self, name: &ApplicationName)
    -> Result<Option<StoredSecret>, StoreError>;

    /// Appends a line to the audit.
    async fn audit(&self, entry: Audit) -> Result<(), StoreError>;

    /// The newest lines of the audit, newest first, at most `limit`.
    async fn audit_tail(&self, limit: usize) -> Result<Vec<Audit>, StoreError>;

    /// Removes objects whose end has come, at most [`EXPIRED_BATCH_MAX`]; answers
    /// how many.
    async fn expire(&self) -> Result<u64, StoreError>;

    /// Forgets answers that were kept for [`ANSWER_KEPT`], at most
    /// [`ANSWERS_BATCH_MAX`]; answers how many.
    ///
    /// [`ANSWER_KEPT`]: crate::model::repeat::ANSWER_KEPT
    async fn forget_answers(&self) -> Result<u64, StoreError>;

    /// Blobs whose grace ended at or before `now`, at most
    /// [`GARBAGE_BATCH_MAX`].
    async fn garbage_batch(&self, now: Timestamp) -> Result<Vec<BlobId>, StoreError>;

    /// Forgets garbage that was removed.
    async fn garbage_done(&self, ids: Vec<BlobId>) -> Result<(), StoreError>;

    /// Those of these blobs that an object refers to, or that wait as garbage.
    async fn blobs_referenced(&self, ids: &[BlobId]) -> Result<HashSet<BlobId>, StoreError>;
}

/// The most blobs of one batch of garbage: an unlink takes some 20 µs, so a
/// batch holds a thread for some milliseconds.
pub const GARBAGE_BATCH_MAX: usize = 256;

/// The most objects of one batch of expiry: its transaction stays below some 10 ms,
/// for which other writes wait.
pub const EXPIRED_BATCH_MAX: u64 = 256;

/// The most answers of one batch: a row is some 100 bytes, so its transaction stays
/// below some 10 ms, for which other writes wait.
pub const ANSWERS_BATCH_MAX: u64 = 2048;

/// One thread's view of the metadata. Each call sees everything that was
/// acknowledged before it began, by whatever process.
///
/// *Errors* of every call: `Database`, `Corrupt`.
#[async_trait]
pub trait MetaReader: Send {
    /// Looks up an object, with the body of a small one.
    ///
    /// *Cost* with SQLite: one statement in line, some microseconds.
    async fn object(&mut self, account: &str, container: &str, key: &str)
    -> Result<ObjectLookup, StoreError>;

    /// Looks up the object whose current version this is.
    async fn object_by_version(
        &mut self,
        version: VersionId,
    ) -> Result<Option<Arc<VersionedObject>>, StoreError>;

    /// Looks up a container.
    async fn container(&mut self, account: &str, container: &str) -> Result<Option<Container>, StoreError>;

    /// Looks up an account, with the counters of its containers.
    async fn account(&mut self, account: &str) -> Result<Option<Account>, StoreError>;

    /// Whether a write has been answered under this key, so that its next arrival is
    /// given that answer.
    async fn has_answered(&mut self, again: &Repeatable, now: Timestamp) -> Result<bool, StoreError>;

    /// Lists objects; `None` when there is no such container.
    ///
    /// *Cost*: in proportion to the items returned, whatever lies under a
    /// rolled-up prefix.
    async fn list_objects(
        &mut self,
        account: &str,
        container: &str,
        page: &ListPage,
    ) -> Result<Option<Vec<ListItem>>, StoreError>;

    /// Lists containers; `None` when there is no such account.
    async fn list_containers(
        &mut self,
        account: &str,
        page: &ListPage,
    ) -> Result<Option<Vec<ContainerItem>>, StoreError>;

    /// The epoch of the identities.
    async fn identity_epoch(&mut self) -> Result<u64, StoreError>;
}
