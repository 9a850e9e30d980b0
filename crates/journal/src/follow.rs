//! The lines of whole folders of journals, as they grow.
//!
//! A [`Follower`] is asked again and again, on its caller's clock, and gives what has
//! come since. It asks the file system each time and holds no file open between: a
//! file is known by its inode and by how it begins, so that it is gone on with under
//! whatever number it has been rotated to, and one that took over the inode of another
//! is not mistaken for it. Where the files are looked at less often than they are
//! rotated away, lines are lost; the journal keeps eight.
//!
//! Looking beats being told here: inotify would be one dependency and one limit of the
//! system more, and journals write every 50 ms anyway.

mod folder;
mod place;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use folder::Seen;
use place::Place;

pub use place::Position;

/// How often to ask: sooner than a reader notices, seldom enough to cost nothing. What has
/// come is read in a few milliseconds then, for which heads on the same cores wait.
pub const POLL_EVERY: Duration = Duration::from_millis(100);

/// Files that are kept track of: 64 heads with 8 each, and as many again.
const FILES_MAX: usize = 1024;
/// For how many looks a file that is not listed is remembered: it may be between two
/// names. 5 s at [`POLL_EVERY`].
const UNLISTED_MAX: u32 = 50;

/// What one turn takes at most.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// In all: what a batch holds in memory.
    turn_bytes_max: usize,
    /// Of one journal, so that a busy one does not keep others waiting, and that its lines
    /// fit into a core's cache beside what others have there. At 10,000 requests/s, 1.2 KiB
    /// each, a journal grows by 1.2 MiB between two looks; a turn that found more is followed
    /// by the next at once.
    journal_bytes_max: usize,
    /// A longer line is none of ours, whose bound is 8 KiB, and is passed over.
    line_bytes_max: usize,
}

const LIMITS: Limits =
    Limits { turn_bytes_max: 1 << 20, journal_bytes_max: 256 << 10, line_bytes_max: 64 << 10 };

/// Where to begin in the files that are there at the first look. Files that come later
/// are read from their beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the beginning.
    Beginning,
    /// At the end: what is written from now on, and a line that is being written.
    End,
    /// At the beginning of files that were written to at this time or later, at the end
    /// of others.
    WrittenSince(SystemTime),
}

/// Follows every `*.jsonl` of some folders, and what they were rotated to.
///
/// *Cost*: a look or two at each folder and each file in it for each turn, some 4 µs a file;
/// memory for a turn's lines, below 2 MiB, and 200 bytes a file.
#[derive(Debug)]
pub struct Follower {
    folders: Vec<Folder>,
    limits: Limits,
    files: BTreeMap<Key, Place>,
    /// Which journal has the first turn: each in its time.
    first: usize,
    counts: Counts,
    /// The lines of this turn: the room is used again by the next.
    text: Vec<u8>,
}

/// A folder that is followed.
#[derive(Clone, Debug)]
struct Folder {
    path: PathBuf,
    /// Where to begin in files that are seen in it for the first time.
    start: Start,
}

/// A file: on the file system of a folder an inode has one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    folder: usize,
    inode: u64,
}

/// What did not go as usual so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files that were cut to less than was read of them or written anew, and new ones
    /// with the inode of one that is gone; they are read from their beginning.
    pub begun_anew: u64,
    /// Lines that were passed over for their length.
    pub overlong: u64,
    /// Attempts to read a file or a folder that failed; they are made again.
    pub unreadable: u64,
    /// Looks at a file that there was no room to keep track of.
    pub untracked: u64,
}

/// What came since the last turn.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    text: &'a [u8],
    /// What is left.
    pub rest: Rest,
}

/// Whether more can be had at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Everything was taken, but for lines that have no end yet.
    Nothing,
    /// The turn was full.
    More,
}

impl<'a> Batch<'a> {
    /// The lines, without their line feeds. Those of one journal are in order.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let text = self.text;
        let mut from = 0;
        let ended = memchr::memchr_iter(b'\n', text);
        let lines = ended.filter_map(move |end| text.get(std::mem::replace(&mut from, end + 1)..end));
        lines.filter(|line| !line.is_empty())
    }
}

