//! What rules ask of a proxy's record.

use std::time::Duration;

use serde::Deserialize;

use crate::proxy::{By, Phase};
use crate::timeline::Attempt;

use super::condition::Answer;

/// What a proxy says of an attempt that it passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Proxied {
    /// It ended through this side.
    EndedBy(By),
    /// It ended in this phase.
    EndedIn(Phase),
    /// It waited in the proxy's queue for at least so long.
    QueuedMs(u64),
    /// The proxy took at least so long to connect.
    ConnectedAfterMs(u64),
    /// The proxy tried to connect more often than this.
    RetriesAbove(u32),
}

impl Proxied {
    /// What no proxy says is no candidate.
    pub(super) fn answer(self, attempt: &Attempt) -> Answer {
        let Some(told) = &attempt.proxied else { return Answer::No };
        let ending = told.ending.as_ref().map(|(_, ending)| ending);
        let at_least =
            |wait: Option<Duration>, ms| wait.is_some_and(|wait| wait >= Duration::from_millis(ms));
        match self {
            Self::EndedBy(by) => ending.is_some_and(|ending| ending.by == by).into(),
            Self::EndedIn(phase) => ending.is_some_and(|ending| ending.phase == phase).into(),
            Self::QueuedMs(ms) => at_least(told.waits.queue, ms).into(),
            Self::ConnectedAfterMs(ms) => at_least(told.waits.connect, ms).into(),
            Self::RetriesAbove(count) => (told.waits.retries > count).into(),
        }
    }
}
