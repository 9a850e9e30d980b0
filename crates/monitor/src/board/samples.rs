//! Single requests, kept for comparing: of each minute the slowest and the failed ones
//! all, up to a bound, and of the others a fair share, each with the number of requests
//! that it stands for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use repono_journal::read::{Origin, Request};
use repono_journal::{Reuse, Side};

use super::View;

mod causes;
mod compare;

pub(crate) use compare::{Comparison, Selection};

/// Minutes that are kept: six hours. With the bounds below and two views 184,320 samples
/// of some 140 bytes, 25 MiB.
const MINUTES: u64 = 360;
const MINUTE_NS: u64 = 60_000_000_000;
/// Of each minute: the slowest, those that failed besides, and of the others.
const SLOW_MAX: usize = 64;
const FAILED_MAX: usize = 64;
const OTHERS_MAX: usize = 128;
/// A sample stands for whole requests and parts of one.
const THOUSAND: u64 = 1_000;
/// The longest name of a head or method that is kept: longer ones are nobody's.
const NAME_CHARS_MAX: usize = 32;

/// What is known of one request.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    at_ns: u64,
    duration_ns: u64,
    /// For how many requests its record stands.
    one_in: u64,
    /// `None` of a new connection.
    idle_ns: Option<u64>,
    /// The head that recorded it; a client does not know which one answered.
    head: Option<Box<str>>,
    method: Option<Box<str>>,
    bytes: u64,
    client: Option<IpAddr>,
    status: Option<u16>,
    failed: bool,
}

#[derive(Clone, Debug, Default)]
struct Minute {
    /// The slowest first.
    slow: Vec<Sample>,
    failed: Vec<Sample>,
    others: Vec<Sample>,
    others_seen: u64,
}

/// Those of one side.
#[derive(Debug, Default)]
struct Kept {
    minutes: BTreeMap<u64, Arc<Minute>>,
    dice: Dice,
}

/// Those of one side at one moment, shared with the board: it goes on with a copy of a
/// minute to which something comes meanwhile.
pub(crate) struct Sampled(Vec<Arc<Minute>>);

/// The samples of both sides.
#[derive(Debug, Default)]
pub(super) struct Samples {
    client: Kept,
    head: Kept,
}

/// Which of the others are kept need not be secret: it is drawn from a sequence that is
/// the same at each start.
#[derive(Debug)]
struct Dice(u64);

impl Default for Dice {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Dice {
    /// A number below `bound`, by xorshift.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.checked_rem(bound).unwrap_or_default()
    }
}

impl Samples {
    pub(super) fn take(&mut self, view: View, origin: &Origin<'_>, request: &Request<'_>, now_ns: u64) {
        let kept = match view {
            View::Client => &mut self.client,
            View::Head => &mut self.head,
        };
        kept.take(origin, request, now_ns);
    }

    /// *Cost*: 360 counts of references, some 10 µs.
    pub(super) fn of(&self, view: View) -> Sampled {
        let kept = match view {
            View::Client => &self.client,
            View::Head => &self.head,
        };
        Sampled(kept.minutes.values().map(Arc::clone).collect())
    }
}

impl Sampled {
    /// Compares what is selected with the rest.
    ///
    /// *Cost*: one pass over 92,160 samples at most, some 20 ms.
    pub(crate) fn compare(&self, selection: &Selection) -> Comparison {
        Comparison::of(selection, self.0.iter().flat_map(|minute| minute.weighted()))
    }
}

impl Kept {
    fn take(&mut self, origin: &Origin<'_>, request: &Request<'_>, now_ns: u64) {
        let minute = request.ended.wall_ns / MINUTE_NS;
        let oldest = (now_ns / MINUTE_NS).saturating_sub(MINUTES - 1);
        while self.minutes.first_key_value().is_some_and(|(minute, _)| *minute < oldest) {
            self.minutes.pop_first();
        }
        if minute >= oldest {
            let minute = self.minutes.entry(minute).or_default();
            Arc::make_mut(minute).take(origin, request, &mut self.dice);
        }
    }
}

impl Minute {
    fn take(&mut self, origin: &Origin<'_>, request: &Request<'_>, dice: &mut Dice) {
        let place = self.slow.partition_point(|other| other.duration_ns >= request.duration_ns());
        if place < SLOW_MAX {
            self.slow.insert(place, Sample::of(origin, request));
            let displaced = if self.slow.len() > SLOW_MAX { self.slow.pop() } else { None };
            if let Some(displaced) = displaced {
                self.keep(displaced.failed, dice, || displaced);
            }
        } else {
            self.keep(request.is_failed(), dice, || Sample::of(origin, request));
        }
    }

    /// Keeps one that is not among the slowest, if it is its turn.
    fn keep(&mut self, failed: bool, dice: &mut Dice, sample: impl FnOnce() -> Sample) {
        if failed && self.failed.len() < FAILED_MAX {
            self.failed.push(sample());
            return;
        }
        self.others_seen = self.others_seen.saturating_add(1);
        if self.others.len() < OTHERS_MAX {
            self.others.push(sample());
            return;
        }
        let place = usize::try_from(dice.below(self.others_seen)).unwrap_or(usize::MAX);
        if let Some(kept) = self.others.get_mut(place) {
            *kept = sample();
        }
    }

    /// Each sample with the thousandths of requests that it stands for.
    fn weighted(&self) -> impl Iterator<Item = (&Sample, u64)> {
        let kept = u64::try_from(self.others.len()).unwrap_or(u64::MAX).max(1);
        let others = self.others.iter().map(move |sample| {
            let stands_for = sample.one_in.saturating_mul(THOUSAND).saturating_mul(self.others_seen);
            (sample, stands_for.saturating_add(kept / 2) / kept)
        });
        self.slow
            .iter()
            .chain(&self.failed)
            .map(|sample| (sample, sample.one_in.saturating_mul(THOUSAND)))
            .chain(others)
    }
}

impl Sample {
    fn of(origin: &Origin<'_>, request: &Request<'_>) -> Self {
        let name = |text: &str| text.chars().take(NAME_CHARS_MAX).collect::<String>().into_boxed_str();
        Self {
            at_ns: request.ended.wall_ns,
            duration_ns: request.duration_ns(),
            one_in: request.one_in.max(1),
            idle_ns: match request.reuse {
                Reuse::New => None,
                Reuse::Reused { idle_before_ns, .. } => Some(idle_before_ns),
            },
            head: (request.side == Some(Side::Head)).then(|| name(&origin.instance)),
            method: request.method.as_deref().map(name),
            bytes: request.bytes_in.saturating_add(request.bytes_out),
            client: request.source.map(|source| source.ip().to_canonical()),
            status: request.status,
            failed: request.is_failed(),
        }
    }
}

#[cfg(test)]
mod tests;