impl Follower {
    /// Follows these folders, which may come later.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>, start: Start) -> Self {
        let folders = folders.into_iter().map(|path| Folder { path, start }).collect();
        Self {
            folders,
            limits: LIMITS,
            files: BTreeMap::new(),
            first: 0,
            counts: Counts::default(),
            text: Vec::new(),
        }
    }

    /// Goes on where another one stopped; files that it did not know are new.
    #[must_use]
    pub fn resume(folders: Vec<PathBuf>, positions: Vec<Position>) -> Self {
        let mut follower = Self::new(folders, Start::Beginning);
        for position in positions.into_iter().take(FILES_MAX) {
            let folder = follower.folders.iter().position(|folder| folder.path == position.folder);
            if let Some(folder) = folder {
                let key = Key { folder, inode: position.inode };
                follower.files.insert(key, Place::resumed(position));
            }
        }
        follower
    }

    /// Where it stands: everything in the batches so far is before, all else behind.
    #[must_use]
    pub fn positions(&self) -> Vec<Position> {
        let position = |(key, place): (&Key, &Place)| {
            let folder = self.folders.get(key.folder)?.path.clone();
            Some(place.position(folder, key.inode))
        };
        self.files.iter().filter_map(position).collect()
    }

    /// What did not go as usual so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes what has come. Never fails: what cannot be read now is tried again at the
    /// next turn, and counted.
    pub fn poll(&mut self) -> Batch<'_> {
        let seen = self.look();
        self.forget_unlisted();
        let mut journals: Vec<&[Seen]> = seen.chunk_by(Seen::same_journal).collect();
        if !journals.is_empty() {
            self.first = self.first.wrapping_add(1) % journals.len();
            journals.rotate_left(self.first);
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let mut rest = Rest::Nothing;
        for journal in journals {
            if text.len() >= self.limits.turn_bytes_max {
                rest = Rest::More;
                break;
            }
            if self.journal(journal, &mut text) == Rest::More {
                rest = Rest::More;
            }
        }
        self.text = text;
        Batch { text: &self.text, rest }
    }

    /// Every file that is there; those of a journal follow one another, the oldest first.
    fn look(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for number in 0..self.folders.len() {
            let Some(folder) = self.folders.get_mut(number) else { break };
            let start = folder.start;
            match folder::list(number, &folder.path) {
                Ok(files) => {
                    folder.start = Start::Beginning;
                    let places = self.files.iter_mut().filter(|(key, _)| key.folder == number);
                    places.for_each(|(_, place)| place.unlisted += 1);
                    seen.extend(files.into_iter().filter(|file| self.is_tracked(file, start)));
                }
                // It comes later, or has gone: its files are remembered, for a file system
                // may be mounted again.
                Err(error) if error.kind() == io::ErrorKind::NotFound => folder.start = Start::Beginning,
                Err(_) => self.counts.unreadable += 1,
            }
        }
        seen
    }

    /// Keeps track of a file from its first look on; no file has two turns, though it
    /// may be listed twice while it is renamed.
    fn is_tracked(&mut self, seen: &Seen, start: Start) -> bool {
        let key = Key { folder: seen.folder, inode: seen.inode };
        if let Some(place) = self.files.get_mut(&key) {
            let first = place.unlisted > 0;
            place.unlisted = 0;
            return first;
        }
        if self.files.len() >= FILES_MAX {
            self.counts.untracked += 1;
            return false;
        }
        let skip = match start {
            Start::Beginning => false,
            Start::End => true,
            Start::WrittenSince(time) => seen.look.modified < time,
        };
        let place = if skip { self.end_of(seen) } else { Place::beginning() };
        self.files.insert(key, place);
        true
    }

    fn end_of(&self, seen: &Seen) -> Place {
        let place = self.open(seen).and_then(|file| Place::at_end(&file, self.limits.line_bytes_max));
        // One that was rotated in this moment ends where it ended when it was listed.
        place.unwrap_or_else(|_| Place::at(seen.look.bytes))
    }

    fn forget_unlisted(&mut self) {
        self.files.retain(|_, place| place.unlisted < UNLISTED_MAX);
    }

    /// Takes what has come of one journal, the oldest file first: a file is begun when
    /// the one before it is read to its end.
    fn journal(&mut self, files: &[Seen], text: &mut Vec<u8>) -> Rest {
        let full = text.len().saturating_add(self.limits.journal_bytes_max);
        for seen in files {
            match self.file(seen, full, text) {
                Ok(Rest::Nothing) => {}
                Ok(Rest::More) => return Rest::More,
                // Rotated since it was listed: found again at the next look, and what is
                // newer waits for it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Rest::Nothing,
                Err(_) => self.counts.unreadable += 1,
            }
        }
        Rest::Nothing
    }

    /// Takes what has come of one file, until the text is as long as `full`.
    fn file(&mut self, seen: &Seen, full: usize, text: &mut Vec<u8>) -> io::Result<Rest> {
        let key = Key { folder: seen.folder, inode: seen.inode };
        let Some(place) = self.files.get(&key) else { return Ok(Rest::Nothing) };
        if place.looked == Some(seen.look) {
            return Ok(Rest::Nothing);
        }
        let file = self.open(seen)?;
        let Some(place) = self.files.get_mut(&key) else { return Ok(Rest::Nothing) };
        if !place.is_of(&file)? {
            self.counts.begun_anew += 1;
            *place = Place::beginning();
        }
        let mut rest = Rest::More;
        // What is read counts too: of an endless line nothing comes into the text.
        let mut read: usize = 0;
        while text.len() < full && read < self.limits.journal_bytes_max {
            // At least a line's length: a shorter read could find no end of one.
            let most = (full - text.len()).max(self.limits.line_bytes_max);
            let taken = place.take(&file, most, self.limits.line_bytes_max, text)?;
            self.counts.overlong += taken.overlong;
            read = read.saturating_add(taken.bytes);
            if taken.bytes < most {
                // The length that was listed is older than what was read now: if more
                // came, the next look differs.
                place.looked = Some(seen.look);
                rest = Rest::Nothing;
                break;
            }
        }
        place.remember_beginning(&file)?;
        Ok(rest)
    }

    /// Opens the file that was seen.
    ///
    /// *Errors*: `NotFound` too where another file has the name by now.
    fn open(&self, seen: &Seen) -> io::Result<File> {
        let folder = self.folders.get(seen.folder).ok_or(io::ErrorKind::NotFound)?;
        let file = File::open(folder.path.join(&seen.name))?;
        if file.metadata()?.ino() == seen.inode { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

#[cfg(test)]
mod tests;
