//! The answer: a permit, or a refusal with its reason.

use std::sync::Arc;

use repono_core::name::{AccountName, ContainerName, ObjectKey};

use crate::action::Action;
use crate::request::{Request, Resource};

/// Proof that one action on one resource was allowed.
///
/// Only [`crate::PolicySet::authorize`] makes one. It owns the names that were
/// checked, so a step that takes a permit and acts on what it names can neither
/// skip the check nor act on anything else.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "act on what the permit names"]
pub struct Permit {
    action: Action,
    account: AccountName,
    target: Target,
    allowed_by: Arc<str>,
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    Account,
    Container(ContainerName),
    Object(ContainerName, ObjectKey),
    Monitor,
}

impl Permit {
    pub(crate) fn new(request: &Request<'_>, allowed_by: Arc<str>) -> Self {
        let target = match request.resource {
            Resource::Account { .. } => Target::Account,
            Resource::Container { container, .. } => Target::Container(container.clone()),
            Resource::Object { container, key, .. } => Target::Object(container.clone(), key.clone()),
            Resource::Monitor { .. } => Target::Monitor,
        };
        Self { action: request.action, account: request.resource.account().clone(), target, allowed_by }
    }

    /// The action that was allowed.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The account on which, or in which, it was allowed.
    #[must_use]
    pub const fn account(&self) -> &AccountName {
        &self.account
    }

    /// The container; `None` for an action on the account.
    #[must_use]
    pub const fn container(&self) -> Option<&ContainerName> {
        match &self.target {
            Target::Account | Target::Monitor => None,
            Target::Container(container) | Target::Object(container, _) => Some(container),
        }
    }

    /// The object; `None` for an action on the account or the container.
    #[must_use]
    pub const fn key(&self) -> Option<&ObjectKey> {
        match &self.target {
            Target::Account | Target::Monitor | Target::Container(_) => None,
            Target::Object(_, key) => Some(key),
        }
    }

    /// Which statement allowed it, for the audit, such as
    /// `user 7, document "Readers", statement 1`.
    #[must_use]
    pub fn allowed_by(&self) -> &str {
        &self.allowed_by
    }
}

/// The request is not allowed.
///
/// *Shape*: `Display` says the reason and never the statement; that is for the
/// audit record only, and callers get one uniform reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// The statement that denied it, such as `container demo/files, statement 2`.
    pub statement: Option<Arc<str>>,
}

/// Why a request is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Nothing speaks for it.
    #[error("no statement allows the action")]
    NoStatementAllows,
    /// A statement speaks against it.
    #[error("a statement denies the action")]
    DeniedBy,
    /// The caller asked about an action and a resource that do not belong
    /// together, such as `s3:GetObject` on a container: a fault of the program,
    /// which must not become a permit.
    #[error("the action does not apply to this kind of resource")]
    ActionDoesNotFit,
}

impl Refused {
    pub(crate) const fn because(reason: Reason) -> Self {
        Self { reason, statement: None }
    }

    pub(crate) const fn denied_by(statement: Arc<str>) -> Self {
        Self { reason: Reason::DeniedBy, statement: Some(statement) }
    }
}
