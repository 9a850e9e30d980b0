//! What of the board outlives the process.

use serde::{Deserialize, Serialize};

use super::Board;
use super::changes::ChangeSeen;
use super::latency::KeptSlot;
use super::slowest::Attempt;
use super::totals::{KeptTotals, Totals};

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct KeptBoard {
    client: Vec<KeptSlot>,
    head: Vec<KeptSlot>,
    slowest: Vec<Attempt>,
    changes: Vec<ChangeSeen>,
    totals: KeptTotals,
}

impl Board {
    pub(crate) fn kept(&self) -> KeptBoard {
        KeptBoard {
            client: self.client.kept(),
            head: self.head.kept(),
            slowest: self.slowest.kept(),
            changes: self.changes.list(),
            totals: self.totals.kept(),
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
