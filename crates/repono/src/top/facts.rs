//! What the monitor tells, as far as it is shown. What a newer monitor adds is passed
//! over here, and printed by `--json`.

use serde::Deserialize;
use serde_json::{Value, json};

/// One answer of the monitor to each question.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) heads: Value,
    /// Of heads and of clients, by the second.
    pub(super) head: Value,
    pub(super) client: Value,
    pub(super) slowest: Value,
    pub(super) closes: Value,
    pub(super) changes: Value,
    pub(super) findings: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) weight: u64,
    pub(super) connections: u64,
    pub(super) in_flight: Option<u64>,
    pub(super) waiting: Option<u64>,
    pub(super) only: bool,
    pub(super) failing: Option<String>,
    pub(super) traffic: Option<Traffic>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Traffic {
    pub(super) rate: f64,
    pub(super) failed: u64,
    pub(super) p99_ms: Option<f64>,
}

/// Response times, a column for each fact and an element for each second.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Series {
    pub(super) count: Vec<u64>,
    pub(super) failed: Vec<u64>,
    pub(super) reused: Vec<u64>,
    pub(super) p50: Vec<Option<f64>>,
    pub(super) p95: Vec<Option<f64>>,
    pub(super) p99: Vec<Option<f64>>,
    pub(super) max: Vec<Option<f64>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Slow {
    pub(super) ended_ms: u64,
    pub(super) duration_ms: f64,
    pub(super) side: String,
    pub(super) instance: String,
    pub(super) method: Option<String>,
    pub(super) path: String,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) idle_before_ms: Option<f64>,
    pub(super) phases_ms: serde_json::Map<String, Value>,
    pub(super) connection: String,
    pub(super) request: Option<String>,
    pub(super) attempt: u64,
    pub(super) hidden: Vec<Value>,
}

impl Slow {
    /// The attempts that the caller never saw, as far as they can be read.
    pub(super) fn hidden(&self) -> Vec<Self> {
        self.hidden.iter().filter_map(|one| Self::deserialize(one).ok()).collect()
    }

    /// Whether both are of the same request.
    pub(super) fn is(&self, other: &Self) -> bool {
        let id = |slow: &Self| (slow.ended_ms, slow.attempt);
        id(self) == id(other) && self.connection == other.connection && self.path == other.path
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Close {
    pub(super) side: String,
    pub(super) by: String,
    pub(super) how: String,
    pub(super) count: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    pub(super) at_ms: u64,
    pub(super) who: String,
    pub(super) what: String,
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    pub(super) level: Level,
    pub(super) sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Good,
    Warning,
    Bad,
    #[serde(other)]
    Unknown,
}

/// Whose response times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Head,
    Client,
}

impl Side {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Client => "client",
        }
    }
}

impl Facts {
    pub(super) fn heads(&self) -> Vec<Head> {
        list(&self.heads, "heads")
    }

    pub(super) fn series(&self, side: Side) -> Series {
        let told = match side {
            Side::Head => &self.head,
            Side::Client => &self.client,
        };
        Series::deserialize(told).unwrap_or_default()
    }

    pub(super) fn slowest(&self) -> Vec<Slow> {
        list(&self.slowest, "requests")
    }

    pub(super) fn closes(&self) -> Vec<Close> {
        list(&self.closes, "closes")
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        list(&self.changes, "changes")
    }

    pub(super) fn verdict(&self) -> Option<Verdict> {
        Verdict::deserialize(self.findings.get("verdict")?).ok()
    }

    /// All of it, as the monitor told it.
    pub(super) fn json(&self) -> Value {
        let Self { heads, head, client, slowest, closes, changes, findings } = self;
        json!({
            "heads": heads,
            "latency": {"head": head, "client": client},
            "slowest": slowest.get("requests"),
            "closes": closes.get("closes"),
            "changes": changes.get("changes"),
            "verdict": findings.get("verdict"),
        })
    }
}

/// The elements of a list that can be read.
fn list<T: for<'de> Deserialize<'de>>(told: &Value, name: &str) -> Vec<T> {
    let all = told.get(name).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|one| T::deserialize(one).ok()).collect()
}
