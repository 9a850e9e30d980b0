//! Policies and what they are attached to.

use repono_core::name::AccountName;
use rusqlite::{Connection, OptionalExtension, params};

use super::{account_id, change_one};
use crate::error::{StoreError, Subject};
use crate::meta::sqlite::objects::container_id;
use crate::model::identity::PolicyAttachment;

/// The five columns of an attachment, of which one has a number.
#[derive(Default)]
struct Columns {
    account: Option<i64>,
    container: Option<i64>,
    user: Option<u32>,
    group: Option<u32>,
    application: Option<u32>,
}

impl Columns {
    fn of(connection: &Connection, attachment: &PolicyAttachment) -> Result<Self, StoreError> {
        let none = Self::default();
        Ok(match attachment {
            PolicyAttachment::Account(name) => {
                Self { account: Some(account_id(connection, name).map_err(missing)?), ..none }
            }
            PolicyAttachment::Container(account, container) => {
                let id = container_id(connection, account, container)?;
                Self { container: Some(id.ok_or(StoreError::NoSuch(Subject::Attachment))?), ..none }
            }
            PolicyAttachment::User(id) => {
                Self { user: Some(existing(connection, "SELECT 1 FROM user WHERE id = ?1", *id)?), ..none }
            }
            PolicyAttachment::Group(id) => Self {
                group: Some(existing(connection, "SELECT 1 FROM user_group WHERE id = ?1", *id)?),
                ..none
            },
            PolicyAttachment::Application(id) => Self {
                application: Some(existing(connection, "SELECT 1 FROM application WHERE id = ?1", *id)?),
                ..none
            },
        })
    }
}

fn existing(connection: &Connection, sql: &str, id: u32) -> Result<u32, StoreError> {
    let found = connection.prepare_cached(sql)?.query_row([id], |_| Ok(())).optional()?;
    found.map(|()| id).ok_or(StoreError::NoSuch(Subject::Attachment))
}

fn missing(error: StoreError) -> StoreError {
    match error {
        StoreError::NoSuch(_) => StoreError::NoSuch(Subject::Attachment),
        error => error,
    }
}

/// Adds a policy, or gives one a new text and attachment.
pub(super) fn put(
    connection: &Connection,
    owner: &AccountName,
    name: &str,
    attachment: &PolicyAttachment,
    json: &str,
) -> Result<u32, StoreError> {
    let owner = account_id(connection, owner)?;
    let on = Columns::of(connection, attachment)?;
    let sql = "INSERT INTO policy (owner_id, name, on_account, on_container, on_user, on_group, on_application, json)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (owner_id, name) DO UPDATE SET
                   on_account = excluded.on_account, on_container = excluded.on_container,
                   on_user = excluded.on_user, on_group = excluded.on_group,
                   on_application = excluded.on_application, json = excluded.json
               RETURNING id";
    let row = params![owner, name, on.account, on.container, on.user, on.group, on.application, json];
    change_one(connection, sql, row, Subject::Policy)
}

/// Removes a policy.
pub(super) fn delete(connection: &Connection, owner: &AccountName, name: &str) -> Result<(), StoreError> {
    let owner = account_id(connection, owner)?;
    let sql = "DELETE FROM policy WHERE owner_id = ?1 AND name = ?2 RETURNING id";
    change_one(connection, sql, params![owner, name], Subject::Policy).map(|_| ())
}
