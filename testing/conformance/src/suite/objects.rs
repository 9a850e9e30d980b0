//! Writes and reads of objects.

use bytes::Bytes;
use md5::{Digest, Md5};
use repono_core::etag::ETag;
use repono_core::time::Timestamp;
use repono_store::error::StoreError;
use repono_store::model::{
    Content, DeleteObject, Deleted, MetadataReplaced, Object, ObjectLookup, ObjectMetadata, Precondition,
};
use repono_store::store::INLINE_BYTES_MAX;
use repono_store::upload::CommitRequest;

use crate::fixture::{Fixture, account, container, key, request};

pub(super) async fn run(make: &impl Fn() -> Fixture) {
    bodies_come_back_whole(make().with_container().await).await;
    preconditions_hold_at_the_commit(make().with_container().await).await;
    a_bad_body_is_refused_and_leaves_nothing(make().with_container().await).await;
    a_write_needs_its_container(make()).await;
    timestamps_of_a_key_strictly_increase(make().with_container().await).await;
    metadata_is_replaced_and_the_version_stays(make().with_container().await).await;
    deletions_tell_what_was_missing(make().with_container().await).await;
    a_version_is_found_while_it_is_current(make().with_container().await).await;
    keys_are_bytes(make().with_container().await).await;
}

fn body(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 % 251) as u8).collect()
}

async fn bodies_come_back_whole(f: Fixture) {
    for bytes in [0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 65_536, 700_000] {
        let (name, body) = (format!("k{bytes}"), body(bytes));
        let etag = ETag::from_md5(Md5::digest(&body).into());
        let expected =
            CommitRequest { expected_len: Some(bytes as u64), expected_etag: Some(etag), ..request(&name) };
        let committed = f.put(expected, &body).await.unwrap();
        assert_eq!((committed.etag, committed.size, committed.replaced), (etag, bytes as u64, None));
        let object = f.object(&name).await;
        assert_eq!(object.version, committed.version);
        assert_eq!(object.timestamp, committed.timestamp);
        assert_eq!((object.etag, object.size), (etag, bytes as u64));
        assert_eq!(object.metadata, request(&name).metadata);
        assert_eq!(object.content_type, "application/octet-stream");
        assert_eq!(matches!(object.content, Content::Inline { .. }), bytes <= INLINE_BYTES_MAX);
        assert_eq!(f.body(&name).await.unwrap(), body);
        if let Content::Blob(place) = object.content {
            f.store.blobs().verify(place, object.size).await.unwrap();
        }
    }
}

async fn preconditions_hold_at_the_commit(f: Fixture) {
    let with = |precondition| CommitRequest { precondition, ..request("k") };
    let failed = |result| matches!(result, Err(StoreError::PreconditionFailed));
    let other = ETag::from_md5([9; 16]);
    assert!(failed(f.put(with(Precondition::IfMatchAny), b"0").await));
    assert!(failed(f.put(with(Precondition::IfMatch(vec![other])), b"0").await));
    assert_eq!(f.lookup("k").await, ObjectLookup::NoKey);
    let first = f.put(with(Precondition::IfNoneMatchAny), b"1").await.unwrap();
    assert!(failed(f.put(with(Precondition::IfNoneMatchAny), b"2").await));
    assert!(failed(f.put(with(Precondition::IfNoneMatchAny), &body(300_000)).await));
    assert!(failed(f.put(with(Precondition::IfMatch(vec![other])), b"2").await));
    assert_eq!(f.body("k").await.unwrap(), b"1");
    let second = f.put(with(Precondition::IfMatch(vec![other, first.etag])), b"2").await.unwrap();
    assert_eq!(second.replaced, Some(first.version));
    f.put(with(Precondition::IfMatchAny), b"3").await.unwrap();
    assert_eq!(f.body("k").await.unwrap(), b"3");
    assert!(f.blobs().await.is_empty(), "a refused blob stayed");
}

async fn a_bad_body_is_refused_and_leaves_nothing(f: Fixture) {
    for bytes in [10, 300_000] {
        let body = body(bytes);
        let short = CommitRequest { expected_len: Some(bytes as u64 + 1), ..request("k") };
        assert!(matches!(f.put(short, &body).await, Err(StoreError::LengthMismatch { .. })));
        let long = CommitRequest { expected_len: Some(bytes as u64 - 1), ..request("k") };
        assert!(matches!(f.put(long, &body).await, Err(StoreError::LengthMismatch { .. })));
        let other = CommitRequest { expected_etag: Some(ETag::from_md5([1; 16])), ..request("k") };
        assert!(matches!(f.put(other, &body).await, Err(StoreError::DigestMismatch)));
        let mut dropped = f.store.begin_upload(None).unwrap();
        dropped.feed(Bytes::from(body)).await.unwrap();
        assert_eq!(dropped.received(), bytes as u64);
    }
    assert!(matches!(f.store.begin_upload(Some(u64::MAX)).err(), Some(StoreError::TooLarge)));
    assert_eq!(f.lookup("k").await, ObjectLookup::NoKey);
    assert!(f.blobs().await.is_empty());
}

