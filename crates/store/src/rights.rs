//! Who is who and may do what, as the rows of a store say: what heads and vending hold
//! requests against.

use std::collections::HashMap;
use std::sync::Arc;

use repono_core::name::AccountName;
use repono_policy::{Attachment, Document, PolicySet, UserIdentity};
use repono_ticket::keyring::{self, KeyringError, Role};
use repono_ticket::{Revocations, Salt, TooManyRevocations, Verified, VerifiedPreauth, VerifyingKeys};

use crate::model::identity::{
    IdentitySnapshot, KeyRole, KeyRow, KeyState, PolicyAttachment, PolicyRow, Standing, UserRow,
};

/// One consistent state of users, keys that verify tickets, revocations and policies.
///
/// Only users who may act stand in it: a disabled user, or one of a disabled
/// application, is as good as unknown.
pub struct Rights {
    users: HashMap<Box<str>, Arc<UserIdentity>>,
    names_by_id: HashMap<u32, Box<str>>,
    revocations: Revocations,
    /// The keys that verify tickets.
    pub verifying_keys: VerifyingKeys,
    /// What decides.
    pub policies: PolicySet,
}

/// Why rows do not say who may do what.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// The key ring has no keys that can be used.
    #[error("the key ring cannot be used")]
    Keys(#[from] KeyringError),
    /// There are more revocations than are kept in memory.
    #[error("the revocations cannot be used")]
    Revocations(#[from] TooManyRevocations),
}

impl Rights {
    /// Reads one consistent snapshot, whose key rows are `keys`.
    ///
    /// *Errors*: [`RightsError`].
    pub fn read(
        snapshot: &IdentitySnapshot,
        keys: &[keyring::KeyRow],
        now_s: u64,
    ) -> Result<Self, RightsError> {
        let (users, names_by_id) = users(snapshot);
        Ok(Self {
            users,
            names_by_id,
            revocations: revocations(snapshot, now_s)?,
            verifying_keys: VerifyingKeys::from_rows(keys)?,
            policies: PolicySet::build(snapshot.policies.iter().map(policy)),
        })
    }

    /// The user that a verified ticket speaks for.
    ///
    /// `None`, without a reason, for an unknown or disabled user, one bound to
    /// another application, and a revoked ticket: all of them answer alike.
    #[must_use]
    pub fn user_of_ticket(&self, verified: &Verified) -> Option<Arc<UserIdentity>> {
        let name = user_name(verified.account().as_str(), verified.user().as_str());
        let user = self.users.get(name.as_str())?;
        let bound = user.application == *verified.application();
        let revoked = self.revocations.ticket_revoked(verified, user.id, user.application_id);
        (bound && !revoked).then(|| Arc::clone(user))
    }

    /// The user in whose right a pre-authorized URI was made.
    #[must_use]
    pub fn user_of_preauth(&self, verified: &VerifiedPreauth) -> Option<Arc<UserIdentity>> {
        let user = self.users.get(self.names_by_id.get(&verified.user_id())?)?;
        let bound = user.application_id == verified.application_id();
        (bound && !self.revocations.preauth_revoked(verified)).then(|| Arc::clone(user))
    }
}

/// `account:user`: how users are found.
fn user_name(account: &str, user: &str) -> String {
    [account, ":", user].concat()
}

/// The key rows of the store as the ticket crate reads them.
#[must_use]
pub fn key_rows(stored: &[KeyRow]) -> Vec<keyring::KeyRow> {
    stored.iter().map(key_row).collect()
}

fn key_row(stored: &KeyRow) -> keyring::KeyRow {
    let state = match stored.state {
        KeyState::Pending => keyring::KeyState::Pending,
        KeyState::Active => keyring::KeyState::Active,
        KeyState::VerifyOnly => keyring::KeyState::VerifyOnly,
        KeyState::Dead => keyring::KeyState::Dead,
    };
    keyring::KeyRow {
        id: stored.id.clone(),
        role: match stored.role {
            KeyRole::Ticket => Role::Ticket,
            KeyRole::Preauth => Role::Preauth,
            KeyRole::TlsTicket => Role::TlsTicket,
        },
        state,
        public: stored.public.clone(),
        sealed: stored.sealed.clone(),
        created_s: stored.created_s,
        // A pending key has not been active: its row holds 0 there.
        active_from_s: (state != keyring::KeyState::Pending).then_some(stored.active_from_s),
        verify_until_s: stored.verify_until_s,
    }
}

type Users = HashMap<Box<str>, Arc<UserIdentity>>;

fn users(snapshot: &IdentitySnapshot) -> (Users, HashMap<u32, Box<str>>) {
    let mut users = Users::new();
    let mut names_by_id = HashMap::new();
    for row in snapshot.users.iter().filter(|row| row.standing == Standing::Enabled) {
        let Some(identity) = identity(snapshot, row) else { continue };
        let name: Box<str> = user_name(row.account.as_str(), row.name.as_str()).into();
        names_by_id.insert(row.id, name.clone());
        users.insert(name, Arc::new(identity));
    }
    for group in &snapshot.groups {
        for member in &group.members {
            let user = names_by_id.get(member).and_then(|name| users.get_mut(name)).and_then(Arc::get_mut);
            if let Some(user) = user.filter(|user| user.account == group.account) {
                user.groups.push(group.id);
                user.group_names.push(group.name.clone());
            }
        }
    }
    (users, names_by_id)
}

/// The identity of a user whose application may act too.
fn identity(snapshot: &IdentitySnapshot, row: &UserRow) -> Option<UserIdentity> {
    let found = snapshot.applications.binary_search_by_key(&row.application_id, |a| a.id).ok()?;
    let application = snapshot.applications.get(found).filter(|a| a.standing == Standing::Enabled)?;
    Some(UserIdentity {
        id: row.id,
        account: row.account.clone(),
        user: row.name.clone(),
        application: application.name.clone(),
        application_id: application.id,
        groups: Vec::new(),
        group_names: Vec::new(),
    })
}

fn revocations(snapshot: &IdentitySnapshot, now_s: u64) -> Result<Revocations, TooManyRevocations> {
    let salts = snapshot.revoked_salts.iter().map(|row| (Salt::from_bytes(row.salt), row.until_s));
    let users = snapshot.users.iter().filter_map(|row| Some((row.id, row.revoked_before_s?)));
    let applications = snapshot.applications.iter().filter_map(|row| Some((row.id, row.revoked_before_s?)));
    Revocations::build(now_s, salts, users, applications)
}

fn policy(row: &PolicyRow) -> (AccountName, Attachment, Document) {
    let attachment = match &row.attachment {
        PolicyAttachment::Account(account) => Attachment::Account(account.clone()),
        PolicyAttachment::Container(account, container) => {
            Attachment::Container(account.clone(), container.clone())
        }
        PolicyAttachment::User(id) => Attachment::User(*id),
        PolicyAttachment::Group(id) => Attachment::Group(*id),
        PolicyAttachment::Application(id) => Attachment::Application(*id),
    };
    let kind = attachment.kind();
    let document = Document::parse(&row.json, kind).unwrap_or_else(|error| {
        tracing::error!(policy = row.name, owner = %row.owner, %error, "a stored policy cannot be read: it denies all");
        Document::unreadable(kind)
    });
    (row.owner.clone(), attachment, document)
}
