//! Requests that failed and were sent again: on another connection, by the same client to
//! the same peer, soon after.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::Key;
use super::flow::{Flow, Out};
use super::sighting::between;
use super::turn::{Outcome, Turn};
use crate::event::{Failure, Instant};

/// A client that sends a request again does so within this.
const WITHIN: Duration = Duration::from_secs(10);

/// Failed turns that are kept for it, and connections that hang.
const KEPT_MAX: usize = 1_024;

/// Attempts at one request that are put together.
const ATTEMPTS_MAX: usize = 8;

/// Turns that may be sent again, the eldest first.
#[derive(Debug, Default)]
pub(super) struct Resent {
    lost: VecDeque<Turn>,
    /// Connections whose request was not answered.
    hanging: VecDeque<Key>,
}

impl Resent {
    /// A request on this connection is not answered.
    pub(super) fn hangs(&mut self, key: Key) {
        if self.hanging.contains(&key) {
            return;
        }
        if self.hanging.len() >= KEPT_MAX {
            self.hanging.pop_front();
        }
        self.hanging.push_back(key);
    }

    /// A turn began on this connection: it may be the other try of one that hangs, which
    /// is then given up.
    pub(super) fn begins(&mut self, flows: &mut HashMap<Key, Flow>, key: Key, out: &mut Out<'_>) {
        if self.hanging.is_empty() && self.lost.is_empty() {
            return;
        }
        self.hanging.retain(|hanging| flows.get(hanging).is_some_and(|flow| flow.hanging().is_some()));
        let Some(turn) = flows.get(&key).and_then(Flow::turn) else { return };
        let given_up = self.hanging.iter().find(|hanging| {
            flows.get(*hanging).and_then(Flow::hanging).is_some_and(|other| turn.asks_like(other))
        });
        let lost = match given_up.copied() {
            Some(given_up) => {
                let mut over = Vec::new();
                let mut out = Out { over: &mut over, counts: &mut *out.counts };
                if let Some(flow) = flows.get_mut(&given_up) {
                    flow.give_up(&mut out);
                }
                over.pop()
            }
            None => {
                let place =
                    self.lost.iter().position(|lost| turn.asks_like(lost) && lost.attempts() < ATTEMPTS_MAX);
                place.and_then(|place| self.lost.remove(place))
            }
        };
        if let Some(turn) = flows.get_mut(&key).and_then(Flow::turn_mut) {
            turn.before = lost.map(Box::new);
        }
    }

    /// Takes a turn that is over; gives it back if it can be told at once.
    pub(super) fn over(&mut self, turn: Turn) -> Option<Turn> {
        let may_come_again = match turn.outcome {
            Outcome::Failed(_, Failure::Connect | Failure::Tls | Failure::Name | Failure::Protocol) => false,
            Outcome::Failed(..) => turn.sent.is_some() && turn.reply.is_none(),
            Outcome::Replied | Outcome::Open => false,
        };
        if !may_come_again {
            return Some(turn);
        }
        self.lost.push_back(turn);
        if self.lost.len() > KEPT_MAX { self.lost.pop_front() } else { None }
    }

    /// Those that were not sent again in time.
    pub(super) fn expired(&mut self, now: Option<Instant>) -> Option<Turn> {
        let first = self.lost.front()?;
        let Outcome::Failed(failed, _) = first.outcome else { return self.lost.pop_front() };
        if between(failed.at, now) > WITHIN { self.lost.pop_front() } else { None }
    }

    pub(super) fn all(&mut self) -> impl Iterator<Item = Turn> {
        std::mem::take(&mut self.lost).into_iter()
    }
}
