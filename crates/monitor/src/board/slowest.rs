//! The slowest requests of the last hour, with the attempts that nobody saw.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use repono_journal::read::{Origin, Request};
use repono_journal::{Phases, Reuse, Side, UrlPath};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::View;

/// Requests that are shown.
const SHOWN_MAX: usize = 50;
/// So many of each minute are kept, for the slowest of the hour may all be of one. With
/// [`MINUTES`], 3,000 of some 800 bytes.
const MINUTE_MAX: usize = SHOWN_MAX;
/// An hour.
const MINUTES: u64 = 60;
const MINUTE_NS: u64 = 60_000_000_000;
/// Attempts that failed or were not the first, in case that a slow one was of the same
/// request: more than clients have under way at a time. 3 MiB.
const ATTEMPTS_MAX: usize = 4_096;

/// All attempts at a request have the time at which the caller asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct Key {
    boot: String,
    pid: u32,
    asked_mono_ns: u64,
    path: String,
}

/// One record of a request: a client's is of an attempt.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Attempt {
    key: Key,
    pub(crate) ended_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) side: String,
    pub(crate) instance: String,
    pub(crate) method: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) code: Option<String>,
    /// In the order of a request's life; those that took no time are left out.
    pub(crate) phases_ns: Vec<(String, u64)>,
    /// How long its connection had been idle; `None` of a new one.
    pub(crate) idle_before_ns: Option<u64>,
    pub(crate) number: u8,
    pub(crate) connection: String,
    pub(crate) request: Option<String>,
}

/// A slow request.
#[derive(Clone, Debug)]
pub(crate) struct SlowRequest {
    /// The attempt that ended last.
    pub(crate) last: Arc<Attempt>,
    /// The others, in their order; known of clients alone.
    pub(crate) hidden: Vec<Arc<Attempt>>,
}

/// Which slow requests are wanted; what is `None` is not asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Unix seconds of its end.
    from: Option<u64>,
    /// Not included.
    to: Option<u64>,
    side: Option<View>,
    /// The name of the head that served it; only a head's own records tell.
    head: Option<String>,
    method: Option<String>,
    reused: Option<bool>,
    status: Option<StatusWanted>,
}

/// `404`, or `5xx` for all of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StatusWanted {
    One(u16),
    Class(u16),
}

impl<'de> Deserialize<'de> for StatusWanted {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        let parsed = match text.strip_suffix("xx") {
            Some(class) => class.parse().ok().filter(|class| (1..=9).contains(class)).map(Self::Class),
            None => text.parse().ok().filter(|status| (100..=999).contains(status)).map(Self::One),
        };
        parsed.ok_or_else(|| D::Error::custom("a status is 404 or 5xx"))
    }
}

impl Wanted {
    fn includes(&self, attempt: &Attempt) -> bool {
        let Self { from, to, side, head, method, reused, status } = self;
        let ended_s = attempt.ended_ns / 1_000_000_000;
        let of_status = |wanted: &StatusWanted| match wanted {
            StatusWanted::One(one) => attempt.status == Some(*one),
            StatusWanted::Class(class) => attempt.status.is_some_and(|status| status / 100 == *class),
        };
        from.is_none_or(|from| ended_s >= from)
            && to.is_none_or(|to| ended_s < to)
            && side.is_none_or(|side| attempt.side == side.side().as_str())
            && head
                .as_ref()
                .is_none_or(|head| attempt.side == Side::Head.as_str() && attempt.instance == *head)
            && method.as_ref().is_none_or(|wanted| attempt.method.as_ref() == Some(wanted))
            && reused.is_none_or(|reused| attempt.idle_before_ns.is_some() == reused)
            && status.as_ref().is_none_or(of_status)
    }
}

/// The slowest ones.
///
/// *Cost*: a copy shares its attempts with the original, some 7,000 at most, 50 µs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slowest {
    /// By minute, each the slowest first.
    minutes: BTreeMap<u64, Vec<Arc<Attempt>>>,
    attempts: VecDeque<Arc<Attempt>>,
}

impl Slowest {
    pub(super) fn take(&mut self, origin: &Origin<'_>, request: &Request<'_>, now_ns: u64) {
        let minute = request.ended.wall_ns / MINUTE_NS;
        let oldest = (now_ns / MINUTE_NS).saturating_sub(MINUTES - 1);
        while self.minutes.first_key_value().is_some_and(|(minute, _)| *minute < oldest) {
            self.minutes.pop_first();
        }
        if minute < oldest {
            return;
        }
        let hidden = request.side == Some(Side::Client) && (request.code.is_some() || request.attempts > 1);
        let list = self.minutes.entry(minute).or_default();
        let place = list.partition_point(|other| other.duration_ns >= request.duration_ns());
        if place >= MINUTE_MAX && !hidden {
            return;
        }
        let attempt = Arc::new(Attempt::of(origin, request));
        if place < MINUTE_MAX {
            list.insert(place, Arc::clone(&attempt));
            list.truncate(MINUTE_MAX);
        }
        if hidden {
            self.attempts.push_back(attempt);
            if self.attempts.len() > ATTEMPTS_MAX {
                self.attempts.pop_front();
            }
        }
    }

