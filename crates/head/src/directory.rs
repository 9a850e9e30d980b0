//! Who is who and may do what: the head's copy of users, applications, groups,
//! policies, keys and revocations, replaced as a whole when the store says that
//! something changed.

mod build;
mod feed;

use repono_store::rights::Rights;
use repono_ticket::PreauthKeys;

pub(crate) use build::{BuildError, Built, Masters, build};
pub(crate) use feed::{DirectoryFeed, Freshness, refresh};

/// One consistent state of everything that decides about a request.
pub(crate) struct Directory {
    pub(crate) rights: Rights,
    pub(crate) preauth_keys: PreauthKeys,
}
