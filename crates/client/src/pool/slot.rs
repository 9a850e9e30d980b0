//! One place of the pool, as a state machine.

use repono_core::id::ConnectionId;
use tokio::time::Instant;

/// One place of the pool. `C` is the open connection.
pub(crate) enum Slot<C> {
    /// No connection. Exits: `Dialling` on [`Event::Claim`], [`Event::ClaimFresh`].
    Empty,
    /// A holder opens one. Exits: `Lent` on [`Event::Opened`]; `Empty` on
    /// [`Event::Abandoned`].
    Dialling,
    /// Open, and nobody's. Exits: `Lent` or `Dialling` on [`Event::Claim`];
    /// `Dialling` on [`Event::ClaimFresh`]; `Empty` on [`Event::Ended`],
    /// [`Event::Expired`], [`Event::Closing`].
    Idle {
        /// Which connection.
        id: ConnectionId,
        /// The connection itself.
        connection: C,
        /// From here on it is not to be used again.
        until: Instant,
    },
    /// A holder uses it. Exits: `Idle` on [`Event::Returned`]; `Empty` on
    /// [`Event::Abandoned`].
    Lent,
}

/// What happens to a place.
pub(crate) enum Event<C> {
    /// A holder wants any connection.
    Claim {
        /// The present.
        now: Instant,
    },
    /// A holder wants one that has carried nothing yet.
    ClaimFresh,
    /// The holder has opened it.
    Opened,
    /// The holder is done, and it can carry more.
    Returned {
        /// Which connection.
        id: ConnectionId,
        /// The connection itself.
        connection: C,
        /// Until when it may idle.
        until: Instant,
    },
    /// The holder is done, and it cannot.
    Abandoned,
    /// The connection has ended by itself.
    Ended(ConnectionId),
    /// Its time to idle is over.
    Expired(ConnectionId),
    /// The pool is being closed.
    Closing,
}

/// What whoever caused the event has to do.
pub(crate) enum Effect<C> {
    /// Nothing.
    Nothing,
    /// Use this connection.
    Use(C),
    /// Open one.
    Dial,
    /// Close this one, and open another.
    Replace(C),
    /// Close this one.
    Close(C),
}

impl<C> Slot<C> {
    /// The one transition function.
    ///
    /// An end that is announced while a holder has the connection changes
    /// nothing here: the holder meets it, and abandons the place.
    pub(crate) fn on(self, event: Event<C>) -> (Self, Effect<C>) {
        match (self, event) {
            (Self::Empty, Event::Claim { .. } | Event::ClaimFresh) => (Self::Dialling, Effect::Dial),
            (Self::Idle { connection, until, .. }, Event::Claim { now }) => {
                if now < until {
                    (Self::Lent, Effect::Use(connection))
                } else {
                    (Self::Dialling, Effect::Replace(connection))
                }
            }
            (Self::Idle { connection, .. }, Event::ClaimFresh) => {
                (Self::Dialling, Effect::Replace(connection))
            }
            (Self::Dialling, Event::Opened) => (Self::Lent, Effect::Nothing),
            (Self::Dialling | Self::Lent, Event::Abandoned) => (Self::Empty, Effect::Nothing),
            (Self::Lent, Event::Returned { id, connection, until }) => {
                (Self::Idle { id, connection, until }, Effect::Nothing)
            }
            (Self::Idle { id, connection, until }, Event::Ended(which) | Event::Expired(which)) => {
                if id == which {
                    (Self::Empty, Effect::Close(connection))
                } else {
                    (Self::Idle { id, connection, until }, Effect::Nothing)
                }
            }
            (Self::Idle { connection, .. }, Event::Closing) => (Self::Empty, Effect::Close(connection)),
            (slot, Event::Ended(_) | Event::Expired(_) | Event::Closing) => (slot, Effect::Nothing),
            // Only the holder of a place causes the remaining events, and it does so
            // once: a connection that comes back to a place that is not lent is closed.
            (slot, Event::Returned { connection, .. }) => (slot, Effect::Close(connection)),
            (slot, Event::Claim { .. } | Event::ClaimFresh | Event::Opened | Event::Abandoned) => {
                (slot, Effect::Nothing)
            }
        }
    }

    /// How well a place serves a claim at `now`; `None` where it is taken.
    ///
    /// The connection that was used last goes first, so that the others reach
    /// their limit and the pool shrinks with the load.
    pub(crate) fn fitness(&self, now: Instant) -> Option<Fitness> {
        match self {
            Self::Idle { until, .. } if now < *until => Some(Fitness::Usable(*until)),
            Self::Empty => Some(Fitness::Empty),
            Self::Idle { .. } => Some(Fitness::Stale),
            Self::Dialling | Self::Lent => None,
        }
    }
}

