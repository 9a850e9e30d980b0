//! Reads of identities, each within one snapshot of the database.

use repono_core::name::{AccountName, ApplicationName, ContainerName, UserName};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::reader::read_epoch;
use super::rows::{self, BAD_ROW};
use crate::error::StoreError;
use crate::model::identity::{
    AccountRow, ApplicationRow, Audit, GroupRow, IdentitySnapshot, KeyRole, KeyRow, KeyState,
    PolicyAttachment, PolicyRow, RevokedSalt, SecretHash, SecretSnapshot, Standing, StoredSecret, UserRow,
};

/// Everything that decides who may do what.
pub(super) fn identity(connection: &mut Connection) -> Result<IdentitySnapshot, StoreError> {
    let snapshot = connection.transaction()?;
    Ok(IdentitySnapshot {
        epoch: read_epoch(&snapshot)?,
        accounts: all(&snapshot, "SELECT id, name, created FROM account ORDER BY id", [], account)?,
        users: all(
            &snapshot,
            "SELECT u.id, a.name, u.name, u.application_id, u.enabled, u.revoked_before_s
             FROM user u JOIN account a ON a.id = u.account_id ORDER BY u.id",
            [],
            user,
        )?,
        applications: all(
            &snapshot,
            "SELECT id, name, enabled, revoked_before_s FROM application ORDER BY id",
            [],
            application,
        )?,
        groups: groups(&snapshot)?,
        policies: all(
            &snapshot,
            "SELECT p.id, o.name, p.name, p.json, t.name, ca.name, c.name, p.on_user, p.on_group,
                    p.on_application
             FROM policy p JOIN account o ON o.id = p.owner_id
             LEFT JOIN account t ON t.id = p.on_account
             LEFT JOIN container c ON c.id = p.on_container
             LEFT JOIN account ca ON ca.id = c.account_id
             ORDER BY p.id",
            [],
            policy,
        )?,
        keys: all(
            &snapshot,
            "SELECT id, role, state, public, sealed, created_s, active_from_s, verify_until_s
             FROM ring_key ORDER BY role, id",
            [],
            key,
        )?,
        revoked_salts: all(&snapshot, "SELECT salt, until_s FROM revoked_salt ORDER BY salt", [], |row| {
            Ok(RevokedSalt { salt: row.get(0)?, until_s: rows::unsigned(row.get(1)?)? })
        })?,
    })
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    read: fn(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let mut found = select.query(parameters)?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        items.push(read(row)?);
    }
    Ok(items)
}

