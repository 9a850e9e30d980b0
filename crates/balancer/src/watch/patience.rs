//! What one connection tells of its head: how its beginning went, and which of its
//! turns were slow.

use std::time::Duration;

use repono_journal::Stamp;
use tokio::time::Instant;

use crate::conduct::waits::{SLOW_MIN, WINDOW};
use crate::conduct::{Sign, Voter};
use crate::heads::Lease;

/// Follows one connection.
pub(crate) struct Patience<'a> {
    lease: Option<&'a Lease>,
    beginning: Beginning,
    /// What of the turn that is under way was told already.
    told: Duration,
    /// When the connection last counted as one with a slow turn.
    voted: Option<Instant>,
}

/// Whether it is known how the connection began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// The head has not said a word.
    Awaited,
    /// It was told.
    Told,
}

impl<'a> Patience<'a> {
    pub(super) const fn new(lease: Option<&'a Lease>) -> Self {
        Self { lease, beginning: Beginning::Awaited, told: Duration::ZERO, voted: None }
    }

    /// The client sent bytes: the wait begins anew.
    pub(super) fn asked(&mut self) {
        self.told = Duration::ZERO;
    }

    /// The head has answered.
    ///
    /// *Cost*: two additions; the table's lock for the first turn and for slow ones.
    pub(super) fn answered(&mut self, waited: Duration, at: Instant) {
        let Some(lease) = self.lease else { return };
        if self.beginning == Beginning::Awaited {
            self.beginning = Beginning::Told;
            lease.sign(Sign::FirstByte(waited), Stamp::now());
            return;
        }
        let charge = waited.saturating_sub(std::mem::take(&mut self.told));
        lease.answered(charge);
        if waited >= SLOW_MIN {
            let voter = self.voter(at);
            lease.sign(Sign::Slow { waited, charge, voter }, Stamp::now());
        }
    }

    /// The head has not answered for so long.
    pub(super) fn waits(&mut self, waited: Duration, at: Instant) {
        let Some(lease) = self.lease else { return };
        if self.beginning == Beginning::Awaited {
            self.beginning = Beginning::Told;
            lease.sign(Sign::NoFirstByte(waited), Stamp::now());
            return;
        }
        let charge = waited.saturating_sub(self.told);
        self.told = waited;
        lease.waits(charge);
        let voter = self.voter(at);
        lease.sign(Sign::Slow { waited, charge, voter }, Stamp::now());
    }

    /// Whether it still has to be told how the connection began.
    pub(super) fn is_untold(&self) -> bool {
        self.beginning == Beginning::Awaited
    }

    fn voter(&mut self, at: Instant) -> Voter {
        if self.voted.is_some_and(|voted| at.saturating_duration_since(voted) < WINDOW) {
            return Voter::Again;
        }
        self.voted = Some(at);
        Voter::First
    }
}
