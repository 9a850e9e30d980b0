//! The superblock: which format a data directory has.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Incompatibility, Part, StoreError};

/// The format that this program writes. It grows when an older program could
/// not read what a newer one wrote.
pub(crate) const FORMAT: u32 = 1;

const NAME: &str = "superblock.json";

#[derive(Debug, Serialize, Deserialize)]
struct Superblock {
    format: u32,
}

/// Makes the data directory and its superblock, or checks the one that is there.
///
/// Runs under the lock of the database, because several processes may open a new
/// directory at once.
pub(crate) fn prepare(directory: &Path, lock: &Path) -> Result<(), StoreError> {
    make_directory(directory)?;
    let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(lock)?;
    lock.lock()?;
    match fs::read(directory.join(NAME)) {
        Ok(bytes) => check(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(write(directory)?),
        Err(error) => Err(error.into()),
    }
}

fn check(bytes: &[u8]) -> Result<(), StoreError> {
    let block: Superblock =
        serde_json::from_slice(bytes).map_err(|_| StoreError::Corrupt { what: Part::Superblock })?;
    if block.format > FORMAT {
        let found = block.format;
        return Err(StoreError::Incompatible(Incompatibility::Newer { found, known: FORMAT }));
    }
    Ok(())
}

fn write(directory: &Path) -> io::Result<()> {
    let temporary = directory.join("superblock.json.new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&serde_json::to_vec(&Superblock { format: FORMAT })?)?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(NAME))?;
    sync_directory(directory)
}

/// Makes a directory that only its owner may enter, and makes its name durable.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).recursive(true).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    sync_directory(path)?;
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_directory(Path::new(".")),
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{FORMAT, NAME, prepare};
    use crate::error::{Incompatibility, Part, StoreError};

    #[test]
    fn a_newer_or_torn_superblock_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let (directory, lock) = (home.path().join("d"), home.path().join("d/meta.lock"));
        prepare(&directory, &lock).unwrap();
        prepare(&directory, &lock).unwrap();
        std::fs::write(directory.join(NAME), format!("{{\"format\":{}}}", FORMAT + 1)).unwrap();
        let refused = prepare(&directory, &lock).unwrap_err();
        assert!(matches!(refused, StoreError::Incompatible(Incompatibility::Newer { found: 2, known: 1 })));
        std::fs::write(directory.join(NAME), "{").unwrap();
        let refused = prepare(&directory, &lock).unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { what: Part::Superblock }));
    }
}
