//! What is asked: an actor, an action, a resource, and the circumstances.

use std::net::IpAddr;

use repono_core::name::{AccountName, ApplicationName, ContainerName, ObjectKey, UserName};

use crate::action::{Action, Scope};

/// Who asks.
#[derive(Clone, Copy)]
pub enum Actor<'a> {
    /// Someone who showed no credential.
    Anyone,
    /// A user whose credential was verified.
    User(&'a UserIdentity),
}

/// A verified user, with the application through which the user came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserIdentity {
    /// Number of the user; what an identity policy is attached to.
    pub id: u32,
    /// The user's own account.
    pub account: AccountName,
    /// Name within that account.
    pub user: UserName,
    /// The application that asked for the ticket.
    pub application: ApplicationName,
    /// Number of that application.
    pub application_id: u32,
    /// Numbers of the user's groups; what identity policies are attached to.
    pub groups: Vec<u32>,
    /// Names of the same groups, all of the user's own account; what resource
    /// policies name as principals.
    pub group_names: Vec<String>,
}

/// What is acted upon.
#[derive(Clone, Copy)]
pub enum Resource<'a> {
    /// An account.
    Account {
        /// Its name.
        account: &'a AccountName,
    },
    /// A container.
    Container {
        /// The account that owns it.
        account: &'a AccountName,
        /// Its name.
        container: &'a ContainerName,
    },
    /// An object, whether it exists or not.
    Object {
        /// The account that owns its container.
        account: &'a AccountName,
        /// Its container.
        container: &'a ContainerName,
        /// Its name, in the very form in which the store will look it up.
        key: &'a ObjectKey,
    },
    /// The installation's monitor.
    Monitor {
        /// The account whose policies decide: the actor's own.
        account: &'a AccountName,
    },
}

impl<'a> Resource<'a> {
    /// The account that owns the resource, or whose policies decide about it.
    #[must_use]
    pub const fn account(self) -> &'a AccountName {
        match self {
            Self::Account { account }
            | Self::Container { account, .. }
            | Self::Object { account, .. }
            | Self::Monitor { account } => account,
        }
    }

    /// The container that the resource is or lies in.
    #[must_use]
    pub const fn container(self) -> Option<&'a ContainerName> {
        match self {
            Self::Account { .. } | Self::Monitor { .. } => None,
            Self::Container { container, .. } | Self::Object { container, .. } => Some(container),
        }
    }

    /// The kind of the resource.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::Account { .. } => Scope::Account,
            Self::Container { .. } => Scope::Container,
            Self::Object { .. } => Scope::Object,
            Self::Monitor { .. } => Scope::Monitor,
        }
    }
}

/// How the request travelled (`aws:SecureTransport`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over TLS. Heads serve nothing else.
    Tls,
    /// In the clear.
    Plain,
}

/// The circumstances that conditions can ask about.
///
/// A closed set of fields, each filled from what the head itself established or
/// parsed. There is no map of headers, so no header that a client invents can
/// pass for a condition key. `None` means that the request did not say; an empty
/// value that it did say is `Some`. No `Debug`: a referrer may be a
/// pre-authorized URI.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Address of the client: of the connection, or as the balancer vouched for it
    /// in PROXY v2; never from a header.
    pub source_ip: IpAddr,
    /// Unix time in seconds.
    pub now_s: u64,
    /// How the request travelled.
    pub transport: Transport,
    /// Listing: the prefix, decoded.
    pub prefix: Option<&'a str>,
    /// Listing: the delimiter, decoded.
    pub delimiter: Option<&'a str>,
    /// Listing: the page size asked for.
    pub max_keys: Option<u32>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a [u8]>,
    /// The `Referer` field.
    pub referer: Option<&'a [u8]>,
}

/// One question to [`crate::PolicySet::authorize`].
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub actor: Actor<'a>,
    /// To do what.
    pub action: Action,
    /// With what.
    pub resource: Resource<'a>,
    /// Under which circumstances.
    pub context: Context<'a>,
}
