//! Accounts, users, applications, groups, policies, keys and revocations.

mod change;

use std::fmt;

use repono_core::name::{AccountName, ApplicationName, ContainerName, UserName};
use repono_core::time::Timestamp;
use zeroize::Zeroize;

pub use self::change::{AccessChange, Audit, ChangeOutcome, IdentityChange};

/// The stored form of a secret (`sha256$…` or an `argon2id$…` PHC string): only
/// ever compared, wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(String);

impl SecretHash {
    /// Keeps the text of a hash.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the comparison.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for SecretHash {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// Whether a user or an application may log in and act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// May.
    Enabled,
    /// May not, until enabled again.
    Disabled,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: AccountName,
    /// When it was created.
    pub created: Timestamp,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// The number, never used again.
    pub id: u32,
    /// The account.
    pub account: AccountName,
    /// The name within the account.
    pub name: UserName,
    /// The application to which the user is bound.
    pub application_id: u32,
    /// Whether the user may act.
    pub standing: Standing,
    /// Tickets issued at or before this Unix second are void.
    pub revoked_before_s: Option<u64>,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationRow {
    /// The number, never used again.
    pub id: u32,
    /// The global name.
    pub name: ApplicationName,
    /// Whether it may ask for tickets, and its users act.
    pub standing: Standing,
    /// Tickets issued at or before this Unix second are void.
    pub revoked_before_s: Option<u64>,
}

/// A group of users of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// The number, never used again.
    pub id: u32,
    /// The account.
    pub account: AccountName,
    /// The name within the account.
    pub name: String,
    /// Numbers of the users in it, ascending.
    pub members: Vec<u32>,
}

/// What a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyAttachment {
    /// A resource policy of a whole account.
    Account(AccountName),
    /// A resource policy of a container.
    Container(AccountName, ContainerName),
    /// An identity policy of a user.
    User(u32),
    /// An identity policy of a group.
    Group(u32),
    /// An identity policy of an application.
    Application(u32),
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// The number, never used again.
    pub id: u32,
    /// The account that keeps it.
    pub owner: AccountName,
    /// Its name within that account.
    pub name: String,
    /// What it is attached to.
    pub attachment: PolicyAttachment,
    /// The document.
    pub json: String,
}

/// What a key of the ring is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyRole {
    /// Signs tickets.
    Ticket,
    /// Authenticates pre-authorized URIs.
    Preauth,
    /// Encrypts TLS session tickets.
    TlsTicket,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Ticket, Self::Preauth, Self::TlsTicket];

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Preauth => "preauth",
            Self::TlsTicket => "tls-ticket",
        }
    }

    /// The role with this stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Where a key of the ring stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Known to verifiers, not yet used.
    Pending,
    /// Used for new work.
    Active,
    /// Only verifies what it made before.
    VerifyOnly,
    /// Refused.
    Dead,
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::VerifyOnly, Self::Dead];

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::VerifyOnly => "verify-only",
            Self::Dead => "dead",
        }
    }

    /// The state with this stored name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A key of the ring, its secret sealed under a master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The id that stands in what the key makes, unique within the role.
    pub id: String,
    /// What it is for.
    pub role: KeyRole,
    /// Where it stands.
    pub state: KeyState,
    /// The public half, or nothing.
    pub public: Vec<u8>,
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// Unix seconds of its creation.
    pub created_s: u64,
    /// Unix seconds from which it is used.
    pub active_from_s: u64,
    /// Unix seconds until which it verifies, once that is known.
    pub verify_until_s: Option<u64>,
}

/// A revoked ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedSalt {
    /// The ticket's salt.
    pub salt: [u8; 16],
    /// Unix seconds after which the ticket is void anyway.
    pub until_s: u64,
}

/// Everything that decides who may do what, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentitySnapshot {
    /// Grows with every change.
    pub epoch: u64,
    /// Accounts by number.
    pub accounts: Vec<AccountRow>,
    /// Users by number.
    pub users: Vec<UserRow>,
    /// Applications by number.
    pub applications: Vec<ApplicationRow>,
    /// Groups by number.
    pub groups: Vec<GroupRow>,
    /// Policies by number.
    pub policies: Vec<PolicyRow>,
    /// Keys by role and id.
    pub keys: Vec<KeyRow>,
    /// Revoked tickets by salt.
    pub revoked_salts: Vec<RevokedSalt>,
}

/// The secrets of every user and application, for vending's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretSnapshot {
    /// The epoch to which they belong.
    pub epoch: u64,
    /// Number of the user, and the hash.
    pub users: Vec<(u32, SecretHash)>,
    /// Number of the application, and the hash.
    pub applications: Vec<(u32, SecretHash)>,
}

/// A user or an application at log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// The number.
    pub id: u32,
    /// The application: the user's, or itself.
    pub application_id: u32,
    /// Whether it may act.
    pub standing: Standing,
    /// The hash.
    pub hash: SecretHash,
}
