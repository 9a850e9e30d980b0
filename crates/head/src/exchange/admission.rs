//! The turns of one request.

use repono_core::refusal::Refusal;

use super::Exchange;
use crate::admission::{COST_REQUEST, COST_STEP, Party, Source};
use crate::caller::Caller;
use crate::limits::{BLOB_STEP_BYTES, BLOB_STEP_TIGHT_BYTES};

impl Exchange<'_> {
    /// Takes a place among the requests of the same user, or of the same source for
    /// nobody in particular; it is kept until the exchange ends.
    ///
    /// *Errors*: 429 beyond the rate, 503 for what waited too long.
    pub(super) async fn enter_by(&mut self, caller: &Caller) -> Result<(), Refusal> {
        let party = match caller.user() {
            Some(user) => Party::User(user.id),
            None => Party::Source(Source::from(self.source)),
        };
        let admission = &self.shard.admission;
        let place = admission.parties.enter(party, COST_REQUEST).await;
        self.place = Some(place.map_err(|cause| admission.refuse(cause))?);
        Ok(())
    }

    /// Waits for the turn of the next step of a body.
    pub(super) async fn step_turn(&self) {
        if let Some(place) = &self.place {
            place.step(COST_STEP).await;
        }
    }

    /// How much of a body is handled at a time.
    pub(super) fn step_bytes(&self) -> usize {
        if self.shard.admission.is_tight() { BLOB_STEP_TIGHT_BYTES } else { BLOB_STEP_BYTES }
    }
}
