//! What a policy is attached to, as requests and replies name it.

use std::fmt;

use repono_core::name::{AccountName, ContainerName};
use repono_policy::DocumentKind;
use repono_store::error::Subject;
use repono_store::model::identity::{IdentitySnapshot, PolicyAttachment};
use serde::{Deserialize, Serialize};

use crate::admin::input::{Qualified, named};
use crate::nearest;
use crate::reply::Fault;

/// One thing, by name.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Target {
    /// `ACCOUNT:USER`.
    User(String),
    /// `ACCOUNT:GROUP`.
    Group(String),
    /// `NAME`.
    Application(String),
    /// `NAME`.
    Account(String),
    /// `ACCOUNT/CONTAINER`.
    Container(String),
}

/// A target that exists, and the kind of document that suits it.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) attachment: PolicyAttachment,
    pub(super) kind: DocumentKind,
}

impl Target {
    /// The name alone.
    pub(super) fn name(&self) -> String {
        let (Self::User(name)
        | Self::Group(name)
        | Self::Application(name)
        | Self::Account(name)
        | Self::Container(name)) = self;
        name.clone()
    }

    /// The name of what a stored policy is attached to; `None` if it is gone.
    pub(super) fn of(attachment: &PolicyAttachment, identity: &IdentitySnapshot) -> Option<Self> {
        Some(match attachment {
            PolicyAttachment::Account(account) => Self::Account(account.to_string()),
            PolicyAttachment::Container(account, container) => {
                Self::Container(format!("{account}/{container}"))
            }
            PolicyAttachment::User(id) => {
                let row = identity.users.iter().find(|row| row.id == *id)?;
                Self::User(format!("{}:{}", row.account, row.name))
            }
            PolicyAttachment::Group(id) => {
                let row = identity.groups.iter().find(|row| row.id == *id)?;
                Self::Group(format!("{}:{}", row.account, row.name))
            }
            PolicyAttachment::Application(id) => {
                let row = identity.applications.iter().find(|row| row.id == *id)?;
                Self::Application(row.name.to_string())
            }
        })
    }

    /// Finds the target, for a policy that `keeper` keeps.
    ///
    /// *Errors*: 400 for the form, and for an account or a container of another
    /// account than the keeper; 404 with the nearest name.
    pub(super) fn resolve(
        &self,
        keeper: &AccountName,
        identity: &IdentitySnapshot,
    ) -> Result<Resolved, Fault> {
        match self {
            Self::User(name) => user(name, identity),
            Self::Group(name) => group(name, identity),
            Self::Application(name) => application(name, identity),
            Self::Account(name) => {
                let account = own(named(name, "target.account")?, keeper)?;
                Ok(Resolved { attachment: PolicyAttachment::Account(account), kind: DocumentKind::Resource })
            }
            Self::Container(name) => container(name, keeper),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::User(name) => ("user", name),
            Self::Group(name) => ("group", name),
            Self::Application(name) => ("application", name),
            Self::Account(name) => ("account", name),
            Self::Container(name) => ("container", name),
        };
        write!(f, "{kind} {name}")
    }
}

fn user(name: &str, identity: &IdentitySnapshot) -> Result<Resolved, Fault> {
    let wanted = Qualified::parse(name, "target.user")?;
    let found = identity.users.iter().find(|row| row.account == wanted.account && row.name == wanted.name);
    let row = found.ok_or_else(|| missing(Subject::User, name, identity))?;
    Ok(Resolved { attachment: PolicyAttachment::User(row.id), kind: DocumentKind::Identity })
}

fn group(name: &str, identity: &IdentitySnapshot) -> Result<Resolved, Fault> {
    let wanted = Qualified::parse(name, "target.group")?;
    let is_it = |row: &&repono_store::model::identity::GroupRow| {
        row.account == wanted.account && row.name == wanted.name.as_str()
    };
    let row = identity.groups.iter().find(is_it).ok_or_else(|| missing(Subject::Group, name, identity))?;
    Ok(Resolved { attachment: PolicyAttachment::Group(row.id), kind: DocumentKind::Identity })
}

fn application(name: &str, identity: &IdentitySnapshot) -> Result<Resolved, Fault> {
    let found = identity.applications.iter().find(|row| row.name.as_str() == name);
    let row = found.ok_or_else(|| missing(Subject::Application, name, identity))?;
    Ok(Resolved { attachment: PolicyAttachment::Application(row.id), kind: DocumentKind::Identity })
}

/// Whether the container exists is for the store to say.
fn container(name: &str, keeper: &AccountName) -> Result<Resolved, Fault> {
    let Some((account, container)) = name.split_once('/') else {
        return Err(Fault::invalid("`target.container` must be ACCOUNT/CONTAINER.", "Such as demo/files"));
    };
    let account = own(named(account, "target.container")?, keeper)?;
    let container: ContainerName = named(container, "target.container")?;
    Ok(Resolved { attachment: PolicyAttachment::Container(account, container), kind: DocumentKind::Resource })
}

fn own(account: AccountName, keeper: &AccountName) -> Result<AccountName, Fault> {
    if account == *keeper {
        return Ok(account);
    }
    let message = format!("Account `{keeper}` cannot attach a policy to what account `{account}` owns.");
    Err(Fault::invalid(message, "Keep the policy in the account that owns its target."))
}

fn missing(subject: Subject, name: &str, identity: &IdentitySnapshot) -> Fault {
    nearest::not_found(subject, Some(name), &nearest::names(identity, subject))
}
