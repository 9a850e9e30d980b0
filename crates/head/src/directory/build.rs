//! From the rows of the store to a directory.

use std::collections::HashMap;
use std::sync::Arc;

use repono_net::tls::{TicketKey, TicketKeyError};
use repono_policy::{Attachment, Document, PolicySet, UserIdentity};
use repono_store::model::identity::{
    IdentitySnapshot, KeyRole, KeyRow, KeyState, PolicyAttachment, PolicyRow, Standing, UserRow,
};
use repono_ticket::keyring::{self, KeyringError, Role};
use repono_ticket::{MasterKey, PreauthKeys, Revocations, Salt, TooManyRevocations, VerifyingKeys};

use super::{Directory, user_name};

/// The master key that a head opens its secrets with.
pub(crate) struct Masters {
    pub(crate) heads: MasterKey,
}

/// A directory, and the keys that TLS needs.
pub(crate) struct Built {
    pub(crate) directory: Directory,
    pub(crate) tls: TlsTicketKeys,
}

/// The key that seals TLS session tickets, and those that still open them.
pub(crate) struct TlsTicketKeys {
    pub(crate) current: TicketKey,
    pub(crate) accepted: Vec<TicketKey>,
}

/// Why rows do not make a directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("the key ring cannot be used")]
    Keys(#[from] KeyringError),
    #[error("a TLS ticket key cannot be derived")]
    TlsTicketKey(#[from] TicketKeyError),
    #[error("the revocations cannot be used")]
    Revocations(#[from] TooManyRevocations),
}

/// Builds a directory from one consistent snapshot.
pub(crate) fn build(snapshot: &IdentitySnapshot, masters: &Masters, now_s: u64) -> Result<Built, BuildError> {
    let keys: Vec<keyring::KeyRow> = snapshot.keys.iter().map(ring_row).collect();
    let (users, names_by_id) = users(snapshot);
    let directory = Directory {
        users,
        names_by_id,
        verifying_keys: VerifyingKeys::from_rows(&keys)?,
        preauth_keys: PreauthKeys::from_rows(&keys, &masters.heads)?,
        revocations: revocations(snapshot, now_s)?,
        policies: PolicySet::build(snapshot.policies.iter().map(policy)),
    };
    Ok(Built { directory, tls: tls_ticket_keys(&keys, &masters.heads)? })
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

fn policy(row: &PolicyRow) -> (repono_core::name::AccountName, Attachment, Document) {
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

fn tls_ticket_keys(keys: &[keyring::KeyRow], master: &MasterKey) -> Result<TlsTicketKeys, BuildError> {
    let mut current = None;
    let mut accepted = Vec::new();
    for row in keys.iter().filter(|row| row.role == Role::TlsTicket && row.state.verifies()) {
        let key = TicketKey::derive(&*keyring::open_secret(row, master)?)?;
        match row.state {
            keyring::KeyState::Active => current = Some(key),
            keyring::KeyState::Pending | keyring::KeyState::VerifyOnly => accepted.push(key),
            keyring::KeyState::Dead => {}
        }
    }
    Ok(TlsTicketKeys { current: current.ok_or(KeyringError::NoActive)?, accepted })
}

fn ring_row(row: &KeyRow) -> keyring::KeyRow {
    keyring::KeyRow {
        id: row.id.clone(),
        role: match row.role {
            KeyRole::Ticket => Role::Ticket,
            KeyRole::Preauth => Role::Preauth,
            KeyRole::TlsTicket => Role::TlsTicket,
        },
        state: match row.state {
            KeyState::Pending => keyring::KeyState::Pending,
            KeyState::Active => keyring::KeyState::Active,
            KeyState::VerifyOnly => keyring::KeyState::VerifyOnly,
            KeyState::Dead => keyring::KeyState::Dead,
        },
        public: row.public.clone(),
        sealed: row.sealed.clone(),
        created_s: row.created_s,
        active_from_s: Some(row.active_from_s),
        verify_until_s: row.verify_until_s,
    }
}
