//! Places and counts on disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use repono_journal::follow::Position;
use serde::{Deserialize, Serialize};

use crate::board::KeptBoard;

/// The form of the file; another one is not read.
const VERSION: u32 = 2;
/// The largest that is read. Slots of minutes and hours of two views, 4,320, each of at
/// most 2,432 values of some 14 bytes, would be 140 MiB; real ones have some 300 values.
const BYTES_MAX: u64 = 160 << 20;

#[derive(Deserialize, Serialize)]
pub(super) struct State {
    version: u32,
    pub(super) positions: Vec<Position>,
    pub(super) board: KeptBoard,
}

/// Where the state is kept.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// Written first, then given the name of the other: a kill leaves one of both whole.
    new: PathBuf,
}

impl StateFile {
    pub(super) fn in_dir(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self { path: dir.join("counts.json"), new: dir.join("counts.json.new") })
    }

    /// `None` where there is none that can be used; why is logged.
    pub(super) fn read(&self) -> Option<State> {
        let read = File::open(&self.path).and_then(|file| {
            let mut text = Vec::new();
            file.take(BYTES_MAX).read_to_end(&mut text)?;
            Ok(serde_json::from_slice::<State>(&text)?)
        });
        match read {
            Ok(state) if state.version == VERSION => Some(state),
            Ok(State { version, .. }) => {
                tracing::warn!(version, "the monitor's state is of another version: counting begins anew");
                None
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, "the monitor's state cannot be read: counting begins anew");
                None
            }
        }
    }

    pub(super) fn write(&self, positions: Vec<Position>, board: KeptBoard) -> io::Result<()> {
        let text = serde_json::to_vec(&State { version: VERSION, positions, board })?;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.new)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&self.new, &self.path)
    }
}
