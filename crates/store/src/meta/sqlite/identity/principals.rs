//! Users, applications and groups.

use repono_core::name::{AccountName, ApplicationName, UserName};
use rusqlite::{Connection, params};

use super::{account_id, change_one, insert};
use crate::error::{StoreError, Subject};
use crate::meta::sqlite::rows;
use crate::model::identity::{SecretHash, Standing};

const fn enabled(standing: Standing) -> bool {
    match standing {
        Standing::Enabled => true,
        Standing::Disabled => false,
    }
}

fn user_id(connection: &Connection, account: i64, name: &UserName) -> Result<u32, StoreError> {
    let sql = "SELECT id FROM user WHERE account_id = ?1 AND name = ?2";
    change_one(connection, sql, params![account, name.as_str()], Subject::User)
}

fn application_id(connection: &Connection, name: &ApplicationName) -> Result<u32, StoreError> {
    let sql = "SELECT id FROM application WHERE name = ?1";
    change_one(connection, sql, params![name.as_str()], Subject::Application)
}

fn group_id(connection: &Connection, account: i64, name: &str) -> Result<u32, StoreError> {
    let sql = "SELECT id FROM user_group WHERE account_id = ?1 AND name = ?2";
    change_one(connection, sql, params![account, name], Subject::Group)
}

/// A new user, bound to an application.
pub(super) fn create_user(
    connection: &Connection,
    account: &AccountName,
    name: &UserName,
    secret: &SecretHash,
    application: &ApplicationName,
) -> Result<u32, StoreError> {
    let account = account_id(connection, account)?;
    let application = application_id(connection, application)?;
    let sql = "INSERT INTO user (account_id, name, application_id, secret_hash) VALUES (?1, ?2, ?3, ?4)";
    insert(connection, sql, params![account, name.as_str(), application, secret.expose()], Subject::User)
}

/// Enables or disables a user.
pub(super) fn set_user_standing(
    connection: &Connection,
    account: &AccountName,
    name: &UserName,
    standing: Standing,
) -> Result<u32, StoreError> {
    let account = account_id(connection, account)?;
    let sql = "UPDATE user SET enabled = ?3 WHERE account_id = ?1 AND name = ?2 RETURNING id";
    change_one(connection, sql, params![account, name.as_str(), enabled(standing)], Subject::User)
}

/// A new secret for a user.
pub(super) fn rotate_user_secret(
    connection: &Connection,
    account: &AccountName,
    name: &UserName,
    secret: &SecretHash,
) -> Result<u32, StoreError> {
    let account = account_id(connection, account)?;
    let sql = "UPDATE user SET secret_hash = ?3 WHERE account_id = ?1 AND name = ?2 RETURNING id";
    change_one(connection, sql, params![account, name.as_str(), secret.expose()], Subject::User)
}

/// Voids the tickets of a user up to an instant; never earlier than before.
pub(super) fn revoke_user(
    connection: &Connection,
    account: &AccountName,
    name: &UserName,
    at_s: u64,
) -> Result<u32, StoreError> {
    let account = account_id(connection, account)?;
    let sql = "UPDATE user SET revoked_before_s = max(coalesce(revoked_before_s, 0), ?3)
               WHERE account_id = ?1 AND name = ?2 RETURNING id";
    change_one(connection, sql, params![account, name.as_str(), rows::signed(at_s)], Subject::User)
}

/// Removes a user, with memberships and policies.
pub(super) fn delete_user(
    connection: &Connection,
    account: &AccountName,
    name: &UserName,
) -> Result<(), StoreError> {
    let account = account_id(connection, account)?;
    let sql = "DELETE FROM user WHERE account_id = ?1 AND name = ?2 RETURNING id";
    change_one(connection, sql, params![account, name.as_str()], Subject::User).map(drop)
}

