//! Whether the database is as it was, for the price of reading 48 bytes of memory.
//!
//! Every commit, by whatever process, changes the header of the WAL index before
//! it is acknowledged: it holds a count of changes, the last valid frame, and a
//! running checksum and salt of the log. SQLite keeps the index in memory that all
//! processes map; two equal headers are one and the same state of the database.
//!
//! *Source*: SQLite, "WAL-mode File Format", section 2.1 "The WAL-Index Header".
#![expect(unsafe_code, reason = "the mapping of the WAL index is only reached through SQLite's file methods")]

use std::ffi::{c_int, c_void};
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering, fence};

use rusqlite::{Connection, ffi};

/// Words of the header's first copy.
const WORDS: usize = 12;
/// Bytes of the first page of the index; every user of the file must map the same.
const PAGE_BYTES: c_int = 32 * 1024;
/// The byte `isInit` of the header, as part of its fourth word.
const IS_INIT: usize = 3;

type Header = [AtomicU32; WORDS];

/// A state of the database. Equal stamps are equal states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([u32; WORDS]);

/// A reading connection and the header of its WAL index.
pub(super) struct Watched {
    header: Option<NonNull<Header>>,
    connection: Connection,
}

// SAFETY: the header is memory shared between processes, only ever loaded
// atomically, and the connection that keeps it mapped moves along with it.
unsafe impl Send for Watched {}

impl Watched {
    /// Takes over a reading connection.
    ///
    /// *Errors*: of the first read, with which SQLite maps the index.
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_row| Ok(()))?;
        let header = header(&connection);
        Ok(Self { header, connection })
    }

    /// The state of the database now; `None` where there is no index to look at.
    ///
    /// *Shape*: what a read shows that began after this call and ended before
    /// another one gave an equal stamp is of this state.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        // SAFETY: the mapping lives as long as the connection, which is owned here
        // and given out by shared reference only; a reading connection can neither
        // leave WAL mode nor be closed through that.
        let header = unsafe { self.header?.as_ref() };
        fence(Ordering::SeqCst);
        let words = header.each_ref().map(|word| word.load(Ordering::Relaxed));
        fence(Ordering::SeqCst);
        (words[IS_INIT].to_ne_bytes()[0] == 1).then_some(Stamp(words))
    }
}

impl Deref for Watched {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// Where the index is mapped.
fn header(connection: &Connection) -> Option<NonNull<Header>> {
    let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
    // SAFETY: the handle is open; this code stores a pointer to the file of the
    // main database through the argument.
    let found = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_FILE_POINTER,
            (&raw mut file).cast::<c_void>(),
        )
    };
    if found != ffi::SQLITE_OK {
        return None;
    }
    // SAFETY: SQLite's file object lives as long as the connection, its methods
    // are a constant table.
    let methods = unsafe { file.as_ref()?.pMethods.as_ref()? };
    let map = methods.xShmMap?;
    let mut page: *mut c_void = ptr::null_mut();
    // SAFETY: the file is the one these methods belong to; the page is mapped
    // already and not extended (fourth argument 0), and SQLite serialises the call
    // against other users of the index.
    let mapped = unsafe { map(file, 0, PAGE_BYTES, 0, &raw mut page) };
    if mapped != ffi::SQLITE_OK {
        return None;
    }
    NonNull::new(page.cast::<Header>())
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::Watched;

    #[test]
    fn a_stamp_stays_until_any_connection_commits() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meta.sqlite");
        let writer = schema::open_writer(&path).unwrap();
        let watched = Watched::new(schema::open_reader(&path).unwrap()).unwrap();
        let mut seen = vec![watched.stamp().expect("an index")];
        let commits = [
            "INSERT INTO setting VALUES ('a', 1)",
            "UPDATE setting SET value = 2 WHERE name = 'a'",
            "DELETE FROM setting WHERE name = 'a'",
        ];
        for (commit, checkpoint) in commits.iter().zip(["PASSIVE", "RESTART", "TRUNCATE"]) {
            writer.execute_batch("BEGIN; DELETE FROM setting; ROLLBACK").unwrap();
            assert_eq!(watched.stamp(), seen.last().copied(), "nothing was committed");
            writer.execute_batch(commit).unwrap();
            let now = watched.stamp().expect("an index");
            assert!(!seen.contains(&now), "{commit}");
            let mode = format!("PRAGMA wal_checkpoint({checkpoint})");
            writer.query_row(&mode, [], |_row| Ok(())).unwrap();
            seen.push(watched.stamp().expect("an index"));
        }
    }
}
