//! Writes of objects.

use std::time::Duration;

use repono_core::etag::ETag;
use repono_core::id::VersionId;
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::queue::{Need, Verb};
use super::{answers, rows};
use crate::error::StoreError;
use crate::meta::EXPIRED_BATCH_MAX;
use crate::model::large::LargeObject;
use crate::model::{
    CommitObject, Committed, DeleteObject, Deleted, Metadata, MetadataReplaced, NewContent, ObjectMetadata,
    Precondition, delete_at_s,
};

/// The three names of an object.
pub(super) struct FullName {
    account: AccountName,
    container: ContainerName,
    key: ObjectKey,
}

impl FullName {
    pub(super) fn new(account: &AccountName, container: &ContainerName, key: &ObjectKey) -> Self {
        Self { account: account.clone(), container: container.clone(), key: key.clone() }
    }
}

/// The number of a container.
pub(super) fn container_id(
    connection: &Connection,
    account: &AccountName,
    container: &ContainerName,
) -> Result<Option<i64>, StoreError> {
    let mut found = connection.prepare_cached(
        "SELECT c.id FROM account a JOIN container c ON c.account_id = a.id AND c.name = ?2 WHERE a.name = ?1",
    )?;
    let names = params![account.as_str().as_bytes(), container.as_str().as_bytes()];
    Ok(found.query_row(names, |row| row.get(0)).optional()?)
}

/// What a write must know of the version that is there.
struct Current {
    version: VersionId,
    timestamp: Timestamp,
    size: i64,
    etag: ETag,
    blob: Option<[u8; 16]>,
    delete_at_s: Option<i64>,
}

impl Current {
    /// Whether its end has not come: what is over is as good as gone.
    fn is_live(&self, now: Timestamp) -> bool {
        self.delete_at_s.is_none_or(|end| end > rows::signed(now.unix_seconds()))
    }
}

fn current(connection: &Connection, container: i64, key: &ObjectKey) -> Result<Option<Current>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT version, timestamp, size, etag, blob, delete_at_s FROM object WHERE container_id = ?1 AND key = ?2",
    )?;
    let mut rows = select.query(params![container, key.as_str().as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Current {
        version: rows::version(row.get(0)?)?,
        timestamp: rows::timestamp(row.get(1)?)?,
        size: row.get(2)?,
        etag: ETag::from_md5(row.get(3)?),
        blob: row.get(4)?,
        delete_at_s: row.get(5)?,
    }))
}

/// What a write to a key is dated: later than the version that is there,
/// whatever the clock says.
fn next_timestamp(now: Timestamp, current: Option<&Current>) -> Timestamp {
    current.map_or(now, |current| now.max(current.timestamp.next()))
}

/// Takes the body of a version out of the metadata: inline bytes go, a blob
/// becomes garbage.
fn discard_body(
    connection: &Connection,
    old: &Current,
    now: Timestamp,
    grace: Duration,
) -> Result<(), StoreError> {
    match old.blob {
        Some(blob) => connection
            .prepare_cached("INSERT INTO garbage (blob, not_before) VALUES (?1, ?2)")?
            .execute(params![blob, rows::signed(now.plus(grace).units())])?,
        None => connection
            .prepare_cached("DELETE FROM inline_blob WHERE version = ?1")?
            .execute([rows::signed(old.version.as_u64())])?,
    };
    Ok(())
}

fn count(connection: &Connection, container: i64, objects: i64, bytes: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE container SET object_count = object_count + ?2, bytes_used = bytes_used + ?3 WHERE id = ?1",
        )?
        .execute([container, objects, bytes])?;
    connection
        .prepare_cached(
            "UPDATE account SET object_count = object_count + ?2, bytes_used = bytes_used + ?3
             WHERE id = (SELECT account_id FROM container WHERE id = ?1)",
        )?
        .execute([container, objects, bytes])?;
    Ok(())
}

/// Makes an object visible.
pub(super) struct Commit {
    pub(super) object: CommitObject,
    pub(super) grace: Duration,
}

