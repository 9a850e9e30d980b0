//! What each head did in the last minute.

use std::collections::{HashMap, VecDeque};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::in_ms;
use super::latency::{DIGITS, Sample, UNIT_NS, UNITS_MAX};

/// A minute is kept in pieces of so long: what is told is at most that much more.
const PIECE_S: u64 = 10;
/// What is told of.
const SPAN_S: u64 = 60;
/// Heads that are told apart: a balancer has 64 at most. Of more, those are forgotten
/// that have done nothing for a minute, and else all.
const HEADS_MAX: usize = 256;

/// The traffic of all heads, by their names.
#[derive(Debug, Default)]
pub(super) struct Heads(HashMap<Box<str>, VecDeque<Piece>>);

#[derive(Debug)]
struct Piece {
    begin_s: u64,
    histogram: Histogram<u32>,
    failed: u64,
}

/// What one head did in the last minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Traffic {
    /// Requests a second.
    rate: f64,
    /// Those that broke or were answered with 5xx.
    failed: u64,
    p99_ms: Option<f64>,
}

impl Heads {
    pub(super) fn take(&mut self, head: &str, sample: &Sample) {
        let begin_s = sample.at_s - sample.at_s % PIECE_S;
        if !self.0.contains_key(head) {
            self.make_room(sample.at_s);
            self.0.insert(head.into(), VecDeque::new());
        }
        let Some(pieces) = self.0.get_mut(head) else { return };
        let place = pieces.partition_point(|piece| piece.begin_s < begin_s);
        if pieces.get(place).is_none_or(|piece| piece.begin_s != begin_s) {
            // The digits are valid.
            let Ok(histogram) = Histogram::new(DIGITS) else { return };
            pieces.insert(place, Piece { begin_s, histogram, failed: 0 });
        }
        if let Some(piece) = pieces.get_mut(place) {
            let units = (sample.duration_ns / UNIT_NS).clamp(1, UNITS_MAX);
            let _in_range = piece.histogram.record_n(units, sample.weight);
            piece.failed += if sample.failed { u64::from(sample.weight) } else { 0 };
        }
        while pieces.len() as u64 > SPAN_S / PIECE_S + 1 {
            pieces.pop_front();
        }
    }

    fn make_room(&mut self, now_s: u64) {
        if self.0.len() >= HEADS_MAX {
            let recent = |piece: &Piece| piece.begin_s + SPAN_S > now_s;
            self.0.retain(|_, pieces| pieces.back().is_some_and(recent));
        }
        if self.0.len() >= HEADS_MAX {
            self.0.clear();
        }
    }

    pub(super) fn traffic(&self, head: &str, now_s: u64) -> Option<Traffic> {
        let recent = |piece: &&Piece| piece.begin_s + SPAN_S > now_s && piece.begin_s <= now_s;
        let mut sum = Histogram::<u32>::new(DIGITS).ok()?;
        let mut failed = 0;
        for piece in self.0.get(head)?.iter().filter(recent) {
            sum.add(&piece.histogram).ok()?;
            failed += piece.failed;
        }
        let p99_ms = (!sum.is_empty()).then(|| in_ms(sum.value_at_quantile(0.99) * UNIT_NS));
        #[expect(clippy::cast_precision_loss, reason = "a rate of 2^53 is none")]
        let rate = sum.len() as f64 / SPAN_S as f64;
        Some(Traffic { rate, failed, p99_ms })
    }
}
