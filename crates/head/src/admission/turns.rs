//! Turns on a thread, and places in it: what waits, and for how long.

use std::cell::RefCell;
use std::hash::Hash;
use std::rc::Rc;

use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

use super::counts::Cause;
use super::rate::Rate;
use super::state::{Granted, State, Verdict};
use crate::limits::TURN_WAIT_MAX;

/// The turns of one thread, among parties of one kind.
pub(crate) struct Turns<K: Copy + Eq + Hash> {
    state: RefCell<State<K, oneshot::Sender<Place<K>>, oneshot::Sender<()>>>,
    /// Somebody waits, or a place was given back while somebody did.
    work: Notify,
}

/// A place among the requests in progress, until it is dropped.
pub(crate) struct Place<K: Copy + Eq + Hash> {
    turns: Rc<Turns<K>>,
    holder: K,
}

impl<K: Copy + Eq + Hash> Turns<K> {
    pub(super) fn new(held_max: usize, waiting_max: usize, rate: Option<Rate>) -> Self {
        Self { state: RefCell::new(State::new(held_max, waiting_max, rate)), work: Notify::new() }
    }

    /// Requests in progress.
    pub(super) fn held(&self) -> usize {
        self.state.borrow().held()
    }

    pub(super) fn is_contended(&self) -> bool {
        self.state.borrow().is_contended(Instant::now())
    }

    /// A place for a request, waited for if need be.
    ///
    /// *Errors*: the rate is used up; nothing became free within [`TURN_WAIT_MAX`];
    /// too many wait.
    /// *Cancel safety*: a place that was granted and not taken is given back.
    /// *Cost*: two look-ups in a table while nobody else is there.
    pub(crate) async fn enter(self: &Rc<Self>, key: K, cost: u32) -> Result<Place<K>, Cause> {
        let now = Instant::now();
        let verdict = self.state.borrow_mut().arrive(key, cost, now)?;
        match verdict {
            Verdict::Now => Ok(Place { turns: Rc::clone(self), holder: key }),
            Verdict::Wait => {
                let (answer, answered) = oneshot::channel();
                // The one that is shed hears of it by the end of its channel.
                drop(self.state.borrow_mut().queue(key, cost, answer, now));
                self.work.notify_one();
                match timeout(TURN_WAIT_MAX, answered).await {
                    Ok(Ok(place)) => Ok(place),
                    Ok(Err(_)) => Err(Cause::Displaced),
                    Err(_) => Err(Cause::Aged),
                }
            }
        }
    }

    /// Waits for the turn of somebody who is in, and is not refused any more.
    ///
    /// *Cancel safety*: nothing is held.
    pub(crate) async fn step(&self, key: K, cost: u32) {
        let now = Instant::now();
        let verdict = self.state.borrow_mut().go_on(key, cost, now);
        match verdict {
            Verdict::Now => {}
            Verdict::Wait => {
                let (answer, answered) = oneshot::channel();
                self.state.borrow_mut().queue_step(key, cost, answer, now);
                self.work.notify_one();
                // An error means that this thread ends.
                let _ = answered.await;
            }
        }
    }

    /// Gives turns until the task is dropped: one round for each round of the
    /// thread, so that whatever else is ready comes in between.
    pub(crate) async fn dispatch(self: Rc<Self>) {
        loop {
            self.work.notified().await;
            loop {
                tokio::task::yield_now().await;
                let granted = self.state.borrow_mut().round(|answer| !answer.is_closed());
                if granted.is_empty() {
                    break;
                }
                for granted in granted {
                    self.grant(granted);
                }
            }
        }
    }

    fn grant(self: &Rc<Self>, granted: Granted<K, oneshot::Sender<Place<K>>, oneshot::Sender<()>>) {
        match granted {
            // Whoever left in the meantime gives back what it is sent.
            Granted::Newcomer(holder, answer) => {
                drop(answer.send(Place { turns: Rc::clone(self), holder }));
            }
            Granted::Step(answer) => drop(answer.send(())),
        }
    }
}

impl<K: Copy + Eq + Hash> Place<K> {
    /// Waits for another turn of the same request.
    pub(crate) async fn step(&self, cost: u32) {
        self.turns.step(self.holder, cost).await;
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        if self.turns.state.borrow_mut().give_back(self.holder) {
            self.turns.work.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
