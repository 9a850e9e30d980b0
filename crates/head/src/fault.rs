//! What goes over the wire when something does not hold: one total match for
//! each kind of error.

use repono_core::refusal::Refusal;
use repono_store::error::StoreError;
use repono_ticket::{Malformed, Refused};
use repono_wire::refusals;

/// A failure of the store, as the caller is told. Whoever handles it logs it.
pub(crate) fn of_store(error: &StoreError) -> Refusal {
    match error {
        StoreError::NoContainer => refusals::NO_SUCH_CONTAINER,
        StoreError::PreconditionFailed => refusals::PRECONDITION_FAILED,
        StoreError::KeyReused => refusals::IDEMPOTENCY_KEY_REUSED,
        StoreError::LengthMismatch { .. } => refusals::CLIENT_DISCONNECT,
        StoreError::DigestMismatch => refusals::BAD_DIGEST,
        StoreError::TooLarge => refusals::ENTITY_TOO_LARGE,
        StoreError::NoSuch(_) => refusals::NOT_FOUND,
        StoreError::AlreadyExists(_) | StoreError::Conflict(_) => refusals::CONFLICT,
        StoreError::Full => refusals::INSUFFICIENT_STORAGE,
        StoreError::Overloaded => refusals::SLOW_DOWN,
        StoreError::Busy { .. } | StoreError::ReadOnly | StoreError::Closed => refusals::SERVICE_UNAVAILABLE,
        StoreError::Corrupt { .. }
        | StoreError::Missing
        | StoreError::Incompatible(_)
        | StoreError::Io(_)
        | StoreError::Database(_) => refusals::INTERNAL_ERROR,
    }
}

/// Whether a failure of the store is ours, and therefore worth a line in the log.
pub(crate) const fn is_ours(error: &StoreError) -> bool {
    match error {
        StoreError::NoContainer
        | StoreError::PreconditionFailed
        | StoreError::KeyReused
        | StoreError::LengthMismatch { .. }
        | StoreError::DigestMismatch
        | StoreError::TooLarge
        | StoreError::NoSuch(_)
        | StoreError::AlreadyExists(_)
        | StoreError::Conflict(_) => false,
        StoreError::Full
        | StoreError::Overloaded
        | StoreError::Busy { .. }
        | StoreError::ReadOnly
        | StoreError::Closed
        | StoreError::Corrupt { .. }
        | StoreError::Missing
        | StoreError::Incompatible(_)
        | StoreError::Io(_)
        | StoreError::Database(_) => true,
    }
}

/// A ticket that does not hold: one answer, except for a genuine one whose time
/// is over.
pub(crate) fn refused_ticket(refused: Refused) -> Refusal {
    match refused {
        Refused::Expired => refusals::TICKET_EXPIRED,
        Refused::Signature | Refused::TooLong => refusals::UNAUTHORIZED,
        Refused::Malformed(malformed) => malformed_ticket(malformed),
    }
}

/// Ticket headers that cannot be read.
pub(crate) fn malformed_ticket(malformed: Malformed) -> Refusal {
    match malformed {
        Malformed::Missing => refusals::UNAUTHORIZED,
        Malformed::Duplicate | Malformed::Form => refusals::MALFORMED_TICKET,
    }
}
