//! One file of the state directory, which is written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is kept in a file.
pub(crate) trait Kept: DeserializeOwned {
    /// The file's name.
    const NAME: &'static str;
    /// The form of the file; another one is not read.
    const VERSION: u32;
    /// The largest that is read.
    const BYTES_MAX: u64;

    /// The form that it was written in.
    fn version(&self) -> u32;
}

/// Where it is kept.
#[derive(Debug)]
pub(crate) struct StateFile<T> {
    path: PathBuf,
    /// Written first, then given the name of the other: a kill leaves one of both whole.
    new: PathBuf,
    holds: PhantomData<fn() -> T>,
}

impl<T: Kept> StateFile<T> {
    /// Makes the folder where it is missing.
    ///
    /// *Errors*: the file system's.
    pub(crate) fn in_dir(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let (path, new) = (dir.join(T::NAME), dir.join(format!("{}.new", T::NAME)));
        Ok(Self { path, new, holds: PhantomData })
    }

    /// `None` where there is none that can be used; why is logged.
    pub(crate) fn read(&self) -> Option<T> {
        let (file, version) = (T::NAME, T::VERSION);
        let read = File::open(&self.path).and_then(|file| {
            let mut text = Vec::new();
            file.take(T::BYTES_MAX).read_to_end(&mut text)?;
            Ok(serde_json::from_slice::<T>(&text)?)
        });
        match read {
            Ok(kept) if kept.version() == version => Some(kept),
            Ok(kept) => {
                let found = kept.version();
                tracing::warn!(file, found, version, "a state of another version is begun anew");
                None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(file, %error, "a state that cannot be read is begun anew");
                None
            }
        }
    }

    /// *Errors*: the file system's.
    pub(crate) fn write(&self, kept: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(kept)?;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&self.new, &self.path)
    }
}
