//! The directories of the blob store: names, links and their durability.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use repono_core::id::BlobId;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat, unlinkat};
use rustix::io::Errno;

use crate::blob::PARTITIONS;
use crate::error::{Incompatibility, StoreError};
use crate::superblock::{make_directory, sync_directory};

/// The 256 parts, each open.
pub(super) struct BlobDirectory {
    parts: Vec<Part>,
}

struct Part {
    path: PathBuf,
    directory: File,
    syncs: Mutex<Syncs>,
    links: AtomicU64,
}

/// Which links of a part are durable: numbers of [`Part::links`].
#[derive(Default)]
struct Syncs {
    synced: u64,
    failed: u64,
}

impl BlobDirectory {
    /// Makes what is missing, and makes it durable, once: a directory made while
    /// a body comes in would have to be made durable there.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        make_directory(path)?;
        let mut parts = Vec::with_capacity(usize::from(PARTITIONS));
        let mut made = Vec::new();
        for number in 0..PARTITIONS {
            let path = path.join(format!("{number:02x}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => made.push(path.clone()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.into()),
            }
            parts.push(Part::open(path)?);
        }
        // All after the last is made: the first sync then carries the others.
        for path in &made {
            sync_directory(path)?;
        }
        if !made.is_empty() {
            sync_directory(path)?;
        }
        let directory = Self { parts };
        directory.unnamed(BlobId::from_bytes([0; 16])).map_err(unsupported)?;
        Ok(directory)
    }

    /// A new file without a name, on the file system of the part in which `id`
    /// will be.
    pub(super) fn unnamed(&self, id: BlobId) -> Result<File, Errno> {
        let part = self.part(id);
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = openat(part.directory.as_fd(), ".", flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(file))
    }

    /// Gives an unnamed file its name; never replaces one.
    ///
    /// By way of `/proc`, because `AT_EMPTY_PATH` needs a capability
    /// (open(2), `O_TMPFILE`).
    pub(super) fn link(&self, file: &File, id: BlobId) -> io::Result<()> {
        let part = self.part(id);
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        linkat(CWD, unnamed, part.directory.as_fd(), id.to_string(), AtFlags::SYMLINK_FOLLOW)?;
        Ok(())
    }

    /// Makes the name durable that was linked before this call. Calls that come
    /// while another runs share the next sync.
    ///
    /// A failed sync is never tried again: after it the kernel calls pages clean
    /// that are not, so every link that it covered counts as lost.
    pub(super) fn sync_link(&self, id: BlobId) -> io::Result<()> {
        let part = self.part(id);
        let mine = part.links.fetch_add(1, Ordering::SeqCst) + 1;
        let mut syncs = part.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        if syncs.synced < mine && syncs.failed < mine {
            let covered = part.links.load(Ordering::SeqCst);
            match part.directory.sync_all() {
                Ok(()) => syncs.synced = covered,
                Err(error) => {
                    syncs.failed = covered;
                    return Err(error);
                }
            }
        }
        if syncs.synced >= mine { Ok(()) } else { Err(io::Error::other("the sync of the directory failed")) }
    }

    /// Opens a blob for reading.
    pub(super) fn open_blob(&self, id: BlobId) -> Result<File, StoreError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match openat(self.part(id).directory.as_fd(), id.to_string(), flags, Mode::empty()) {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::NOENT) => Err(StoreError::Missing),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a blob; one that is gone already is no error. The removal need not
    /// be durable: a blob that comes back after a power cut is an orphan.
    pub(super) fn remove(&self, id: BlobId) -> io::Result<()> {
        match unlinkat(self.part(id).directory.as_fd(), id.to_string(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Blobs of one part that were last written at or before an instant.
    pub(super) fn older_than(&self, part: u8, instant: SystemTime) -> io::Result<Vec<BlobId>> {
        let mut found = Vec::new();
        let Some(part) = self.parts.get(usize::from(part)) else { return Ok(found) };
        for entry in fs::read_dir(&part.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(BlobId::parse) else { continue };
            match entry.metadata() {
                Ok(metadata) if metadata.modified()? <= instant => found.push(id),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    #[expect(clippy::indexing_slicing, reason = "256 parts are made in `open`, and the index is one byte")]
    fn part(&self, id: BlobId) -> &Part {
        &self.parts[usize::from(id.as_bytes()[0])]
    }
}

impl Part {
    fn open(path: PathBuf) -> io::Result<Self> {
        let directory = File::open(&path)?;
        Ok(Self { path, directory, syncs: Mutex::default(), links: AtomicU64::new(0) })
    }
}

fn unsupported(error: Errno) -> StoreError {
    match error {
        Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT => {
            StoreError::Incompatible(Incompatibility::FileSystem)
        }
        error => error.into(),
    }
}
