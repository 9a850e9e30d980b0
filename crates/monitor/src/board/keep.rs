//! What of the board outlives the process.

use serde::{Deserialize, Serialize};

use super::Board;
use super::changes::ChangeSeen;
use super::latency::{KeptSlot, Latency};
use super::slowest::{Attempt, Slowest};
use super::totals::{KeptTotals, Totals};

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct KeptBoard {
    client: Vec<KeptSlot>,
    head: Vec<KeptSlot>,
    slowest: Vec<Attempt>,
    changes: Vec<ChangeSeen>,
    totals: KeptTotals,
}

/// What outlives the process, as it is at one moment, shared with the board.
#[derive(Debug)]
pub(crate) struct Snapshot {
    client: Latency,
    head: Latency,
    slowest: Slowest,
    changes: Vec<ChangeSeen>,
    totals: Totals,
}

impl Snapshot {
    /// In the form that is written.
    ///
    /// *Cost*: some 100 ms of a full board, for which nobody need wait.
    pub(crate) fn kept(&self) -> KeptBoard {
        KeptBoard {
            client: self.client.kept(),
            head: self.head.kept(),
            slowest: self.slowest.kept(),
            changes: self.changes.clone(),
            totals: self.totals.kept(),
        }
    }
}

impl Board {
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            client: self.client.clone(),
            head: self.head.clone(),
            slowest: self.slowest.clone(),
            changes: self.changes.list(),
            totals: self.totals.clone(),
        }
    }

    pub(crate) fn resumed(kept: KeptBoard) -> Self {
        let mut board = Self { totals: Totals::resumed(kept.totals), ..Self::default() };
        board.client.resume(kept.client);
        board.head.resume(kept.head);
        board.slowest.resume(kept.slowest);
        board.changes.resume(kept.changes);
        board
    }
}
