//! Blobs that wait for their removal.

use std::collections::HashSet;

use repono_core::id::BlobId;
use repono_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::queue::{Need, Verb};
use super::rows;
use crate::error::StoreError;
use crate::meta::GARBAGE_BATCH_MAX;

/// Blobs whose grace has ended.
pub(super) fn batch(connection: &mut Connection, now: Timestamp) -> Result<Vec<BlobId>, StoreError> {
    let mut select = connection
        .prepare_cached("SELECT blob FROM garbage WHERE not_before <= ?1 ORDER BY not_before LIMIT ?2")?;
    let limit = rows::signed(GARBAGE_BATCH_MAX as u64);
    let ids = select.query_map([rows::signed(now.units()), limit], |row| row.get(0))?;
    Ok(ids.map(|id| id.map(BlobId::from_bytes)).collect::<Result<_, _>>()?)
}

/// Forgets garbage that was removed.
pub(super) struct Done {
    pub(super) ids: Vec<BlobId>,
}

impl Verb for Done {
    type Answer = ();

    fn apply(&mut self, connection: &Connection, _: Timestamp) -> Result<(), StoreError> {
        let mut delete = connection.prepare_cached("DELETE FROM garbage WHERE blob = ?1")?;
        for id in &self.ids {
            delete.execute([&id.as_bytes()[..]])?;
        }
        Ok(())
    }

    fn need(&self) -> Need {
        Need::Nothing
    }
}

/// Those of these blobs that an object refers to, or that wait as garbage, as of
/// one moment.
pub(super) fn referenced(connection: &mut Connection, ids: &[BlobId]) -> Result<HashSet<BlobId>, StoreError> {
    let transaction = connection.transaction()?;
    let mut found = HashSet::new();
    {
        let mut select = transaction.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM object WHERE blob = ?1)
                 OR EXISTS (SELECT 1 FROM garbage WHERE blob = ?1)",
        )?;
        for id in ids {
            if select.query_row(params![&id.as_bytes()[..]], |row| row.get(0))? {
                found.insert(*id);
            }
        }
    }
    transaction.commit()?;
    Ok(found)
}
