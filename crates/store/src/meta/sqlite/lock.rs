//! The lock that keeps the writers of several processes apart.
//!
//! SQLite's own lock is polled: a waiter sleeps, looks again, and is overtaken,
//! so that writers of several processes see tails of seconds. A lock on a file
//! beside the database is waited for in the kernel. Such a lock alone lets a
//! process that releases it take it again at once; therefore whoever wants it
//! first passes a turnstile, which the next in line holds while it waits.
//!
//! The holder writes its process id and a number that grows with each turn into
//! the file, so that a supervisor sees who holds it, and whether it still moves.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes of a record: two decimal numbers and spaces.
const RECORD_BYTES: usize = 40;

/// Who holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// The process.
    pub pid: u32,
    /// Grows with each turn of that process: the same number seen for long means
    /// that the process does not move on.
    pub sequence: u64,
}

/// Who holds the lock in this file, or stands in its turnstile while nobody holds
/// it.
///
/// A process that was killed leaves its record until the next turn of another:
/// compare the process id with the processes that run.
#[must_use]
pub fn lock_holder(path: &Path) -> Option<LockHolder> {
    holder_in(path).or_else(|| holder_in(&turnstile(path)))
}

fn holder_in(path: &Path) -> Option<LockHolder> {
    let text = fs::read_to_string(path).ok()?;
    let mut words = text.split_ascii_whitespace();
    let (pid, sequence) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(LockHolder { pid, sequence })
}

fn turnstile(path: &Path) -> PathBuf {
    path.with_extension(OsStr::new("turn"))
}

/// The lock, not held.
pub(super) struct WriteLock {
    turn: File,
    lock: File,
    sequence: u64,
}

impl WriteLock {
    /// Opens the two files, or makes them.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let open = |path: &Path| {
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)
        };
        Ok(Self { turn: open(&turnstile(path))?, lock: open(path)?, sequence: 0 })
    }

    /// Waits for the lock, in the kernel and without limit.
    pub(super) fn acquire(&mut self) -> io::Result<WriteGuard<'_>> {
        self.sequence += 1;
        self.turn.lock()?;
        let in_turn = Held { file: &self.turn };
        note(&self.turn, self.sequence)?;
        self.lock.lock()?;
        let held = Held { file: &self.lock };
        note(&self.lock, self.sequence)?;
        drop(in_turn);
        Ok(WriteGuard { _held: held })
    }
}

/// The lock, held until dropped.
pub(super) struct WriteGuard<'a> {
    _held: Held<'a>,
}

struct Held<'a> {
    file: &'a File,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Neither can fail for a reason that could be acted on here, and closing
        // the file releases the lock too.
        drop(self.file.write_all_at(&[b' '; RECORD_BYTES], 0));
        drop(self.file.unlock());
    }
}

fn note(file: &File, sequence: u64) -> io::Result<()> {
    let record = format!("{:<RECORD_BYTES$}", format!("{} {sequence}", std::process::id()));
    file.write_all_at(record.as_bytes(), 0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::thread;

    use super::{LockHolder, WriteLock, lock_holder};

    #[test]
    fn the_holder_is_in_the_file_while_it_holds() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meta.lock");
        assert_eq!(lock_holder(&path), None);
        let mut lock = WriteLock::open(&path).unwrap();
        for sequence in 1..3 {
            let guard = lock.acquire().unwrap();
            assert_eq!(lock_holder(&path), Some(LockHolder { pid: std::process::id(), sequence }));
            drop(guard);
            assert_eq!(lock_holder(&path), None);
        }
    }

    /// A holder that wants the lock again at once lets the one in the turnstile
    /// go first.
    #[test]
    fn a_greedy_holder_does_not_starve_the_next() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meta.lock");
        let stop = AtomicBool::new(false);
        let greedy_turns = AtomicU32::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut greedy = WriteLock::open(&path).unwrap();
                while !stop.load(Ordering::SeqCst) {
                    drop(greedy.acquire().unwrap());
                    greedy_turns.fetch_add(1, Ordering::SeqCst);
                }
            });
            let mut modest = WriteLock::open(&path).unwrap();
            for _ in 0..200 {
                drop(modest.acquire().unwrap());
            }
            stop.store(true, Ordering::SeqCst);
        });
        assert!(lock_holder(&path).is_none());
    }
}