/// A new application.
pub(super) fn create_application(
    connection: &Connection,
    name: &ApplicationName,
    secret: &SecretHash,
) -> Result<u32, StoreError> {
    let sql = "INSERT INTO application (name, secret_hash) VALUES (?1, ?2)";
    insert(connection, sql, params![name.as_str(), secret.expose()], Subject::Application)
}

/// Enables or disables an application.
pub(super) fn set_application_standing(
    connection: &Connection,
    name: &ApplicationName,
    standing: Standing,
) -> Result<u32, StoreError> {
    let sql = "UPDATE application SET enabled = ?2 WHERE name = ?1 RETURNING id";
    change_one(connection, sql, params![name.as_str(), enabled(standing)], Subject::Application)
}

/// A new secret for an application.
pub(super) fn rotate_application_secret(
    connection: &Connection,
    name: &ApplicationName,
    secret: &SecretHash,
) -> Result<u32, StoreError> {
    let sql = "UPDATE application SET secret_hash = ?2 WHERE name = ?1 RETURNING id";
    change_one(connection, sql, params![name.as_str(), secret.expose()], Subject::Application)
}

/// Voids the tickets of an application up to an instant; never earlier than
/// before.
pub(super) fn revoke_application(
    connection: &Connection,
    name: &ApplicationName,
    at_s: u64,
) -> Result<u32, StoreError> {
    let sql = "UPDATE application SET revoked_before_s = max(coalesce(revoked_before_s, 0), ?2)
               WHERE name = ?1 RETURNING id";
    change_one(connection, sql, params![name.as_str(), rows::signed(at_s)], Subject::Application)
}

/// Removes an application to which no user is bound.
pub(super) fn delete_application(connection: &Connection, name: &ApplicationName) -> Result<(), StoreError> {
    let id = application_id(connection, name)?;
    let bound: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM user WHERE application_id = ?1)")?
        .query_row([id], |row| row.get(0))?;
    if bound {
        return Err(StoreError::Conflict(Subject::Application));
    }
    connection.prepare_cached("DELETE FROM application WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// A new group.
pub(super) fn create_group(
    connection: &Connection,
    account: &AccountName,
    name: &str,
) -> Result<u32, StoreError> {
    let account = account_id(connection, account)?;
    let sql = "INSERT INTO user_group (account_id, name) VALUES (?1, ?2)";
    insert(connection, sql, params![account, name], Subject::Group)
}

/// Removes a group, with memberships and policies.
pub(super) fn delete_group(
    connection: &Connection,
    account: &AccountName,
    name: &str,
) -> Result<(), StoreError> {
    let account = account_id(connection, account)?;
    let sql = "DELETE FROM user_group WHERE account_id = ?1 AND name = ?2 RETURNING id";
    change_one(connection, sql, params![account, name], Subject::Group).map(drop)
}

/// Puts a user into a group of the same account.
pub(super) fn add_member(
    connection: &Connection,
    account: &AccountName,
    group: &str,
    user: &UserName,
) -> Result<u32, StoreError> {
    let (group, user) = group_and_user(connection, account, group, user)?;
    // Not `insert`: a row without a rowid has no number of its own.
    let added = connection
        .prepare_cached("INSERT INTO member (group_id, user_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([group, user])?;
    if added == 0 { Err(StoreError::AlreadyExists(Subject::Member)) } else { Ok(group) }
}

/// Takes a user out of a group.
pub(super) fn remove_member(
    connection: &Connection,
    account: &AccountName,
    group: &str,
    user: &UserName,
) -> Result<u32, StoreError> {
    let (group, user) = group_and_user(connection, account, group, user)?;
    let sql = "DELETE FROM member WHERE group_id = ?1 AND user_id = ?2 RETURNING group_id";
    change_one(connection, sql, [group, user], Subject::Member)
}

fn group_and_user(
    connection: &Connection,
    account: &AccountName,
    group: &str,
    user: &UserName,
) -> Result<(u32, u32), StoreError> {
    let account = account_id(connection, account)?;
    Ok((group_id(connection, account, group)?, user_id(connection, account, user)?))
}
