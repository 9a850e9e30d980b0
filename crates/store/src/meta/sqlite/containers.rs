//! Writes of containers, and of the metadata of accounts.

use repono_core::name::{AccountName, ContainerName};
use repono_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::identity::grow_epoch;
use super::objects::container_id;
use super::queue::{Need, Verb};
use super::rows;
use crate::error::{StoreError, Subject};
use crate::model::{ContainerDeletion, Creation, Metadata, MetadataChange};

/// The number of an account.
pub(super) fn account_id(connection: &Connection, account: &AccountName) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT id FROM account WHERE name = ?1")?
        .query_row([account.as_str().as_bytes()], |row| row.get(0))
        .optional()?
        .ok_or(StoreError::NoSuch(Subject::Account))
}

/// Creates a container, or merges metadata into one that is there.
pub(super) struct Create {
    pub(super) account: AccountName,
    pub(super) container: ContainerName,
    pub(super) metadata: Metadata,
}

impl Verb for Create {
    type Answer = Creation;

    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<Creation, StoreError> {
        let account = account_id(connection, &self.account)?;
        if let Some(container) = container_id(connection, &self.account, &self.container)? {
            let changes: Vec<MetadataChange> =
                self.metadata.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
            merge_container(connection, container, &changes)?;
            connection
                .prepare_cached("UPDATE container SET last_put = max(last_put, ?2) WHERE id = ?1")?
                .execute([container, rows::signed(now.units())])?;
            return Ok(Creation::Existed);
        }
        count(connection, account, 1)?;
        connection
            .prepare_cached(
                "INSERT INTO container (account_id, name, created, metadata, last_put) VALUES (?1, ?2, ?3, ?4, ?3)",
            )?
            .execute(params![
                account,
                self.container.as_str().as_bytes(),
                rows::signed(now.units()),
                rows::metadata_json(&self.metadata)?,
            ])?;
        Ok(Creation::Created)
    }
}

fn count(connection: &Connection, account: i64, containers: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE account SET container_count = container_count + ?2 WHERE id = ?1")?
        .execute([account, containers])?;
    Ok(())
}

/// Merges metadata into that of a container.
pub(super) fn merge_container(
    connection: &Connection,
    container: i64,
    changes: &[MetadataChange],
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let json: String = connection
        .prepare_cached("SELECT metadata FROM container WHERE id = ?1")?
        .query_row([container], |row| row.get(0))?;
    let mut metadata = rows::metadata(&json)?;
    rows::merge(&mut metadata, changes);
    connection
        .prepare_cached("UPDATE container SET metadata = ?2 WHERE id = ?1")?
        .execute(params![container, rows::metadata_json(&metadata)?])?;
    Ok(())
}

/// Merges metadata into that of a container.
pub(super) struct ChangeMetadata {
    pub(super) account: AccountName,
    pub(super) container: ContainerName,
    pub(super) changes: Vec<MetadataChange>,
}

impl Verb for ChangeMetadata {
    type Answer = ();

    fn apply(&mut self, connection: &Connection, _: Timestamp) -> Result<(), StoreError> {
        let container =
            container_id(connection, &self.account, &self.container)?.ok_or(StoreError::NoContainer)?;
        merge_container(connection, container, &self.changes)
    }
}

/// Merges metadata into that of an account.
pub(super) struct ChangeAccountMetadata {
    pub(super) account: AccountName,
    pub(super) changes: Vec<MetadataChange>,
}

impl Verb for ChangeAccountMetadata {
    type Answer = ();

    fn apply(&mut self, connection: &Connection, _: Timestamp) -> Result<(), StoreError> {
        merge_account(connection, &self.account, &self.changes)
    }
}

/// Merges metadata into that of an account.
pub(super) fn merge_account(
    connection: &Connection,
    account: &AccountName,
    changes: &[MetadataChange],
) -> Result<(), StoreError> {
    let account = account_id(connection, account)?;
    let json: String = connection
        .prepare_cached("SELECT metadata FROM account WHERE id = ?1")?
        .query_row([account], |row| row.get(0))?;
    let mut metadata = rows::metadata(&json)?;
    rows::merge(&mut metadata, changes);
    connection
        .prepare_cached("UPDATE account SET metadata = ?2 WHERE id = ?1")?
        .execute(params![account, rows::metadata_json(&metadata)?])?;
    Ok(())
}

/// Removes an empty container.
pub(super) struct Delete {
    pub(super) account: AccountName,
    pub(super) container: ContainerName,
}

impl Verb for Delete {
    type Answer = ContainerDeletion;

    fn apply(&mut self, connection: &Connection, _: Timestamp) -> Result<ContainerDeletion, StoreError> {
        let Some(container) = container_id(connection, &self.account, &self.container)? else {
            return Ok(ContainerDeletion::NoSuch);
        };
        // Asked of the objects, not of the counter: the answer must hold.
        let taken: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM object WHERE container_id = ?1)")?
            .query_row([container], |row| row.get(0))?;
        if taken {
            return Ok(ContainerDeletion::NotEmpty);
        }
        let policies =
            connection.prepare_cached("DELETE FROM policy WHERE on_container = ?1")?.execute([container])?;
        if policies > 0 {
            grow_epoch(connection)?;
        }
        count(connection, account_id(connection, &self.account)?, -1)?;
        connection.prepare_cached("DELETE FROM container WHERE id = ?1")?.execute([container])?;
        Ok(ContainerDeletion::Deleted)
    }

    fn need(&self) -> Need {
        Need::Nothing
    }
}
