//! The journal's lines, read back.
//!
//! Readers are older or newer than writers: fields that are not known are passed over,
//! a record of an unknown kind is [`Fact::Other`], and a word that is not known is
//! `None`. A line that is no record at all, or lacks what every writer of its kind has
//! always written, is a [`ReadError`], for the reader to count.

mod change;
mod connection;
mod plain;
mod raw;
mod request;
mod turn;

use std::borrow::Cow;

use crate::stamp::Stamp;

pub use change::{Audit, Change};
pub use connection::Connection;
pub use request::{Request, Session};
pub use turn::{Exchange, Turn};

use raw::{Dataset, Raw};

/// Why a line is no record.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON, or its fields are not of their types.
    #[error("the line is no record of a journal")]
    Form(#[from] serde_json::Error),
    /// A field that records of its kind have is not there.
    #[error("the record has no {0}")]
    Missing(&'static str),
    /// A connection's id is not of 24 hex digits.
    #[error("the record's connection has no id of 24 hex digits")]
    Connection,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Who wrote it.
    pub origin: Origin<'a>,
    /// What it tells.
    pub fact: Fact<'a>,
}

/// The process that wrote a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Its service, such as `repono-head`.
    pub service: Cow<'a, str>,
    /// Which one of its service, such as `head-1`.
    pub instance: Cow<'a, str>,
    /// The boot of its host: monotonic times compare only within one.
    pub boot: Cow<'a, str>,
    /// The process.
    pub pid: u32,
    /// Which of its records, from 1. Numbers of requests that were left out are not
    /// missing.
    pub sequence: u64,
    /// Records that it had lost by then.
    pub dropped: u64,
}

/// What a record tells.
#[derive(Clone, Debug)]
pub enum Fact<'a> {
    /// A request has ended.
    Request(Request<'a>),
    /// A connection has ended.
    Connection(Connection<'a>),
    /// A turn of a connection that is traced or recorded has ended.
    Turn(Turn<'a>),
    /// The configuration was changed.
    Change(Change<'a>),
    /// Something was decided about a credential.
    Audit(Audit<'a>),
    /// Of a kind that this reader does not know.
    Other,
}

impl Fact<'_> {
    /// When it ended, or took place; `None` of what is not known.
    #[must_use]
    pub const fn ended(&self) -> Option<Stamp> {
        match self {
            Self::Request(request) => Some(request.ended),
            Self::Connection(connection) => Some(connection.ended),
            Self::Turn(turn) => Some(turn.ended),
            Self::Change(change) => Some(change.at),
            Self::Audit(audit) => Some(audit.at),
            Self::Other => None,
        }
    }
}

/// Reads one line, without its line feed.
///
/// *Errors*: [`ReadError`].
///
/// *Cost*: some 0.5 µs of a request as this version writes it, 5 µs of other lines; text is
/// borrowed from the line where nothing in it is escaped.
pub fn record(line: &[u8]) -> Result<Record<'_>, ReadError> {
    plain::request(line).map_or_else(|| in_any_form(line), Ok)
}

fn in_any_form(line: &[u8]) -> Result<Record<'_>, ReadError> {
    let raw: Raw<'_> = serde_json::from_slice(line)?;
    let origin = Origin {
        service: raw.service.name.0.clone(),
        instance: raw.service.node.name.0.clone(),
        boot: raw.host.boot.id.0.clone(),
        pid: raw.process.pid,
        sequence: raw.event.sequence,
        dropped: raw.repono.journal.dropped,
    };
    let fact = match raw.event.dataset {
        Dataset::Request => Fact::Request(request::request(raw)?),
        Dataset::Connection => Fact::Connection(connection::connection(raw)?),
        Dataset::Turn => Fact::Turn(turn::turn(raw)?),
        Dataset::Change => Fact::Change(change::change(raw)?),
        Dataset::Audit => Fact::Audit(change::audit(raw)),
        Dataset::Other => Fact::Other,
    };
    Ok(Record { origin, fact })
}

#[cfg(test)]
mod tests;
