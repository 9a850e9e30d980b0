//! How a service is told to stop, and how it knows that it has.
//!
//! ```text
//! Serving --begin--> Draining --close--> Closing
//!    ^                  |                   (final)
//!    +------resume------+
//! ```
//! One [`Drain`] belongs to whoever decides; every connection holds a
//! [`DrainSignal`] to read and a [`Guard`] to be counted by.

mod order;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

pub use order::Allowance;

/// Where a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Takes connections and keeps them. Left by [`Drain::begin`], [`Drain::close`].
    Serving,
    /// Announces the end of each connection with its next reply, and still serves
    /// those that come. Left by [`Drain::resume`], [`Drain::close`].
    Draining {
        /// When it began; idle connections end some quiet time after.
        since: Instant,
    },
    /// Ends every connection at its next quiet moment. Final.
    Closing,
}

/// What the owner asks for.
#[derive(Clone, Copy)]
enum Order {
    Begin { now: Instant },
    Resume,
    Close,
}

impl Phase {
    const fn after(self, order: Order) -> Self {
        match (self, order) {
            (Self::Serving, Order::Begin { now }) => Self::Draining { since: now },
            (Self::Draining { since }, Order::Begin { .. }) => Self::Draining { since },
            (Self::Serving | Self::Draining { .. }, Order::Resume) => Self::Serving,
            (Self::Closing, Order::Begin { .. } | Order::Resume) | (_, Order::Close) => Self::Closing,
        }
    }

    /// Whether a loop that runs until `until` ends in this phase.
    #[must_use]
    pub const fn has_reached(self, until: Until) -> bool {
        match (self, until) {
            (Self::Serving, _) | (Self::Draining { .. }, Until::Closing) => false,
            (Self::Draining { .. }, Until::Draining) | (Self::Closing, _) => true,
        }
    }
}

/// How far a drain must have gone for a loop to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Ends when draining begins.
    Draining,
    /// Goes on while draining: a head must answer health checks until the end.
    Closing,
}

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    open: AtomicUsize,
    emptied: Notify,
}

/// The owner's side: gives the orders and waits for the last connection.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Shared>);

/// Connections were still open at the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} connections were still open at the deadline")]
pub struct StillOpen(pub usize);

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// A service that serves.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            phase: watch::Sender::new(Phase::Serving),
            open: AtomicUsize::new(0),
            emptied: Notify::new(),
        }))
    }

    /// Begins to drain; a second order keeps the first one's instant.
    pub fn begin(&self, now: Instant) {
        self.order(Order::Begin { now });
    }

    /// Takes the service back into use, unless it is closing.
    pub fn resume(&self) {
        self.order(Order::Resume);
    }

    /// Ends the service.
    pub fn close(&self) {
        self.order(Order::Close);
    }

    /// Where the service stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Acquire)
    }

    /// A signal for one connection or loop.
    #[must_use]
    pub fn signal(&self) -> DrainSignal {
        let mut phases = self.0.phase.subscribe();
        let seen = *phases.borrow_and_update();
        DrainSignal { shared: Arc::clone(&self.0), phases, seen }
    }

    /// Waits until no guard is left.
    ///
    /// *Errors*: [`StillOpen`] at the deadline.
    /// *Cancel safety*: may be dropped and called again.
    pub async fn wait_idle(&self, deadline: Instant) -> Result<(), StillOpen> {
        timeout_at(deadline, self.emptied()).await.map_err(|_| StillOpen(self.open()))
    }

    async fn emptied(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.0.emptied.notified());
            // Listening begins before the count is read, so that the last guard
            // cannot go unnoticed in between.
            emptied.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn order(&self, order: Order) {
        self.0.phase.send_if_modified(|phase| {
            let after = phase.after(order);
            std::mem::replace(phase, after) != after
        });
    }
}

/// A connection's side: tells when to stop.
#[derive(Clone, Debug)]
pub struct DrainSignal {
    shared: Arc<Shared>,
    phases: watch::Receiver<Phase>,
    seen: Phase,
}

impl DrainSignal {
    /// Where the service stands.
    ///
    /// *Cost*: one atomic load while nothing changes; called for each reply.
    pub fn phase(&mut self) -> Phase {
        // An error would mean that the sender is gone; `shared` holds it.
        if self.phases.has_changed().unwrap_or(false) {
            self.seen = *self.phases.borrow_and_update();
        }
        self.seen
    }

    /// Waits for a change that [`DrainSignal::phase`] has not yet told.
    ///
    /// *Cancel safety*: a change is not lost.
    pub async fn changed(&mut self) -> Phase {
        if self.phases.changed().await.is_ok() {
            self.seen = *self.phases.borrow_and_update();
        }
        self.seen
    }

    /// Waits until the service is as far as `until`.
    ///
    /// *Cancel safety*: may be dropped and called again.
    pub async fn reached(&mut self, until: Until) {
        while !self.phase().has_reached(until) {
            self.changed().await;
        }
    }

    /// Counts a connection until the guard is dropped.
    #[must_use]
    pub fn guard(&self) -> Guard {
        self.shared.open.fetch_add(1, Ordering::AcqRel);
        Guard(Arc::clone(&self.shared))
    }
}

/// One open connection, as the drain counts it.
#[derive(Debug)]
pub struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{Drain, Phase, StillOpen, Until};

    #[tokio::test(start_paused = true)]
    async fn draining_keeps_its_first_instant_and_closing_is_final() {
        let drain = Drain::new();
        let mut signal = drain.signal();
        assert_eq!(signal.phase(), Phase::Serving);
        let since = Instant::now();
        drain.begin(since);
        advance(Duration::from_secs(1)).await;
        drain.begin(Instant::now());
        assert_eq!(signal.phase(), Phase::Draining { since });
        drain.resume();
        assert_eq!(signal.changed().await, Phase::Serving);
        drain.close();
        drain.resume();
        drain.begin(Instant::now());
        assert_eq!(signal.phase(), Phase::Closing);
        assert_eq!(drain.phase(), Phase::Closing);
        assert_eq!(drain.signal().phase(), Phase::Closing, "a late signal knows");
    }

    #[tokio::test(start_paused = true)]
    async fn loops_end_where_they_asked_to() {
        let drain = Drain::new();
        let (mut early, mut late) = (drain.signal(), drain.signal());
        drain.begin(Instant::now());
        early.reached(Until::Draining).await;
        let waiting = tokio::spawn(async move { late.reached(Until::Closing).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drain.close();
        waiting.await.expect("ended");
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_last_guard_and_no_longer_than_the_deadline() {
        let drain = Drain::new();
        let signal = drain.signal();
        let deadline = || Instant::now() + Duration::from_secs(30);
        assert_eq!(drain.wait_idle(deadline()).await, Ok(()));
        let (first, second) = (signal.guard(), signal.guard());
        assert_eq!(drain.wait_idle(deadline()).await, Err(StillOpen(2)));
        drop(first);
        let waiting = tokio::spawn({
            let (drain, deadline) = (drain.clone(), deadline());
            async move { drain.wait_idle(deadline).await }
        });
        tokio::task::yield_now().await;
        drop(second);
        assert_eq!(waiting.await.expect("no panic"), Ok(()));
        assert_eq!(drain.open(), 0);
    }
}
