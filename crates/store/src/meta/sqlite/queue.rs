//! Writes on their way to the writer thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use repono_core::time::Timestamp;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::StoreError;

/// A write: what it does within the transaction of its batch.
pub(super) trait Verb: Send + 'static {
    /// What the caller is told.
    type Answer: Send + 'static;

    /// Applies the write within a savepoint; an error rolls back to it.
    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<Self::Answer, StoreError>;

    /// Whether it makes the database grow.
    fn need(&self) -> Need {
        Need::Space
    }

    /// Runs just before the commit of a batch in which it was applied.
    fn committing(&mut self, _answer: &Self::Answer) {}
}

/// What a write needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Room in the database.
    Space,
    /// Next to nothing: it makes room.
    Nothing,
}

/// Whether a write was begun: one transition out of `Waiting`, taken by the
/// writer or by the caller.
///
/// | from | to | by |
/// |---|---|---|
/// | waiting | taken | the writer: the caller then waits for the outcome |
/// | waiting | abandoned | the caller: the write is surely not applied |
pub(super) struct Claim(AtomicU8);

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const ABANDONED: u8 = 2;

impl Claim {
    /// A claim on a write that waits.
    pub(super) fn waiting() -> Arc<Self> {
        Arc::new(Self(AtomicU8::new(WAITING)))
    }

    /// Takes the write, if it still waits.
    fn take(&self) -> Taking {
        self.leave_waiting(TAKEN)
    }

    /// Abandons the write, if it still waits.
    pub(super) fn abandon(&self) -> Taking {
        self.leave_waiting(ABANDONED)
    }

    fn leave_waiting(&self, to: u8) -> Taking {
        match self.0.compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Taking::Had,
            Err(_) => Taking::TooLate,
        }
    }
}

/// Whether a transition of a [`Claim`] was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taking {
    /// It was.
    Had,
    /// The other side was first.
    TooLate,
}

/// A write in the queue, whatever its type.
pub(super) trait Queued: Send {
    /// Takes it, unless its caller has gone.
    fn take(&self) -> Taking;

    /// Applies it; the answer is kept, and an error also returned.
    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<(), StoreError>;

    /// Tells it that the commit follows, if it was applied.
    fn committing(&mut self);

    /// Answers its caller: with what was kept, or with the failure of the batch.
    fn answer(self: Box<Self>, batch: Result<(), StoreError>);
}

/// A write, its caller, and its answer once it was applied.
pub(super) struct Pending<V: Verb> {
    verb: V,
    claim: Arc<Claim>,
    reply: oneshot::Sender<Result<V::Answer, StoreError>>,
    kept: Option<Result<V::Answer, StoreError>>,
}

impl<V: Verb> Pending<V> {
    pub(super) const fn new(
        verb: V,
        claim: Arc<Claim>,
        reply: oneshot::Sender<Result<V::Answer, StoreError>>,
    ) -> Self {
        Self { verb, claim, reply, kept: None }
    }
}

impl<V: Verb> Queued for Pending<V> {
    fn take(&self) -> Taking {
        self.claim.take()
    }

    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
        let result = self.verb.apply(connection, now);
        let told = result.as_ref().map(|_| ()).map_err(StoreError::clone);
        self.kept = Some(result);
        told
    }

    fn committing(&mut self) {
        if let Some(Ok(answer)) = &self.kept {
            self.verb.committing(answer);
        }
    }

    fn answer(self: Box<Self>, batch: Result<(), StoreError>) {
        let Self { verb, reply, kept, .. } = *self;
        let answer = match (batch, kept) {
            (Ok(()), Some(kept)) => kept,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(StoreError::Closed),
        };
        // First, for a refused write removes its blob then, and its caller may
        // count on that. A caller that has gone is told nothing.
        drop(verb);
        drop(reply.send(answer));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use repono_core::time::Timestamp;
    use rusqlite::Connection;
    use tokio::sync::oneshot::{self, Receiver, error::TryRecvError};

    use super::{Claim, Pending, Queued, Verb};
    use crate::error::StoreError;

    type Answered = Result<(), StoreError>;

    /// Looks, when it is dropped, whether its caller has the answer already.
    struct Late {
        caller: Receiver<Answered>,
        seen: Arc<Mutex<Option<TryRecvError>>>,
    }

    impl Verb for Late {
        type Answer = ();

        fn apply(&mut self, _: &Connection, _: Timestamp) -> Answered {
            Err(StoreError::NoContainer)
        }
    }

    impl Drop for Late {
        fn drop(&mut self) {
            *self.seen.lock().unwrap() = self.caller.try_recv().err();
        }
    }

    #[test]
    fn what_a_write_holds_is_let_go_before_its_caller_is_answered() {
        let seen = Arc::new(Mutex::new(None));
        let (reply, caller) = oneshot::channel();
        let late = Late { caller, seen: Arc::clone(&seen) };
        let mut pending = Box::new(Pending::new(late, Claim::waiting(), reply));
        let connection = Connection::open_in_memory().unwrap();
        assert!(matches!(pending.apply(&connection, Timestamp::MAX), Err(StoreError::NoContainer)));
        pending.answer(Ok(()));
        assert_eq!(*seen.lock().unwrap(), Some(TryRecvError::Empty));
    }
}
