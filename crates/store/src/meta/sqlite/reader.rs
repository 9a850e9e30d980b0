//! Point reads, in line: from the page cache they take microseconds.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use repono_core::id::VersionId;
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::object_cache::ObjectCache;
use super::rows::{self, BAD_ROW, object_columns};
use super::wal_index::{Stamp, Watched};
use super::{answers, listing, schema};
use crate::error::StoreError;
use crate::meta::MetaReader;
use crate::model::repeat::Repeatable;
use crate::model::{Account, Container, ContainerItem, ListItem, ListPage, ObjectLookup, VersionedObject};

/// A connection of its own, and what it found in the state that still is.
pub(super) struct SqliteReader {
    connection: Watched,
    objects: ObjectCache,
    epoch: Option<KnownEpoch>,
}

/// The epoch, and the state of the database in which it was read.
#[derive(Clone, Copy)]
struct KnownEpoch {
    stamp: Stamp,
    epoch: u64,
}

impl SqliteReader {
    pub(super) fn open(database: &Path) -> Result<Self, StoreError> {
        let connection = Watched::new(schema::open_reader(database)?)?;
        Ok(Self { connection, objects: ObjectCache::default(), epoch: None })
    }

    /// The epoch of the identities; while the database stays as it was, without a
    /// look at a table.
    pub(super) fn epoch(&mut self) -> Result<u64, StoreError> {
        let before = self.connection.stamp();
        if let Some(known) = self.epoch
            && before == Some(known.stamp)
        {
            return Ok(known.epoch);
        }
        let epoch = read_epoch(&self.connection)?;
        self.epoch = self.unchanged_since(before).map(|stamp| KnownEpoch { stamp, epoch });
        Ok(epoch)
    }

    /// The state that was before a read, if it is the state after it: then the
    /// read was of this state.
    fn unchanged_since(&self, before: Option<Stamp>) -> Option<Stamp> {
        before.filter(|_| self.connection.stamp() == before)
    }

    fn find(&mut self, account: &str, container: &str, key: &str) -> Result<ObjectLookup, StoreError> {
        let before = self.connection.stamp();
        if let Some(kept) = before.and_then(|now| self.objects.named(now, account, container, key)) {
            return Ok(ObjectLookup::Found(kept));
        }
        let found = self.lookup(account, container, key)?;
        if let (ObjectLookup::Found(object), Some(now)) = (&found, self.unchanged_since(before)) {
            self.objects.keep_named(now, (account, container, key), object);
        }
        Ok(found)
    }

    fn find_version(&mut self, version: VersionId) -> Result<Option<Arc<VersionedObject>>, StoreError> {
        let before = self.connection.stamp();
        if let Some(kept) = before.and_then(|now| self.objects.versioned(now, version)) {
            return Ok(Some(kept));
        }
        let found = self.lookup_version(version)?.map(Arc::new);
        if let (Some(object), Some(now)) = (&found, self.unchanged_since(before)) {
            self.objects.keep_versioned(now, object);
        }
        Ok(found)
    }

    fn lookup(&self, account: &str, container: &str, key: &str) -> Result<ObjectLookup, StoreError> {
        let mut select = self.connection.prepare_cached(concat!(
            "SELECT ",
            object_columns!(),
            " FROM account a
              JOIN container c ON c.account_id = a.id AND c.name = ?2
              LEFT JOIN object o ON o.container_id = c.id AND o.key = ?3
              LEFT JOIN inline_blob i ON i.version = o.version
              WHERE a.name = ?1"
        ))?;
        let mut found = select.query(params![account.as_bytes(), container.as_bytes(), key.as_bytes()])?;
        Ok(match found.next()? {
            Some(row) => {
                rows::object(row)?.map_or(ObjectLookup::NoKey, |object| ObjectLookup::Found(Arc::new(object)))
            }
            None => ObjectLookup::NoContainer,
        })
    }