    /// Those of the last hour that are wanted, the slowest first.
    pub(crate) fn list(&self, now_ns: u64, wanted: &Wanted) -> Vec<SlowRequest> {
        let oldest = (now_ns / MINUTE_NS).saturating_sub(MINUTES - 1);
        let mut all: Vec<&Arc<Attempt>> = self.minutes.range(oldest..).flat_map(|(_, list)| list).collect();
        all.sort_by_key(|attempt| std::cmp::Reverse(attempt.duration_ns));
        let mut slowest: Vec<SlowRequest> = Vec::new();
        for attempt in all.iter().copied().filter(|attempt| wanted.includes(attempt)) {
            if slowest.len() == SHOWN_MAX {
                break;
            }
            let is_told = |told: &SlowRequest| attempt.belongs_to(&told.last);
            if !slowest.iter().any(is_told) {
                let known = all.iter().copied().chain(&self.attempts);
                slowest.push(SlowRequest::of(attempt, known));
            }
        }
        slowest
    }

    pub(super) fn kept(&self) -> Vec<Attempt> {
        self.minutes.values().flatten().map(|attempt| Attempt::clone(attempt)).collect()
    }

    /// What was hidden of them is among them, as far as it was slow itself.
    pub(super) fn resume(&mut self, kept: Vec<Attempt>) {
        for attempt in kept.into_iter().take(MINUTE_MAX * usize::try_from(MINUTES).unwrap_or_default()) {
            self.minutes.entry(attempt.ended_ns / MINUTE_NS).or_default().push(Arc::new(attempt));
        }
    }
}

impl SlowRequest {
    fn of<'a>(attempt: &Arc<Attempt>, known: impl Iterator<Item = &'a Arc<Attempt>>) -> Self {
        let mut all = vec![Arc::clone(attempt)];
        for other in known.filter(|other| other.belongs_to(attempt)) {
            if all.iter().all(|attempt| attempt.number != other.number) {
                all.push(Arc::clone(other));
            }
        }
        all.sort_by_key(|attempt| attempt.ended_ns);
        let last = all.pop().unwrap_or_else(|| Arc::clone(attempt));
        all.sort_by_key(|attempt| attempt.number);
        Self { last, hidden: all }
    }
}

impl Attempt {
    fn of(origin: &Origin<'_>, request: &Request<'_>) -> Self {
        // Whoever wrote it should have done so: no credential is shown.
        let path = UrlPath::of_target(request.path.as_bytes());
        Self {
            key: Key {
                boot: origin.boot.clone().into_owned(),
                pid: origin.pid,
                asked_mono_ns: request.started.mono_ns,
                path: String::from_utf8_lossy(path.as_bytes()).into_owned(),
            },
            ended_ns: request.ended.wall_ns,
            duration_ns: request.duration_ns(),
            side: request.side.map_or("", Side::as_str).to_owned(),
            instance: origin.instance.clone().into_owned(),
            method: request.method.as_deref().map(str::to_owned),
            status: request.status,
            code: request.code.as_deref().map(str::to_owned),
            phases_ns: phases(&request.phases_ns),
            idle_before_ns: match request.reuse {
                Reuse::New => None,
                Reuse::Reused { idle_before_ns, .. } => Some(idle_before_ns),
            },
            number: request.attempts,
            connection: request.balancer_id.unwrap_or(request.connection).to_string(),
            request: request.trans_id.as_deref().map(str::to_owned),
        }
    }

    pub(crate) const fn begun_ns(&self) -> u64 {
        self.ended_ns.saturating_sub(self.duration_ns)
    }

    pub(crate) fn path(&self) -> &str {
        &self.key.path
    }

    /// Whether both are of one request of one client.
    fn belongs_to(&self, other: &Self) -> bool {
        self.side == Side::Client.as_str() && self.side == other.side && self.key == other.key
    }
}

fn phases(phases: &Phases) -> Vec<(String, u64)> {
    let Phases { queue, dns, connect, tls, send, wait, authorize, store, receive } = *phases;
    // A head's wait is all from the last byte of a request to the first of its reply.
    let wait = wait.saturating_sub(authorize).saturating_sub(store);
    let all = [
        ("queue", queue),
        ("dns", dns),
        ("connect", connect),
        ("tls", tls),
        ("send", send),
        ("authorize", authorize),
        ("store", store),
        ("wait", wait),
        ("receive", receive),
    ];
    all.into_iter().filter(|(_, ns)| *ns > 0).map(|(name, ns)| (name.to_owned(), ns)).collect()
}
