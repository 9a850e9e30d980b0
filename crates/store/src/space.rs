//! The reserve of free space: bodies are refused before the metadata runs out.

use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::fstatvfs;

use crate::error::StoreError;

/// How long a look at the file system is believed: at 1 GB/s the reserve of
/// 1 GiB is not overrun meanwhile.
const BELIEVED: Duration = Duration::from_secs(1);

/// The least reserve on a large file system.
const RESERVE_BYTES_MIN: u64 = 1 << 30;

/// Bytes that stay free for deletions, the write-ahead log and checkpoints: one
/// hundredth, at least 1 GiB, but on a small file system one twentieth.
#[must_use]
pub const fn reserve_bytes(total: u64) -> u64 {
    let hundredth = total / 100;
    let wanted = if hundredth > RESERVE_BYTES_MIN { hundredth } else { RESERVE_BYTES_MIN };
    let most = total / 20;
    if wanted < most { wanted } else { most }
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

/// The file system under a directory, looked at once a second at most.
pub struct SpaceGauge {
    directory: File,
    last: Mutex<Option<(Instant, Space)>>,
}

impl SpaceGauge {
    /// A gauge of the file system under an open directory.
    #[must_use]
    pub const fn new(directory: File) -> Self {
        Self { directory, last: Mutex::new(None) }
    }

    /// The space as of the last second.
    ///
    /// *Errors*: `Io`.
    pub fn space(&self) -> Result<Space, StoreError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, space)) = *last
            && at.elapsed() < BELIEVED
        {
            return Ok(space);
        }
        let stat = fstatvfs(&self.directory)?;
        let space = Space {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        };
        *last = Some((Instant::now(), space));
        Ok(space)
    }
}

#[cfg(test)]
mod tests {
    use super::{Space, reserve_bytes};

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_reserve_fits_the_file_system() {
        assert_eq!(reserve_bytes(1000 * GIB), 10 * GIB);
        assert_eq!(reserve_bytes(50 * GIB), GIB);
        assert_eq!(reserve_bytes(10 * GIB), GIB / 2);
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
}