    fn lookup_version(&self, version: VersionId) -> Result<Option<VersionedObject>, StoreError> {
        let mut select = self.connection.prepare_cached(concat!(
            "SELECT ",
            object_columns!(),
            ", a.name, c.name, o.key
              FROM object o
              JOIN container c ON c.id = o.container_id
              JOIN account a ON a.id = c.account_id
              LEFT JOIN inline_blob i ON i.version = o.version
              WHERE o.version = ?1"
        ))?;
        let mut found = select.query([rows::signed(version.as_u64())])?;
        let Some(row) = found.next()? else { return Ok(None) };
        let Some(object) = rows::object(row)? else { return Ok(None) };
        Ok(Some(VersionedObject {
            account: AccountName::new(rows::name(row, 11)?.as_bytes()).map_err(|_| BAD_ROW)?,
            container: ContainerName::new(rows::name(row, 12)?.as_bytes()).map_err(|_| BAD_ROW)?,
            key: ObjectKey::new(rows::name(row, 13)?.as_bytes()).map_err(|_| BAD_ROW)?,
            object: Arc::new(object),
        }))
    }

    fn lookup_container(&self, account: &str, container: &str) -> Result<Option<Container>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT c.created, c.object_count, c.bytes_used, c.metadata, c.last_put
             FROM account a JOIN container c ON c.account_id = a.id AND c.name = ?2 WHERE a.name = ?1",
        )?;
        let mut found = select.query([account.as_bytes(), container.as_bytes()])?;
        let Some(row) = found.next()? else { return Ok(None) };
        Ok(Some(Container {
            created: rows::timestamp(row.get(0)?)?,
            last_put: rows::timestamp(row.get(4)?)?,
            object_count: rows::unsigned(row.get(1)?)?,
            bytes_used: rows::unsigned(row.get(2)?)?,
            metadata: rows::metadata(row.get_ref(3)?.as_str().map_err(|_| BAD_ROW)?)?,
        }))
    }

    fn lookup_account(&self, account: &str) -> Result<Option<Account>, StoreError> {
        let mut select = self.connection.prepare_cached(
            "SELECT created, metadata, container_count, object_count, bytes_used FROM account WHERE name = ?1",
        )?;
        let mut found = select.query([account.as_bytes()])?;
        let Some(row) = found.next()? else { return Ok(None) };
        Ok(Some(Account {
            created: rows::timestamp(row.get(0)?)?,
            metadata: rows::metadata(row.get_ref(1)?.as_str().map_err(|_| BAD_ROW)?)?,
            container_count: rows::unsigned(row.get(2)?)?,
            object_count: rows::unsigned(row.get(3)?)?,
            bytes_used: rows::unsigned(row.get(4)?)?,
        }))
    }
}

/// The epoch as the table has it.
pub(super) fn read_epoch(connection: &Connection) -> Result<u64, StoreError> {
    let epoch = connection
        .prepare_cached("SELECT value FROM setting WHERE name = 'identity_epoch'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    rows::unsigned(epoch.ok_or(BAD_ROW)?)
}

#[async_trait]
impl MetaReader for SqliteReader {
    async fn object(
        &mut self,
        account: &str,
        container: &str,
        key: &str,
    ) -> Result<ObjectLookup, StoreError> {
        self.find(account, container, key)
    }

    async fn object_by_version(
        &mut self,
        version: VersionId,
    ) -> Result<Option<Arc<VersionedObject>>, StoreError> {
        self.find_version(version)
    }

    async fn container(&mut self, account: &str, container: &str) -> Result<Option<Container>, StoreError> {
        self.lookup_container(account, container)
    }

    async fn account(&mut self, account: &str) -> Result<Option<Account>, StoreError> {
        self.lookup_account(account)
    }

    async fn has_answered(&mut self, again: &Repeatable, now: Timestamp) -> Result<bool, StoreError> {
        answers::is_kept(&self.connection, again, now)
    }

    async fn list_objects(
        &mut self,
        account: &str,
        container: &str,
        page: &ListPage,
    ) -> Result<Option<Vec<ListItem>>, StoreError> {
        listing::objects(&self.connection, account, container, page)
    }

    async fn list_containers(
        &mut self,
        account: &str,
        page: &ListPage,
    ) -> Result<Option<Vec<ContainerItem>>, StoreError> {
        listing::containers(&self.connection, account, page)
    }

    async fn identity_epoch(&mut self) -> Result<u64, StoreError> {
        self.epoch()
    }
}
