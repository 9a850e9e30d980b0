//! Changes of configuration as findings: what changed before it began?

use serde_json::{Value, json};

use crate::board::ChangeSeen;
use crate::path;

/// What begins so soon after a change may be of it.
const AFTER_MS: u64 = 600_000;
/// Changes that are findings: beside them there is room for others.
const CHANGES_MAX: usize = 50;
/// Who changes states of heads by what checks and clocks say; nobody asked for that.
const BY_THEMSELVES: [&str; 2] = ["balancer", "watchdog"];

const ASKED_FOR: &str = "A change that somebody asked for. What began soon after it may be of it.";
const OF_PATH: &str = "Two probes found the same, and something else than the one before: since that one, something \
                       between here and the system was changed, such as a firewall, a balancer or its configuration.";

/// The changes that somebody asked for or that were found, the newest first, as `changes` has them.
pub(super) fn findings(changes: &[ChangeSeen], now_ms: u64) -> Vec<Value> {
    asked_for(changes).take(CHANGES_MAX).map(|change| finding(change, now_ms)).collect()
}

fn finding(change: &ChangeSeen, now_ms: u64) -> Value {
    let ChangeSeen { at_ms, who, what, from, to } = change;
    let of_path = is_of_path(change);
    let state = if at_ms.saturating_add(AFTER_MS) > now_ms { "active" } else { "past" };
    json!({
        "id": format!("changed.{what}.{at_ms}"),
        "state": state,
        "first_ms": at_ms,
        "last_ms": at_ms,
        "kind": "changed",
        "rule": "changed",
        "variant": what,
        "hop": if of_path { "path" } else { "unknown" },
        "title": sentence(change),
        "confidence": "certain",
        "explanation": if of_path { OF_PATH } else { ASKED_FOR },
        "impact": {"count": 1, "added_ms": null},
        "evidence": [{"file": null, "line": null, "text": format!("{who}: {what}: {from} -> {to}")}],
        "remedies": [],
        "ruled_out": [],
    })
}

/// Whether the monitor found it on the path.
fn is_of_path(change: &ChangeSeen) -> bool {
    change.who == path::WHO && change.what == path::WHAT
}

/// The last change within ten minutes before.
pub(super) fn before(changes: &[ChangeSeen], first_ms: u64) -> Option<String> {
    let since = |change: &ChangeSeen| first_ms.checked_sub(change.at_ms).filter(|ms| *ms <= AFTER_MS);
    asked_for(changes)
        .find_map(|change| Some((change, since(change)?)))
        .map(|(change, ms)| format!("{}, {} s before", sentence(change), ms / 1_000))
}

/// The last one, if it is of the last minutes.
pub(super) fn lately(changes: &[ChangeSeen], now_ms: u64) -> Option<String> {
    let change = asked_for(changes).next()?;
    (change.at_ms.saturating_add(super::ACTIVE_MS) > now_ms).then(|| sentence(change))
}

fn asked_for(changes: &[ChangeSeen]) -> impl Iterator<Item = &ChangeSeen> {
    changes.iter().filter(|change| !BY_THEMSELVES.contains(&change.who.as_str()))
}

fn sentence(change: &ChangeSeen) -> String {
    let ChangeSeen { who, what, from, to, .. } = change;
    if is_of_path(change) {
        return format!("the idle limit of the path went from {from} to {to}");
    }
    format!("{who} changed {what} from {from} to {to}")
}
