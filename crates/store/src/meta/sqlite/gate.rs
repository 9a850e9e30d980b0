//! Whether writes are taken, learnt from how the last ones ended.
//!
//! | from | to | when |
//! |---|---|---|
//! | writable | full | the database found no room |
//! | full | writable | a write was committed; one a second is let through to try |
//! | any | read-only | reading or writing the disk failed: a sync that failed once is never trusted again, so only a new process writes again |

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::queue::Need;
use crate::error::{Part, StoreError};
use crate::model::Health;

/// How often a full database is tried again.
const PROBE: Duration = Duration::from_secs(1);

/// Lets writes through, or not.
pub(super) struct Gate {
    state: Mutex<State>,
}

enum State {
    Writable,
    Full { probed: Instant },
    ReadOnly,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: Mutex::new(State::Writable) }
    }
}

impl Gate {
    pub(super) fn health(&self) -> Health {
        match *self.state() {
            State::Writable => Health::Writable,
            State::Full { .. } => Health::Full,
            State::ReadOnly => Health::ReadOnly,
        }
    }

    /// Whether a write may be queued.
    pub(super) fn admit(&self, need: Need) -> Result<(), StoreError> {
        match (&mut *self.state(), need) {
            (State::ReadOnly, _) => Err(StoreError::ReadOnly),
            (State::Writable, _) | (State::Full { .. }, Need::Nothing) => Ok(()),
            (State::Full { probed }, Need::Space) => {
                if probed.elapsed() < PROBE {
                    return Err(StoreError::Full);
                }
                *probed = Instant::now();
                Ok(())
            }
        }
    }

    /// Whether an error of one write is one of the database as a whole.
    pub(super) const fn fails_batch(error: &StoreError) -> bool {
        matches!(
            error,
            StoreError::Full
                | StoreError::ReadOnly
                | StoreError::Busy { .. }
                | StoreError::Corrupt { what: Part::Database }
                | StoreError::Database(_)
        )
    }

    /// Learns from the end of a batch.
    pub(super) fn learn(&self, outcome: &Result<(), StoreError>) {
        let mut state = self.state();
        match (&*state, outcome) {
            (State::ReadOnly, _) => {}
            (State::Full { .. }, Ok(())) => {
                tracing::info!("the metadata database has room again");
                *state = State::Writable;
            }
            (_, Err(StoreError::Full)) => {
                tracing::error!("the metadata database has no room; writes are refused");
                *state = State::Full { probed: Instant::now() };
            }
            (_, Err(StoreError::ReadOnly | StoreError::Corrupt { what: Part::Database })) => {
                tracing::error!("the metadata is read-only from now on in this process");
                *state = State::ReadOnly;
            }
            (State::Writable | State::Full { .. }, Ok(()) | Err(_)) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use crate::error::StoreError;
    use crate::meta::sqlite::queue::Need;
    use crate::model::Health;

    #[test]
    fn a_full_database_takes_deletions_and_recovers() {
        let gate = Gate::default();
        gate.learn(&Err(StoreError::Full));
        assert_eq!(gate.health(), Health::Full);
        assert!(matches!(gate.admit(Need::Space), Err(StoreError::Full)));
        assert!(gate.admit(Need::Nothing).is_ok());
        gate.learn(&Ok(()));
        assert_eq!(gate.health(), Health::Writable);
        assert!(gate.admit(Need::Space).is_ok());
    }

    #[test]
    fn a_failed_disk_is_never_trusted_again() {
        let gate = Gate::default();
        gate.learn(&Err(StoreError::ReadOnly));
        gate.learn(&Ok(()));
        gate.learn(&Err(StoreError::Full));
        assert_eq!(gate.health(), Health::ReadOnly);
        assert!(matches!(gate.admit(Need::Nothing), Err(StoreError::ReadOnly)));
    }
}
