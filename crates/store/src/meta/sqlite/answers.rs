//! Answers that are given again: each is kept in the transaction of its write.

use repono_core::etag::ETag;
use repono_core::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::queue::{Need, Verb};
use super::rows;
use crate::error::StoreError;
use crate::meta::ANSWERS_BATCH_MAX;
use crate::model::repeat::{ANSWER_KEPT, Body, Digest, Repeatable};
use crate::model::{Committed, Deleted};

/// What the first arrival of a request was answered, if it has arrived before.
fn first<T>(
    connection: &Connection,
    again: &Repeatable,
    now: Timestamp,
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT request, version, timestamp, size, etag, replaced FROM answered
         WHERE id = ?1 AND until_s > ?2",
    )?;
    let mut found = select.query(params![&again.id()[..], rows::signed(now.unix_seconds())])?;
    let Some(row) = found.next()? else { return Ok(None) };
    if row.get::<_, Digest>(0)? != *again.request() {
        return Err(StoreError::KeyReused);
    }
    read(row).map(Some)
}

/// Whether there is an answer to give.
pub(super) fn is_kept(
    connection: &Connection,
    again: &Repeatable,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut select =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM answered WHERE id = ?1 AND until_s > ?2)")?;
    Ok(select.query_row(params![&again.id()[..], rows::signed(now.unix_seconds())], |row| row.get(0))?)
}

/// What the first arrival of a commit was answered; `etag` is that of the body now.
pub(super) fn committed(
    connection: &Connection,
    again: &Repeatable,
    etag: ETag,
    now: Timestamp,
) -> Result<Option<Committed>, StoreError> {
    let first = first(connection, again, now, |row| {
        Ok(Committed {
            version: rows::version(row.get(1)?)?,
            timestamp: rows::timestamp(row.get(2)?)?,
            size: rows::unsigned(row.get(3)?)?,
            etag: ETag::from_md5(row.get(4)?),
            replaced: row.get::<_, Option<i64>>(5)?.map(rows::version).transpose()?,
        })
    })?;
    match (first, again.body()) {
        (Some(first), Body::Sent) if first.etag != etag => Err(StoreError::KeyReused),
        (first, Body::Sent | Body::Made) => Ok(first),
    }
}

/// What the first arrival of a deletion was answered.
pub(super) fn deleted(
    connection: &Connection,
    again: &Repeatable,
    now: Timestamp,
) -> Result<Option<Deleted>, StoreError> {
    first(connection, again, now, |row| match row.get::<_, Option<i64>>(1)? {
        Some(version) => Ok(Deleted::Deleted { version: rows::version(version)? }),
        None => Ok(Deleted::NoKey),
    })
}

/// What is kept of an answer.
#[derive(Default)]
struct Answer {
    version: Option<i64>,
    timestamp: Option<i64>,
    size: Option<i64>,
    etag: Option<[u8; 16]>,
    replaced: Option<i64>,
}

fn keep(connection: &Connection, of: &Repeatable, now: Timestamp, answer: &Answer) -> Result<(), StoreError> {
    // What is over may still be there.
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO answered (id, request, until_s, version, timestamp, size, etag, replaced)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            &of.id()[..],
            &of.request()[..],
            rows::signed(now.unix_seconds() + ANSWER_KEPT.as_secs()),
            answer.version,
            answer.timestamp,
            answer.size,
            answer.etag.as_ref().map(|etag| &etag[..]),
            answer.replaced,
        ])?;
    Ok(())
}

/// Keeps the answer to a commit.
pub(super) fn keep_committed(
    connection: &Connection,
    of: &Repeatable,
    now: Timestamp,
    answer: &Committed,
) -> Result<(), StoreError> {
    let answer = Answer {
        version: Some(rows::signed(answer.version.as_u64())),
        timestamp: Some(rows::signed(answer.timestamp.units())),
        size: Some(rows::signed(answer.size)),
        etag: Some(*answer.etag.as_bytes()),
        replaced: answer.replaced.map(|version| rows::signed(version.as_u64())),
    };
    keep(connection, of, now, &answer)
}

/// Keeps the answer to a deletion; without its container there is none to keep.
pub(super) fn keep_deleted(
    connection: &Connection,
    of: &Repeatable,
    now: Timestamp,
    answer: Deleted,
) -> Result<(), StoreError> {
    let version = match answer {
        Deleted::Deleted { version } => Some(rows::signed(version.as_u64())),
        Deleted::NoKey => None,
        Deleted::NoContainer => return Ok(()),
    };
    keep(connection, of, now, &Answer { version, ..Answer::default() })
}

/// Forgets answers whose time is over, at most [`ANSWERS_BATCH_MAX`] of them.
pub(super) struct Forget;

impl Verb for Forget {
    type Answer = u64;

    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<u64, StoreError> {
        let gone = connection
            .prepare_cached(
                "DELETE FROM answered WHERE id IN
                     (SELECT id FROM answered WHERE until_s <= ?1 ORDER BY until_s LIMIT ?2)",
            )?
            .execute([rows::signed(now.unix_seconds()), rows::signed(ANSWERS_BATCH_MAX)])?;
        Ok(gone as u64)
    }

    fn need(&self) -> Need {
        Need::Nothing
    }
}
