//! A log that grows: its end is waited for, and a new file under its name is gone on with.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it is looked whether there is more: sooner than a reader notices.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Reads on at the end of a file, until it is told to stop.
pub(super) struct Growing {
    path: PathBuf,
    file: File,
    stop: Arc<AtomicBool>,
}

impl Growing {
    pub(super) fn open(path: &Path, stop: Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: File::open(path)?, stop })
    }

    /// What was rotated away or cut to nothing is read from its new beginning.
    fn look_again(&mut self) -> io::Result<()> {
        let read_to = self.file.stream_position()?;
        let here = self.file.metadata()?;
        match self.path.metadata() {
            Ok(named) if (named.dev(), named.ino()) != (here.dev(), here.ino()) => {
                self.file = File::open(&self.path)?;
            }
            Ok(named) if named.len() < read_to => _ = self.file.seek(SeekFrom::Start(0))?,
            // Between two files there may be none for a moment.
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }
}

impl Read for Growing {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(to)?;
            if read > 0 || self.stop.load(Ordering::Relaxed) {
                return Ok(read);
            }
            std::thread::sleep(LOOK_EVERY);
            self.look_again()?;
        }
    }
}
