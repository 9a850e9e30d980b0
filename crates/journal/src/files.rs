//! The journal's files: appended to, rotated by size, bounded in number.
//!
//! Two processes may write under one name for a while, as a balancer and its
//! successor do. Each holds a lock on the current file while it writes a batch of
//! lines or rotates, and looks first whether the file still has its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::fstatvfs;

/// What the journal leaves free on a large file system, so that it never takes the
/// last room of a store beside it: a store there stops at 1 GiB.
const LEFT_FREE_BYTES: u64 = 512 << 20;
/// The same on a small one, where a store stops at 16 MiB.
const LEFT_FREE_BYTES_SMALL: u64 = 8 << 20;

/// The longest wait for another process that writes: a batch takes well under a
/// millisecond. One that was stopped within its batch must not stop this one too.
const LOCK_WAIT_MAX: Duration = Duration::from_millis(100);
/// Between two looks whether it has done.
const LOCK_LOOK: Duration = Duration::from_millis(1);
/// Rotations by others that are followed within one batch; each takes a whole file
/// of lines.
const FOLLOWED_MAX: usize = 8;

/// After a failed write: long enough not to spin on a full disk, short enough to
/// lose little once there is room.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// `NAME.jsonl` and its predecessors `NAME.jsonl.1`, `.2` …, the oldest last.
pub(crate) struct Files {
    path: PathBuf,
    bytes_max: u64,
    files_max: u32,
    state: State,
}

/// Exits: `Open` → `Closed` on a failed write or rotation; `Closed` → `Open` once
/// `retry_at_ns` is past and the file opens.
enum State {
    Open { file: File },
    Closed { retry_at_ns: u64 },
}

impl Files {
    /// Opens the current file for appending.
    pub(crate) fn open(path: PathBuf, bytes_max: u64, files_max: u32) -> io::Result<Self> {
        let state = open_for_append(&path)?;
        Ok(Self { path, bytes_max, files_max: files_max.max(1), state })
    }

    /// Appends whole lines, rotating before them where they would not fit.
    ///
    /// *Errors*: that of the disk, or `StorageFull` before it is full. The lines are
    /// lost then, possibly torn; the file is opened anew a second later, on a fresh
    /// line.
    pub(crate) fn append(&mut self, lines: &[u8], mono_ns: u64) -> io::Result<()> {
        let written = self.try_append(lines, mono_ns);
        if written.is_err() && matches!(self.state, State::Open { .. }) {
            let after = u64::try_from(RETRY_AFTER.as_nanos()).unwrap_or(u64::MAX);
            self.state = State::Closed { retry_at_ns: mono_ns.saturating_add(after) };
        }
        written
    }

    fn try_append(&mut self, lines: &[u8], mono_ns: u64) -> io::Result<()> {
        self.reopen(mono_ns)?;
        let turn = match self.take_turn()? {
            Turn::Ours => self.rotate_before(u64::try_from(lines.len()).unwrap_or(u64::MAX))?,
            Turn::Shared => Turn::Shared,
        };
        let State::Open { file } = &mut self.state else { return Err(io::ErrorKind::NotConnected.into()) };
        if !has_room(file) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if turn == Turn::Ours {
            end_torn_line(file)?;
        }
        let written = file.write_all(lines);
        // Closing the file would do the same.
        let _ = file.unlock();
        written
    }

    /// Locks the current file: the one that has the name now.
    fn take_turn(&mut self) -> io::Result<Turn> {
        for _ in 0..FOLLOWED_MAX {
            let State::Open { file } = &self.state else { break };
            if wait_for_lock(file) == Turn::Shared {
                return Ok(Turn::Shared);
            }
            if is_named(file, &self.path) {
                return Ok(Turn::Ours);
            }
            self.state = open_for_append(&self.path)?;
        }
        Ok(Turn::Shared)
    }