async fn a_write_needs_its_container(f: Fixture) {
    for bytes in [1, 300_000] {
        assert!(matches!(f.put(request("k"), &body(bytes)).await, Err(StoreError::NoContainer)));
    }
    assert_eq!(f.lookup("k").await, ObjectLookup::NoContainer);
    assert!(f.blobs().await.is_empty());
}

async fn timestamps_of_a_key_strictly_increase(f: Fixture) {
    let first = f.put(request("k"), b"1").await.unwrap();
    assert_eq!(first.timestamp, f.clock.now());
    let second = f.put(request("k"), b"2").await.unwrap();
    assert_eq!(second.timestamp, first.timestamp.next());
    f.clock.set(Timestamp::from_unix_seconds(1));
    let third = f.put(request("k"), b"3").await.unwrap();
    assert_eq!(third.timestamp, second.timestamp.next());
    let other = f.put(request("other"), b"3").await.unwrap();
    assert_eq!(other.timestamp, Timestamp::from_unix_seconds(1));
}

async fn metadata_is_replaced_and_the_version_stays(f: Fixture) {
    let meta = f.store.meta();
    let (demo, files) = (account("demo"), container("files"));
    f.put(request("k"), b"1").await.unwrap();
    let before = f.object("k").await;
    let new = |content_type: Option<&str>| ObjectMetadata {
        content_type: content_type.map(str::to_owned),
        metadata: vec![("x-object-meta-ü".into(), "\"quoted\" \u{1F600}".into())],
    };
    let replaced = meta.replace_metadata(&demo, &files, &key("k"), new(None)).await.unwrap();
    let after = f.object("k").await;
    assert_eq!(replaced, MetadataReplaced::Replaced { timestamp: after.timestamp });
    assert!(after.timestamp > before.timestamp);
    let same = Object { timestamp: after.timestamp, metadata: new(None).metadata, ..Object::clone(&before) };
    assert_eq!(*after, same);
    meta.replace_metadata(&demo, &files, &key("k"), new(Some("text/plain"))).await.unwrap();
    assert_eq!(f.object("k").await.content_type, "text/plain");
    let none = meta.replace_metadata(&demo, &files, &key("none"), new(None)).await.unwrap();
    assert_eq!(none, MetadataReplaced::NoKey);
    let none = meta.replace_metadata(&demo, &container("none"), &key("k"), new(None)).await.unwrap();
    assert_eq!(none, MetadataReplaced::NoContainer);
}

async fn deletions_tell_what_was_missing(f: Fixture) {
    let meta = f.store.meta();
    let (demo, files) = (account("demo"), container("files"));
    let committed = f.put(request("k"), b"1").await.unwrap();
    let deleted = meta.delete_object(DeleteObject::new(&demo, &files, &key("k"))).await.unwrap();
    assert_eq!(deleted, Deleted::Deleted { version: committed.version });
    assert_eq!(
        meta.delete_object(DeleteObject::new(&demo, &files, &key("k"))).await.unwrap(),
        Deleted::NoKey
    );
    let none = meta.delete_object(DeleteObject::new(&demo, &container("none"), &key("k"))).await.unwrap();
    assert_eq!(none, Deleted::NoContainer);
    let none = meta.delete_object(DeleteObject::new(&account("none"), &files, &key("k"))).await.unwrap();
    assert_eq!(none, Deleted::NoContainer);
    assert_eq!(f.lookup("k").await, ObjectLookup::NoKey);
    assert_eq!(f.body("k").await, None);
}

async fn a_version_is_found_while_it_is_current(f: Fixture) {
    let mut reader = f.store.reader().unwrap();
    let first = f.put(request("a/b"), b"1").await.unwrap();
    let found = reader.object_by_version(first.version).await.unwrap().unwrap();
    assert_eq!(
        (&found.account, &found.container, &found.key),
        (&account("demo"), &container("files"), &key("a/b"))
    );
    assert_eq!(found.object, f.object("a/b").await);
    let second = f.put(request("a/b"), b"2").await.unwrap();
    assert!(reader.object_by_version(first.version).await.unwrap().is_none());
    assert!(reader.object_by_version(second.version).await.unwrap().is_some());
}

async fn keys_are_bytes(f: Fixture) {
    let names = ["a", "A", "caf\u{e9}", "cafe\u{301}", "a ", "%61", "a%", "a_", "\u{1F600}", "a//b", "/a"];
    for name in names {
        f.put(request(name), name.as_bytes()).await.unwrap();
    }
    for name in names {
        assert_eq!(f.body(name).await.unwrap(), name.as_bytes());
    }
    let found = f.store.reader().unwrap().container("demo", "files").await.unwrap().unwrap();
    assert_eq!(found.object_count, names.len() as u64);
}
