//! What is SQLite's own: batches, locks between processes, failures of the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use repono_core::etag::ETag;
use repono_core::id::VersionId;
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::time::Timestamp;
use rusqlite::{Connection, ffi};
use tempfile::TempDir;

use super::lock::WriteLock;
use super::queue::Verb;
use super::{SqliteConfig, SqliteMetaStore};
use crate::error::{Part, StoreError};
use crate::meta::MetaStore;
use crate::model::identity::{Audit, IdentityChange};
use crate::model::{CommitObject, DeleteObject, Health, NewContent, ObjectLookup, Precondition};

struct Home {
    directory: TempDir,
    clock: Arc<AtomicU64>,
}

impl Home {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), clock: Arc::new(AtomicU64::new(1_000_000)) }
    }

    fn config(&self) -> SqliteConfig {
        let clock = Arc::clone(&self.clock);
        SqliteConfig {
            database: self.directory.path().join("meta.sqlite"),
            lock: self.directory.path().join("meta.lock"),
            garbage_grace: Duration::from_secs(600),
            commit_wait: Duration::from_secs(2),
            clock: Arc::new(move || Timestamp::from_units(clock.load(Ordering::SeqCst))),
        }
    }

    fn open(&self) -> SqliteMetaStore {
        SqliteMetaStore::open(self.config()).unwrap()
    }

    async fn open_with_container(&self) -> SqliteMetaStore {
        let store = self.open();
        let by = Audit {
            at: Timestamp::from_units(1),
            who: "test".into(),
            source: "test".into(),
            what: "create account".into(),
        };
        store.change_identity(IdentityChange::CreateAccount { name: account() }, by).await.unwrap();
        store.create_container(&account(), &container(), Vec::new()).await.unwrap();
        store
    }

    fn sqlite(&self) -> Connection {
        Connection::open(self.directory.path().join("meta.sqlite")).unwrap()
    }
}

fn account() -> AccountName {
    AccountName::new(b"demo").unwrap()
}

fn container() -> ContainerName {
    ContainerName::new(b"files").unwrap()
}

fn object(key: &str, version: u64, precondition: Precondition) -> CommitObject {
    let bytes = Bytes::from(format!("body {version}"));
    CommitObject {
        account: account(),
        container: container(),
        key: ObjectKey::new(key.as_bytes()).unwrap(),
        version: VersionId::from_u64(version).unwrap(),
        size: bytes.len() as u64,
        etag: ETag::from_md5([version as u8; 16]),
        content_type: "text/plain".into(),
        metadata: Vec::new(),
        precondition,
        repeatable: None,
        content: NewContent::Inline { crc64: crc_fast::crc64_nvme(&bytes), bytes },
    }
}

/// A verb that fails as the engine would.
struct Failing(i32);

impl Verb for Failing {
    type Answer = ();

    fn apply(&mut self, _: &Connection, _: Timestamp) -> Result<(), StoreError> {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(self.0), None).into())
    }
}

/// A verb that runs SQL.
struct Sql(&'static str);

impl Verb for Sql {
    type Answer = ();

    fn apply(&mut self, connection: &Connection, _: Timestamp) -> Result<(), StoreError> {
        Ok(connection.execute_batch(self.0)?)
    }
}

/// While the lock is held elsewhere writes gather; then they are one batch, in
/// which a failed precondition harms nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_precondition_never_fails_its_batch() {
    let home = Home::new();
    let store = Arc::new(home.open_with_container().await);
    store.commit_object(object("taken", 1, Precondition::None)).await.unwrap();

    let mut lock = WriteLock::open(&home.config().lock).unwrap();
    let guard = lock.acquire().unwrap();
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..30_u64 {
        let store = Arc::clone(&store);
        writes.spawn(async move {
            let (key, precondition) = match number % 3 {
                0 => ("taken".to_owned(), Precondition::IfNoneMatchAny),
                1 => (format!("free-{number}"), Precondition::IfNoneMatchAny),
                _ => (format!("none-{number}"), Precondition::IfMatchAny),
            };
            (number, store.commit_object(object(&key, 100 + number, precondition)).await)
        });
    }
    tokio::task::yield_now().await;
    drop(guard);
    while let Some(write) = writes.join_next().await {
        let (number, result) = write.unwrap();
        match number % 3 {
            1 => assert!(result.is_ok(), "{number}"),
            _ => assert!(matches!(result, Err(StoreError::PreconditionFailed)), "{number}"),
        }
    }
    let found = store.reader().unwrap().container("demo", "files").await.unwrap().unwrap();
    assert_eq!(found.object_count, 11);
}

