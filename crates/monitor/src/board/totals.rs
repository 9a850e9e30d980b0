//! What is counted since counting began: as Prometheus wants it.

use std::collections::BTreeMap;

use repono_core::request::Method;
use repono_journal::read::{Connection, Request};
use repono_journal::{ClosedBy, Manner, Reuse, Side};
use serde::{Deserialize, Serialize};

/// OpenTelemetry's bounds of `http.*.request.duration`, and beyond them those that the
/// stalls lie in which this system is about.
pub(crate) const DURATION_BOUNDS_S: [f64; 18] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0, 300.0,
];
/// Durations are kept by side, method and status: five sides, eight words for methods
/// and some twenty statuses come to fewer. What is beyond is counted without its status.
const DURATIONS_MAX: usize = 512;
/// A method or side that is none of ours.
const OTHER: &str = "_OTHER";

/// What a duration is counted under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DurationKey {
    pub(crate) side: &'static str,
    pub(crate) method: &'static str,
    /// `None` where no reply came.
    pub(crate) status: Option<u16>,
}

/// A histogram of durations, its buckets not cumulative.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Durations {
    pub(crate) buckets: [u64; DURATION_BOUNDS_S.len()],
    pub(crate) count: u64,
    pub(crate) sum_s: f64,
}

/// Ends of connections, by who wrote it, who ended it, and how.
pub(crate) type Closes = BTreeMap<[&'static str; 3], u64>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) durations: BTreeMap<DurationKey, Durations>,
    pub(crate) closes: Closes,
    /// Requests by side, and whether their connection was `new` or `reused`.
    pub(crate) requests: BTreeMap<[&'static str; 2], u64>,
    /// Attempts of clients beyond the first.
    pub(crate) resent: u64,
}

impl Totals {
    pub(super) fn request(&mut self, request: &Request<'_>) {
        let side = request.side.map_or(OTHER, Side::as_str);
        let reuse = match request.reuse {
            Reuse::New => "new",
            Reuse::Reused { .. } => "reused",
        };
        add(self.requests.entry([side, reuse]).or_default(), request.one_in);
        if request.side == Some(Side::Client) && request.attempts > 1 {
            add(&mut self.resent, 1);
        }
        let method = request.method.as_deref().and_then(|name| Method::parse(name.as_bytes()));
        let mut key =
            DurationKey { side, method: method.map_or(OTHER, Method::as_str), status: request.status };
        if self.durations.len() >= DURATIONS_MAX && !self.durations.contains_key(&key) {
            key.status = None;
        }
        self.durations.entry(key).or_default().take(request.duration_ns(), request.one_in);
    }

    pub(super) fn connection(&mut self, connection: &Connection<'_>) {
        let side = connection.side.map_or(OTHER, Side::as_str);
        let by = connection.closed_by.map_or(OTHER, ClosedBy::as_str);
        let how = connection.manner.map_or(OTHER, Manner::as_str);
        add(self.closes.entry([side, by, how]).or_default(), 1);
    }
}

impl Durations {
    fn take(&mut self, duration_ns: u64, weight: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a duration below 100 days is exact to the ns")]
        let (seconds, times) = (duration_ns as f64 / 1e9, weight as f64);
        if let Some((bucket, _)) =
            self.buckets.iter_mut().zip(DURATION_BOUNDS_S).find(|(_, bound)| seconds <= *bound)
        {
            add(bucket, weight);
        }
        add(&mut self.count, weight);
        self.sum_s += seconds * times;
    }
}

fn add(count: &mut u64, more: u64) {
    *count = count.saturating_add(more);
}

/// Totals, as they outlive the process: words instead of what they mean.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct KeptTotals {
    durations: Vec<(String, String, Option<u16>, Durations)>,
    closes: Vec<(String, String, String, u64)>,
    requests: Vec<(String, String, u64)>,
    resent: u64,
}

impl Totals {
    pub(super) fn kept(&self) -> KeptTotals {
        let word = |word: &str| word.to_owned();
        let durations = self
            .durations
            .iter()
            .map(|(key, durations)| (word(key.side), word(key.method), key.status, durations.clone()));
        let closes = self.closes.iter();
        let closes = closes.map(|([side, by, how], count)| (word(side), word(by), word(how), *count));
        let requests = self.requests.iter();
        let requests = requests.map(|([side, reuse], count)| (word(side), word(reuse), *count));
        KeptTotals {
            durations: durations.collect(),
            closes: closes.collect(),
            requests: requests.collect(),
            resent: self.resent,
        }
    }

    pub(super) fn resumed(kept: KeptTotals) -> Self {
        let side = |word: &str| Side::of_word(word).map_or(OTHER, Side::as_str);
        let by = |word: &str| ClosedBy::of_word(word).map_or(OTHER, ClosedBy::as_str);
        let how = |word: &str| Manner::of_word(word).map_or(OTHER, Manner::as_str);
        let method = |word: &str| Method::parse(word.as_bytes()).map_or(OTHER, Method::as_str);
        let reuse = |word: &str| if word == "reused" { "reused" } else { "new" };
        let KeptTotals { durations, closes, requests, resent } = kept;
        let durations =
            durations.into_iter().take(DURATIONS_MAX).map(|(side_, method_, status, durations)| {
                (DurationKey { side: side(&side_), method: method(&method_), status }, durations)
            });
        let closes =
            closes.iter().map(|(side_, by_, how_, count)| ([side(side_), by(by_), how(how_)], *count));
        let requests = requests.iter().map(|(side_, reuse_, count)| ([side(side_), reuse(reuse_)], *count));
        Self {
            durations: durations.collect(),
            closes: closes.collect(),
            requests: requests.collect(),
            resent,
        }
    }
}
