//! What a folder holds of journals.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::place::Look;

/// Entries of a folder that are looked at: it is a folder of journals, not a store.
const ENTRIES_MAX: usize = 4096;

/// A file, as it was listed. In the order of the fields: by folder and journal, the
/// oldest file of each first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) folder: usize,
    journal: String,
    /// Its number, counted down.
    age: std::cmp::Reverse<u32>,
    pub(super) name: OsString,
    pub(super) inode: u64,
    pub(super) look: Look,
}

impl Seen {
    /// Whether both are files of one journal.
    pub(super) fn same_journal(&self, other: &Self) -> bool {
        (self.folder, &self.journal) == (other.folder, &other.journal)
    }

    /// Which file it is, under which name.
    fn identity(&self) -> (&OsStr, u64) {
        (&self.name, self.inode)
    }
}

/// Listings of a folder at one look, until two agree: journals are rotated by size, not
/// many times within a millisecond.
const LISTINGS_MAX: usize = 8;

/// The files of journals in a folder.
///
/// A file that is renamed while the folder is listed may be in the listing under both
/// of its names or under none, and lines of newer files would come before its own. So
/// it is listed until nothing has moved.
///
/// *Errors*: that of the system, or `ResourceBusy` where files move all the time.
pub(super) fn list(number: usize, folder: &Path) -> io::Result<Vec<Seen>> {
    let mut files = listed(number, folder)?;
    for _ in 1..LISTINGS_MAX {
        let again = listed(number, folder)?;
        if again.iter().map(Seen::identity).eq(files.iter().map(Seen::identity)) {
            return Ok(again);
        }
        files = again;
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// What one listing finds, in order.
fn listed(number: usize, folder: &Path) -> io::Result<Vec<Seen>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)?.take(ENTRIES_MAX) {
        let entry = entry?;
        let name = entry.file_name();
        let Some((journal, age)) = name.to_str().and_then(parts) else { continue };
        // One that vanished meanwhile was rotated away.
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if !metadata.is_file() {
            continue;
        }
        files.push(Seen {
            folder: number,
            journal: journal.to_owned(),
            age: std::cmp::Reverse(age),
            inode: metadata.ino(),
            look: Look { bytes: metadata.len(), modified: metadata.modified()? },
            name,
        });
    }
    files.sort();
    Ok(files)
}

/// The journal and the number of `NAME.jsonl` or `NAME.jsonl.N`.
fn parts(name: &str) -> Option<(&str, u32)> {
    if let Some(journal) = name.strip_suffix(".jsonl") {
        return Some((journal, 0));
    }
    let (rest, number) = name.rsplit_once('.')?;
    Some((rest.strip_suffix(".jsonl")?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn journals_are_told_by_their_names() {
        assert_eq!(parts("head-1.jsonl"), Some(("head-1", 0)));
        assert_eq!(parts("a.b.jsonl.12"), Some(("a.b", 12)));
        for other in ["head-1.json", "head-1.jsonl.gz", "head-1.jsonl.", "1", "ca.pem"] {
            assert_eq!(parts(other), None, "{other}");
        }
    }
}
