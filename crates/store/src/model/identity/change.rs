//! Changes of identities, and the audit of them.

use repono_core::name::{AccountName, ApplicationName, ContainerName, UserName};
use repono_core::time::Timestamp;

use crate::model::MetadataChange;

use super::{KeyRow, PolicyAttachment, SecretHash, Standing};

/// One change of identities; each is one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityChange {
    /// A new account.
    CreateAccount {
        /// Its name.
        name: AccountName,
    },
    /// Removes an account with its users, groups and policies; refused while it
    /// has containers.
    DeleteAccount {
        /// Its name.
        name: AccountName,
    },
    /// A new user, bound to one application.
    CreateUser {
        /// The account.
        account: AccountName,
        /// The name.
        name: UserName,
        /// The hash of the secret.
        secret_hash: SecretHash,
        /// The application.
        application: ApplicationName,
    },
    /// Enables or disables a user.
    SetUserStanding {
        /// The account.
        account: AccountName,
        /// The name.
        name: UserName,
        /// The new standing.
        standing: Standing,
    },
    /// A new secret for a user.
    RotateUserSecret {
        /// The account.
        account: AccountName,
        /// The name.
        name: UserName,
        /// The hash of the new secret.
        secret_hash: SecretHash,
    },
    /// Removes a user with memberships and policies.
    DeleteUser {
        /// The account.
        account: AccountName,
        /// The name.
        name: UserName,
    },
    /// A new application.
    CreateApplication {
        /// The name.
        name: ApplicationName,
        /// The hash of the secret.
        secret_hash: SecretHash,
    },
    /// Enables or disables an application.
    SetApplicationStanding {
        /// The name.
        name: ApplicationName,
        /// The new standing.
        standing: Standing,
    },
    /// A new secret for an application.
    RotateApplicationSecret {
        /// The name.
        name: ApplicationName,
        /// The hash of the new secret.
        secret_hash: SecretHash,
    },
    /// Removes an application with its policies; refused while users are bound
    /// to it.
    DeleteApplication {
        /// The name.
        name: ApplicationName,
    },
    /// A new group.
    CreateGroup {
        /// The account.
        account: AccountName,
        /// The name.
        name: String,
    },
    /// Removes a group with its memberships and policies.
    DeleteGroup {
        /// The account.
        account: AccountName,
        /// The name.
        name: String,
    },
    /// Puts a user into a group of the same account.
    AddMember {
        /// The account.
        account: AccountName,
        /// The group.
        group: String,
        /// The user.
        user: UserName,
    },
    /// Takes a user out of a group.
    RemoveMember {
        /// The account.
        account: AccountName,
        /// The group.
        group: String,
        /// The user.
        user: UserName,
    },
    /// A new policy, or a new text and attachment for one.
    PutPolicy {
        /// The account that keeps it.
        owner: AccountName,
        /// The name within that account.
        name: String,
        /// What it is attached to.
        attachment: PolicyAttachment,
        /// The document, already validated.
        json: String,
    },
    /// Removes a policy.
    DeletePolicy {
        /// The account that keeps it.
        owner: AccountName,
        /// The name within that account.
        name: String,
    },
    /// Metadata of an account or a container, and the policies that it means.
    ChangeAccess(AccessChange),
    /// Adds a key, or changes its state.
    PutKey(KeyRow),
    /// Adds and changes several keys at once: a rotation.
    PutKeys(Vec<KeyRow>),
    /// Revokes one ticket.
    RevokeSalt {
        /// The ticket's salt.
        salt: [u8; 16],
        /// Unix seconds after which the ticket is void anyway.
        until_s: u64,
    },
    /// Voids every ticket of a user issued at or before an instant.
    RevokeUser {
        /// The account.
        account: AccountName,
        /// The name.
        name: UserName,
        /// The instant, Unix seconds.
        at_s: u64,
    },
    /// Voids every ticket of an application issued at or before an instant.
    RevokeApplication {
        /// The name.
        name: ApplicationName,
        /// The instant, Unix seconds.
        at_s: u64,
    },
}

/// A change of who may use an account or a container, as Swift's access lists
/// make it: what is shown and what is in force change in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessChange {
    /// The account, which keeps the policies.
    pub account: AccountName,
    /// The container; `None` for the account itself.
    pub container: Option<ContainerName>,
    /// The metadata, merged into what is there.
    pub metadata: Vec<MetadataChange>,
    /// The policies attached to it, by name: the new document, already validated,
    /// or `None`, which removes one that is there.
    pub policies: Vec<(String, Option<String>)>,
}

/// One line of the audit: who did what, when, from where. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// When.
    pub at: Timestamp,
    /// Who: a user, `uid 0`, `repono up`.
    pub who: String,
    /// From where: an address, or the admin socket.
    pub source: String,
    /// What, in one line.
    pub what: String,
}

/// What a change of identities led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeOutcome {
    /// The number of what was created or changed, where it has one.
    pub id: Option<u32>,
    /// The epoch after the change.
    pub epoch: u64,
}
