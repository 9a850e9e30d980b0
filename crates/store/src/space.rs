//! The reserve of free space: bodies are refused before the metadata runs out.

use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use rustix::io::Errno;

use crate::error::StoreError;

/// How long a look at the file system is believed where nothing is written yet:
/// small bodies, 16 KiB each, take little of the reserve meanwhile.
const BELIEVED: Duration = Duration::from_millis(100);

/// The least reserve on a large file system.
const RESERVE_BYTES_MIN: u64 = 1 << 30;

/// The least reserve on a small one: a write-ahead log of 8 MiB, and as much for
/// the pages that go from it into the database.
const RESERVE_BYTES_SMALL: u64 = 16 << 20;

/// Bytes that stay free for deletions, the write-ahead log and checkpoints: one
/// hundredth, at least 1 GiB; but on a small file system one twentieth, at least
/// 16 MiB; but never more than a quarter.
#[must_use]
pub const fn reserve_bytes(total: u64) -> u64 {
    let wanted = larger(total / 100, RESERVE_BYTES_MIN);
    let most = larger(total / 20, smaller(RESERVE_BYTES_SMALL, total / 4));
    smaller(wanted, most)
}

const fn larger(a: u64, b: u64) -> u64 {
    if a > b { a } else { b }
}

const fn smaller(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}

/// Free and total bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that an unprivileged process may still use.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Space {
    /// Whether a body of so many bytes leaves the reserve untouched.
    ///
    /// *Errors*: `Full`.
    pub const fn admit(self, bytes: u64) -> Result<(), StoreError> {
        if self.free.saturating_sub(reserve_bytes(self.total)) < bytes
            || self.free < reserve_bytes(self.total)
        {
            return Err(StoreError::Full);
        }
        Ok(())
    }
}

/// The file system under a directory.
pub struct SpaceGauge {
    directory: File,
    last: Mutex<Option<(Instant, Space)>>,
    allocating: Mutex<()>,
}

/// Whether a file has the room that it will need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Its blocks are there: writing it takes nothing more.
    Allocated,
    /// Every write takes its own.
    AsItComes,
}

impl SpaceGauge {
    /// A gauge of the file system under an open directory.
    #[must_use]
    pub const fn new(directory: File) -> Self {
        Self { directory, last: Mutex::new(None), allocating: Mutex::new(()) }
    }

    /// The space as of a moment ago.
    ///
    /// *Errors*: `Io`.
    pub fn space(&self) -> Result<Space, StoreError> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last {
            Some((at, space)) if at.elapsed() < BELIEVED => Ok(space),
            Some(_) | None => self.look(),
        }
    }

    /// The space now.
    ///
    /// *Errors*: `Io`.
    ///
    /// *Cost*: a system call, 1 to 2 µs.
    pub fn look(&self) -> Result<Space, StoreError> {
        let stat = fstatvfs(&self.directory)?;
        let space = Space {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), space));
        Ok(space)
    }

    /// Allocates the blocks of a file on this file system, and leaves the reserve
    /// untouched however many do so at once: in this process one after the other;
    /// of several processes each looks again when it has its blocks.
    ///
    /// *Errors*: `Full`, `Io`; the caller drops the file, which frees its blocks.
    ///
    /// *Cost*: blocks.
    pub fn allocate(&self, file: &File, bytes: u64) -> Result<Room, StoreError> {
        let _turn = self.allocating.lock().unwrap_or_else(PoisonError::into_inner);
        self.look()?.admit(bytes)?;
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
            Ok(()) => {}
            // Some file systems cannot; the writes find out then.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Room::AsItComes),
            Err(error) => return Err(error.into()),
        }
        self.look()?.admit(0)?;
        Ok(Room::Allocated)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::{Room, Space, SpaceGauge, reserve_bytes};
    use crate::error::StoreError;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_reserve_fits_the_file_system() {
        assert_eq!(reserve_bytes(1000 * GIB), 10 * GIB);
        assert_eq!(reserve_bytes(50 * GIB), GIB);
        assert_eq!(reserve_bytes(10 * GIB), GIB / 2);
        assert_eq!(reserve_bytes(64 << 20), 16 << 20);
        assert_eq!(reserve_bytes(16 << 20), 4 << 20);
        assert_eq!(reserve_bytes(0), 0);
    }

    #[test]
    fn a_body_may_use_what_is_above_the_reserve() {
        let space = Space { free: 3 * GIB, total: 50 * GIB };
        assert!(space.admit(0).is_ok());
        assert!(space.admit(2 * GIB).is_ok());
        assert!(space.admit(2 * GIB + 1).is_err());
        assert!(Space { free: GIB - 1, total: 50 * GIB }.admit(0).is_err());
    }
    #[test]
    fn what_would_touch_the_reserve_is_not_allocated() {
        let directory = tempfile::tempdir().expect("a directory");
        let gauge = SpaceGauge::new(File::open(directory.path()).expect("open"));
        let file = tempfile::tempfile_in(directory.path()).expect("a file");
        let before = gauge.look().expect("space");
        let all = before.free - reserve_bytes(before.total) / 2;
        assert!(matches!(gauge.allocate(&file, all), Err(StoreError::Full)));
        assert_eq!(gauge.allocate(&file, 1 << 20).expect("1 MiB"), Room::Allocated);
        assert_eq!(file.metadata().expect("metadata").len(), 0);
    }
}
