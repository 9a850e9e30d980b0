//! The verdict: one sentence for the person on call.

use serde::Serialize;
use tokio::time::Instant;

use crate::board::ChangeSeen;
use crate::heads::{Answer, Freshness, HeadStatus, State};

use super::book::Entry;
use super::changed;
use super::judge::{SLOW_HEAD, seconds};

/// From so long a wait on it is bad, whatever the cause: people notice.
const BAD_WAIT_MS: u64 = 1_000;

/// The rule of `repono diagnose` for requests that nobody answered: however soon the client
/// went another way, a caller that does not do so waits for its time-out.
const NOBODY_ANSWERED: &str = "client-gave-up";

/// In the order in which one is told before the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Good,
    Warning,
    #[default]
    Unknown,
    Bad,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) level: Level,
    pub(crate) sentence: String,
    /// Since when the level is this one.
    pub(crate) since_ms: u64,
    /// Ids of the findings that it is of, the weightiest first.
    pub(crate) findings: Vec<String>,
}

/// Whether a finding says where its cause lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Unknown,
    Known,
}

/// What is known of requests beside findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requests {
    /// No journals are followed.
    NotFollowed,
    /// None of late.
    None,
    /// So many of clients waited long.
    Seen { slow: u64, worst_ms: u64 },
}

/// What is known of heads.
#[derive(Debug)]
pub(super) enum Heads<'a> {
    /// The balancer has not answered, or not of late.
    Unknown,
    Known(&'a [HeadStatus]),
}

impl<'a> Heads<'a> {
    pub(super) fn of(latest: Option<&'a Answer>, now: Instant) -> Self {
        match latest.map(|answer| (answer.freshness(now), &answer.heads)) {
            Some((Freshness::Fresh, heads)) => Self::Known(heads),
            Some((Freshness::Stale, _)) | None => Self::Unknown,
        }
    }
}

/// Judges; `since_ms` is now.
pub(super) fn of(
    active: &[(&str, &Entry)],
    heads: &Heads<'_>,
    requests: Requests,
    changes: &[ChangeSeen],
    now_ms: u64,
) -> Verdict {
    let mut weighed: Vec<_> = active.iter().map(|(id, entry)| (weight(entry), *id, *entry)).collect();
    weighed.sort_by_key(|(weight, ..)| std::cmp::Reverse(*weight));
    let ids = || weighed.iter().map(|(_, id, _)| (*id).to_owned()).collect();
    let found = weighed.first().map(|((level, ..), _, entry)| (*level, sentence(entry, changes)));
    let candidates = [found, of_heads(heads), of_slow(requests, weighed.len())];
    let worst = candidates.into_iter().flatten().rev().max_by_key(|(level, _)| *level);
    let (level, sentence) = worst.unwrap_or_else(|| (Level::Good, good(heads, requests, changes, now_ms)));
    Verdict { level, sentence, since_ms: now_ms, findings: ids() }
}

impl Verdict {
    /// As long as the level is the same, it began when it did.
    pub(super) fn go_on_from(&mut self, before: &Self, now_ms: u64) {
        let is_same = before.since_ms > 0 && before.level == self.level;
        self.since_ms = if is_same { before.since_ms } else { now_ms };
    }
}

/// Of two that are as bad, the one that says where comes first.
fn weight(entry: &Entry) -> (Level, Place, u64, u64) {
    let worst_ms = entry.worst_ms.unwrap_or_default();
    let is_bad = worst_ms >= BAD_WAIT_MS || entry.hop == "path" || entry.rule == NOBODY_ANSWERED;
    let place = if entry.hop == "unknown" { Place::Unknown } else { Place::Known };
    (if is_bad { Level::Bad } else { Level::Warning }, place, worst_ms, entry.count)
}

fn sentence(entry: &Entry, changes: &[ChangeSeen]) -> String {
    let requests = counted(entry.count);
    let waited = entry.worst_ms.map(|ms| format!(" waited up to {:.1} s", seconds(ms)));
    let title = entry.told.get("title").and_then(serde_json::Value::as_str).unwrap_or_default();
    let cause = match entry.variant.as_deref() {
        Some("silent-drop") => {
            let waited = waited.unwrap_or_else(|| " were lost".to_owned());
            format!(
                "{requests}{waited} on kept connections that nobody answered any more: the path between \
                 client and balancer forgets them without a word"
            )
        }
        Some(head) if entry.rule == SLOW_HEAD => {
            let worst = seconds(entry.worst_ms.unwrap_or_default());
            format!("{requests} took over 1 s at {head}, up to {worst:.1} s")
        }
        Some(_) | None => {
            let waited = waited.unwrap_or_else(|| " concerned".to_owned());
            format!("{requests}{waited}: {title} (where: {})", hop(&entry.hop))
        }
    };
    let after = changed::before(changes, entry.first_ms);
    after.map_or_else(|| format!("{cause}."), |after| format!("{cause}; it began after this: {after}."))
}

fn hop(hop: &str) -> &str {
    match hop {
        "path" => "the path between client and server",
        "dns" => "the look-up of names",
        "tls" => "the TLS handshake",
        "unknown" => "not known",
        known => known,
    }
}

fn counted(count: u64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}

fn of_heads(heads: &Heads<'_>) -> Option<(Level, String)> {
    let heads = match heads {
        Heads::Unknown => {
            let sentence =
                "The balancer has not answered the monitor of late: nothing is known of the heads.";
            return Some((Level::Unknown, sentence.to_owned()));
        }
        Heads::Known([]) => return Some((Level::Unknown, "The balancer knows of no heads.".to_owned())),
        Heads::Known(heads) => heads,
    };
    let failing = |head: &&HeadStatus| match head.state {
        State::Ejected | State::Down | State::Suspect => true,
        State::Ready | State::Draining => false,
    };
    let names: Vec<String> = heads.iter().filter(failing).map(is).collect();
    if names.is_empty() {
        return None;
    }
    let gone = heads.iter().filter(|head| !head.state.serves()).count();
    let level = if gone * 2 >= heads.len() { Level::Bad } else { Level::Warning };
    Some((level, format!("{}; {}.", names.join(", "), ready(heads))))
}

fn is(head: &HeadStatus) -> String {
    format!("{} is {}", head.name, head.state.as_str())
}

fn ready(heads: &[HeadStatus]) -> String {
    let ready = heads.iter().filter(|head| head.state == State::Ready).count();
    format!("{ready} of {} heads are ready", heads.len())
}

/// Slow requests that no finding is of.
fn of_slow(requests: Requests, findings: usize) -> Option<(Level, String)> {
    match requests {
        Requests::Seen { slow, worst_ms } if slow > 0 && findings == 0 => {
            let (slow, worst) = (counted(slow), seconds(worst_ms));
            Some((Level::Warning, format!("{slow} waited up to {worst:.1} s; the journals do not say why.")))
        }
        Requests::Seen { .. } | Requests::NotFollowed | Requests::None => None,
    }
}

fn good(heads: &Heads<'_>, requests: Requests, changes: &[ChangeSeen], now_ms: u64) -> String {
    let requests = match requests {
        Requests::Seen { .. } => "No request took over 1 s in the last 5 minutes",
        Requests::None => "No request was seen in the last 5 minutes",
        Requests::NotFollowed => "No journals are followed, so that nothing is known of requests",
    };
    let mut parts = vec![requests.to_owned()];
    if let Heads::Known(heads) = heads {
        parts.push(ready(heads));
        parts.extend(heads.iter().filter(|head| head.state == State::Draining).map(is));
    }
    parts.extend(changed::lately(changes, now_ms));
    format!("{}.", parts.join("; "))
}
