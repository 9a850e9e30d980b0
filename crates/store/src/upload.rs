//! A body on its way in.

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use repono_core::etag::ETag;
use repono_core::name::{AccountName, ContainerName, ObjectKey};

use crate::blob::{BlobDescription, BlobWriter, OBJECT_BYTES_MAX};
use crate::error::StoreError;
use crate::model::repeat::Repeatable;
use crate::model::{CommitObject, Committed, Metadata, NewContent, Precondition};
use crate::store::Store;

/// Bytes gathered before they go to the blob in one write.
const GATHER_BYTES: usize = 256 * 1024;

/// A body of unknown length asks for space again after so many bytes.
const ADMIT_STEP_BYTES: u64 = 64 * 1024 * 1024;

/// What becomes of an upload once its body is complete.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    /// The account.
    pub account: AccountName,
    /// The container; it must exist.
    pub container: ContainerName,
    /// The key.
    pub key: ObjectKey,
    /// `Content-Type`.
    pub content_type: String,
    /// User metadata and persisted headers, names in lower case.
    pub metadata: Metadata,
    /// The announced MD5, if one was.
    pub expected_etag: Option<ETag>,
    /// The announced length, if one was.
    pub expected_len: Option<u64>,
    /// What must hold.
    pub precondition: Precondition,
    /// Set where the answer is kept, for the same request when it comes again.
    pub repeatable: Option<Repeatable>,
}

/// A body on its way in; dropping it leaves nothing.
///
/// *Shape*: small bodies stay in memory; larger ones go to an unnamed file, with
/// at most some 1.25 MiB held in memory.
pub struct Upload {
    store: Store,
    expected: Option<u64>,
    received: u64,
    admitted: u64,
    gathered: BytesMut,
    blob: Option<Box<dyn BlobWriter>>,
}

impl Upload {
    pub(crate) fn new(store: Store, expected: Option<u64>) -> Self {
        let admitted = expected.unwrap_or(0);
        Self { store, expected, received: 0, admitted, gathered: BytesMut::new(), blob: None }
    }

    /// Bytes taken so far.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next bytes; waits while earlier ones are being written.
    ///
    /// *Errors*: `LengthMismatch` beyond the announced length, `TooLarge`, `Full`,
    /// `Io`. After an error the upload can only be dropped.
    ///
    /// *Cancel safety*: none; drop the upload.
    pub async fn feed(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.received += bytes.len() as u64;
        self.check_bounds()?;
        self.gathered.extend_from_slice(&bytes);
        let inline_max = self.store.inline_bytes_max();
        if self.blob.is_none() && self.gathered.len() > inline_max {
            self.blob = Some(self.store.blobs().create(self.expected).await?);
        }
        if let Some(blob) = &mut self.blob {
            while self.gathered.len() >= GATHER_BYTES {
                blob.write(self.gathered.split_to(GATHER_BYTES).freeze()).await?;
            }
        }
        Ok(())
    }

    fn check_bounds(&mut self) -> Result<(), StoreError> {
        if let Some(expected) = self.expected
            && self.received > expected
        {
            return Err(StoreError::LengthMismatch { expected, found: self.received });
        }
        if self.received > OBJECT_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        if self.expected.is_none() && self.received > self.admitted {
            self.store.admit(ADMIT_STEP_BYTES)?;
            self.admitted = self.received + ADMIT_STEP_BYTES;
        }
        Ok(())
    }

    /// Makes the object durable and visible, in this order.
    ///
    /// *Errors*: `LengthMismatch`, `DigestMismatch`, and those of
    /// [`crate::meta::MetaStore::commit_object`]; then nothing is visible, except
    /// that after `ReadOnly` the outcome shows only in the next process.
    ///
    /// *Cancel safety*: the object is wholly there or wholly not.
    pub async fn finish(mut self, request: CommitRequest) -> Result<Committed, StoreError> {
        if let Some(expected) = request.expected_len.or(self.expected)
            && self.received != expected
        {
            return Err(StoreError::LengthMismatch { expected, found: self.received });
        }
        let version = self.store.new_version();
        let (etag, content) = match self.blob.take() {
            Some(blob) => self.finish_blob(blob, &request, version).await?,
            None => self.finish_inline(&request)?,
        };
        let object = CommitObject {
            account: request.account,
            container: request.container,
            key: request.key,
            version,
            size: self.received,
            etag,
            content_type: request.content_type,
            metadata: request.metadata,
            precondition: request.precondition,
            repeatable: request.repeatable,
            content,
        };
        self.store.meta().commit_object(object).await
    }

    async fn finish_blob(
        &mut self,
        mut blob: Box<dyn BlobWriter>,
        request: &CommitRequest,
        version: repono_core::id::VersionId,
    ) -> Result<(ETag, NewContent), StoreError> {
        blob.write(self.gathered.split().freeze()).await?;
        let finished = blob
            .finish(BlobDescription {
                account: request.account.clone(),
                container: request.container.clone(),
                key: request.key.clone(),
                version,
                expected_etag: request.expected_etag,
                expected_len: Some(self.received),
            })
            .await?;
        Ok((finished.etag, NewContent::Blob(finished)))
    }

    fn finish_inline(&mut self, request: &CommitRequest) -> Result<(ETag, NewContent), StoreError> {
        let bytes = self.gathered.split().freeze();
        let etag = ETag::from_md5(Md5::digest(&bytes).into());
        if request.expected_etag.is_some_and(|expected| expected != etag) {
            return Err(StoreError::DigestMismatch);
        }
        let crc64 = crc_fast::crc64_nvme(&bytes);
        Ok((etag, NewContent::Inline { bytes, crc64 }))
    }
}
