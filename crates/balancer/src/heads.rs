//! The table of heads: who has how many connections, in which state each is, and
//! what its connections are ordered to do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng;
use repono_journal::{ChangeRecord, SharedRecorder, Stamp};

use crate::choice::{Candidate, Tried, choose};
use crate::conduct::{Network, Others, Sign, Spare, floor};
use crate::config::{HeadAddress, WEIGHT_MAX};
use crate::counters::Counters;
use crate::idle_limits::IdleLimits;
use crate::probe::Level;
use crate::standing::{Event, Health, State, Wish};

mod change;
mod head;
mod seat;
mod status;

pub use head::{Head, Lease};
pub use status::{Author, HeadStatus, WishRefused};

pub(crate) use seat::DRAINED_QUIET;
use seat::{Seat, Stage, moment, order};

/// All heads of a balancer.
pub struct Heads {
    table: Mutex<Table>,
    journal: SharedRecorder,
}

struct Table {
    seats: Vec<Seat>,
    /// Heads that the configuration no longer names, while they have connections.
    leaving: Vec<Arc<Head>>,
    only: Option<usize>,
    stage: Stage,
}

impl Heads {
    /// Heads that nobody has looked at yet.
    #[must_use]
    pub fn new(heads: &[HeadAddress], journal: SharedRecorder) -> Arc<Self> {
        let seat = |(slot, head)| Seat::new(slot, head, Health::UNTRIED);
        let seats = heads.iter().enumerate().map(seat).collect();
        let table = Table { seats, leaving: Vec::new(), only: None, stage: Stage::Serving };
        Arc::new(Self { table: Mutex::new(table), journal })
    }

    /// Every head with its slot.
    #[must_use]
    pub fn all(&self) -> Vec<(usize, Arc<Head>)> {
        self.table().seats.iter().map(|seat| (seat.slot, Arc::clone(&seat.head))).collect()
    }

    /// Whether this very head is still in the table.
    #[must_use]
    pub fn holds(&self, head: &Arc<Head>) -> bool {
        self.table().seats.iter().any(|seat| Arc::ptr_eq(&seat.head, head))
    }

    /// Chooses a head that this connection has not tried, and counts the connection
    /// until the lease is dropped. `None` if no head is left.
    pub fn lease(self: &Arc<Self>, tried: Tried, at: Stamp, random: &mut impl Rng) -> Option<Lease> {
        let table = self.table();
        let forced = table.only.filter(|slot| {
            !tried.contains(*slot) && table.seat(*slot).is_some_and(|seat| seat.state().takes_connections())
        });
        let slot = match forced {
            Some(slot) => slot,
            // A forced head that died leaves the service to the others.
            None => choose(&table.candidates(moment(at)), tried, random)?,
        };
        Some(Lease::new(self, &table.seat(slot)?.head, slot))
    }

    /// Something was learned about a head.
    pub fn observe(&self, slot: usize, event: Event, at: Stamp) {
        self.learn(slot, event, None, at);
    }

    /// A check failed at this level.
    pub fn observe_failure(&self, slot: usize, level: Level, at: Stamp) {
        self.learn(slot, Event::Failed, Some(level), at);
    }

    /// A head said what it has counted since its start, and how long it keeps idle
    /// connections.
    pub fn told(&self, slot: usize, counters: Counters, limits: IdleLimits) {
        if let Some(seat) = self.table().seat_mut(slot) {
            (seat.counters, seat.limits) = (counters, limits);
        }
    }

    /// A head said nothing at its check.
    pub fn said_nothing(&self, slot: usize) {
        if let Some(seat) = self.table().seat_mut(slot) {
            seat.counters.fade();
        }
    }

    /// A connection showed something of a head.
    pub fn sign(&self, slot: usize, sign: Sign, at: Stamp) {
        let mut table = self.table();
        table.roll(at);
        let others = table.others(slot);
        let Some(seat) = table.seat_mut(slot) else { return };
        // Connections that an ejected head keeps would eject it for ever longer.
        if matches!(sign, Sign::Slow { .. }) && !seat.state().takes_connections() {
            return;
        }
        if let Some(ejection) = seat.conduct.take(sign, moment(at), others) {
            let who = format!("balancer: {}", ejection.fault.as_str());
            let event = Event::Ejected { until: ejection.until };
            self.change(&mut table, slot, Author { who: &who, at }, |seat| {
                seat.health = seat.health.after(event, moment(at));
            });
        }
    }

    /// The operator's wish for a head.
    ///
    /// *Errors*: [`WishRefused::Unknown`].
    pub fn wish(&self, name: &str, wish: Wish, author: Author<'_>) -> Result<(), WishRefused> {
        let mut table = self.table();
        let slot = table.slot(name)?;
        if wish == Wish::Drain && table.only == Some(slot) {
            self.set_only(&mut table, None, author);
        }
        self.change(&mut table, slot, author, |seat| {
            if seat.wish == Wish::Drain && wish == Wish::Serve {
                seat.health = seat.health.after(Event::Recalled, moment(author.at));
            }
            seat.wish = wish;
        });
        Ok(())
    }

