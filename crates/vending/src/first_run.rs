//! What a new store is filled with: keys, and one account to begin with.
//!
//! The keys come last and in one transaction, so that they say whether the first
//! run came to its end. Keys are never removed: an operator who deletes the demo
//! account does not get it back.

use rand::{CryptoRng, Rng};
use repono_core::name::{AccountName, ApplicationName, ContainerName, NameError, UserName};
use repono_core::time::Timestamp;
use repono_policy::{Document, DocumentError, DocumentKind};
use repono_store::error::StoreError;
use repono_store::meta::MetaStore;
use repono_store::model::identity::{Audit, IdentityChange, PolicyAttachment};
use repono_store::store::Store;
use zeroize::Zeroizing;

pub use crate::key_ring::Masters;
use crate::key_ring::{self, RingError};
use crate::secret::Secret;

/// The policy of the first user: everything in the account, and operator at the monitor.
const OWNER_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Owner","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"Monitor","Effect":"Allow","Action":"repono:*","Resource":"*"}]}"#;
/// The name of that policy.
const OWNER_POLICY_NAME: &str = "owner";

/// The first application, of which the first user is.
pub const APPLICATION: &str = "demo-app";

/// What the first run made. No `Debug`: it holds secrets.
pub struct FirstRun {
    /// The account, `demo`.
    pub account: AccountName,
    /// The container in it, `files`.
    pub container: ContainerName,
    /// The user, `demo`, who may do everything in the account.
    pub user: UserName,
    /// The user's secret; kept nowhere else.
    pub user_secret: Zeroizing<String>,
    /// The application, `demo-app`.
    pub application: ApplicationName,
    /// The application's secret; kept nowhere else.
    pub application_secret: Zeroizing<String>,
}

