//! The last changes of configuration.

use std::collections::VecDeque;

use repono_journal::read::Change;
use serde::{Deserialize, Serialize};

/// Changes that are kept: years of a system that people change, and 1 MiB at most.
const CHANGES_MAX: usize = 1_000;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChangeSeen {
    /// When, in Unix milliseconds.
    pub(crate) at_ms: u64,
    pub(crate) who: String,
    pub(crate) what: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl ChangeSeen {
    pub(crate) fn new(at_ms: u64, who: &str, what: &str, from: &str, to: &str) -> Self {
        let [who, what, from, to] = [who, what, from, to].map(str::to_owned);
        Self { at_ms, who, what, from, to }
    }
}

#[derive(Debug, Default)]
pub(super) struct Changes(VecDeque<ChangeSeen>);

impl Changes {
    pub(super) fn take(&mut self, change: &Change<'_>) {
        let Change { at, who, what, from, to } = change;
        self.push(ChangeSeen::new(at.wall_ns / 1_000_000, who, what, from, to));
    }

    pub(super) fn push(&mut self, change: ChangeSeen) {
        // Journals of several services are read one after the other.
        let at = self.0.partition_point(|other| other.at_ms <= change.at_ms);
        self.0.insert(at, change);
        if self.0.len() > CHANGES_MAX {
            self.0.pop_front();
        }
    }

    pub(super) fn list(&self) -> Vec<ChangeSeen> {
        self.0.iter().rev().cloned().collect()
    }

    pub(super) fn resume(&mut self, kept: Vec<ChangeSeen>) {
        for change in kept {
            self.push(change);
        }
    }
}
