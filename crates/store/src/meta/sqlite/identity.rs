//! Writes of identities: each is one transaction with a new epoch and a line of
//! the audit.

mod access;
mod policies;
mod principals;

use repono_core::name::AccountName;
use repono_core::time::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, params};

use super::containers::account_id;
use super::queue::Verb;
use super::reader::read_epoch;
use super::rows;
use crate::error::{StoreError, Subject};
use crate::model::identity::{Audit, ChangeOutcome, IdentityChange, KeyRow};

/// Makes every head read the identities anew.
pub(super) fn grow_epoch(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE setting SET value = value + 1 WHERE name = 'identity_epoch'")?
        .execute([])?;
    Ok(())
}

/// Applies one change.
pub(super) struct Change {
    pub(super) change: IdentityChange,
    pub(super) by: Audit,
}

impl Verb for Change {
    type Answer = ChangeOutcome;

    fn apply(&mut self, connection: &Connection, now: Timestamp) -> Result<ChangeOutcome, StoreError> {
        let id = apply(connection, &self.change, now)?;
        append_audit(connection, &self.by)?;
        grow_epoch(connection)?;
        Ok(ChangeOutcome { id, epoch: read_epoch(connection)? })
    }
}

/// Appends a line to the audit.
pub(super) struct Append {
    pub(super) entry: Audit,
}

impl Verb for Append {
    type Answer = ();

    fn apply(&mut self, connection: &Connection, _: Timestamp) -> Result<(), StoreError> {
        append_audit(connection, &self.entry)
    }
}

fn append_audit(connection: &Connection, entry: &Audit) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO audit (at, who, source, what) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![rows::signed(entry.at.units()), entry.who, entry.source, entry.what])?;
    Ok(())
}

/// Answers the number of what was created or changed, where it has one.
fn apply(
    connection: &Connection,
    change: &IdentityChange,
    now: Timestamp,
) -> Result<Option<u32>, StoreError> {
    use IdentityChange as C;
    use principals as p;

    let tx = connection;
    match change {
        C::CreateAccount { name } => create_account(tx, name, now).map(Some),
        C::DeleteAccount { name } => delete_account(tx, name).map(without_number),
        C::CreateUser { account, name, secret_hash, application } => {
            p::create_user(tx, account, name, secret_hash, application).map(Some)
        }
        C::SetUserStanding { account, name, standing } => {
            p::set_user_standing(tx, account, name, *standing).map(Some)
        }
        C::RotateUserSecret { account, name, secret_hash } => {
            p::rotate_user_secret(tx, account, name, secret_hash).map(Some)
        }
        C::RevokeUser { account, name, at_s } => p::revoke_user(tx, account, name, *at_s).map(Some),
        C::DeleteUser { account, name } => p::delete_user(tx, account, name).map(without_number),
        C::CreateApplication { name, secret_hash } => p::create_application(tx, name, secret_hash).map(Some),
        C::SetApplicationStanding { name, standing } => {
            p::set_application_standing(tx, name, *standing).map(Some)
        }
        C::RotateApplicationSecret { name, secret_hash } => {
            p::rotate_application_secret(tx, name, secret_hash).map(Some)
        }
        C::RevokeApplication { name, at_s } => p::revoke_application(tx, name, *at_s).map(Some),
        C::DeleteApplication { name } => p::delete_application(tx, name).map(without_number),
        C::CreateGroup { account, name } => p::create_group(tx, account, name).map(Some),
        C::DeleteGroup { account, name } => p::delete_group(tx, account, name).map(without_number),
        C::AddMember { account, group, user } => p::add_member(tx, account, group, user).map(Some),
        C::RemoveMember { account, group, user } => p::remove_member(tx, account, group, user).map(Some),
        C::PutPolicy { owner, name, attachment, json } => {
            policies::put(tx, owner, name, attachment, json).map(Some)
        }
        C::DeletePolicy { owner, name } => policies::delete(tx, owner, name).map(without_number),
        C::ChangeAccess(change) => access::change(tx, change).map(without_number),
        C::PutKey(key) => put_key(tx, key).map(without_number),
        C::PutKeys(keys) => keys.iter().try_for_each(|key| put_key(tx, key)).map(without_number),
        C::RevokeSalt { salt, until_s } => revoke_salt(tx, salt, *until_s, now).map(without_number),
    }
}

const fn without_number((): ()) -> Option<u32> {
    None
}

fn create_account(connection: &Connection, name: &AccountName, now: Timestamp) -> Result<u32, StoreError> {
    let sql = "INSERT INTO account (name, created, metadata) VALUES (?1, ?2, '[]')";
    insert(connection, sql, params![name.as_str().as_bytes(), rows::signed(now.units())], Subject::Account)
}

fn delete_account(connection: &Connection, name: &AccountName) -> Result<(), StoreError> {
    let id = account_id(connection, name)?;
    let in_use: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM container WHERE account_id = ?1)")?
        .query_row([id], |row| row.get(0))?;
    if in_use {
        return Err(StoreError::Conflict(Subject::Account));
    }
    connection.prepare_cached("DELETE FROM account WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn put_key(connection: &Connection, key: &KeyRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO ring_key
                 (role, id, state, public, sealed, created_s, active_from_s, verify_until_s)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            key.role.as_str(),
            key.id,
            key.state.as_str(),
            key.public,
            key.sealed,
            rows::signed(key.created_s),
            rows::signed(key.active_from_s),
            key.verify_until_s.map(rows::signed),
        ])?;
    Ok(())
}

/// Records a revoked ticket, and forgets those that are void by now anyway.
fn revoke_salt(
    connection: &Connection,
    salt: &[u8; 16],
    until_s: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM revoked_salt WHERE until_s < ?1")?
        .execute([rows::signed(now.unix_seconds())])?;
    connection
        .prepare_cached(
            "INSERT INTO revoked_salt (salt, until_s) VALUES (?1, ?2)
             ON CONFLICT (salt) DO UPDATE SET until_s = max(until_s, excluded.until_s)",
        )?
        .execute(params![&salt[..], rows::signed(until_s)])?;
    Ok(())
}

/// Inserts a row with a number; a name that is taken is `AlreadyExists`.
fn insert(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    subject: Subject,
) -> Result<u32, StoreError> {
    match connection.prepare_cached(sql)?.insert(parameters) {
        Ok(id) => number(id),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Err(StoreError::AlreadyExists(subject))
        }
        Err(error) => Err(error.into()),
    }
}

/// Runs a statement that ends in `RETURNING id`; no row is `NoSuch`.
fn change_one(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    subject: Subject,
) -> Result<u32, StoreError> {
    let id = connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0)).optional()?;
    number(id.ok_or(StoreError::NoSuch(subject))?)
}

fn number(id: i64) -> Result<u32, StoreError> {
    u32::try_from(id).map_err(|_| rows::BAD_ROW)
}
