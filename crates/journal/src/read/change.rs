//! Changes of configuration, and decisions about credentials.

use std::borrow::Cow;
use std::net::SocketAddr;

use crate::stamp::Stamp;

use super::ReadError;
use super::raw::{self, Raw, text};

/// A change of configuration, as [`crate::ChangeRecord`] was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// When.
    pub at: Stamp,
    /// Who asked for it.
    pub who: Cow<'a, str>,
    /// What.
    pub what: Cow<'a, str>,
    /// The value before.
    pub from: Cow<'a, str>,
    /// The value since.
    pub to: Cow<'a, str>,
}

/// A decision, as [`crate::AuditRecord`] was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit<'a> {
    /// When.
    pub at: Stamp,
    /// What was asked for.
    pub action: Option<Cow<'a, str>>,
    /// The code of the refusal; `None` where it was granted.
    pub refused: Option<Cow<'a, str>>,
    /// From where.
    pub source: Option<SocketAddr>,
    /// `account:user`.
    pub actor: Option<Cow<'a, str>>,
    /// The application.
    pub application: Option<Cow<'a, str>>,
    /// The public id of the credential.
    pub subject: Option<Cow<'a, str>>,
}

pub(super) fn change(raw: Raw<'_>) -> Result<Change<'_>, ReadError> {
    let at = raw.repono.started();
    let raw::Change { who, what, from, to } = raw.repono.change.ok_or(ReadError::Missing("repono.change"))?;
    Ok(Change { at, who: who.0, what: what.0, from: from.0, to: to.0 })
}

pub(super) fn audit(raw: Raw<'_>) -> Audit<'_> {
    Audit {
        at: raw.repono.started(),
        action: text(raw.event.action),
        refused: raw.error.map(|error| error.code.0),
        source: raw.source.map(raw::Address::socket),
        actor: raw.user.map(|user| user.name.0),
        application: text(raw.repono.application),
        subject: text(raw.repono.subject),
    }
}