    fn reopen(&mut self, mono_ns: u64) -> io::Result<()> {
        let State::Closed { retry_at_ns } = self.state else { return Ok(()) };
        if mono_ns < retry_at_ns {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let after = u64::try_from(RETRY_AFTER.as_nanos()).unwrap_or(u64::MAX);
        self.state = State::Closed { retry_at_ns: mono_ns.saturating_add(after) };
        self.state = open_for_append(&self.path)?;
        Ok(())
    }

    /// Moves the files on where the lines that come would not fit; tells whose the
    /// current one is then.
    fn rotate_before(&mut self, coming: u64) -> io::Result<Turn> {
        let State::Open { file } = &self.state else { return Ok(Turn::Shared) };
        let bytes = file.metadata()?.len();
        if bytes == 0 || bytes.saturating_add(coming) <= self.bytes_max {
            return Ok(Turn::Ours);
        }
        let oldest = self.files_max.saturating_sub(1);
        if oldest == 0 {
            fs::remove_file(&self.path)?;
        }
        for number in (0..oldest).rev() {
            rename_if_there(&self.numbered(number), &self.numbered(number + 1))?;
        }
        // Nobody else has the new name's file before the old one is let go, but another
        // may have its lock first.
        self.state = open_for_append(&self.path)?;
        self.take_turn()
    }

    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// Whether enough is free that a line may take some. Where nobody can tell, the
/// write finds out.
fn has_room(file: &File) -> bool {
    fstatvfs(file).map_or(true, |stat| {
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        bytes(stat.f_bavail) >= left_free_bytes(bytes(stat.f_blocks))
    })
}

/// Half of what a store on the same file system leaves free.
fn left_free_bytes(total: u64) -> u64 {
    LEFT_FREE_BYTES.min((total / 40).max(LEFT_FREE_BYTES_SMALL.min(total / 8)))
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn open_for_append(path: &Path) -> io::Result<State> {
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    Ok(State::Open { file })
}

/// Whose the file is while a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// This process has the lock.
    Ours,
    /// Another one does not let go. The kernel puts each batch at the file's end all
    /// the same; only a rotation needs the lock.
    Shared,
}

fn wait_for_lock(file: &File) -> Turn {
    let looks = LOCK_WAIT_MAX.as_millis() / LOCK_LOOK.as_millis();
    for _ in 0..looks {
        match file.try_lock() {
            Ok(()) => return Turn::Ours,
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_LOOK),
            // Some network file systems have no locks: as if nobody else were there.
            Err(TryLockError::Error(_)) => return Turn::Ours,
        }
    }
    Turn::Shared
}

/// Whether the file still has this name.
fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(mine), Ok(there)) => (mine.dev(), mine.ino()) == (there.dev(), there.ino()),
        (Ok(_) | Err(_), _) => false,
    }
}

/// A file that a crash or a full disk left without a final line feed gets one, so
/// that the torn line does not swallow the next.
fn end_torn_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Files, left_free_bytes};

    #[test]
    fn rotates_by_size_and_keeps_so_many() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head-1.jsonl");
        let mut files = Files::open(path.clone(), 10, 3).unwrap();
        for n in 0..6 {
            files.append(format!("line {n}\n").as_bytes(), 0).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["head-1.jsonl", "head-1.jsonl.1", "head-1.jsonl.2"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 5\n");
        assert_eq!(fs::read_to_string(dir.path().join("head-1.jsonl.2")).unwrap(), "line 3\n");
    }

    #[test]
    fn two_writers_under_one_name_lose_and_tear_nothing() {
        const LINES: usize = 400;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("balancer.jsonl");
        // Each opens the file for itself, as two processes do: their locks exclude
        // each other.
        let write = |who: &str| {
            let mut files = Files::open(path.clone(), 1000, 1000).unwrap();
            for n in 0..LINES {
                files.append(format!("{who} {n:04}\n{who} {n:04}b\n").as_bytes(), 0).unwrap();
            }
        };
        std::thread::scope(|threads| {
            let handles = ["old", "new"].map(|who| threads.spawn(move || write(who)));
            for handle in handles {
                handle.join().unwrap();
            }
        });
        let mut lines = Vec::new();
        for entry in fs::read_dir(dir.path()).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(text.len() <= 1000 && text.ends_with('\n'), "rotated by its size: {text}");
            lines.extend(text.lines().map(str::to_owned));
        }
        lines.sort();
        let mut expected: Vec<_> = ["old", "new"]
            .iter()
            .flat_map(|who| (0..LINES).flat_map(move |n| [format!("{who} {n:04}"), format!("{who} {n:04}b")]))
            .collect();
        expected.sort();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_writer_that_was_stopped_in_its_batch_stops_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        let stopped = fs::File::create(&path).unwrap();
        stopped.lock().unwrap();
        let mut files = Files::open(path.clone(), 10, 2).unwrap();
        files.append(b"line 0\n", 0).unwrap();
        files.append(b"line 1\n", 0).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 0\nline 1\n", "without a rotation");
        stopped.unlock().unwrap();
        files.append(b"line 2\n", 0).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 2\n");
    }

    #[test]
    fn what_is_left_free_fits_the_file_system() {
        assert_eq!(left_free_bytes(1 << 40), 512 << 20);
        assert_eq!(left_free_bytes(10 << 30), 256 << 20);
        assert_eq!(left_free_bytes(64 << 20), 8 << 20);
        assert_eq!(left_free_bytes(0), 0);
    }

    #[test]
    fn a_single_file_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        let mut files = Files::open(path.clone(), 10, 1).unwrap();
        files.append(b"line 0\n", 0).unwrap();
        files.append(b"line 1\n", 0).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "line 1\n");
    }

    #[test]
    fn a_torn_line_does_not_swallow_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        fs::write(&path, "{\"torn\":").unwrap();
        Files::open(path.clone(), 1000, 2).unwrap().append(b"{}\n", 0).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"torn\":\n{}\n");
    }

    #[test]
    fn a_full_disk_is_an_error_now_and_is_tried_again_after_a_second() {
        // /dev/full answers every write with ENOSPC, and it has no predecessor to
        // rotate: the path is a link that is replaced once there is room.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut files = Files::open(path.clone(), 1000, 2).unwrap();
        let full = files.append(b"a\n", 0).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        fs::remove_file(&path).unwrap();
        assert!(files.append(b"b\n", 999_999_999).is_err(), "too early");
        files.append(b"c\n", 1_000_000_000).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "c\n");
    }
}