#[tokio::test]
async fn a_write_that_gave_up_is_never_applied() {
    let home = Home::new();
    let store = home.open_with_container().await;
    let mut lock = WriteLock::open(&home.config().lock).unwrap();
    let guard = lock.acquire().unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let refused = store.commit_object(object("k", 1, Precondition::None)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Busy { .. }));
    assert!((2000..2010).contains(&began.elapsed().as_millis()));
    drop(guard);
    tokio::time::resume();
    // Behind it in the queue: when this one is done, the other was passed over.
    store.commit_object(object("other", 2, Precondition::None)).await.unwrap();
    let found = store.reader().unwrap().object("demo", "files", "k").await.unwrap();
    assert_eq!(found, ObjectLookup::NoKey);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let home = Home::new();
    let store = Arc::new(home.open_with_container().await);
    let mut lock = WriteLock::open(&home.config().lock).unwrap();
    let guard = lock.acquire().unwrap();
    tokio::time::pause();
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..1100_u64 {
        let store = Arc::clone(&store);
        writes.spawn(async move { store.commit_object(object("k", number, Precondition::None)).await });
    }
    let (mut overloaded, mut busy) = (0, 0);
    while let Some(write) = writes.join_next().await {
        match write.unwrap() {
            Err(StoreError::Overloaded) => overloaded += 1,
            Err(StoreError::Busy { .. }) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    drop(guard);
    // The thread may have taken one out of the queue before the lock stopped it.
    assert!((1100 - 1024 - 1..=1100 - 1024).contains(&overloaded), "{overloaded}");
    assert_eq!(overloaded + busy, 1100);
}

/// Two stores on one directory, as two processes have them.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_in_turn_and_see_each_other() {
    let home = Home::new();
    let stores = [Arc::new(home.open_with_container().await), Arc::new(home.open())];
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..200_u64 {
        let store = Arc::clone(&stores[number as usize % 2]);
        writes.spawn(async move {
            let key = format!("k{}", number % 20);
            store.commit_object(object(&key, number, Precondition::None)).await.unwrap()
        });
    }
    let mut timestamps = Vec::new();
    while let Some(write) = writes.join_next().await {
        timestamps.push(write.unwrap().timestamp);
    }
    for store in &stores {
        let found = store.reader().unwrap().container("demo", "files").await.unwrap().unwrap();
        assert_eq!(found.object_count, 20);
    }
    // The clock stands still, so ten writes to each key took ten instants.
    timestamps.sort_unstable();
    timestamps.dedup();
    assert_eq!(timestamps.len(), 10);
    let sum: i64 = home.sqlite().query_row("SELECT sum(size) FROM object", [], |row| row.get(0)).unwrap();
    let used: i64 =
        home.sqlite().query_row("SELECT bytes_used FROM container", [], |row| row.get(0)).unwrap();
    assert_eq!(sum, used);
}

#[tokio::test]
async fn an_epoch_is_seen_by_the_other_process_and_only_then_read() {
    let home = Home::new();
    let (one, other) = (home.open_with_container().await, home.open());
    let mut reader = other.reader().unwrap();
    let before = reader.identity_epoch().await.unwrap();
    assert_eq!(other.identity_epoch().await.unwrap(), before);
    one.commit_object(object("k", 1, Precondition::None)).await.unwrap();
    assert_eq!(reader.identity_epoch().await.unwrap(), before);
    let by = Audit { at: Timestamp::from_units(1), who: "t".into(), source: "t".into(), what: "w".into() };
    let change = IdentityChange::RevokeSalt { salt: [1; 16], until_s: 99 };
    let after = one.change_identity(change, by).await.unwrap().epoch;
    assert_eq!(after, before + 1);
    assert_eq!(reader.identity_epoch().await.unwrap(), after);
    assert_eq!(other.identity_epoch().await.unwrap(), after);
}