    /// Gives a head another weight; with 0 it gets no new connection.
    ///
    /// *Errors*: [`WishRefused::Unknown`], [`WishRefused::Weight`].
    pub fn weigh(&self, name: &str, weight: u32, author: Author<'_>) -> Result<(), WishRefused> {
        let mut table = self.table();
        let slot = table.slot(name)?;
        if weight > WEIGHT_MAX {
            return Err(WishRefused::Weight);
        }
        self.set_weight(&mut table, slot, weight, author);
        Ok(())
    }

    /// Sends every new connection to one head, as long as that takes connections.
    ///
    /// *Errors*: [`WishRefused`].
    pub fn only(&self, name: &str, author: Author<'_>) -> Result<(), WishRefused> {
        let mut table = self.table();
        let slot = table.slot(name)?;
        if !table.seat(slot).is_some_and(|seat| seat.state().takes_connections()) {
            return Err(WishRefused::TakesNone);
        }
        self.set_only(&mut table, Some(slot), author);
        Ok(())
    }

    /// Spreads connections over all heads again.
    pub fn only_off(&self, author: Author<'_>) {
        self.set_only(&mut self.table(), None, author);
    }

    /// The list that the operator sees.
    #[must_use]
    pub fn list(&self, at: Stamp) -> Vec<HeadStatus> {
        let table = self.table();
        table.seats.iter().map(|seat| seat.status(table.only, moment(at))).collect()
    }

    /// Ends connections that have been quiet for a minute: a successor takes the new
    /// ones.
    pub fn begin_leave(&self) {
        self.set_stage(Stage::Leaving);
    }

    /// Ends every connection at its next quiet moment.
    pub fn begin_stop(&self) {
        self.set_stage(Stage::Stopping);
    }

    /// Resets what is left.
    pub fn cut(&self) {
        self.set_stage(Stage::Cutting);
    }

    fn set_stage(&self, stage: Stage) {
        let mut table = self.table();
        table.stage = stage;
        table.give_orders();
    }

    fn learn(&self, slot: usize, event: Event, failing: Option<Level>, at: Stamp) {
        let mut table = self.table();
        let author = Author { who: "balancer", at };
        // Each second, by the health checks, however few signs there are.
        table.roll(at);
        self.change(&mut table, slot, author, |seat| {
            seat.health = seat.health.after(event, moment(at));
            match event {
                Event::Passed | Event::Leaving => seat.failing = None,
                Event::Failed => seat.failing = failing,
                Event::Refused | Event::Ejected { .. } | Event::Recalled => {}
            }
        });
        let Some(seat) = table.seat(slot) else { return };
        match event {
            // Connections that have fallen silent since the last failure are reset now.
            Event::Failed => {
                seat.head.orders.send_if_modified(|order| matches!(order, repono_relay::Order::Reset { .. }));
            }
            Event::Refused => seat.head.doubt.notify_one(),
            Event::Passed | Event::Leaving | Event::Ejected { .. } | Event::Recalled => {}
        }
    }

    pub(crate) fn record(&self, author: Author<'_>, what: &str, from: &str, to: &str) {
        self.journal.change(ChangeRecord { at: author.at, who: author.who, what, from, to });
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change is a plain assignment: a panic elsewhere leaves it whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn seat(&self, slot: usize) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.slot == slot)
    }

    fn seat_mut(&mut self, slot: usize) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.slot == slot)
    }

    fn slot(&self, name: &str) -> Result<usize, WishRefused> {
        let seat = self.seats.iter().find(|seat| seat.head.name() == name);
        seat.map(|seat| seat.slot).ok_or(WishRefused::Unknown)
    }

    fn candidates(&self, at: Duration) -> Vec<Candidate> {
        self.seats.iter().map(|seat| seat.candidate(at)).collect()
    }

    /// Takes the turns that have come together until now.
    fn roll(&mut self, at: Stamp) {
        for seat in &mut self.seats {
            seat.conduct.roll(moment(at), seat.head.turns());
        }
    }

    /// The heads besides this one, for a judgement of its conduct.
    fn others(&self, slot: usize) -> Others {
        let others = || self.seats.iter().filter(|seat| seat.slot != slot);
        let ready = others().filter(|seat| seat.state() == State::Ready && seat.weight > 0).count();
        let mut first_bytes: Vec<_> = others().filter_map(|seat| seat.conduct.first_byte()).collect();
        first_bytes.sort_unstable();
        let mut turns: Vec<_> = others().filter_map(|seat| seat.conduct.usual()).collect();
        turns.sort_unstable_by_key(|usual| usual.wait);
        let lossy = others().any(|seat| seat.conduct.network() == Network::Lossy);
        Others {
            spare: if ready >= floor(self.seats.len()) { Spare::Yes } else { Spare::No },
            first_byte: first_bytes.get(first_bytes.len() / 2).copied(),
            turns: turns.get(turns.len() / 2).copied(),
            network: if lossy { Network::Lossy } else { Network::Clean },
        }
    }

    fn give_orders(&mut self) {
        let others_serve = self.seats.iter().any(|seat| seat.state().takes_connections());
        for seat in &self.seats {
            give(&seat.head, order(self.stage, seat.state(), others_serve));
        }
        self.leaving.retain(|head| head.connections() > 0);
        for head in &self.leaving {
            give(head, order(self.stage, State::Draining, others_serve));
        }
    }
}

fn give(head: &Head, order: repono_relay::Order) {
    head.orders.send_if_modified(|current| std::mem::replace(current, order) != order);
}

#[cfg(test)]
mod tests;
