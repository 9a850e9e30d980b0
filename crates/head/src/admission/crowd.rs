//! Who leaves when too many connections are open: the one that has been quiet the
//! longest, and none that was used a moment ago.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::Source;
use super::shares::Shares;
use crate::limits::{CROWD_LOOK, CROWDED_PERCENT};

/// The connections of one thread that could leave.
#[derive(Default)]
pub(crate) struct Crowd {
    /// By the begin of their quiet time; a number tells those of one instant apart.
    quiet: RefCell<BTreeMap<(Instant, u64), Rc<Notify>>>,
    next: Cell<u64>,
    /// Connections that were told to leave and still hold their place.
    leaving: Cell<usize>,
}

/// A quiet connection in the list, until it is dropped.
struct Seat {
    crowd: Rc<Crowd>,
    key: (Instant, u64),
    told: Rc<Notify>,
    /// A [`Leaver`] was made of it.
    left: Cell<bool>,
}

/// Completes when the connection is to leave, which then holds the [`Leaver`] until
/// its place is free.
pub(crate) type Summons = Pin<Box<dyn Future<Output = Leaver>>>;

/// A connection on its way out, until it is dropped.
pub(crate) struct Leaver(Rc<Crowd>);

impl Crowd {
    /// Enters a connection that has been quiet since then, until what is given is
    /// dropped.
    pub(crate) fn enter(self: &Rc<Self>, since: Instant) -> Summons {
        let seat = self.seat(since);
        Box::pin(async move { seat.told().await })
    }

    fn seat(self: &Rc<Self>, since: Instant) -> Seat {
        let key = (since, self.next.replace(self.next.get() + 1));
        let told = Rc::new(Notify::new());
        self.quiet.borrow_mut().insert(key, Rc::clone(&told));
        Seat { crowd: Rc::clone(self), key, told, left: Cell::new(false) }
    }

    /// Tells so many to leave, the longest quiet first, less those that are leaving.
    fn shed(&self, beyond: usize) {
        for _ in self.leaving.get()..beyond {
            let Some((_, told)) = self.quiet.borrow_mut().pop_first() else { return };
            self.leaving.set(self.leaving.get() + 1);
            told.notify_one();
        }
    }

    /// Looks after the thread's connections until the task is dropped.
    pub(crate) async fn tend(self: Rc<Self>, connections: Rc<Shares<Source>>) {
        loop {
            sleep(CROWD_LOOK).await;
            self.shed(connections.beyond(CROWDED_PERCENT));
        }
    }
}

impl Seat {
    async fn told(&self) -> Leaver {
        self.told.notified().await;
        self.left.set(true);
        Leaver(Rc::clone(&self.crowd))
    }
}

/// Completes when the connection that waits for it is to leave, and never where none
/// does.
///
/// *Cancel safety*: nothing is lost.
pub(crate) async fn told(summons: &mut Option<Summons>) -> Leaver {
    match summons {
        Some(summons) => summons.await,
        None => std::future::pending().await,
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let was_told = self.crowd.quiet.borrow_mut().remove(&self.key).is_none();
        if was_told && !self.left.get() {
            // A request came in the same moment: it stays.
            self.crowd.leaving.set(self.crowd.leaving.get().saturating_sub(1));
        }
    }
}

impl Drop for Leaver {
    fn drop(&mut self) {
        self.0.leaving.set(self.0.leaving.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::task::LocalSet;
    use tokio::time::{Instant, advance, timeout};

    use super::Crowd;
    use crate::admission::Source;
    use crate::admission::shares::Shares;
    use crate::limits::CROWD_LOOK;

    #[tokio::test(start_paused = true)]
    async fn the_longest_quiet_leave_and_no_more_than_needed() {
        let now = Instant::now();
        let crowd = Rc::new(Crowd::default());
        let seat = |seconds| crowd.seat(now + Duration::from_secs(seconds));
        let seats = [seat(3), seat(1), seat(2)];
        crowd.shed(2);
        crowd.shed(2);
        let mut leavers = Vec::new();
        for (seat, leaves) in seats.iter().zip([false, true, true]) {
            let told = timeout(Duration::ZERO, seat.told()).await;
            assert_eq!(told.is_ok(), leaves, "{:?}", seat.key.0 - now);
            leavers.extend(told);
        }
        drop(leavers);
        crowd.shed(1);
        assert!(timeout(Duration::ZERO, seats[0].told()).await.is_ok(), "those that left made no room");
        let busy = seat(4);
        crowd.shed(2);
        drop(busy);
        assert_eq!(crowd.leaving.get(), 0, "one that was asked something in that moment stays");
        drop(seats);
        assert!(crowd.quiet.borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn four_fifths_of_the_places_may_be_taken() {
        LocalSet::new()
            .run_until(async {
                let source = |n: u8| Source::from(std::net::IpAddr::from([10, 0, 0, n]));
                let shares = Rc::new(Shares::new(100));
                let crowd = Rc::new(Crowd::default());
                tokio::task::spawn_local(Rc::clone(&crowd).tend(Rc::clone(&shares)));
                let seat = crowd.seat(Instant::now());
                let mut taken: Vec<_> = (0..80).map(|n| shares.take(source(n)).expect("a place")).collect();
                advance(CROWD_LOOK * 3).await;
                assert!(timeout(Duration::ZERO, seat.told()).await.is_err(), "80 of 100 are no crowd");
                taken.extend(shares.take(source(80)));
                assert!(timeout(CROWD_LOOK * 2, seat.told()).await.is_ok(), "81 are");
            })
            .await;
    }
}