#[tokio::test]
async fn a_changed_inline_byte_is_never_handed_out() {
    let home = Home::new();
    let store = home.open_with_container().await;
    store.commit_object(object("k", 1, Precondition::None)).await.unwrap();
    let mut reader = store.reader().unwrap();
    for (sql, what) in [
        ("UPDATE inline_blob SET bytes = x'626f6479203f'", Part::Inline),
        ("UPDATE inline_blob SET bytes = x'62'", Part::Inline),
        ("DELETE FROM inline_blob", Part::Row),
    ] {
        home.sqlite().execute_batch(sql).unwrap();
        let refused = reader.object("demo", "files", "k").await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { what: found } if found == what), "{refused:?}");
    }
    home.sqlite().execute_batch("UPDATE object SET metadata = '[['").unwrap();
    let refused = reader.object("demo", "files", "k").await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { what: Part::Row }));
}

#[tokio::test]
async fn a_disk_that_failed_makes_this_process_read_only_and_no_other() {
    let home = Home::new();
    let store = home.open_with_container().await;
    store.commit_object(object("k", 1, Precondition::None)).await.unwrap();
    let failed = store.writer.submit(Failing(ffi::SQLITE_IOERR_FSYNC)).await.unwrap_err();
    assert!(matches!(failed, StoreError::ReadOnly));
    assert_eq!(store.health(), Health::ReadOnly);
    let refused = store.commit_object(object("k", 2, Precondition::None)).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly));
    let found = store.reader().unwrap().object("demo", "files", "k").await.unwrap();
    assert!(matches!(found, ObjectLookup::Found(_)));
    home.open().commit_object(object("k", 3, Precondition::None)).await.unwrap();
}

#[tokio::test]
async fn a_database_without_room_takes_deletions_and_then_writes_again() {
    let home = Home::new();
    let store = home.open_with_container().await;
    store.commit_object(object("k", 1, Precondition::None)).await.unwrap();
    store.writer.submit(Sql("PRAGMA max_page_count = 1")).await.unwrap();
    let long = |version| {
        let bytes = Bytes::from(vec![b'x'; 16 * 1024]);
        let content = NewContent::Inline { crc64: crc_fast::crc64_nvme(&bytes), bytes };
        CommitObject { size: 16 * 1024, content, ..object("long", version, Precondition::None) }
    };
    let mut full = None;
    for version in 10..40 {
        match store.commit_object(long(version)).await {
            Ok(_) => {}
            Err(error) => {
                full = Some(error);
                break;
            }
        }
    }
    assert!(matches!(full, Some(StoreError::Full)), "{full:?}");
    assert_eq!(store.health(), Health::Full);
    assert!(matches!(store.commit_object(long(50)).await, Err(StoreError::Full)));
    let key = ObjectKey::new(b"k").unwrap();
    store.delete_object(DeleteObject::new(&account(), &container(), &key)).await.unwrap();
    assert_eq!(store.health(), Health::Writable);
    let tail = home.sqlite().query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(tail, "ok");
}

#[tokio::test]
async fn an_unforeseen_error_of_the_engine_fails_the_batch_with_its_cause() {
    let home = Home::new();
    let store = home.open_with_container().await;
    let failed = store.writer.submit(Failing(ffi::SQLITE_MISUSE)).await.unwrap_err();
    assert!(matches!(&failed, StoreError::Database(_)));
    assert!(std::error::Error::source(&failed).is_some());
    assert_eq!(store.health(), Health::Writable);
    store.commit_object(object("k", 3, Precondition::None)).await.unwrap();
}

#[tokio::test]
async fn a_damaged_database_stops_writes() {
    let home = Home::new();
    let store = home.open_with_container().await;
    let failed = store.writer.submit(Failing(ffi::SQLITE_CORRUPT)).await.unwrap_err();
    assert!(matches!(failed, StoreError::Corrupt { what: Part::Database }));
    assert_eq!(store.health(), Health::ReadOnly);
}

/// The log is written back once it is long, and nothing is lost by it.
#[tokio::test]
async fn a_long_log_is_written_back() {
    let home = Home::new();
    let store = home.open_with_container().await;
    let bytes = Bytes::from(vec![b'x'; 16 * 1024]);
    for version in 0..500 {
        let content = NewContent::Inline { crc64: crc_fast::crc64_nvme(&bytes), bytes: bytes.clone() };
        let size = bytes.len() as u64;
        let object = object(&format!("k{version}"), version, Precondition::None);
        store.commit_object(CommitObject { size, content, ..object }).await.unwrap();
    }
    let log = std::fs::metadata(home.directory.path().join("meta.sqlite-wal")).unwrap().len();
    assert!(log < 24 << 20, "{log}");
    let found = store.reader().unwrap().container("demo", "files").await.unwrap().unwrap();
    assert_eq!(found.object_count, 500);
}
