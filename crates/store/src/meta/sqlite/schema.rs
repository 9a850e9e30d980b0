//! Connections to the database, and its schema.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Incompatibility, StoreError};

/// `REPO` in ASCII: `PRAGMA application_id` of our databases.
const APPLICATION_ID: i32 = 0x5245_504F;

/// `PRAGMA user_version`: the version of `schema.sql`.
const SCHEMA_VERSION: u32 = 3;

/// What turns a database of a version into one of the next, from version 1 on.
const STEPS: [&str; 2] = [
    // Objects with an end.
    "ALTER TABLE object ADD COLUMN delete_at_s INTEGER;
    CREATE INDEX object_expiry ON object (delete_at_s) WHERE delete_at_s IS NOT NULL;",
    // The last PUT of a container, counters of accounts, answers to be given again.
    "ALTER TABLE container ADD COLUMN last_put INTEGER NOT NULL DEFAULT 0;
    UPDATE container SET last_put = created;
    ALTER TABLE account ADD COLUMN container_count INTEGER NOT NULL DEFAULT 0 CHECK (container_count >= 0);
    ALTER TABLE account ADD COLUMN object_count INTEGER NOT NULL DEFAULT 0 CHECK (object_count >= 0);
    ALTER TABLE account ADD COLUMN bytes_used INTEGER NOT NULL DEFAULT 0 CHECK (bytes_used >= 0);
    UPDATE account SET (container_count, object_count, bytes_used) =
        (SELECT count(*), coalesce(sum(object_count), 0), coalesce(sum(bytes_used), 0)
         FROM container WHERE account_id = account.id);
    CREATE TABLE answered (
        id        BLOB PRIMARY KEY,
        request   BLOB NOT NULL,
        until_s   INTEGER NOT NULL,
        version   INTEGER,
        timestamp INTEGER,
        size      INTEGER,
        etag      BLOB,
        replaced  INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX answered_due ON answered (until_s);",
];

/// The first SQLite whose write-ahead log has no known way of losing data.
const ENGINE_MIN: i32 = 3_051_003;

/// The file lock keeps writers of this program apart; this is for strangers such
/// as a backup or the `sqlite3` shell.
const BUSY: Duration = Duration::from_secs(2);

/// Prepared statements kept by a connection: more than there are in this crate.
const STATEMENTS: usize = 128;

/// Refuses an engine that can lose data.
pub(super) fn check_engine() -> Result<(), StoreError> {
    let found = rusqlite::version_number();
    if found < ENGINE_MIN {
        return Err(StoreError::Incompatible(Incompatibility::Engine { found }));
    }
    Ok(())
}

/// Opens the writing connection, and makes the schema in a new database. Runs
/// under the lock.
pub(super) fn open_writer(database: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(database, flags)?;
    tune(&connection)?;
    connection.pragma_update(None, "page_size", 8192)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // The writer checkpoints by itself, after its answers; see `writer`.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(database: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(database, flags)?;
    tune(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn tune(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The bundled SQLite has STAT4, with which it plans a statement anew for each
    // value bound to a range: six times the cost of a point read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // 16 MiB of pages for each connection, in KiB when negative.
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    Ok(())
}

fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match (application, version) {
        (0, 0) => create(connection),
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
        (APPLICATION_ID, 1..SCHEMA_VERSION) => {
            let transaction = connection.transaction()?;
            for step in STEPS.iter().skip(version as usize - 1) {
                transaction.execute_batch(step)?;
            }
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            transaction.commit()?;
            Ok(())
        }
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            Err(StoreError::Incompatible(Incompatibility::Newer { found, known: SCHEMA_VERSION }))
        }
        _ => Err(StoreError::Incompatible(Incompatibility::Foreign)),
    }
}

fn create(connection: &mut Connection) -> Result<(), StoreError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 {
        return Err(StoreError::Incompatible(Incompatibility::Foreign));
    }
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Connection, open_reader, open_writer};
    use crate::error::{Incompatibility, StoreError};

    #[test]
    fn the_database_has_the_properties_that_durability_rests_on() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meta.sqlite");
        let connection = open_writer(&path).unwrap();
        let text =
            |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, String>(0)).unwrap();
        let number =
            |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(text("journal_mode"), "wal");
        assert_eq!(number("synchronous"), 2);
        assert_eq!(number("page_size"), 8192);
        assert_eq!(number("foreign_keys"), 1);
        super::check_engine().unwrap();
        assert!(open_reader(&path).unwrap().execute("DELETE FROM setting", []).is_err());
    }

    fn columns(connection: &Connection) -> Vec<String> {
        let sql = "SELECT t.name || '.' || c.name || ' ' || c.type || c.\"notnull\" || c.pk
                   FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type IN ('table', 'index')
                   UNION ALL SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY 1";
        let mut select = connection.prepare(sql).unwrap();
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn older_databases_are_brought_to_the_present() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meta.sqlite");
        let present = columns(&open_writer(&path).unwrap());
        let old = Connection::open(&path).unwrap();
        old.execute_batch(
            "INSERT INTO account (id, name, created, metadata) VALUES (1, x'61', 5, '[]'), (2, x'62', 5, '[]');
             INSERT INTO container (account_id, name, created, object_count, bytes_used, metadata)
                 VALUES (1, x'61', 7, 2, 30, '[]'), (1, x'62', 8, 1, 4, '[]');
             DROP TABLE answered;
             ALTER TABLE container DROP COLUMN last_put;
             ALTER TABLE account DROP COLUMN container_count;
             ALTER TABLE account DROP COLUMN object_count;
             ALTER TABLE account DROP COLUMN bytes_used;
             DROP INDEX object_expiry;
             ALTER TABLE object DROP COLUMN delete_at_s;
             PRAGMA user_version = 1;",
        )
        .unwrap();
        drop(old);
        let connection = open_writer(&path).unwrap();
        assert_eq!(columns(&connection), present);
        let counted = |account: i64| {
            let sql = "SELECT container_count, object_count, bytes_used FROM account WHERE id = ?1";
            connection.query_row(sql, [account], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).unwrap()
        };
        assert_eq!((counted(1), counted(2)), ([2, 3, 34], [0, 0, 0]));
        let last_put = "SELECT group_concat(last_put) FROM (SELECT last_put FROM container ORDER BY name)";
        assert_eq!(connection.query_row(last_put, [], |row| row.get::<_, String>(0)).unwrap(), "7,8");
        let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, super::SCHEMA_VERSION);
        drop(open_writer(&path).unwrap());
    }

    #[test]
    fn foreign_and_newer_databases_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("foreign.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        let refused = open_writer(&path).err().unwrap();
        assert!(matches!(refused, StoreError::Incompatible(Incompatibility::Foreign)));

        let path = home.path().join("newer.sqlite");
        open_writer(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let refused = open_writer(&path).err().unwrap();
        assert!(matches!(refused, StoreError::Incompatible(Incompatibility::Newer { found: 99, known: 3 })));
    }
}
