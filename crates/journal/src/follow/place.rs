//! A place in a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Bytes of a file's beginning by which it is known again: in a journal they hold the
/// time of its first record, in ns.
const BEGINNING_BYTES: usize = 48;

/// A place in a file that survives the process.
///
/// *Shape*: below 400 bytes of JSON, for folders of usual names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The folder, as it was given.
    pub(super) folder: PathBuf,
    pub(super) inode: u64,
    offset: u64,
    /// How the file begins; another file may have its inode by now.
    beginning: Box<str>,
}

/// How far a file has been read.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// A line begins here.
    offset: u64,
    /// Of a line that is passed over, the middle.
    within: Within,
    beginning: Box<str>,
    /// What the file was like when all of it had been read.
    pub(super) looked: Option<Look>,
    /// For how many looks it was not listed.
    pub(super) unlisted: u32,
}

/// What a listing tells of a file: where it is the same, nothing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Look {
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Lines,
    OverlongLine,
}

/// What a read gave.
pub(super) struct Taken {
    pub(super) bytes: usize,
    pub(super) overlong: u64,
}

impl Place {
    /// Before the first line.
    pub(super) fn beginning() -> Self {
        Self::at(0)
    }

    /// There, in a file of which nothing else is known.
    pub(super) fn at(offset: u64) -> Self {
        Self { offset, within: Within::Lines, beginning: Box::default(), looked: None, unlisted: 0 }
    }

    /// Behind the last line that has its end.
    pub(super) fn at_end(file: &File, line_bytes_max: usize) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        let from = bytes.saturating_sub(u64::try_from(line_bytes_max).unwrap_or(u64::MAX));
        let tail = read(file, from, line_bytes_max)?;
        let mut place = Self::beginning();
        match tail.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => place.offset = from + length(at + 1),
            None if from > 0 => (place.offset, place.within) = (bytes, Within::OverlongLine),
            None => {}
        }
        place.remember_beginning(file)?;
        Ok(place)
    }

    pub(super) fn resumed(position: Position) -> Self {
        Self { offset: position.offset, beginning: position.beginning, ..Self::beginning() }
    }

    pub(super) fn position(&self, folder: PathBuf, inode: u64) -> Position {
        Position { folder, inode, offset: self.offset, beginning: self.beginning.clone() }
    }

    /// Whether it is a place in this file: the file begins as it did, and is no shorter.
    pub(super) fn is_of(&self, file: &File) -> io::Result<bool> {
        let begins = beginning(file, self.offset)?;
        Ok(file.metadata()?.len() >= self.offset && begins.starts_with(&*self.beginning))
    }

    /// Takes whole lines, of at most `most` bytes.
    pub(super) fn take(
        &mut self,
        file: &File,
        most: usize,
        line_bytes_max: usize,
        to: &mut Vec<u8>,
    ) -> io::Result<Taken> {
        let start = to.len();
        let read = read_behind(file, self.offset, most, to);
        let taken = read.map(|()| self.keep_lines(start, line_bytes_max, to));
        if taken.is_err() {
            to.truncate(start);
        }
        taken
    }

    /// Leaves of what was read behind `start` the whole lines.
    fn keep_lines(&mut self, start: usize, line_bytes_max: usize, to: &mut Vec<u8>) -> Taken {
        let chunk = to.get(start..).unwrap_or_default();
        let mut taken = Taken { bytes: chunk.len(), overlong: 0 };
        let from = match self.within {
            Within::Lines => 0,
            Within::OverlongLine => match memchr::memchr(b'\n', chunk) {
                Some(end) => {
                    self.within = Within::Lines;
                    end + 1
                }
                None => chunk.len(),
            },
        };
        let lines = chunk.get(from..).unwrap_or_default();
        let end = match memchr::memrchr(b'\n', lines) {
            Some(end) => from + end + 1,
            None if lines.len() >= line_bytes_max => {
                taken.overlong = 1;
                self.within = Within::OverlongLine;
                self.offset += length(chunk.len());
                to.truncate(start);
                return taken;
            }
            None => from,
        };
        self.offset += length(end);
        to.truncate(start + end);
        to.drain(start..start + from);
        taken
    }

    /// Keeps how the file begins, as far as it has been read.
    pub(super) fn remember_beginning(&mut self, file: &File) -> io::Result<()> {
        if self.beginning.len() < BEGINNING_BYTES {
            self.beginning = beginning(file, self.offset)?;
        }
        Ok(())
    }
}

/// How a file begins, as far as `offset`. What is not UTF-8 is replaced, which makes
/// no two journals alike: their first bytes are ASCII.
fn beginning(file: &File, offset: u64) -> io::Result<Box<str>> {
    let bytes = usize::try_from(offset).unwrap_or(usize::MAX).min(BEGINNING_BYTES);
    Ok(String::from_utf8_lossy(&read(file, 0, bytes)?).into())
}

fn read(file: &File, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_behind(file, offset, most, &mut bytes)?;
    Ok(bytes)
}

/// Reads as many bytes as there are, at most `most`, and puts them behind what is there.
fn read_behind(file: &File, mut offset: u64, most: usize, to: &mut Vec<u8>) -> io::Result<()> {
    let mut done = to.len();
    to.resize(done + most, 0);
    while let Some(free) = to.get_mut(done..).filter(|free| !free.is_empty()) {
        match file.read_at(free, offset) {
            Ok(0) => break,
            Ok(more) => (done, offset) = (done + more, offset.saturating_add(length(more))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    to.truncate(done);
    Ok(())
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
