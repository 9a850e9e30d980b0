//! What the metadata costs: point reads, a page of a listing, commits.

#![expect(clippy::expect_used, reason = "a benchmark: what is not foreseen must panic")]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use repono_core::etag::ETag;
use repono_core::id::{BlobId, VersionId};
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::time::Timestamp;
use repono_store::blob::{BlobHold, FinishedBlob};
use repono_store::model::identity::{Audit, IdentityChange};
use repono_store::model::{BlobPlace, CommitObject, ListPage, NewContent, Precondition};
use repono_store::store::{Store, StoreConfig};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Objects in the container that is read: twenty pages of a listing.
const OBJECTS: u64 = 20_000;

struct NoBlob;

impl BlobHold for NoBlob {
    fn keep(&mut self) {}
}

struct Bench {
    _home: TempDir,
    runtime: Runtime,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let store = Store::open(StoreConfig::new(home.path().join("data"))).expect("a store");
        runtime.block_on(fill(&store));
        Self { _home: home, runtime, store }
    }
}

fn account() -> AccountName {
    AccountName::new(b"demo").expect("a name")
}

fn container() -> ContainerName {
    ContainerName::new(b"files").expect("a name")
}

fn object(key: &str, version: u64, content: NewContent) -> CommitObject {
    CommitObject {
        account: account(),
        container: container(),
        key: ObjectKey::new(key.as_bytes()).expect("a name"),
        version: VersionId::from_u64(version).expect("a version"),
        size: 1024,
        etag: ETag::from_md5([7; 16]),
        content_type: "application/octet-stream".into(),
        metadata: Vec::new(),
        precondition: Precondition::None,
        repeatable: None,
        content,
    }
}

fn inline() -> NewContent {
    let bytes = Bytes::from_static(&[b'x'; 1024]);
    NewContent::Inline { crc64: crc_fast::crc64_nvme(&bytes), bytes }
}

fn blob(number: u128) -> NewContent {
    let place =
        BlobPlace { id: BlobId::from_bytes(number.to_be_bytes()), footer_crc64: 1, footer_bytes: 200 };
    NewContent::Blob(FinishedBlob {
        place,
        size: 1024,
        etag: ETag::from_md5([7; 16]),
        hold: Box::new(NoBlob),
    })
}

async fn fill(store: &Store) {
    let at = Timestamp::from_unix_seconds(1);
    let by = Audit { at, who: "bench".into(), source: "bench".into(), what: "fill".into() };
    store
        .meta()
        .change_identity(IdentityChange::CreateAccount { name: account() }, by)
        .await
        .expect("account");
    store.meta().create_container(&account(), &container(), Vec::new()).await.expect("container");
    let mut writes = tokio::task::JoinSet::new();
    for number in 0..OBJECTS {
        let meta = Arc::clone(store.meta());
        let content = if number % 2 == 0 { inline() } else { blob(u128::from(number)) };
        let object = object(&format!("directory/{number:08}"), number, content);
        writes.spawn(async move { meta.commit_object(object).await });
        if writes.len() >= 512 {
            writes.join_next().await.expect("a write").expect("not cancelled").expect("committed");
        }
    }
    while let Some(write) = writes.join_next().await {
        write.expect("not cancelled").expect("committed");
    }
}

fn reads(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut reader = bench.store.reader().expect("a reader");
    let mut number = 0;
    let mut next = |offset| {
        number = (number + 7919 * 2) % OBJECTS;
        format!("directory/{:08}", number / 2 * 2 + offset)
    };
    for (name, offset) in [("point read, inline 1 KiB, kept", 0), ("point read, blob row, kept", 1)] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let key = next(offset);
                black_box(bench.runtime.block_on(reader.object("demo", "files", &key)).expect("found"))
            });
        });
    }
    let mut version = OBJECTS * 2;
    let mut reader = bench.store.reader().expect("a reader");
    criterion.bench_function("point read, inline 1 KiB, after a commit", |bencher| {
        let commit = || {
            version += 1;
            let object = object("new/0", version, inline());
            bench.runtime.block_on(bench.store.meta().commit_object(object)).expect("committed");
            format!("directory/{:08}", version * 7919 * 2 % OBJECTS)
        };
        let read = |key: String| {
            black_box(bench.runtime.block_on(reader.object("demo", "files", &key)).expect("found"))
        };
        bencher.iter_batched(commit, read, BatchSize::PerIteration);
    });
    let page = ListPage { limit: 1000, marker: Some("directory/00005000".into()), ..ListPage::default() };
    criterion.bench_function("list page of 1,000", |bencher| {
        bencher.iter(|| {
            black_box(bench.runtime.block_on(reader.list_objects("demo", "files", &page)).expect("ok"))
        });
    });
    criterion.bench_function("identity epoch", |bencher| {
        bencher.iter(|| black_box(bench.runtime.block_on(reader.identity_epoch()).expect("ok")));
    });
}

fn commits(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut version = OBJECTS;
    for writers in [1_u64, 8, 64] {
        criterion.bench_function(&format!("commit, {writers} at once"), |bencher| {
            bencher.iter(|| {
                bench.runtime.block_on(async {
                    let mut writes = tokio::task::JoinSet::new();
                    for writer in 0..writers {
                        version += 1;
                        let meta = Arc::clone(bench.store.meta());
                        let object = object(&format!("new/{writer}"), version, inline());
                        writes.spawn(async move { meta.commit_object(object).await });
                    }
                    while let Some(write) = writes.join_next().await {
                        write.expect("not cancelled").expect("committed");
                    }
                });
            });
        });
    }
}

criterion_group!(benches, reads, commits);
criterion_main!(benches);
