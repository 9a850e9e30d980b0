//! Who is who and may do what: the head's copy of users, applications, groups,
//! policies, keys and revocations, replaced as a whole when the store says that
//! something changed.

mod build;
mod feed;

use std::collections::HashMap;
use std::sync::Arc;

use repono_policy::{PolicySet, UserIdentity};
use repono_ticket::{PreauthKeys, Revocations, Verified, VerifiedPreauth, VerifyingKeys};

pub(crate) use build::{BuildError, Built, Masters, build};
pub(crate) use feed::{DirectoryFeed, Freshness, refresh};

/// One consistent state of everything that decides about a request.
///
/// Only users who may act stand in it: a disabled user, or one of a disabled
/// application, is as good as unknown.
pub(crate) struct Directory {
    users: HashMap<Box<str>, Arc<UserIdentity>>,
    names_by_id: HashMap<u32, Box<str>>,
    pub(crate) verifying_keys: VerifyingKeys,
    pub(crate) preauth_keys: PreauthKeys,
    revocations: Revocations,
    pub(crate) policies: PolicySet,
}

impl Directory {
    /// The user that a verified ticket speaks for.
    ///
    /// `None`, without a reason, for an unknown or disabled user, one bound to
    /// another application, and a revoked ticket: all of them answer alike.
    pub(crate) fn user_of_ticket(&self, verified: &Verified) -> Option<Arc<UserIdentity>> {
        let name = user_name(verified.account().as_str(), verified.user().as_str());
        let user = self.users.get(name.as_str())?;
        let bound = user.application == *verified.application();
        let revoked = self.revocations.ticket_revoked(verified, user.id, user.application_id);
        (bound && !revoked).then(|| Arc::clone(user))
    }

    /// The user in whose right a pre-authorized URI was made.
    pub(crate) fn user_of_preauth(&self, verified: &VerifiedPreauth) -> Option<Arc<UserIdentity>> {
        let user = self.users.get(self.names_by_id.get(&verified.user_id())?)?;
        let bound = user.application_id == verified.application_id();
        (bound && !self.revocations.preauth_revoked(verified)).then(|| Arc::clone(user))
    }
}

/// `account:user`: how the directory finds a user.
fn user_name(account: &str, user: &str) -> String {
    [account, ":", user].concat()
}