/// How well a place serves a claim, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fitness {
    /// A connection that has to be closed first.
    Stale,
    /// Nothing there: a connection has to be opened.
    Empty,
    /// A connection that may be used until then.
    Usable(Instant),
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, prop_oneof};
    use proptest::{prop_assert, prop_assert_eq, proptest};
    use repono_core::id::ConnectionId;
    use tokio::time::Instant;

    use super::{Effect, Event, Fitness, Slot};

    const ONE: ConnectionId = ConnectionId::from_bytes([1; 12]);
    const OTHER: ConnectionId = ConnectionId::from_bytes([2; 12]);

    fn idle(until: Instant) -> Slot<&'static str> {
        let (slot, effect) = Slot::Empty.on(Event::ClaimFresh);
        assert!(matches!(effect, Effect::Dial));
        let (slot, _) = slot.on(Event::Opened);
        let (slot, _) = slot.on(Event::Returned { id: ONE, connection: "one", until });
        slot
    }

    #[test]
    fn a_connection_is_used_again_only_before_its_time_is_over() {
        let now = Instant::now();
        let until = now + Duration::from_secs(3);
        assert!(matches!(idle(until).on(Event::Claim { now }), (Slot::Lent, Effect::Use("one"))));
        assert!(matches!(
            idle(until).on(Event::Claim { now: until }),
            (Slot::Dialling, Effect::Replace("one"))
        ));
        assert!(matches!(idle(until).on(Event::ClaimFresh), (Slot::Dialling, Effect::Replace("one"))));
        assert!(idle(until).fitness(now) > Slot::<&str>::Empty.fitness(now));
        assert_eq!(idle(until).fitness(until), Some(Fitness::Stale));
    }

    #[test]
    fn an_end_evicts_the_connection_it_belongs_to_and_no_other() {
        let until = Instant::now() + Duration::from_secs(3);
        assert!(matches!(idle(until).on(Event::Ended(ONE)), (Slot::Empty, Effect::Close("one"))));
        assert!(matches!(idle(until).on(Event::Expired(ONE)), (Slot::Empty, Effect::Close("one"))));
        assert!(matches!(idle(until).on(Event::Ended(OTHER)), (Slot::Idle { id: ONE, .. }, Effect::Nothing)));
        assert!(matches!(Slot::<&str>::Lent.on(Event::Ended(ONE)), (Slot::Lent, Effect::Nothing)));
    }

    #[test]
    fn a_place_that_is_taken_cannot_be_claimed_or_filled_twice() {
        let now = Instant::now();
        assert_eq!(Slot::<&str>::Lent.fitness(now), None);
        assert_eq!(Slot::<&str>::Dialling.fitness(now), None);
        let twice = Event::Returned { id: OTHER, connection: "two", until: now };
        assert!(matches!(idle(now).on(twice), (Slot::Idle { id: ONE, .. }, Effect::Close("two"))));
        assert!(matches!(Slot::<&str>::Dialling.on(Event::Abandoned), (Slot::Empty, Effect::Nothing)));
        assert!(matches!(idle(now).on(Event::Closing), (Slot::Empty, Effect::Close("one"))));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Claim,
        ClaimFresh,
        Opened,
        Returned,
        Abandoned,
        Ended(u8),
        Expired(u8),
        Closing,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Claim),
            Just(Step::ClaimFresh),
            Just(Step::Opened),
            Just(Step::Returned),
            Just(Step::Abandoned),
            (0..8_u8).prop_map(Step::Ended),
            (0..8_u8).prop_map(Step::Expired),
            Just(Step::Closing),
        ]
    }

    /// A connection that says when it is dropped.
    struct Counted(Rc<Cell<usize>>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    proptest! {
        /// Whoever causes whatever in whatever order: a place holds one connection at
        /// most, hands each out once, and loses none.
        #[test]
        fn a_place_never_lends_twice_and_never_loses_a_connection(steps in vec(step(), 0..200)) {
            let (now, alive) = (Instant::now(), Rc::new(Cell::new(0)));
            let mut slot = Slot::Empty;
            for (n, step) in steps.into_iter().enumerate() {
                let until = if n % 3 == 0 { now } else { now + Duration::from_secs(1) };
                let id = ConnectionId::from_bytes([(n % 8) as u8; 12]);
                let (was_taken, was_idle) = (slot.fitness(now).is_none(), matches!(slot, Slot::Idle { .. }));
                let event = match step {
                    Step::Claim => Event::Claim { now },
                    Step::ClaimFresh => Event::ClaimFresh,
                    Step::Opened => Event::Opened,
                    Step::Returned => {
                        alive.set(alive.get() + 1);
                        Event::Returned { id, connection: Counted(Rc::clone(&alive)), until }
                    }
                    Step::Abandoned => Event::Abandoned,
                    Step::Ended(which) => Event::Ended(ConnectionId::from_bytes([which; 12])),
                    Step::Expired(which) => Event::Expired(ConnectionId::from_bytes([which; 12])),
                    Step::Closing => Event::Closing,
                };
                let (next, effect) = slot.on(event);
                let held = usize::from(matches!(next, Slot::Idle { .. }));
                let handed = match &effect {
                    Effect::Nothing | Effect::Dial => 0,
                    Effect::Use(_) | Effect::Replace(_) | Effect::Close(_) => 1,
                };
                prop_assert_eq!(alive.get(), held + handed, "none lost, none twice");
                prop_assert!(!was_taken || !matches!(effect, Effect::Use(_) | Effect::Dial | Effect::Replace(_)));
                prop_assert!(was_idle || !matches!(effect, Effect::Use(_)), "only what is nobody's is lent");
                prop_assert!(!matches!(effect, Effect::Use(_)) || matches!(next, Slot::Lent));
                slot = next;
            }
        }
    }
}