/// Why a store was not filled.
#[derive(Debug, thiserror::Error)]
pub enum FirstRunError {
    /// The store refused.
    #[error("the store cannot be filled")]
    Store(#[from] StoreError),
    /// The keys cannot be made.
    #[error("the keys cannot be made")]
    Keys(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A name written in this program is not one.
    #[error("a name of the first account cannot be used")]
    Name(#[from] NameError),
    /// The policy written in this program is not one.
    #[error("the policy of the first user cannot be used")]
    Policy(#[from] DocumentError),
}

impl From<RingError> for FirstRunError {
    fn from(error: RingError) -> Self {
        Self::Keys(Box::new(error))
    }
}

/// Fills a store that has no keys yet; `None` where a first run was completed
/// before. One that was interrupted is taken up again, with new secrets.
///
/// *Errors*: [`FirstRunError`].
pub async fn initialise(
    store: &Store,
    masters: &Masters,
    now: Timestamp,
    random: &mut (impl Rng + CryptoRng),
) -> Result<Option<FirstRun>, FirstRunError> {
    let meta = &**store.meta();
    if !meta.identity().await?.keys.is_empty() {
        return Ok(None);
    }
    let run = FirstRun::new(random)?;
    run.write(meta, now).await?;
    let by = audit(now, "make the first keys");
    key_ring::apply(meta, by, |rows| key_ring::complete(rows, masters, now.unix_seconds())).await?;
    Ok(Some(run))
}

/// New secrets for the user and the application of the first run, for someone who
/// has lost the file that held them.
///
/// *Errors*: [`FirstRunError::Store`] with `NoSuch` where the user or the
/// application has been deleted.
pub async fn renew_secrets(
    store: &Store,
    now: Timestamp,
    random: &mut (impl Rng + CryptoRng),
) -> Result<FirstRun, FirstRunError> {
    let run = FirstRun::new(random)?;
    run.renew_application(&**store.meta(), now).await?;
    run.renew_user(&**store.meta(), now).await?;
    Ok(run)
}

impl FirstRun {
    fn new(random: &mut (impl Rng + CryptoRng)) -> Result<Self, FirstRunError> {
        Ok(Self {
            account: "demo".parse()?,
            container: "files".parse()?,
            user: "demo".parse()?,
            user_secret: Secret::generate(random).into_inner(),
            application: APPLICATION.parse()?,
            application_secret: Secret::generate(random).into_inner(),
        })
    }

    /// Each step stands where an interrupted run has made it already.
    async fn write(&self, meta: &dyn MetaStore, now: Timestamp) -> Result<(), FirstRunError> {
        let account = IdentityChange::CreateAccount { name: self.account.clone() };
        create(meta, account, audit(now, &format!("create account {}", self.account))).await?;
        meta.create_container(&self.account, &self.container, Vec::new()).await?;
        self.write_application(meta, now).await?;
        self.write_user(meta, now).await?;
        self.write_policy(meta, now).await
    }

    async fn write_application(&self, meta: &dyn MetaStore, now: Timestamp) -> Result<(), FirstRunError> {
        let create_it = IdentityChange::CreateApplication {
            name: self.application.clone(),
            secret_hash: Secret::digest_of(&self.application_secret),
        };
        let by = audit(now, &format!("create application {}", self.application));
        match create(meta, create_it, by).await? {
            Made::New => Ok(()),
            Made::Before => self.renew_application(meta, now).await,
        }
    }

    async fn renew_application(&self, meta: &dyn MetaStore, now: Timestamp) -> Result<(), FirstRunError> {
        let rotate = IdentityChange::RotateApplicationSecret {
            name: self.application.clone(),
            secret_hash: Secret::digest_of(&self.application_secret),
        };
        let by = audit(now, &format!("rotate the secret of application {}", self.application));
        meta.change_identity(rotate, by).await?;
        Ok(())
    }

    async fn write_user(&self, meta: &dyn MetaStore, now: Timestamp) -> Result<(), FirstRunError> {
        let create_it = IdentityChange::CreateUser {
            account: self.account.clone(),
            name: self.user.clone(),
            secret_hash: Secret::digest_of(&self.user_secret),
            application: self.application.clone(),
        };
        let by = audit(now, &format!("create user {}:{}", self.account, self.user));
        match create(meta, create_it, by).await? {
            Made::New => Ok(()),
            Made::Before => self.renew_user(meta, now).await,
        }
    }

    async fn renew_user(&self, meta: &dyn MetaStore, now: Timestamp) -> Result<(), FirstRunError> {
        let rotate = IdentityChange::RotateUserSecret {
            account: self.account.clone(),
            name: self.user.clone(),
            secret_hash: Secret::digest_of(&self.user_secret),
        };
        let by = audit(now, &format!("rotate the secret of user {}:{}", self.account, self.user));
        meta.change_identity(rotate, by).await?;
        Ok(())
    }

    async fn write_policy(&self, meta: &dyn MetaStore, now: Timestamp) -> Result<(), FirstRunError> {
        Document::parse(OWNER_POLICY, DocumentKind::Identity)?;
        let user = meta.secret_of_user(&self.account, &self.user).await?;
        let user = user.ok_or(StoreError::NoSuch(repono_store::error::Subject::User))?;
        let put = IdentityChange::PutPolicy {
            owner: self.account.clone(),
            name: OWNER_POLICY_NAME.to_owned(),
            attachment: PolicyAttachment::User(user.id),
            json: OWNER_POLICY.to_owned(),
        };
        let what = format!("put policy {}/{OWNER_POLICY_NAME} on user {}", self.account, self.user);
        meta.change_identity(put, audit(now, &what)).await?;
        Ok(())
    }
}

/// Whether a thing was made now or before.
enum Made {
    New,
    Before,
}

async fn create(meta: &dyn MetaStore, change: IdentityChange, by: Audit) -> Result<Made, StoreError> {
    match meta.change_identity(change, by).await {
        Ok(_) => Ok(Made::New),
        Err(StoreError::AlreadyExists(_)) => Ok(Made::Before),
        Err(error) => Err(error),
    }
}

fn audit(at: Timestamp, what: &str) -> Audit {
    Audit { at, who: "first run".to_owned(), source: "this process".to_owned(), what: what.to_owned() }
}

#[cfg(test)]
mod tests;
