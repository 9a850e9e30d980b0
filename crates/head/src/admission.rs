//! Who may go on when not everybody can: fairness among users and among sources,
//! and bounds on what all of them together hold.
//!
//! One rule bounds everything that is held, connections and requests in progress
//! alike: a party may take one more as long as it holds less than what is free. A
//! party alone gets half of it all, two get a third each, and there is always
//! something left for the next one.
//!
//! Time on the thread is shared by turns: while more than one party is there, each
//! gets so much work for each round of the thread, and waits for the next round
//! with what is beyond it. A party alone never waits.
//!
//! Each thread keeps its own accounts, of its part of the limits; nothing is
//! shared.

mod counts;
pub(crate) mod crowd;
mod party;
mod rate;
mod shares;
mod state;
mod turns;

use std::rc::Rc;
use std::sync::Arc;

use repono_core::refusal::Refusal;
use repono_wire::refusals::{SLOW_DOWN, TOO_MANY_REQUESTS};

use crate::config::Config;
use crate::limits::{CROWDED_PERCENT, REQUESTS_WAITING_MAX, STEP_TIGHT};

pub(crate) use counts::{Cause, Counts, report};
use crowd::Crowd;
pub(crate) use party::{Party, Source};
use rate::Rate;
use shares::Shares;
pub(crate) use turns::Place;
use turns::Turns;

/// What a request costs of a turn, next to a handshake and a step of a body.
pub(crate) const COST_REQUEST: u32 = 1;
/// A handshake takes some 160 µs, a small request some 15.
pub(crate) const COST_HANDSHAKE: u32 = 8;
/// 64 KiB take some 30 µs to read, check and encrypt.
pub(crate) const COST_STEP: u32 = 2;

/// The accounts of one thread.
pub(crate) struct Admission {
    /// Connections, by source.
    pub(crate) connections: Rc<Shares<Source>>,
    /// Those that are quiet for long, for when there are too many.
    pub(crate) crowd: Rc<Crowd>,
    /// Requests until it is known who asks, and handshakes.
    pub(crate) sources: Rc<Turns<Source>>,
    /// Requests of users, and those of nobody in particular by source.
    pub(crate) parties: Rc<Turns<Party>>,
    counts: Arc<Counts>,
}

impl Admission {
    /// One thread's part of what the whole head is allowed.
    pub(crate) fn new(config: &Config, counts: Arc<Counts>) -> Self {
        let threads = config.threads.max(1);
        let part = |whole: usize| whole.div_ceil(threads);
        let rate = |per_s: Option<u32>| per_s.map(|per_s| Rate::part(per_s, threads));
        let waiting = part(REQUESTS_WAITING_MAX);
        Self {
            connections: Rc::new(Shares::new(part(config.connections_max))),
            crowd: Rc::default(),
            sources: Rc::new(Turns::new(
                part(config.requests_max),
                waiting,
                rate(config.source_requests_per_s),
            )),
            parties: Rc::new(Turns::new(
                part(config.requests_max),
                waiting,
                rate(config.user_requests_per_s),
            )),
            counts,
        }
    }

    /// Counts what is not let in; gives the answer to it.
    pub(crate) fn refuse(&self, cause: Cause) -> Refusal {
        self.counts.note(cause);
        match cause {
            Cause::Rate => TOO_MANY_REQUESTS,
            Cause::Aged | Cause::Displaced | Cause::Connection => SLOW_DOWN,
        }
    }

    /// Whether so many connections are open that some must go.
    pub(crate) fn is_crowded(&self) -> bool {
        self.connections.beyond(CROWDED_PERCENT) > 0
    }

    /// Whether bodies go in small steps: many are under way, or others wait.
    pub(crate) fn is_tight(&self) -> bool {
        self.parties.held() > STEP_TIGHT || self.parties.is_contended()
    }
}
