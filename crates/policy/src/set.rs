//! All policies, indexed by what they are attached to.

mod rule;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use repono_core::name::{AccountName, ContainerName};

use self::rule::{Reach, Shelf};
use crate::decision::{Permit, Reason, Refused};
use crate::document::{Document, DocumentKind};
use crate::facts::Facts;
use crate::request::{Actor, Request};

/// What a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// An account: a resource policy over everything in it.
    Account(AccountName),
    /// A container: a resource policy over it and its objects.
    Container(AccountName, ContainerName),
    /// A user, by number: an identity policy.
    User(u32),
    /// A group, by number: an identity policy for its members.
    Group(u32),
    /// An application, by number: an identity policy for every user who comes
    /// through it.
    Application(u32),
}

impl Attachment {
    /// The kind of document that can be attached here.
    #[must_use]
    pub const fn kind(&self) -> DocumentKind {
        match self {
            Self::Account(_) | Self::Container(..) => DocumentKind::Resource,
            Self::User(_) | Self::Group(_) | Self::Application(_) => DocumentKind::Identity,
        }
    }

    /// Whether `keeper` may attach a document of this kind here.
    fn suits(&self, keeper: &AccountName, kind: DocumentKind) -> bool {
        let owned = match self {
            Self::Account(account) | Self::Container(account, _) => account == keeper,
            Self::User(_) | Self::Group(_) | Self::Application(_) => true,
        };
        owned && self.kind() == kind
    }
}

impl fmt::Display for Attachment {
    /// As audit records name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "account {account}"),
            Self::Container(account, container) => write!(f, "container {account}/{container}"),
            Self::User(id) => write!(f, "user {id}"),
            Self::Group(id) => write!(f, "group {id}"),
            Self::Application(id) => write!(f, "application {id}"),
        }
    }
}

/// Every policy that is in force: immutable, built anew when one changes.
///
/// The empty set refuses everything.
#[derive(Debug, Default)]
pub struct PolicySet {
    users: HashMap<u32, Shelf>,
    groups: HashMap<u32, Shelf>,
    applications: HashMap<u32, Shelf>,
    accounts: HashMap<AccountName, Shelf>,
    containers: HashMap<AccountName, HashMap<ContainerName, Shelf>>,
    misplaced: Vec<Arc<str>>,
}

impl PolicySet {
    /// The set of these policies, each with the account that keeps it. Several may
    /// be attached to one place; their order does not matter.
    ///
    /// A document that does not suit its place (an identity policy on a container,
    /// or a policy that one account keeps on another's container) can only take
    /// away: its `Deny` statements count, for everyone whom the place concerns; its
    /// `Allow` statements do not. [`PolicySet::misplaced`] names it.
    ///
    /// For a stored document that no longer parses pass [`Document::unreadable`].
    #[must_use]
    pub fn build(entries: impl IntoIterator<Item = (AccountName, Attachment, Document)>) -> Self {
        let mut set = Self::default();
        for (keeper, attachment, document) in entries {
            let reach = if attachment.suits(&keeper, document.kind()) {
                Reach::AsWritten
            } else {
                set.misplaced.push(format!("{attachment}, kept by account {keeper}").into());
                Reach::DenyOnly
            };
            let place = place(&attachment, &document);
            set.shelf(attachment).add(keeper, place, document, reach);
        }
        set
    }

    /// Where documents are attached that do not suit the place, for the operator.
    #[must_use]
    pub fn misplaced(&self) -> &[Arc<str>] {
        &self.misplaced
    }

    /// Decides one request: refused, unless a statement allows it and none denies
    /// it.
    ///
    /// *Errors*: [`Refused`], with the reason and the denying statement.
    ///
    /// *Cost*: five look-ups by hash, then the statements for this action; no
    /// allocation but for the names in the permit. Half a microsecond for a user with
    /// ten policies (`benches/authorize.rs`).
    pub fn authorize(&self, request: &Request<'_>) -> Result<Permit, Refused> {
        if request.action.scope() != request.resource.scope() {
            return Err(Refused::because(Reason::ActionDoesNotFit));
        }
        let facts = Facts::of(request).ok_or(Refused::because(Reason::ActionDoesNotFit))?;
        let mut allowed = None;
        for shelf in self.relevant(request) {
            if let Some(rule) = shelf.denying(&facts) {
                return Err(Refused::denied_by(rule.name()));
            }
            allowed = allowed.or_else(|| shelf.allowing(&facts));
        }
        match allowed {
            Some(rule) => Ok(Permit::new(request, rule.name())),
            None => Err(Refused::because(Reason::NoStatementAllows)),
        }
    }

    /// The policies attached to the resource and to the actor.
    fn relevant<'s>(&'s self, request: &Request<'s>) -> impl Iterator<Item = &'s Shelf> {
        let account = request.resource.account();
        let on_account = self.accounts.get(account);
        let on_container =
            request.resource.container().and_then(|name| self.containers.get(account)?.get(name));
        let user = match request.actor {
            Actor::Anyone => None,
            Actor::User(user) => Some(user),
        };
        let on_user = user.and_then(|u| self.users.get(&u.id));
        let on_application = user.and_then(|u| self.applications.get(&u.application_id));
        let groups = user.map_or(&[][..], |u| &u.groups);
        let on_groups = groups.iter().filter_map(|id| self.groups.get(id));
        [on_user, on_application, on_account, on_container].into_iter().flatten().chain(on_groups)
    }

    fn shelf(&mut self, attachment: Attachment) -> &mut Shelf {
        match attachment {
            Attachment::Account(account) => self.accounts.entry(account).or_default(),
            Attachment::Container(account, container) => {
                self.containers.entry(account).or_default().entry(container).or_default()
            }
            Attachment::User(id) => self.users.entry(id).or_default(),
            Attachment::Group(id) => self.groups.entry(id).or_default(),
            Attachment::Application(id) => self.applications.entry(id).or_default(),
        }
    }
}

/// How audit records name a document.
fn place(attachment: &Attachment, document: &Document) -> String {
    match document.id() {
        Some(id) => format!("{attachment}, document {id:?}"),
        None => attachment.to_string(),
    }
}

#[cfg(test)]
mod tests;
