//! Garbage, orphans, and readers that are in the way.

use std::time::Duration;

use bytes::Bytes;
use repono_core::id::VersionId;
use repono_core::time::Timestamp;
use repono_store::blob::{BlobDescription, FinishedBlob};
use repono_store::error::StoreError;
use repono_store::model::{
    DELETE_AT, DeleteObject, Deleted, MetadataReplaced, ObjectLookup, ObjectMetadata, Precondition,
};
use repono_store::upload::CommitRequest;

use crate::fixture::{Fixture, GRACE, account, container, key, read_body, request};

pub(super) async fn run(make: &impl Fn() -> Fixture) {
    garbage_stays_for_its_grace(make().with_container().await).await;
    an_object_ends_when_its_time_comes(make().with_container().await).await;
    a_reader_outlives_an_overwrite(make().with_container().await).await;
    a_blob_that_is_lost_is_not_a_missing_object(make().with_container().await).await;
    orphans_go_and_nothing_else(make().with_container().await).await;
}

async fn garbage_stays_for_its_grace(f: Fixture) {
    f.put(request("k"), &[1; 100_000]).await.unwrap();
    f.put(request("k"), &[2; 100_000]).await.unwrap();
    f.store
        .meta()
        .delete_object(DeleteObject::new(&account("demo"), &container("files"), &key("k")))
        .await
        .unwrap();
    assert_eq!(f.blobs().await.len(), 2);
    assert_eq!(f.store.collect_garbage(f.clock.now()).await.unwrap(), 0);
    assert_eq!(f.store.collect_orphans(Timestamp::MAX, Duration::ZERO).await.unwrap(), 0);
    f.clock.advance(GRACE);
    assert_eq!(f.store.collect_garbage(f.clock.now()).await.unwrap(), 2);
    assert!(f.blobs().await.is_empty());
    assert!(f.store.meta().garbage_batch(Timestamp::MAX).await.unwrap().is_empty());
}

/// From its end on an object counts as gone for every write, and the next round of
/// the collector takes it out of the counters and the listing.
async fn an_object_ends_when_its_time_comes(f: Fixture) {
    let meta = f.store.meta();
    let (demo, files) = (account("demo"), container("files"));
    let end_s = f.clock.now().unix_seconds() + 60;
    let ending = |name: &str| {
        let mut request = request(name);
        request.metadata.push((DELETE_AT.into(), end_s.to_string()));
        request
    };
    for name in ["expired", "deleted", "renewed", "replaced"] {
        f.put(ending(name), &[1; 50_000]).await.unwrap();
    }
    f.put(request("stays"), b"1").await.unwrap();
    let without_end = || ObjectMetadata { content_type: None, metadata: Vec::new() };
    meta.replace_metadata(&demo, &files, &key("renewed"), without_end()).await.unwrap();
    assert_eq!(f.store.expire().await.unwrap(), 0);
    assert!(!f.object("expired").await.is_expired(end_s - 1));
    assert!(f.object("expired").await.is_expired(end_s));

    let at = |if_delete_at_s| DeleteObject {
        if_delete_at_s: Some(if_delete_at_s),
        ..DeleteObject::new(&demo, &files, &key("deleted"))
    };
    let refused = meta.delete_object(at(end_s + 1)).await;
    assert!(matches!(refused, Err(StoreError::PreconditionFailed)), "it ends at another time");
    f.put(ending("now"), b"1").await.unwrap();
    let now = DeleteObject { key: key("now"), ..at(end_s) };
    assert!(matches!(meta.delete_object(now).await.unwrap(), Deleted::Deleted { .. }));

    f.clock.advance(Duration::from_secs(60));
    let gone = meta.delete_object(DeleteObject::new(&demo, &files, &key("deleted"))).await.unwrap();
    assert_eq!(gone, Deleted::NoKey);
    let gone = meta.replace_metadata(&demo, &files, &key("expired"), without_end()).await.unwrap();
    assert_eq!(gone, MetadataReplaced::NoKey);
    let free = CommitRequest { precondition: Precondition::IfNoneMatchAny, ..request("replaced") };
    f.put(free, b"2").await.unwrap();
    f.store.expire().await.unwrap();
    let found = f.store.reader().unwrap().container("demo", "files").await.unwrap().unwrap();
    assert_eq!((found.object_count, found.bytes_used), (3, 50_000 + 2));
    assert_eq!(f.lookup("expired").await, ObjectLookup::NoKey);
    f.clock.advance(GRACE);
    assert_eq!(f.store.collect_garbage(f.clock.now()).await.unwrap(), 3);
}

/// Who has opened a body reads it to its end. Who has only looked it up finds it
/// gone after the grace, and the new one by looking again.
async fn a_reader_outlives_an_overwrite(f: Fixture) {
    f.put(request("k"), &[1; 400_000]).await.unwrap();
    let old = f.object("k").await;
    let open = f.store.open_body(&old).await.unwrap();
    f.put(request("k"), &[2; 400_000]).await.unwrap();
    let late = f.store.open_body(&old).await.unwrap();
    assert_eq!(read_body(late).await, [1; 400_000]);
    f.clock.advance(GRACE);
    f.store.collect_garbage(f.clock.now()).await.unwrap();
    assert_eq!(read_body(open).await, [1; 400_000]);
    assert!(matches!(f.store.open_body(&old).await, Err(StoreError::Missing)));
    assert_eq!(f.body("k").await.unwrap(), [2; 400_000]);
}

async fn a_blob_that_is_lost_is_not_a_missing_object(f: Fixture) {
    f.put(request("k"), &[1; 100_000]).await.unwrap();
    let id = f.blobs().await[0];
    f.store.blobs().remove(id).await.unwrap();
    let mut reader = f.store.reader().unwrap();
    let read = f.store.read(&mut *reader, "demo", "files", "k").await;
    assert!(matches!(read, Err(StoreError::Missing)));
}

async fn finished(f: &Fixture) -> FinishedBlob {
    let mut writer = f.store.blobs().create(None).await.unwrap();
    writer.write(Bytes::from_static(&[7; 50_000])).await.unwrap();
    let description = BlobDescription {
        account: account("demo"),
        container: container("files"),
        key: key("k"),
        version: VersionId::from_u64(1).unwrap_or_else(|| unreachable!("1 is a version")),
        expected_etag: None,
        expected_len: None,
    };
    writer.finish(description).await.unwrap()
}

async fn orphans_go_and_nothing_else(f: Fixture) {
    f.put(request("k"), &[1; 100_000]).await.unwrap();
    let mut in_flight = finished(&f).await;
    in_flight.hold.keep();
    let mut abandoned = finished(&f).await;
    abandoned.hold.keep();
    drop(abandoned);
    assert_eq!(f.blobs().await.len(), 3);
    let grace = Duration::from_secs(60);
    assert_eq!(f.store.collect_orphans(Timestamp::from_unix_seconds(100), grace).await.unwrap(), 0);
    assert_eq!(f.store.collect_orphans(Timestamp::MAX, Duration::ZERO).await.unwrap(), 1);
    assert_eq!(f.blobs().await.len(), 2);
    drop(in_flight);
    assert_eq!(f.store.collect_orphans(Timestamp::MAX, Duration::ZERO).await.unwrap(), 1);
    assert_eq!(f.body("k").await.unwrap(), [1; 100_000]);
}