fn account_name(row: &Row<'_>, column: usize) -> Result<AccountName, StoreError> {
    AccountName::new(rows::name(row, column)?.as_bytes()).map_err(|_| BAD_ROW)
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, StoreError> {
    row.get_ref(column)?.as_str().map_err(|_| BAD_ROW)
}

fn standing(row: &Row<'_>, column: usize) -> Result<Standing, StoreError> {
    Ok(if row.get(column)? { Standing::Enabled } else { Standing::Disabled })
}

fn second(row: &Row<'_>, column: usize) -> Result<Option<u64>, StoreError> {
    row.get::<_, Option<i64>>(column)?.map(rows::unsigned).transpose()
}

fn account(row: &Row<'_>) -> Result<AccountRow, StoreError> {
    Ok(AccountRow { id: row.get(0)?, name: account_name(row, 1)?, created: rows::timestamp(row.get(2)?)? })
}

fn user(row: &Row<'_>) -> Result<UserRow, StoreError> {
    Ok(UserRow {
        id: row.get(0)?,
        account: account_name(row, 1)?,
        name: UserName::new(text(row, 2)?.as_bytes()).map_err(|_| BAD_ROW)?,
        application_id: row.get(3)?,
        standing: standing(row, 4)?,
        revoked_before_s: second(row, 5)?,
    })
}

fn application(row: &Row<'_>) -> Result<ApplicationRow, StoreError> {
    Ok(ApplicationRow {
        id: row.get(0)?,
        name: ApplicationName::new(text(row, 1)?.as_bytes()).map_err(|_| BAD_ROW)?,
        standing: standing(row, 2)?,
        revoked_before_s: second(row, 3)?,
    })
}

fn groups(connection: &Connection) -> Result<Vec<GroupRow>, StoreError> {
    let mut groups = all(
        connection,
        "SELECT g.id, a.name, g.name FROM user_group g JOIN account a ON a.id = g.account_id ORDER BY g.id",
        [],
        |row| {
            let name = text(row, 2)?.to_owned();
            Ok(GroupRow { id: row.get(0)?, account: account_name(row, 1)?, name, members: Vec::new() })
        },
    )?;
    let members: Vec<(u32, u32)> =
        all(connection, "SELECT group_id, user_id FROM member ORDER BY group_id, user_id", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    for (group, user) in members {
        let at = groups.binary_search_by_key(&group, |row| row.id).map_err(|_| BAD_ROW)?;
        groups.get_mut(at).ok_or(BAD_ROW)?.members.push(user);
    }
    Ok(groups)
}

fn policy(row: &Row<'_>) -> Result<PolicyRow, StoreError> {
    let bytes = |column| row.get_ref(column)?.as_blob_or_null().map_err(|_| BAD_ROW);
    let numbers: [Option<u32>; 3] = [row.get(7)?, row.get(8)?, row.get(9)?];
    let attachment = match (bytes(4)?, bytes(5)?, bytes(6)?, numbers) {
        (Some(account), None, None, [None, None, None]) => {
            PolicyAttachment::Account(AccountName::new(account).map_err(|_| BAD_ROW)?)
        }
        (None, Some(account), Some(container), [None, None, None]) => PolicyAttachment::Container(
            AccountName::new(account).map_err(|_| BAD_ROW)?,
            ContainerName::new(container).map_err(|_| BAD_ROW)?,
        ),
        (None, None, None, [Some(user), None, None]) => PolicyAttachment::User(user),
        (None, None, None, [None, Some(group), None]) => PolicyAttachment::Group(group),
        (None, None, None, [None, None, Some(application)]) => PolicyAttachment::Application(application),
        // A policy whose target is not clear must not be left out in silence: it
        // may be one that denies.
        (..) => return Err(BAD_ROW),
    };
    Ok(PolicyRow {
        id: row.get(0)?,
        owner: account_name(row, 1)?,
        name: text(row, 2)?.to_owned(),
        attachment,
        json: text(row, 3)?.to_owned(),
    })
}

fn key(row: &Row<'_>) -> Result<KeyRow, StoreError> {
    Ok(KeyRow {
        id: text(row, 0)?.to_owned(),
        role: KeyRole::parse(text(row, 1)?).ok_or(BAD_ROW)?,
        state: KeyState::parse(text(row, 2)?).ok_or(BAD_ROW)?,
        public: row.get(3)?,
        sealed: row.get(4)?,
        created_s: rows::unsigned(row.get(5)?)?,
        active_from_s: rows::unsigned(row.get(6)?)?,
        verify_until_s: second(row, 7)?,
    })
}

/// Every secret hash.
pub(super) fn secrets(connection: &mut Connection) -> Result<SecretSnapshot, StoreError> {
    let snapshot = connection.transaction()?;
    let secret = |row: &Row<'_>| Ok((row.get(0)?, SecretHash::new(row.get(1)?)));
    Ok(SecretSnapshot {
        epoch: read_epoch(&snapshot)?,
        users: all(&snapshot, "SELECT id, secret_hash FROM user ORDER BY id", [], secret)?,
        applications: all(&snapshot, "SELECT id, secret_hash FROM application ORDER BY id", [], secret)?,
    })
}

/// What a user's log-in is checked against.
pub(super) fn secret_of_user(
    connection: &Connection,
    account: &AccountName,
    name: &UserName,
) -> Result<Option<StoredSecret>, StoreError> {
    let sql = "SELECT u.id, u.application_id, u.enabled, u.secret_hash
               FROM account a JOIN user u ON u.account_id = a.id AND u.name = ?2 WHERE a.name = ?1";
    stored_secret(connection, sql, params![account.as_str().as_bytes(), name.as_str()])
}

/// What an application's log-in is checked against.
pub(super) fn secret_of_application(
    connection: &Connection,
    name: &ApplicationName,
) -> Result<Option<StoredSecret>, StoreError> {
    let sql = "SELECT id, id, enabled, secret_hash FROM application WHERE name = ?1";
    stored_secret(connection, sql, params![name.as_str()])
}

fn stored_secret(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
) -> Result<Option<StoredSecret>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let found = select
        .query_row(parameters, |row| {
            let standing = if row.get(2)? { Standing::Enabled } else { Standing::Disabled };
            let hash = SecretHash::new(row.get(3)?);
            Ok(StoredSecret { id: row.get(0)?, application_id: row.get(1)?, standing, hash })
        })
        .optional()?;
    Ok(found)
}

/// The newest lines of the audit.
pub(super) fn audit_tail(connection: &Connection, limit: usize) -> Result<Vec<Audit>, StoreError> {
    let sql = "SELECT at, who, source, what FROM audit ORDER BY id DESC LIMIT ?1";
    all(connection, sql, [rows::signed(limit as u64)], |row| {
        Ok(Audit {
            at: rows::timestamp(row.get(0)?)?,
            who: row.get(1)?,
            source: row.get(2)?,
            what: row.get(3)?,
        })
    })
}
