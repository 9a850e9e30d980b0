//! Requests held until their trace is decided on.
//!
//! A trace is sent whole or not at all, as far as it lies in our journals: wholly if one of
//! its requests was slow, failed, or was another attempt; else by a share that follows from
//! its id, so that others with the same share decide alike.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rand::rngs::StdRng;
use repono_core::id::ConnectionId;
use repono_core::trace::{Span, SpanId, TraceId};
use tokio::time::Instant;

use super::Told;
use super::seen::Seen;
use super::spans;

/// How long a trace is held: journals are followed within half a second, and an attempt
/// that was hidden ends seconds before the one that was not.
const HELD_FOR: Duration = Duration::from_secs(5);
/// Set-ups of connections that no request has been sent of yet.
const SETUPS_MAX: usize = 4_096;

/// Which traces are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// Those with a request that took no less.
    pub(crate) slow: Duration,
    /// Of the others, from 0 to 1.
    pub(crate) share: f64,
    /// Requests that are held; beyond, the oldest traces are decided on at once.
    pub(crate) held_max: usize,
}

impl Rule {
    fn keeps(&self, trace: TraceId, requests: &[Seen]) -> bool {
        let slow_ns = u64::try_from(self.slow.as_nanos()).unwrap_or(u64::MAX);
        let notable =
            |seen: &Seen| seen.duration_ns() >= slow_ns || seen.error_type.is_some() || seen.attempt > 1;
        requests.iter().any(notable) || drawn(trace) < self.share
    }
}

/// From 0 to 1, by the 7 bytes of a trace's id that are random.
fn drawn(trace: TraceId) -> f64 {
    let random = trace.bytes().iter().skip(9).fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    #[expect(clippy::cast_precision_loss, reason = "a share needs no 56 bits")]
    let drawn = random as f64 / (1_u64 << 56) as f64;
    drawn
}

pub(super) struct Assembly {
    rule: Rule,
    random: StdRng,
    traces: HashMap<TraceId, Vec<Seen>>,
    order: VecDeque<(Instant, TraceId)>,
    held: usize,
    setups: HashMap<ConnectionId, Seen>,
    setup_order: VecDeque<ConnectionId>,
    left_out: u64,
}

impl Assembly {
    pub(super) fn new(rule: Rule, random: StdRng) -> Self {
        Self {
            rule,
            random,
            traces: HashMap::new(),
            order: VecDeque::new(),
            held: 0,
            setups: HashMap::new(),
            setup_order: VecDeque::new(),
            left_out: 0,
        }
    }

    /// Holds a request; gives the spans of traces that must make room.
    pub(super) fn take(&mut self, mut seen: Seen, now: Instant) -> Vec<Told> {
        if seen.set_up() && self.setups.insert(seen.connection, seen.clone()).is_none() {
            self.setup_order.push_back(seen.connection);
            if self.setup_order.len() > SETUPS_MAX
                && let Some(oldest) = self.setup_order.pop_front()
            {
                self.setups.remove(&oldest);
            }
        }
        let random = &mut self.random;
        let span = *seen.trace.get_or_insert_with(|| Span {
            trace: TraceId::random(random),
            id: SpanId::random(random),
            parent: None,
        });
        let held = self.traces.entry(span.trace).or_default();
        if held.is_empty() {
            self.order.push_back((now + HELD_FOR, span.trace));
        }
        held.push(seen);
        self.held += 1;
        let mut spans = Vec::new();
        while self.held > self.rule.held_max {
            spans.extend(self.decide_oldest());
        }
        spans
    }

    /// The spans of traces that were held long enough.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Told> {
        let mut spans = Vec::new();
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            spans.extend(self.decide_oldest());
        }
        spans
    }

    /// Requests that were left out since it was last asked.
    pub(super) fn left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    fn decide_oldest(&mut self) -> Vec<Told> {
        let Some((_, trace)) = self.order.pop_front() else { return Vec::new() };
        let requests = self.traces.remove(&trace).unwrap_or_default();
        self.held = self.held.saturating_sub(requests.len());
        if !self.rule.keeps(trace, &requests) {
            self.left_out += requests.len() as u64;
            return Vec::new();
        }
        let mut told = Vec::new();
        for seen in requests {
            // The set-up goes with the first request that is sent of its connection.
            if let Some(setup) = self.setups.remove(&seen.connection) {
                self.setup_order.retain(|known| *known != seen.connection);
                told.extend(spans::setup(&setup));
            }
            told.extend(spans::request(&seen));
        }
        told
    }
}
