//! Where identities and keys are changed: each change with who and what in the
//! audit, and in force in this process when it is answered.

use std::fmt;
use std::sync::Arc;

use repono_core::time::Timestamp;
use repono_journal::{ChangeRecord, SharedRecorder, Stamp};
use repono_store::error::{StoreError, Subject};
use repono_store::meta::MetaStore;
use repono_store::model::Clock;
use repono_store::model::identity::{Audit, ChangeOutcome, IdentityChange, IdentitySnapshot};
use repono_ticket::keyring::KeyRow;
use tokio::sync::Mutex;
use tokio::time::interval;

use crate::directory::Feed;
use crate::key_ring::{self, Masters, RingError};
use crate::limits::RING_POLL;
use crate::nearest;
use crate::reply::Fault;
use crate::secret::Verifier;

/// Who asks for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A process on the admin socket, by the user id that the kernel tells.
    Uid(u32),
    /// This service, as time goes by.
    Vending,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid {uid}"),
            Self::Vending => f.write_str("vending"),
        }
    }
}

impl Who {
    const fn source(self) -> &'static str {
        match self {
            Self::Uid(_) => "admin socket",
            Self::Vending => "this process",
        }
    }
}

/// A name that a change relies on, for the hint when it does not exist.
pub(crate) type Wanted<'a> = (Subject, &'a str);

/// Everything that a change needs.
pub(crate) struct Office {
    pub(crate) meta: Arc<dyn MetaStore>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) masters: Arc<Masters>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) recorder: SharedRecorder,
    pub(crate) clock: Clock,
    /// Rows of the ring are read, changed and written by one at a time.
    ring: Mutex<()>,
}

impl Office {
    pub(crate) fn new(
        meta: Arc<dyn MetaStore>,
        feed: Arc<Feed>,
        masters: Arc<Masters>,
        verifier: Arc<Verifier>,
        recorder: SharedRecorder,
        clock: Clock,
    ) -> Self {
        Self { meta, feed, masters, verifier, recorder, clock, ring: Mutex::new(()) }
    }

    /// The present.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The identities as they are in the store.
    ///
    /// *Errors*: 503 and 500.
    pub(crate) async fn identity(&self) -> Result<IdentitySnapshot, Fault> {
        self.meta.identity().await.map_err(|error| told(&error))
    }

    /// Makes one change.
    ///
    /// *Errors*: 404 with the nearest name that exists, 409, 503 and 500.
    pub(crate) async fn change(
        &self,
        who: Who,
        what: String,
        wanted: &[Wanted<'_>],
        change: IdentityChange,
    ) -> Result<ChangeOutcome, Fault> {
        match self.meta.change_identity(change, self.audit(who, &what)).await {
            Ok(outcome) => {
                self.settled(who, &what).await;
                Ok(outcome)
            }
            Err(StoreError::NoSuch(subject)) => Err(self.missing(subject, wanted).await),
            Err(error) => Err(told(&error)),
        }
    }

    /// Changes the key ring; answers the rows that were written.
    ///
    /// *Errors*: [`RingError`].
    pub(crate) async fn change_ring(
        &self,
        who: Who,
        what: String,
        change: impl FnOnce(&[KeyRow], &Masters, u64) -> Result<Vec<KeyRow>, RingError>,
    ) -> Result<Vec<KeyRow>, RingError> {
        let _turn = self.ring.lock().await;
        let now_s = self.now().unix_seconds();
        let by = self.audit(who, &what);
        let written = key_ring::apply(&*self.meta, by, |rows| change(rows, &self.masters, now_s)).await?;
        if !written.is_empty() {
            self.settled(who, &what).await;
        }
        Ok(written)
    }

    /// Looks after the key ring until the task is dropped.
    pub(crate) async fn tend(&self) {
        let mut polls = interval(RING_POLL);
        let mut failing = false;
        loop {
            polls.tick().await;
            match self.tend_once().await {
                Ok(()) => failing = false,
                Err(error) if failing => tracing::debug!(?error, "the key ring still cannot be looked after"),
                Err(error) => {
                    failing = true;
                    tracing::error!(?error, "the key ring cannot be looked after");
                }
            }
        }
    }

    /// One look at the copy in memory; the store is asked only where something is
    /// due.
    pub(crate) async fn tend_once(&self) -> Result<(), RingError> {
        let directory = self.feed.current();
        let due = key_ring::tend(&directory.keys, &self.masters, self.now().unix_seconds())?;
        let due = key_ring::changed(&directory.keys, &due);
        if due.is_empty() {
            return Ok(());
        }
        let what = format!("keys as time goes by: {}", listed(&due));
        self.change_ring(Who::Vending, what, key_ring::tend).await?;
        Ok(())
    }

    fn audit(&self, who: Who, what: &str) -> Audit {
        Audit { at: self.now(), who: who.to_string(), source: who.source().to_owned(), what: what.to_owned() }
    }

    /// Brings a change into force here, and into the journal.
    async fn settled(&self, who: Who, what: &str) {
        if let Err(error) = self.feed.refresh().await {
            tracing::warn!(?error, "a change is kept; it comes into force with the next refresh");
        }
        self.recorder.change(ChangeRecord {
            at: Stamp::now(),
            who: &who.to_string(),
            what: "identity",
            from: "",
            to: what,
        });
    }

    /// What is missing, and what there is instead.
    pub(crate) async fn missing(&self, subject: Subject, wanted: &[Wanted<'_>]) -> Fault {
        let name = wanted.iter().find(|(of, _)| *of == subject).map(|(_, name)| *name);
        let known = match self.meta.identity().await {
            Ok(identity) => nearest::names(&identity, subject),
            // The hint is a courtesy: the answer stands without it.
            Err(_) => Vec::new(),
        };
        nearest::not_found(subject, name, &known)
    }
}

/// A failure of the store as the caller is told, logged where it is ours.
pub(crate) fn told(error: &StoreError) -> Fault {
    let fault = Fault::from(error);
    if fault.status.is_server_error() {
        tracing::error!(?error, "a request of an administrator failed");
    }
    fault
}

/// The keys of these rows, for the audit.
fn listed(rows: &[KeyRow]) -> String {
    let one = |row: &KeyRow| format!("{} {} {}", row.role.as_str(), row.id, row.state.as_str());
    rows.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
