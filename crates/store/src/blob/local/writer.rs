//! A blob on its way to disk.
//!
//! Hashing and writing run on tokio's pool for blocking work, one step at a time
//! for each upload, and only while there is something to write: a slow client
//! holds no thread.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use md5::{Digest, Md5};
use repono_core::etag::ETag;
use repono_core::id::BlobId;
use tokio::task::JoinHandle;

use super::blocking;
use super::directory::BlobDirectory;
use super::footer::Footer;
use crate::blob::{BLOCK_BYTES, BlobDescription, BlobHold, BlobWriter, FinishedBlob};
use crate::error::StoreError;
use crate::model::BlobPlace;
use crate::space::{Room, SpaceGauge};

/// Bytes that may wait while a step runs. The step itself has as many at most, so
/// an upload holds 1 MiB: four chunks of 256 KiB.
const WAITING_BYTES_MAX: usize = 512 * 1024;

/// An upload's file. Either a step runs and has it, or it rests here.
pub(super) struct LocalWriter {
    place: Place,
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
}

enum Place {
    Resting(Box<Unnamed>),
    Working(JoinHandle<Result<Box<Unnamed>, StoreError>>),
    /// A step failed, or one is about to be started.
    Gone,
}

/// A file without a name, and what is known of its bytes.
struct Unnamed {
    directory: Arc<BlobDirectory>,
    space: Arc<SpaceGauge>,
    room: Room,
    id: BlobId,
    file: File,
    size: u64,
    md5: Md5,
    blake3: blake3::Hasher,
    block: crc_fast::Digest,
    block_bytes: usize,
    blocks: Vec<u64>,
}

impl LocalWriter {
    /// Begins a blob; blocks.
    pub(super) fn create(
        directory: Arc<BlobDirectory>,
        space: Arc<SpaceGauge>,
        id: BlobId,
        expected: Option<u64>,
    ) -> Result<Self, StoreError> {
        let file = directory.unnamed(id)?;
        let room = match expected.filter(|bytes| *bytes > 0) {
            Some(expected) => space.allocate(&file, expected)?,
            None => Room::AsItComes,
        };
        let unnamed = Unnamed {
            directory,
            space,
            room,
            id,
            file,
            size: 0,
            md5: Md5::new(),
            blake3: blake3::Hasher::new(),
            block: crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme),
            block_bytes: 0,
            blocks: Vec::new(),
        };
        Ok(Self { place: Place::Resting(Box::new(unnamed)), waiting: Vec::new(), waiting_bytes: 0 })
    }

    /// Waits for the step that runs, if one does.
    async fn rest(&mut self) -> Result<Box<Unnamed>, StoreError> {
        match std::mem::replace(&mut self.place, Place::Gone) {
            Place::Resting(unnamed) => Ok(unnamed),
            Place::Working(step) => match step.await {
                Ok(result) => result,
                Err(error) => Err(StoreError::Io(Arc::new(io::Error::other(error)))),
            },
            Place::Gone => Err(StoreError::Closed),
        }
    }

    fn step(&mut self, mut unnamed: Box<Unnamed>) {
        let chunks = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.place = Place::Working(tokio::task::spawn_blocking(move || {
            for chunk in chunks {
                unnamed.append(&chunk)?;
            }
            Ok(unnamed)
        }));
    }
}

#[async_trait]
impl BlobWriter for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.waiting_bytes += bytes.len();
        self.waiting.push(bytes);
        let busy = match &self.place {
            Place::Working(step) => !step.is_finished(),
            Place::Resting(_) | Place::Gone => false,
        };
        if !busy || self.waiting_bytes >= WAITING_BYTES_MAX {
            let unnamed = self.rest().await?;
            self.step(unnamed);
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>, description: BlobDescription) -> Result<FinishedBlob, StoreError> {
        let mut unnamed = self.rest().await?;
        let chunks = std::mem::take(&mut self.waiting);
        blocking(move || {
            for chunk in chunks {
                unnamed.append(&chunk)?;
            }
            unnamed.finish(description)
        })
        .await
    }
}

impl Unnamed {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        match self.room {
            Room::Allocated => {}
            Room::AsItComes => self.space.look()?.admit(bytes.len() as u64)?,
        }
        self.file.write_all(bytes)?;
        self.md5.update(bytes);
        self.blake3.update(bytes);
        self.size += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK_BYTES - self.block_bytes));
            self.block.update(now);
            self.block_bytes += now.len();
            if self.block_bytes == BLOCK_BYTES {
                self.end_block();
            }
            rest = later;
        }
        Ok(())
    }

    fn end_block(&mut self) {
        self.blocks.push(self.block.finalize_reset());
        self.block_bytes = 0;
    }

    /// Footer, fsync of the file, name, fsync of the directory: in this order.
    fn finish(mut self: Box<Self>, description: BlobDescription) -> Result<FinishedBlob, StoreError> {
        if self.block_bytes > 0 {
            self.end_block();
        }
        let etag = ETag::from_md5(self.md5.finalize_reset().into());
        self.check(&description, etag)?;
        let (footer, footer_crc64) = self.footer(description, etag).encode();
        self.file.write_all(&footer)?;
        self.file.sync_all()?;
        // Before the name exists, so that the collector never finds it unheld.
        self.file.lock_shared()?;
        self.directory.link(&self.file, self.id)?;
        let hold = Hold {
            directory: Arc::clone(&self.directory),
            id: self.id,
            _lock: self.file,
            fate: Fate::Remove,
        };
        self.directory.sync_link(self.id)?;
        let footer_bytes = u32::try_from(footer.len()).unwrap_or(u32::MAX);
        let place = BlobPlace { id: self.id, footer_crc64, footer_bytes };
        Ok(FinishedBlob { place, size: self.size, etag, hold: Box::new(hold) })
    }

    fn check(&self, description: &BlobDescription, etag: ETag) -> Result<(), StoreError> {
        if let Some(expected) = description.expected_len
            && expected != self.size
        {
            return Err(StoreError::LengthMismatch { expected, found: self.size });
        }
        if description.expected_etag.is_some_and(|expected| expected != etag) {
            return Err(StoreError::DigestMismatch);
        }
        Ok(())
    }

    fn footer(&mut self, description: BlobDescription, etag: ETag) -> Footer {
        Footer {
            version: description.version.as_u64(),
            size: self.size,
            md5: *etag.as_bytes(),
            blake3: self.blake3.finalize().into(),
            account: description.account.as_str().into(),
            container: description.container.as_str().into(),
            key: description.key.as_str().into(),
            blocks: std::mem::take(&mut self.blocks),
        }
    }
}

/// A named blob that no row refers to yet. The lock on the open file dies with
/// the process.
struct Hold {
    directory: Arc<BlobDirectory>,
    id: BlobId,
    _lock: File,
    fate: Fate,
}

enum Fate {
    Remove,
    Keep,
}

impl BlobHold for Hold {
    fn keep(&mut self) {
        self.fate = Fate::Keep;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        match self.fate {
            Fate::Keep => {}
            // What cannot be removed now is an orphan; the collector tries again.
            Fate::Remove => drop(self.directory.remove(self.id)),
        }
    }
}
