//! The records of what people and services changed or decided.

use std::net::SocketAddr;

use crate::stamp::Stamp;
use crate::text::Text;

/// One change of configuration: "what changed?" must have an answer.
///
/// *Shape*: borrowed; each text is cut to 128 bytes when it is recorded.
/// Never a secret: the values are written as they are.
#[derive(Clone, Copy, Debug)]
pub struct ChangeRecord<'a> {
    /// When.
    pub at: Stamp,
    /// Who asked for it, such as `uid 1000`.
    pub who: &'a str,
    /// What, such as `head-1.state`.
    pub what: &'a str,
    /// The value before.
    pub from: &'a str,
    /// The value since.
    pub to: &'a str,
}

/// What was decided about a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Granted.
    Granted,
    /// Refused, with the code of the refusal.
    Refused(&'static str),
}

/// One decision about a credential: a ticket issued, a log-in refused or limited,
/// something revoked.
///
/// *Shape*: a plain value without heap.
#[derive(Clone, Copy, Debug)]
pub struct AuditRecord {
    /// When.
    pub at: Stamp,
    /// What was asked for, in lower case with hyphens, such as `ticket-issue`.
    pub action: &'static str,
    /// How it was answered.
    pub decision: Decision,
    /// From where, where it came over the network.
    pub source: Option<SocketAddr>,
    /// `account:user`, as claimed where it was refused.
    pub actor: Text<96>,
    /// The application, as claimed where it was refused.
    pub application: Text<64>,
    /// The public id of the credential: a ticket's salt or a key's id.
    pub subject: Text<64>,
}

/// A [`ChangeRecord`] as the ring holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) at: Stamp,
    pub(crate) who: Text<128>,
    pub(crate) what: Text<128>,
    pub(crate) from: Text<128>,
    pub(crate) to: Text<128>,
}

impl From<ChangeRecord<'_>> for Change {
    fn from(record: ChangeRecord<'_>) -> Self {
        Self {
            at: record.at,
            who: Text::new(record.who),
            what: Text::new(record.what),
            from: Text::new(record.from),
            to: Text::new(record.to),
        }
    }
}
