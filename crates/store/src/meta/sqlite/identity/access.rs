//! Access lists: the metadata that shows them and the policies that they mean.

use rusqlite::Connection;

use super::policies;
use crate::error::{StoreError, Subject};
use crate::meta::sqlite::containers::{merge_account, merge_container};
use crate::meta::sqlite::objects::container_id;
use crate::model::identity::{AccessChange, PolicyAttachment};

/// Applies one change.
pub(super) fn change(connection: &Connection, change: &AccessChange) -> Result<(), StoreError> {
    let attachment = match &change.container {
        Some(name) => {
            let id = container_id(connection, &change.account, name)?.ok_or(StoreError::NoContainer)?;
            merge_container(connection, id, &change.metadata)?;
            PolicyAttachment::Container(change.account.clone(), name.clone())
        }
        None => {
            merge_account(connection, &change.account, &change.metadata)?;
            PolicyAttachment::Account(change.account.clone())
        }
    };
    for (name, json) in &change.policies {
        match json {
            Some(json) => drop(policies::put(connection, &change.account, name, &attachment, json)?),
            None => match policies::delete(connection, &change.account, name) {
                Ok(()) | Err(StoreError::NoSuch(Subject::Policy)) => {}
                Err(error) => return Err(error),
            },
        }
    }
    Ok(())
}