impl Verb for Commit {
    type Answer = Committed;

    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<Committed, StoreError> {
        let new = &self.object;
        if let Some(again) = &new.repeatable
            && let Some(first) = answers::committed(connection, again, new.etag, now)?
        {
            return Ok(first);
        }
        let container =
            container_id(connection, &new.account, &new.container)?.ok_or(StoreError::NoContainer)?;
        let old = current(connection, container, &new.key)?;
        let live = old.as_ref().filter(|old| old.is_live(now));
        let tag = match (live, &new.precondition) {
            (Some(old), Precondition::IfMatch(_)) => Some(shown_tag(connection, container, &new.key, old)?),
            (live, _) => live.map(|old| old.etag),
        };
        if !new.precondition.holds(tag) {
            return Err(StoreError::PreconditionFailed);
        }
        let timestamp = next_timestamp(now, old.as_ref());
        if let Some(old) = &old {
            discard_body(connection, old, now, self.grace)?;
        }
        put_row(connection, container, timestamp, new)?;
        let (objects, bytes) = old.as_ref().map_or((1, 0), |old| (0, old.size));
        count(connection, container, objects, rows::signed(new.size) - bytes)?;
        let committed = Committed {
            etag: new.etag,
            timestamp,
            version: new.version,
            size: new.size,
            replaced: old.map(|old| old.version),
        };
        if let Some(of) = &new.repeatable {
            answers::keep_committed(connection, of, now, &committed)?;
        }
        Ok(committed)
    }

    fn committing(&mut self, answer: &Committed) {
        // One that had arrived before has its own blob, and this one goes.
        let is_new = answer.version == self.object.version;
        match &mut self.object.content {
            NewContent::Blob(blob) if is_new => blob.hold.keep(),
            NewContent::Blob(_) | NewContent::Inline { .. } => {}
        }
    }
}

/// The tag under which an object is read: that of a manifest is of what it stands for.
fn shown_tag(
    connection: &Connection,
    container: i64,
    key: &ObjectKey,
    old: &Current,
) -> Result<ETag, StoreError> {
    let metadata = kept_metadata(connection, container, key)?;
    Ok(LargeObject::split(&metadata).map_or(old.etag, |(large, _)| large.etag))
}

fn put_row(
    connection: &Connection,
    container: i64,
    timestamp: Timestamp,
    new: &CommitObject,
) -> Result<(), StoreError> {
    let version = rows::signed(new.version.as_u64());
    let place = match &new.content {
        NewContent::Inline { bytes, crc64 } => {
            connection
                .prepare_cached("INSERT INTO inline_blob (version, bytes, crc64) VALUES (?1, ?2, ?3)")?
                .execute(params![version, &bytes[..], crc64.cast_signed()])?;
            None
        }
        NewContent::Blob(blob) => Some(blob.place),
    };
    connection
        .prepare_cached(
            "INSERT INTO object (container_id, key, version, timestamp, size, etag, content_type, metadata,
                                 blob, footer_crc64, footer_bytes, delete_at_s)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (container_id, key) DO UPDATE SET
                 version = excluded.version, timestamp = excluded.timestamp, size = excluded.size,
                 etag = excluded.etag, content_type = excluded.content_type, metadata = excluded.metadata,
                 blob = excluded.blob, footer_crc64 = excluded.footer_crc64,
                 footer_bytes = excluded.footer_bytes, delete_at_s = excluded.delete_at_s",
        )?
        .execute(params![
            container,
            new.key.as_str().as_bytes(),
            version,
            rows::signed(timestamp.units()),
            rows::signed(new.size),
            &new.etag.as_bytes()[..],
            new.content_type,
            rows::metadata_json(&new.metadata)?,
            place.map(|place| *place.id.as_bytes()),
            place.map(|place| place.footer_crc64.cast_signed()),
            place.map(|place| place.footer_bytes),
            delete_at_s(&new.metadata).map(rows::signed),
        ])?;
    Ok(())
}

/// Replaces the metadata of an object.
pub(super) struct ReplaceMetadata {
    pub(super) name: FullName,
    pub(super) new: ObjectMetadata,
}

