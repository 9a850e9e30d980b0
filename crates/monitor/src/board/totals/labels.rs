//! The values of labels: sets that are closed, whatever the journals say.

use std::net::SocketAddr;

use repono_journal::Side;
use repono_journal::read::Request;

/// What is none of ours.
pub(crate) const OTHER: &str = "_OTHER";

/// Whose journals there are.
pub(crate) const SERVICES: [&str; 6] = ["balancer", "client", "head", "recorder", "vending", OTHER];

/// How requests break, in the words of the journals of clients and heads; refusals are
/// told by their status.
const ERRORS: [&str; 22] = [
    "Abandoned",
    "ClientDisconnect",
    "ClientVanished",
    "ConnectFailed",
    "ConnectRefused",
    "ConnectTimedOut",
    "ConnectionBroken",
    "CorruptObject",
    "HandshakeFailed",
    "HandshakeTimedOut",
    "InternalError",
    "NameNotResolved",
    "PathSilent",
    "PeerSilent",
    "PoolBusy",
    "RequestTimeout",
    "SegmentChanged",
    "ServiceUnavailable",
    "SlowRead",
    "SourceFailed",
    "StoreFailed",
    "TimedOut",
];

/// Where a client's request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    /// It is no client's.
    Own,
    /// To this address.
    At(SocketAddr),
    /// To one of too many, or to none.
    Other,
}

/// The service's name without what all have in common.
pub(super) fn service(name: &str) -> &'static str {
    let name = name.strip_prefix("repono-").unwrap_or(name);
    SERVICES.into_iter().find(|service| *service == name).unwrap_or(OTHER)
}

/// A status that a reply can have.
pub(crate) fn status(status: Option<u16>) -> Option<u16> {
    status.filter(|status| (100..600).contains(status))
}

pub(super) fn known_error(word: &str) -> &'static str {
    let known = ERRORS.into_iter().chain(STATUSES).find(|known| *known == word);
    known.unwrap_or(OTHER)
}

/// `error.type`, by OpenTelemetry: the status of a reply that is an error to its side,
/// which is from 500 on for a server; else how it broke; nothing where it went well.
pub(crate) fn error_type(request: &Request<'_>) -> Option<&'static str> {
    let first = if request.side == Some(Side::Client) { 400 } else { 500 };
    match (status(request.status), request.code.as_deref()) {
        (Some(status), _) if status >= first => Some(known_error(&status.to_string())),
        (Some(status), Some(code)) if status < 400 => Some(known_error(code)),
        (None, code) => Some(code.map_or(OTHER, known_error)),
        (Some(_), _) => None,
    }
}

/// Statuses of errors that our services answer with, or a balancer of others may.
const STATUSES: [&str; 29] = [
    "400", "401", "403", "404", "405", "406", "408", "409", "411", "412", "413", "414", "415", "416", "417",
    "421", "422", "423", "424", "426", "429", "431", "499", "500", "501", "502", "503", "504", "507",
];
