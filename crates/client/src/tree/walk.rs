//! The files below a folder.

use std::collections::VecDeque;
use std::fs::{self, ReadDir};
use std::path::{Path, PathBuf};

use crate::error::ClientError;

/// Walks a folder without following symbolic links, one entry at a time.
pub(super) struct Walk {
    /// Still to be read; a tree has far fewer of them than files.
    folders: VecDeque<PathBuf>,
    reading: Option<(PathBuf, ReadDir)>,
}

impl Walk {
    /// *Errors*: the folder cannot be read.
    pub(super) fn new(folder: &Path) -> Result<Self, ClientError> {
        let reading = fs::read_dir(folder).map_err(|source| failed(folder, source))?;
        Ok(Self { folders: VecDeque::new(), reading: Some((folder.to_owned(), reading)) })
    }

    /// The next file, or what could not be read; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Result<PathBuf, ClientError>> {
        loop {
            let (folder, reading) = match &mut self.reading {
                Some(reading) => reading,
                None => {
                    let folder = self.folders.pop_front()?;
                    match fs::read_dir(&folder) {
                        Ok(reading) => self.reading.insert((folder, reading)),
                        Err(source) => return Some(Err(failed(&folder, source))),
                    }
                }
            };
            let entry = match reading.next() {
                Some(Ok(entry)) => entry,
                Some(Err(source)) => return Some(Err(failed(folder, source))),
                None => {
                    self.reading = None;
                    continue;
                }
            };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.folders.push_back(entry.path()),
                Ok(kind) if kind.is_file() => return Some(Ok(entry.path())),
                // Links could lead out of the folder or in circles; sockets and
                // devices have no end.
                Ok(_) => {}
                Err(source) => return Some(Err(failed(&entry.path(), source))),
            }
        }
    }
}

fn failed(path: &Path, source: std::io::Error) -> ClientError {
    ClientError::Local { path: path.to_owned(), source }
}