impl Verb for ReplaceMetadata {
    type Answer = MetadataReplaced;

    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<MetadataReplaced, StoreError> {
        let FullName { account, container, key } = &self.name;
        let Some(container) = container_id(connection, account, container)? else {
            return Ok(MetadataReplaced::NoContainer);
        };
        let Some(old) = current(connection, container, key)?.filter(|old| old.is_live(now)) else {
            return Ok(MetadataReplaced::NoKey);
        };
        let timestamp = next_timestamp(now, Some(&old));
        let metadata =
            LargeObject::kept(&kept_metadata(connection, container, key)?, self.new.metadata.clone());
        connection
            .prepare_cached(
                "UPDATE object SET timestamp = ?3, content_type = coalesce(?4, content_type), metadata = ?5,
                                   delete_at_s = ?6
                 WHERE container_id = ?1 AND key = ?2",
            )?
            .execute(params![
                container,
                key.as_str().as_bytes(),
                rows::signed(timestamp.units()),
                self.new.content_type,
                rows::metadata_json(&metadata)?,
                delete_at_s(&metadata).map(rows::signed),
            ])?;
        Ok(MetadataReplaced::Replaced { timestamp })
    }
}

fn kept_metadata(connection: &Connection, container: i64, key: &ObjectKey) -> Result<Metadata, StoreError> {
    let json: String = connection
        .prepare_cached("SELECT metadata FROM object WHERE container_id = ?1 AND key = ?2")?
        .query_row(params![container, key.as_str().as_bytes()], |row| row.get(0))?;
    rows::metadata(&json)
}

/// Takes an object out, and its body along.
fn remove(
    connection: &Connection,
    container: i64,
    key: &[u8],
    old: &Current,
    now: Timestamp,
    grace: Duration,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM object WHERE container_id = ?1 AND key = ?2")?
        .execute(params![container, key])?;
    discard_body(connection, old, now, grace)?;
    count(connection, container, -1, -old.size)
}

/// Removes objects whose end has come, at most [`EXPIRED_BATCH_MAX`] of them.
pub(super) struct Expire {
    pub(super) grace: Duration,
}

impl Verb for Expire {
    type Answer = u64;

    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<u64, StoreError> {
        let mut due = connection.prepare_cached(
            "SELECT container_id, key FROM object WHERE delete_at_s <= ?1 ORDER BY delete_at_s LIMIT ?2",
        )?;
        let limit = rows::signed(EXPIRED_BATCH_MAX);
        let due: Vec<(i64, Vec<u8>)> = due
            .query_map([rows::signed(now.unix_seconds()), limit], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (container, key) in &due {
            let key = ObjectKey::new(key).map_err(|_| rows::BAD_ROW)?;
            if let Some(old) = current(connection, *container, &key)? {
                remove(connection, *container, key.as_str().as_bytes(), &old, now, self.grace)?;
            }
        }
        Ok(due.len() as u64)
    }

    fn need(&self) -> Need {
        Need::Nothing
    }
}

/// Removes an object.
pub(super) struct Delete {
    pub(super) object: DeleteObject,
    pub(super) grace: Duration,
}

impl Verb for Delete {
    type Answer = Deleted;

    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<Deleted, StoreError> {
        let Some(of) = &self.object.repeatable else { return self.delete(connection, now) };
        if let Some(first) = answers::deleted(connection, of, now)? {
            return Ok(first);
        }
        let deleted = self.delete(connection, now)?;
        answers::keep_deleted(connection, of, now, deleted)?;
        Ok(deleted)
    }

    fn need(&self) -> Need {
        Need::Nothing
    }
}

impl Delete {
    fn delete(&self, connection: &Connection, now: Timestamp) -> Result<Deleted, StoreError> {
        let DeleteObject { account, container, key, if_delete_at_s, .. } = &self.object;
        let Some(container) = container_id(connection, account, container)? else {
            return Ok(Deleted::NoContainer);
        };
        let Some(old) = current(connection, container, key)? else { return Ok(Deleted::NoKey) };
        if if_delete_at_s.is_some() && if_delete_at_s.map(rows::signed) != old.delete_at_s {
            return Err(StoreError::PreconditionFailed);
        }
        remove(connection, container, key.as_str().as_bytes(), &old, now, self.grace)?;
        match old.is_live(now) {
            true => Ok(Deleted::Deleted { version: old.version }),
            false => Ok(Deleted::NoKey),
        }
    }
}
