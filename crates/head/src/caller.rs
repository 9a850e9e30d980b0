//! Who asks: the first two steps of every request, as values that the later steps
//! require. What acts on the store takes a [`Permit`], which only
//! [`Caller::authorize`] gets, and a [`Caller`] comes only from the checks here;
//! so a check that was not made does not compile.

use std::net::IpAddr;
use std::sync::Arc;

use repono_core::refusal::Refusal;
use repono_core::request::{Method, RequestHead};
use repono_policy::{Action, Actor, Context, Permit, Request, Resource, Transport, UserIdentity};
use repono_ticket::{Memory, Presented, Verified, VerifiedPreauth};
use repono_wire::listing::ListQuery;
use repono_wire::native::Target;
use repono_wire::refusals::{ACCESS_DENIED, UNAUTHORIZED};

use crate::directory::Directory;
use crate::fault::{malformed_ticket, refused_ticket};

/// The authenticated source of a request.
pub(crate) struct Caller(Who);

enum Who {
    /// Nobody in particular: no ticket was sent.
    Anyone,
    /// A user, by a ticket.
    Ticket { user: Arc<UserIdentity>, verified: Verified },
    /// A user, by a link made in that user's right.
    Preauth { user: Arc<UserIdentity> },
}

/// What was checked, and when and from where: the circumstances of a request.
pub(crate) struct Circumstances<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) source: IpAddr,
    pub(crate) now_s: u64,
}

impl Caller {
    /// Checks the ticket of a request, if it has one.
    ///
    /// *Errors*: 400 for headers that cannot be read, one 401 for every ticket
    /// that does not hold (its own for an expired one), 403 outside its scope.
    pub(crate) fn from_ticket(
        directory: &Directory,
        tickets: &mut Memory,
        request: &Circumstances<'_>,
        target: &Target,
    ) -> Result<Self, Refusal> {
        let Some(presented) = Presented::from_head(request.head).map_err(malformed_ticket)? else {
            return Ok(Self(Who::Anyone));
        };
        let verified = tickets
            .check(&presented, &directory.rights.verifying_keys, request.now_s)
            .map_err(refused_ticket)?;
        let user = directory.rights.user_of_ticket(&verified).ok_or(UNAUTHORIZED)?;
        if let Some(scope) = verified.scope()
            && !scope.permits(request.head.method(), &target.plain_path(), request.source)
        {
            return Err(ACCESS_DENIED);
        }
        Ok(Self(Who::Ticket { user, verified }))
    }

    /// Whether the scope of the ticket reaches another address than that of the
    /// request: the other side of a copy.
    ///
    /// *Errors*: 403 outside of it.
    pub(crate) fn reaches(&self, method: Method, target: &Target, source: IpAddr) -> Result<(), Refusal> {
        let scope = match &self.0 {
            Who::Ticket { verified, .. } => verified.scope(),
            Who::Anyone | Who::Preauth { .. } => None,
        };
        match scope {
            Some(scope) if !scope.permits(method, &target.plain_path(), source) => Err(ACCESS_DENIED),
            Some(_) | None => Ok(()),
        }
    }

    /// Finds the user in whose right a pre-authorized URI was made.
    ///
    /// *Errors*: the one 403 of every link that does not hold.
    pub(crate) fn from_preauth(directory: &Directory, verified: &VerifiedPreauth) -> Result<Self, Refusal> {
        let user = directory.rights.user_of_preauth(verified).ok_or(ACCESS_DENIED)?;
        Ok(Self(Who::Preauth { user }))
    }

    /// Looks up whether the caller may do `action` on `resource`.
    ///
    /// *Errors*: 401 without a ticket, else 403; the same whether the resource
    /// exists or not.
    pub(crate) fn authorize(
        &self,
        directory: &Directory,
        request: &Circumstances<'_>,
        action: Action,
        resource: Resource<'_>,
        listing: Option<&ListQuery>,
    ) -> Result<Permit, Refusal> {
        let context = Context {
            source_ip: request.source,
            now_s: request.now_s,
            transport: Transport::Tls,
            prefix: listing.map(|l| l.prefix.as_str()),
            delimiter: listing.and_then(|l| l.delimiter.as_deref()),
            max_keys: listing.map(|l| l.limit),
            user_agent: request.head.field("user-agent"),
            referer: request.head.field("referer"),
        };
        let (actor, refusal) = match &self.0 {
            Who::Anyone => (Actor::Anyone, UNAUTHORIZED),
            Who::Ticket { user, .. } | Who::Preauth { user } => (Actor::User(user), ACCESS_DENIED),
        };
        directory.rights.policies.authorize(&Request { actor, action, resource, context }).map_err(|refused| {
            tracing::debug!(reason = %refused.reason, statement = refused.statement.as_deref(), "refused");
            refusal
        })
    }

    /// The ticket and its user, for what only a ticket may ask for.
    pub(crate) fn ticket(&self) -> Option<(&UserIdentity, &Verified)> {
        match &self.0 {
            Who::Ticket { user, verified } => Some((user, verified)),
            Who::Anyone | Who::Preauth { .. } => None,
        }
    }

    /// The user, for the journal.
    pub(crate) fn user(&self) -> Option<&UserIdentity> {
        match &self.0 {
            Who::Ticket { user, .. } | Who::Preauth { user } => Some(user),
            Who::Anyone => None,
        }
    }
}
