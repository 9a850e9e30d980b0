//! Users, applications, their secrets and the signing key, in memory: a ticket
//! costs no look-up in the store. Replaced as a whole when the store says that
//! something changed.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use repono_core::name::{AccountName, ApplicationName, UserName};
use repono_core::time::Timestamp;
use repono_store::error::StoreError;
use repono_store::meta::MetaStore;
use repono_store::model::identity::{IdentitySnapshot, SecretHash, SecretSnapshot, Standing};
use repono_store::rights::{Rights, RightsError, key_rows};
use repono_ticket::keyring::{self, KeyRow, KeyringError};
use repono_ticket::{MasterKey, TicketSigner};
use tokio::sync::Mutex;
use tokio::time::{Instant, interval};

use crate::key_ring;
use crate::limits::{DIRECTORY_POLL, DIRECTORY_STALE, DIRECTORY_TRIES};
use crate::secret::Kept;

/// A user at log-in.
pub(crate) struct User {
    pub(crate) account: AccountName,
    pub(crate) name: UserName,
    pub(crate) application_id: u32,
    pub(crate) standing: Standing,
    pub(crate) revoked_before_s: Option<u64>,
    pub(crate) kept: Kept,
}

/// An application at log-in.
pub(crate) struct Application {
    pub(crate) id: u32,
    pub(crate) name: ApplicationName,
    pub(crate) standing: Standing,
    pub(crate) revoked_before_s: Option<u64>,
    pub(crate) kept: Kept,
}

/// One consistent state.
pub(crate) struct Directory {
    epoch: u64,
    /// By `account:user`.
    users: HashMap<Box<str>, User>,
    applications: HashMap<Box<str>, Application>,
    /// Whom tickets speak for and what they may do.
    pub(crate) rights: Rights,
    pub(crate) signer: TicketSigner,
    pub(crate) keys: Vec<KeyRow>,
}

/// Why no new state came into use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefreshError {
    #[error("the store did not answer")]
    Store(#[from] StoreError),
    #[error("no key can sign tickets")]
    Keys(#[from] KeyringError),
    #[error("it cannot be told who may do what")]
    Rights(#[from] RightsError),
    #[error("users and secrets changed too often to be read together")]
    Unsettled,
}

impl Directory {
    /// The user with this `account:user`.
    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// The application with this name.
    pub(crate) fn application(&self, name: &str) -> Option<&Application> {
        self.applications.get(name)
    }

    async fn read(meta: &dyn MetaStore, master: &MasterKey) -> Result<Self, RefreshError> {
        for _ in 0..DIRECTORY_TRIES {
            let identity = meta.identity().await?;
            let secrets = meta.secrets().await?;
            if identity.epoch == secrets.epoch {
                return Self::build(&identity, secrets, master, Timestamp::now().unix_seconds());
            }
        }
        Err(RefreshError::Unsettled)
    }

    fn build(
        identity: &IdentitySnapshot,
        secrets: SecretSnapshot,
        master: &MasterKey,
        now_s: u64,
    ) -> Result<Self, RefreshError> {
        let keys = key_rows(&identity.keys);
        let signer = keyring::active_signer(&keys, master)?;
        let (users, applications) = (kept(secrets.users), kept(secrets.applications));
        Ok(Self {
            epoch: identity.epoch,
            users: self::users(identity, users),
            applications: self::applications(identity, applications),
            rights: Rights::read(identity, &keys, now_s)?,
            signer,
            keys,
        })
    }
}

fn kept(secrets: Vec<(u32, SecretHash)>) -> HashMap<u32, Kept> {
    secrets.iter().map(|(id, hash)| (*id, Kept::parse(hash))).collect()
}

fn users(identity: &IdentitySnapshot, mut kept: HashMap<u32, Kept>) -> HashMap<Box<str>, User> {
    let user = |row: &repono_store::model::identity::UserRow| {
        let user = User {
            account: row.account.clone(),
            name: row.name.clone(),
            application_id: row.application_id,
            standing: row.standing,
            revoked_before_s: row.revoked_before_s,
            kept: kept.remove(&row.id).unwrap_or(Kept::Nothing),
        };
        (format!("{}:{}", row.account, row.name).into(), user)
    };
    identity.users.iter().map(user).collect()
}

fn applications(identity: &IdentitySnapshot, mut kept: HashMap<u32, Kept>) -> HashMap<Box<str>, Application> {
    let application = |row: &repono_store::model::identity::ApplicationRow| {
        let application = Application {
            id: row.id,
            name: row.name.clone(),
            standing: row.standing,
            revoked_before_s: row.revoked_before_s,
            kept: kept.remove(&row.id).unwrap_or(Kept::Nothing),
        };
        (row.name.as_str().into(), application)
    };
    identity.applications.iter().map(application).collect()
}

/// The directory as everyone sees it, and how old it is.
pub(crate) struct Feed {
    current: ArcSwap<Directory>,
    confirmed: ArcSwap<Instant>,
    meta: Arc<dyn MetaStore>,
    master: Arc<key_ring::Masters>,
    /// One refresh at a time: a slower reading must not replace a newer state.
    turn: Mutex<()>,
}

/// The directory has not been confirmed for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stale;

impl Feed {
    /// Reads the first state.
    ///
    /// *Errors*: [`RefreshError`].
    pub(crate) async fn open(
        meta: Arc<dyn MetaStore>,
        master: Arc<key_ring::Masters>,
    ) -> Result<Self, RefreshError> {
        let asked = Instant::now();
        let first = Directory::read(&*meta, &master.vending).await?;
        Ok(Self {
            current: ArcSwap::from_pointee(first),
            confirmed: ArcSwap::from_pointee(asked),
            meta,
            master,
            turn: Mutex::new(()),
        })
    }

    /// The newest state.
    pub(crate) fn current(&self) -> Arc<Directory> {
        self.current.load_full()
    }

    /// The newest state, if it may still be relied on.
    ///
    /// *Errors*: [`Stale`].
    pub(crate) fn fresh(&self, now: Instant) -> Result<Arc<Directory>, Stale> {
        let age = now.saturating_duration_since(**self.confirmed.load());
        if age < DIRECTORY_STALE { Ok(self.current()) } else { Err(Stale) }
    }

    /// Takes over what has changed.
    ///
    /// *Errors*: [`RefreshError`]; the old state stays.
    pub(crate) async fn refresh(&self) -> Result<(), RefreshError> {
        let _turn = self.turn.lock().await;
        let asked = Instant::now();
        if self.meta.identity_epoch().await? != self.current.load().epoch {
            let next = Directory::read(&*self.meta, &self.master.vending).await?;
            self.current.store(Arc::new(next));
        }
        self.confirmed.store(Arc::new(asked));
        Ok(())
    }

    /// Refreshes until the task is dropped.
    pub(crate) async fn follow(&self) {
        let mut polls = interval(DIRECTORY_POLL);
        let mut failing = false;
        loop {
            polls.tick().await;
            match self.refresh().await {
                Ok(()) => failing = false,
                Err(error) if failing => tracing::debug!(?error, "the directory is still not confirmed"),
                Err(error) => {
                    failing = true;
                    tracing::error!(?error, "the directory was not confirmed: it is used for 60 s more");
                }
            }
        }
    }
}
