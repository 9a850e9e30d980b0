//! Open connections, counted by age and idle time.

use std::collections::BTreeMap;
use std::time::Duration;

use repono_journal::Stamp;
use serde::Serialize;

use super::{OpenConnections, Seen, Turn};

/// The bounds of ages, in seconds; the last row is of what is older.
const AGE_BOUNDS_S: [u64; 9] = [1, 10, 60, 300, 900, 3_600, 14_400, 43_200, 86_400];
/// The bounds of idle times: fine around the limits that boxes on the way have.
const IDLE_BOUNDS_S: [u64; 13] = [1, 2, 5, 10, 30, 60, 120, 240, 350, 600, 900, 1_800, 3_600];
/// Connections that are listed one by one: more than a person looks through.
const SAMPLE_MAX: usize = 500;

/// The answer to `GET /v1/connections`.
#[derive(Debug, Serialize)]
pub(crate) struct Grid {
    pub(super) idle_limit_ms: u64,
    age_bounds_s: &'static [u64],
    idle_bounds_s: &'static [u64],
    /// Rows of ages, columns of idle times: each counts what is over the bound before
    /// it and not over its own.
    pub(super) counts: Vec<Vec<u64>>,
    pub(super) total: u64,
    pub(super) sample: Vec<Listed>,
}

#[derive(Debug, Serialize)]
pub(super) struct Listed {
    id: String,
    client: String,
    head: String,
    age_ms: u64,
    idle_ms: u64,
}

/// Every n-th of all, so many that they fit.
struct Sample {
    every: u64,
    seen: Vec<Seen>,
}

impl Grid {
    /// Counts what is open now.
    pub(crate) fn of(open: &OpenConnections, idle_limit: Duration, now: Stamp) -> Self {
        let mut counts = vec![vec![0_u64; IDLE_BOUNDS_S.len() + 1]; AGE_BOUNDS_S.len() + 1];
        let mut total = 0_u64;
        let mut sample = Sample { every: 1, seen: Vec::new() };
        open.look(now, |seen| {
            sample.take(total, seen);
            total += 1;
            let row = counts.get_mut(place(&AGE_BOUNDS_S, seen.age));
            if let Some(cell) = row.and_then(|row| row.get_mut(place(&IDLE_BOUNDS_S, seen.idle))) {
                *cell += 1;
            }
        });
        Self {
            idle_limit_ms: millis(idle_limit),
            age_bounds_s: &AGE_BOUNDS_S,
            idle_bounds_s: &IDLE_BOUNDS_S,
            counts,
            total,
            sample: sample.seen.iter().map(Listed::of).collect(),
        }
    }
}

/// Connections by head whose client has sent something that the head has not begun to
/// answer.
pub(crate) fn waiting(open: &OpenConnections, now: Stamp) -> BTreeMap<Vec<u8>, u64> {
    let mut waiting: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    open.look(now, |seen| match seen.turn {
        Turn::Waiting => *waiting.entry(seen.head.as_bytes().to_vec()).or_default() += 1,
        Turn::Quiet => {}
    });
    waiting
}

impl Sample {
    fn take(&mut self, number: u64, seen: Seen) {
        if !number.is_multiple_of(self.every) {
            return;
        }
        if self.seen.len() >= SAMPLE_MAX {
            // Every second one goes, and so it is with those to come.
            let mut keep = false;
            self.seen.retain(|_| {
                keep = !keep;
                keep
            });
            self.every = self.every.saturating_mul(2);
            if !number.is_multiple_of(self.every) {
                return;
            }
        }
        self.seen.push(seen);
    }
}

impl Listed {
    fn of(seen: &Seen) -> Self {
        Self {
            id: seen.id.to_string(),
            client: seen.client.to_string(),
            head: String::from_utf8_lossy(seen.head.as_bytes()).into_owned(),
            age_ms: millis(seen.age),
            idle_ms: millis(seen.idle),
        }
    }
}

fn place(bounds_s: &[u64], time: Duration) -> usize {
    bounds_s.partition_point(|bound| Duration::from_secs(*bound) < time)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
