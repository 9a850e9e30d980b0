//! Several processes on one directory, and what is left when one is killed.
//!
//! A test starts this test program again with [`ROLE`] set; the child then plays
//! that role until it is killed.

#![expect(clippy::unwrap_used, reason = "a test: what is not foreseen must panic")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::time::Timestamp;
use repono_store::error::StoreError;
use repono_store::meta::sqlite::lock_holder;
use repono_store::model::identity::{Audit, IdentityChange};
use repono_store::model::{Content, ObjectLookup, Precondition};
use repono_store::store::{Body, ObjectRead, Store, StoreConfig, lock_path};
use repono_store::upload::CommitRequest;

/// Set in a child: what it does.
const ROLE: &str = "REPONO_TEST_ROLE";
/// Set in a child: the data directory.
const DIRECTORY: &str = "REPONO_TEST_DIRECTORY";

/// Kills the child when dropped, whatever the test found.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that begins so, without that.
    fn line(&mut self, begin: &str) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(rest) = line.trim_end().strip_prefix(begin) {
                return Some(rest.to_owned());
            }
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn account() -> AccountName {
    AccountName::new(b"demo").unwrap()
}

fn container() -> ContainerName {
    ContainerName::new(b"files").unwrap()
}

async fn create(directory: &Path) -> Store {
    let store = Store::open(StoreConfig::new(directory)).unwrap();
    let at = Timestamp::from_unix_seconds(1);
    let by = Audit { at, who: "test".into(), source: "test".into(), what: "create".into() };
    store.meta().change_identity(IdentityChange::CreateAccount { name: account() }, by).await.unwrap();
    store.meta().create_container(&account(), &container(), Vec::new()).await.unwrap();
    store
}

/// Bytes that tell for which write they are: every third is large.
fn body(number: u64) -> Vec<u8> {
    let length = if number.is_multiple_of(3) { 90_000 } else { 900 };
    number.to_le_bytes().into_iter().cycle().take(length).collect()
}

async fn put(store: &Store, key: &str, body: Vec<u8>) -> Result<(), StoreError> {
    let mut upload = store.begin_upload(Some(body.len() as u64))?;
    upload.feed(Bytes::from(body)).await?;
    let request = CommitRequest {
        account: account(),
        container: container(),
        key: ObjectKey::new(key.as_bytes()).unwrap(),
        content_type: "text/plain".into(),
        metadata: Vec::new(),
        expected_etag: None,
        expected_len: None,
        precondition: Precondition::None,
        repeatable: None,
    };
    upload.finish(request).await.map(|_| ())
}

async fn get(store: &Store, key: &str) -> Option<Vec<u8>> {
    let mut reader = store.reader().unwrap();
    match store.read(&mut *reader, "demo", "files", key).await.unwrap() {
        ObjectRead::NoKey | ObjectRead::NoContainer => None,
        ObjectRead::Found(open) => match open.body {
            Body::Inline(bytes) => Some(bytes.to_vec()),
            Body::Blob(mut blob) => {
                let mut out = BytesMut::new();
                while (out.len() as u64) < blob.size() {
                    blob.read_at(out.len() as u64, usize::MAX, &mut out).await.unwrap();
                }
                Some(out.to_vec())
            }
        },
    }
}

fn blob_files(directory: &Path) -> usize {
    let parts = std::fs::read_dir(directory.join("blobs")).unwrap();
    parts.map(|part| std::fs::read_dir(part.unwrap().path()).unwrap().count()).sum()
}

/// Not a test of its own: what a child does.
#[test]
fn child() {
    let (Ok(role), Some(directory)) = (std::env::var(ROLE), std::env::var_os(DIRECTORY)) else { return };
    let directory = PathBuf::from(directory);
    match &*role {
        "writer" => write_for_ever(&directory),
        "holder" => hold_for_ever(&directory),
        "overwriter" => overwrite_for_ever(&directory),
        other => panic!("{other}"),
    }
}

/// Four writers at once; says what was acknowledged.
fn write_for_ever(directory: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = Store::open(StoreConfig::new(directory)).unwrap();
    let pid = std::process::id();
    runtime.block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4_u64 {
            let store = store.clone();
            writers.spawn(async move {
                for number in (writer..).step_by(4) {
                    let key = format!("{pid}/{number}");
                    if put(&store, &key, body(number)).await.is_ok() {
                        let mut out = std::io::stdout().lock();
                        writeln!(out, "\nacknowledged {key} {number}").unwrap();
                        out.flush().unwrap();
                    }
                }
            });
        }
        writers.join_next().await;
    });
}

/// Writes one key again and again, with a number that grows from that in it.
fn overwrite_for_ever(directory: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = Store::open(StoreConfig::new(directory)).unwrap();
    let found = runtime.block_on(get(&store, "k")).map_or(0, |bytes| number(&bytes));
    for number in found + 1.. {
        runtime.block_on(put(&store, "k", number.to_le_bytes().to_vec())).unwrap();
        println!("\nacknowledged {number}");
    }
}

