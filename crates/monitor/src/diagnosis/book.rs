//! Findings that are remembered, also through a restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::board::ChangeSeen;
use crate::state_file::Kept;

use super::judge::Seen;
use super::{ACTIVE_MS, TOLD_MAX, changed};

/// One finding.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(super) struct Entry {
    pub(super) rule: String,
    pub(super) variant: Option<String>,
    pub(super) hop: String,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
    /// Of the last minutes; of a past one, of those in which there were most.
    pub(super) count: u64,
    pub(super) worst_ms: Option<u64>,
    pub(super) told: Map<String, Value>,
}

/// All of them, by their ids.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Book(BTreeMap<String, Entry>);

impl Book {
    /// Enters what was found in the window at this time.
    pub(super) fn enter(&mut self, seen: Vec<Seen>, now_ms: u64) {
        let found: Vec<(String, Seen)> = seen.into_iter().map(|seen| (id(&seen), seen)).collect();
        // Records of another side came, and the same requests have another cause now.
        self.0.retain(|id, entry| {
            let is_same = |(other, seen): &(String, Seen)| {
                other != id && seen.first_ms <= entry.first_ms && seen.rule == entry.rule
            };
            !entry.is_active(now_ms)
                || found.iter().any(|(other, _)| other == id)
                || !(found.iter().any(is_same) || entry.rule == super::judge::SLOW_HEAD && !found.is_empty())
        });
        for (id, seen) in found {
            match self.0.get_mut(&id) {
                Some(entry) => entry.go_on(seen, now_ms),
                None => drop(self.0.insert(id, Entry::of(seen))),
            }
        }
        while self.0.len() > TOLD_MAX {
            let oldest = self.0.iter().min_by_key(|(_, entry)| entry.last_ms).map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { return };
            self.0.remove(&oldest);
        }
    }

    pub(super) fn active(&self, now_ms: u64) -> Vec<(&str, &Entry)> {
        let active = self.0.iter().filter(|(_, entry)| entry.is_active(now_ms));
        active.map(|(id, entry)| (id.as_str(), entry)).collect()
    }

    /// As the interface tells them, the latest first.
    pub(super) fn told(&self, changes: &[ChangeSeen], now_ms: u64) -> Vec<Value> {
        let mut entries: Vec<(&String, &Entry)> = self.0.iter().collect();
        entries.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.last_ms));
        entries.into_iter().map(|(id, entry)| entry.value(id, changes, now_ms)).collect()
    }
}

fn id(seen: &Seen) -> String {
    let variant = seen.variant.as_deref().unwrap_or("-");
    format!("{}.{variant}.{}", seen.rule, seen.hop)
}

impl Entry {
    fn of(seen: Seen) -> Self {
        let Seen { rule, variant, hop, first_ms, last_ms, count, worst_ms, told } = seen;
        Self { rule, variant, hop, first_ms, last_ms, count, worst_ms, told }
    }

    fn go_on(&mut self, seen: Seen, now_ms: u64) {
        let was_active = self.is_active(now_ms);
        let more = seen.last_ms > self.last_ms || seen.count > self.count;
        let (first_ms, last_ms) = (self.first_ms.min(seen.first_ms), self.last_ms.max(seen.last_ms));
        if more || was_active && seen.count >= self.count {
            // One that was over and is back began anew.
            let first_ms = if was_active { first_ms } else { seen.first_ms };
            *self = Self { first_ms, last_ms, ..Self::of(seen) };
        }
    }

    fn is_active(&self, now_ms: u64) -> bool {
        self.last_ms.saturating_add(ACTIVE_MS) > now_ms
    }

    fn value(&self, id: &str, changes: &[ChangeSeen], now_ms: u64) -> Value {
        let mut told = self.told.clone();
        let state = if self.is_active(now_ms) { "active" } else { "past" };
        let fields = [
            ("id", id.into()),
            ("state", state.into()),
            ("rule", self.rule.as_str().into()),
            ("variant", self.variant.as_deref().into()),
            ("hop", self.hop.as_str().into()),
            ("first_ms", self.first_ms.into()),
            ("last_ms", self.last_ms.into()),
            ("after", changed::before(changes, self.first_ms).into()),
        ];
        told.extend(fields.map(|(name, value): (&str, Value)| (name.to_owned(), value)));
        Value::Object(told)
    }
}

/// All of them, as they outlive the process.
#[derive(Debug, Deserialize)]
pub(super) struct KeptBook {
    version: u32,
    findings: Book,
}

/// The same, to be written.
#[derive(Serialize)]
pub(super) struct Written<'a> {
    version: u32,
    findings: &'a Book,
}

impl Book {
    pub(super) const fn kept(&self) -> Written<'_> {
        Written { version: KeptBook::VERSION, findings: self }
    }
}

impl KeptBook {
    pub(super) fn into_book(self) -> Book {
        self.findings
    }
}

impl Kept for KeptBook {
    const NAME: &'static str = "findings.json";
    const VERSION: u32 = 1;
    /// 200 findings of some 3 KiB, and their evidence, ten times.
    const BYTES_MAX: u64 = 8 << 20;

    fn version(&self) -> u32 {
        self.version
    }
}
