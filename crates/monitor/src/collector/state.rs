//! Places and counts on disk.

use repono_journal::follow::Position;
use serde::{Deserialize, Serialize};

use crate::board::KeptBoard;
use crate::state_file::{Kept, StateFile};

/// The form of the file.
const VERSION: u32 = 1;

#[derive(Deserialize, Serialize)]
pub(super) struct State {
    version: u32,
    pub(super) positions: Vec<Position>,
    pub(super) board: KeptBoard,
}

impl State {
    pub(super) const fn new(positions: Vec<Position>, board: KeptBoard) -> Self {
        Self { version: VERSION, positions, board }
    }
}

impl Kept for State {
    const NAME: &'static str = "counts.json";
    const VERSION: u32 = VERSION;
    /// Slots of minutes and hours of two views, 4,320, each of at most 2,432 values of some
    /// 14 bytes, would be 140 MiB; real ones have some 300 values.
    const BYTES_MAX: u64 = 160 << 20;

    fn version(&self) -> u32 {
        self.version
    }
}

/// Where the state is kept.
pub(super) type CountsFile = StateFile<State>;