/// The number that an overwriter wrote.
fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

/// Takes the lock as a writer does, and never gives it back.
fn hold_for_ever(directory: &Path) {
    let lock = std::fs::OpenOptions::new().read(true).write(true).open(lock_path(directory)).unwrap();
    lock.lock().unwrap();
    std::fs::write(lock_path(directory), format!("{} 1 ", std::process::id())).unwrap();
    println!("\nheld");
    std::thread::park();
}

/// Every acknowledged write of a killed process is there, whole; nothing half is
/// visible; and what it left behind is collected without harm to the other
/// process that goes on writing.
#[test]
fn kill_9_loses_nothing_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = runtime.block_on(create(home.path()));
    let mut acknowledged = Vec::new();
    let mut other = Process::start("writer", home.path());
    for round in 0..4 {
        let mut victim = Process::start("writer", home.path());
        for _ in 0..20 + round * 7 {
            acknowledged.push(victim.line("acknowledged ").unwrap());
        }
        victim.kill();
        while let Some(line) = victim.line("acknowledged ") {
            acknowledged.push(line);
        }
        runtime.block_on(store.collect_orphans(Timestamp::MAX, Duration::ZERO)).unwrap();
        acknowledged.push(other.line("acknowledged ").unwrap());
    }
    other.kill();
    while let Some(line) = other.line("acknowledged ") {
        acknowledged.push(line);
    }
    for line in &acknowledged {
        let (key, number) = line.split_once(' ').unwrap();
        assert_eq!(runtime.block_on(get(&store, key)), Some(body(number.parse().unwrap())), "{key}");
    }

    runtime.block_on(store.collect_orphans(Timestamp::MAX, Duration::ZERO)).unwrap();
    let page = repono_store::model::ListPage { limit: 10_000, ..Default::default() };
    let mut reader = store.reader().unwrap();
    let listed = runtime.block_on(reader.list_objects("demo", "files", &page)).unwrap().unwrap();
    let mut large = 0;
    for item in &listed {
        let repono_store::model::ListItem::Object { key, size, .. } = item else { panic!("{item:?}") };
        let number: u64 = key.split_once('/').unwrap().1.parse().unwrap();
        assert_eq!(runtime.block_on(get(&store, key)), Some(body(number)));
        large += usize::from(*size > 16 * 1024);
    }
    assert!(listed.len() >= acknowledged.len());
    assert_eq!(blob_files(home.path()), large, "orphans stayed, or blobs went");
}

/// While another process sits on the lock, a write is refused after its wait, the
/// holder can be named, and its death frees the lock.
#[test]
fn a_process_that_sits_on_the_lock_is_named_and_its_death_frees_it() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    drop(runtime.block_on(create(home.path())));
    let commit_wait = Duration::from_millis(200);
    let store = Store::open(StoreConfig { commit_wait, ..StoreConfig::new(home.path()) }).unwrap();
    let mut holder = Process::start("holder", home.path());
    holder.line("held").unwrap();
    let refused = runtime.block_on(put(&store, "k", body(1)));
    assert!(matches!(refused, Err(StoreError::Busy { .. })));
    assert_eq!(lock_holder(&lock_path(home.path())).unwrap().pid, holder.child.id());
    holder.kill();
    runtime.block_on(put(&store, "other", body(1))).unwrap();
    assert_eq!(runtime.block_on(get(&store, "k")), None);
    assert_eq!(lock_holder(&lock_path(home.path())), None);
}

/// A reader that is kept, and may remember what it found, shows every write of
/// another process that was acknowledged before it was asked, also when that
/// process is killed in the middle of one.
#[test]
fn a_kept_reader_sees_every_acknowledged_write_of_others() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(create(home.path()));
    let mut reader = store.reader().unwrap();
    let mut read = || match runtime.block_on(reader.object("demo", "files", "k")).unwrap() {
        ObjectLookup::Found(object) => match &object.content {
            Content::Inline { bytes, .. } => (object.version, number(bytes)),
            Content::Blob(_) => panic!("eight bytes are kept in line"),
        },
        other @ (ObjectLookup::NoKey | ObjectLookup::NoContainer) => panic!("{other:?}"),
    };
    let mut last = 0;
    for _ in 0..5 {
        let mut writer = Process::start("overwriter", home.path());
        for _ in 0..200 {
            let acknowledged: u64 = writer.line("acknowledged ").unwrap().parse().unwrap();
            // Asked twice, so that the second answer is one that was kept.
            for (version, found) in [read(), read()] {
                assert!(found >= acknowledged.max(last), "{found} of {version:?} after {acknowledged}");
                last = found;
            }
        }
        writer.kill();
    }
    let (version, _) = read();
    assert!(runtime.block_on(reader.object_by_version(version)).unwrap().is_some());
    runtime.block_on(put(&store, "k", vec![0; 8])).unwrap();
    assert!(runtime.block_on(reader.object_by_version(version)).unwrap().is_none());
}
