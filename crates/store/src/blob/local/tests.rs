//! Blobs on a real directory: durability's order, checksums, and who may remove.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use repono_core::etag::ETag;
use repono_core::id::VersionId;
use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::time::Timestamp;
use tempfile::TempDir;

use super::LocalBlobStore;
use crate::blob::{
    BLOCK_BYTES, BlobDescription, BlobReader, BlobStore, CachedRead, FinishedBlob, PARTITIONS, READ_BYTES_MAX,
};
use crate::error::{Part, StoreError};

fn store() -> (TempDir, LocalBlobStore) {
    let home = tempfile::tempdir().unwrap();
    let store = LocalBlobStore::open(&home.path().join("blobs"), Arc::new(|| rand::rng().random())).unwrap();
    (home, store)
}

fn body(bytes: usize) -> Vec<u8> {
    let mut body = vec![0; bytes];
    StdRng::seed_from_u64(bytes as u64).fill_bytes(&mut body);
    body
}

fn description() -> BlobDescription {
    BlobDescription {
        account: AccountName::new(b"demo").unwrap(),
        container: ContainerName::new(b"files").unwrap(),
        key: ObjectKey::new(b"a/b").unwrap(),
        version: VersionId::from_u64(9).unwrap(),
        expected_etag: None,
        expected_len: None,
    }
}

async fn put(store: &LocalBlobStore, body: &[u8]) -> FinishedBlob {
    let mut writer = store.create(Some(body.len() as u64)).await.unwrap();
    for chunk in body.chunks(100_000) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.finish(description()).await.unwrap()
}

async fn put_kept(store: &LocalBlobStore, body: &[u8]) -> FinishedBlob {
    let mut blob = put(store, body).await;
    blob.hold.keep();
    blob
}

/// Every file of the store, with its path.
fn files(home: &TempDir) -> HashMap<String, PathBuf> {
    let mut found = HashMap::new();
    for part in fs::read_dir(home.path().join("blobs")).unwrap() {
        for file in fs::read_dir(part.unwrap().path()).unwrap() {
            let file = file.unwrap();
            found.insert(file.file_name().into_string().unwrap(), file.path());
        }
    }
    found
}

async fn read_all(reader: &mut dyn BlobReader) -> Result<Vec<u8>, StoreError> {
    let mut out = BytesMut::new();
    while (out.len() as u64) < reader.size() {
        let offset = out.len() as u64;
        if reader.try_read_cached(offset, usize::MAX, &mut out)? == CachedRead::WouldBlock {
            reader.read_at(offset, usize::MAX, &mut out).await?;
        }
    }
    Ok(out.to_vec())
}

#[tokio::test]
async fn bodies_of_every_shape_come_back() {
    let (_home, store) = store();
    for bytes in [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES, 2_000_000] {
        let body = body(bytes);
        let blob = put(&store, &body).await;
        assert_eq!(blob.size, bytes as u64);
        assert_eq!(blob.etag, ETag::from_md5(Md5::digest(&body).into()));
        let mut reader = store.open(blob.place, blob.size).await.unwrap();
        assert_eq!(read_all(&mut *reader).await.unwrap(), body);
        store.verify(blob.place, blob.size).await.unwrap();
    }
}

#[tokio::test]
async fn any_range_is_cut_exactly_and_bounded() {
    let (_home, store) = store();
    let body = body(10 * BLOCK_BYTES + 17);
    let blob = put(&store, &body).await;
    let mut reader = store.open(blob.place, blob.size).await.unwrap();
    let mut random = StdRng::seed_from_u64(5);
    for _ in 0..200 {
        let offset = random.random_range(0..body.len() + 10);
        let want = random.random_range(0..400_000);
        let mut out = BytesMut::from(&b"before"[..]);
        let read = reader.read_at(offset as u64, want, &mut out).await.unwrap();
        let end = (offset + want).min(offset / BLOCK_BYTES * BLOCK_BYTES + READ_BYTES_MAX);
        let expected = body.get(offset..end.min(body.len())).unwrap_or_default();
        assert_eq!(read, expected.len());
        assert_eq!(&out[..6], b"before");
        assert_eq!(&out[6..], expected);
        let mut cached = BytesMut::from(&b"before"[..]);
        match reader.try_read_cached(offset as u64, want, &mut cached).unwrap() {
            CachedRead::Read(bytes) => assert_eq!(&cached[6..], &expected[..bytes]),
            CachedRead::WouldBlock => assert_eq!(&cached[..], b"before"),
        }
    }
    let mut out = BytesMut::new();
    assert_eq!(reader.read_at(u64::MAX, 1, &mut out).await.unwrap(), 0);
}

#[tokio::test]
async fn a_changed_byte_is_never_handed_out() {
    let (home, store) = store();
    let body = body(3 * BLOCK_BYTES);
    let blob = put_kept(&store, &body).await;
    let path = files(&home).into_values().next().unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let flip = |at: u64| {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    };

    flip(BLOCK_BYTES as u64 + 5);
    let mut reader = store.open(blob.place, blob.size).await.unwrap();
    let mut out = BytesMut::new();
    assert_eq!(reader.read_at(0, BLOCK_BYTES, &mut out).await.unwrap(), BLOCK_BYTES);
    let kept = out.clone();
    for want in [1, BLOCK_BYTES] {
        let refused = reader.read_at(BLOCK_BYTES as u64, want, &mut out).await.unwrap_err();
        assert!(matches!(refused, StoreError::Corrupt { what: Part::Block }));
        let refused = reader.try_read_cached(BLOCK_BYTES as u64, want, &mut out);
        assert!(matches!(refused, Err(StoreError::Corrupt { .. }) | Ok(CachedRead::WouldBlock)));
        assert_eq!(out, kept);
    }
    let refused = store.verify(blob.place, blob.size).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { what: Part::Block }));
    flip(BLOCK_BYTES as u64 + 5);
    store.verify(blob.place, blob.size).await.unwrap();

    for at in 0..u64::from(blob.place.footer_bytes) {
        flip(blob.size + at);
        let refused = store.open(blob.place, blob.size).await.err().unwrap();
        assert!(matches!(refused, StoreError::Corrupt { what: Part::Footer }), "{at}");
        flip(blob.size + at);
    }

    file.set_len(blob.size + 3).unwrap();
    let refused = store.open(blob.place, blob.size).await.err().unwrap();
    assert!(matches!(refused, StoreError::Corrupt { what: Part::Footer }));
}

#[tokio::test]
async fn the_footer_of_another_blob_is_refused() {
    let (_home, store) = store();
    let (one, other) = (put(&store, &body(BLOCK_BYTES)).await, put(&store, &body(BLOCK_BYTES + 1)).await);
    let mixed = crate::model::BlobPlace { id: one.place.id, ..other.place };
    assert!(matches!(store.open(mixed, one.size).await, Err(StoreError::Corrupt { what: Part::Footer })));
    let huge = crate::model::BlobPlace { footer_bytes: u32::MAX, ..one.place };
    assert!(matches!(store.open(huge, one.size).await, Err(StoreError::Corrupt { what: Part::Footer })));
}

#[tokio::test]
async fn what_is_dropped_or_refused_leaves_nothing() {
    let (home, store) = store();
    let mut writer = store.create(None).await.unwrap();
    writer.write(Bytes::from(body(700_000))).await.unwrap();
    drop(writer);
    assert!(files(&home).is_empty());

    let mut writer = store.create(Some(3)).await.unwrap();
    writer.write(Bytes::from_static(b"abc")).await.unwrap();
    let wrong = BlobDescription { expected_etag: Some(ETag::from_md5([0; 16])), ..description() };
    assert!(matches!(writer.finish(wrong).await, Err(StoreError::DigestMismatch)));
    let mut writer = store.create(Some(3)).await.unwrap();
    writer.write(Bytes::from_static(b"abc")).await.unwrap();
    let wrong = BlobDescription { expected_len: Some(4), ..description() };
    let refused = writer.finish(wrong).await.err().unwrap();
    assert!(matches!(refused, StoreError::LengthMismatch { expected: 4, found: 3 }));
    assert!(files(&home).is_empty());

    let finished = put(&store, b"abc").await;
    assert_eq!(files(&home).len(), 1);
    drop(finished);
    assert!(files(&home).is_empty());
}

#[tokio::test]
async fn a_blob_is_private_and_named_by_its_id() {
    let (home, store) = store();
    let blob = put_kept(&store, b"abc").await;
    let path = files(&home).remove(&blob.place.id.to_string()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(home.path().join("blobs")).unwrap().permissions().mode() & 0o7777, 0o700);
    store.remove(blob.place.id).await.unwrap();
    store.remove(blob.place.id).await.unwrap();
    assert!(matches!(store.open(blob.place, 3).await, Err(StoreError::Missing)));
    assert!(matches!(store.verify(blob.place, 3).await, Err(StoreError::Missing)));
}

#[tokio::test]
async fn a_held_blob_cannot_be_claimed_and_a_claimed_one_only_once() {
    let (_home, store) = store();
    let blob = put_kept(&store, b"abc").await;
    let id = blob.place.id;
    assert!(store.claim(id).await.unwrap().is_none());
    drop(blob);
    let claim = store.claim(id).await.unwrap().unwrap();
    assert!(store.claim(id).await.unwrap().is_none());
    drop(claim);
    assert!(store.claim(id).await.unwrap().is_some());
    store.remove(id).await.unwrap();
    assert!(store.claim(id).await.unwrap().is_none());
}

#[tokio::test]
async fn candidates_are_those_old_enough() {
    let (_home, store) = store();
    let blob = put_kept(&store, b"abc").await;
    let part = blob.place.id.as_bytes()[0];
    let mut found = Vec::new();
    for part in 0..PARTITIONS {
        found.extend(store.older_than(u8::try_from(part).unwrap(), Timestamp::MAX).await.unwrap());
    }
    assert_eq!(found, [blob.place.id]);
    assert!(store.older_than(part, Timestamp::from_unix_seconds(1_000_000)).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_open_reader_outlives_the_removal() {
    let (_home, store) = store();
    let body = body(4 * BLOCK_BYTES);
    let blob = put(&store, &body).await;
    let mut reader = store.open(blob.place, blob.size).await.unwrap();
    store.remove(blob.place.id).await.unwrap();
    assert_eq!(read_all(&mut *reader).await.unwrap(), body);
}

#[tokio::test]
async fn many_at_once_share_syncs_and_all_come_back() {
    let (home, store) = store();
    let store = Arc::new(store);
    let mut uploads = tokio::task::JoinSet::new();
    for number in 0..40_usize {
        let store = Arc::clone(&store);
        uploads.spawn(async move { put_kept(&store, &body(20_000 + number)).await.place });
    }
    while let Some(place) = uploads.join_next().await {
        let place = place.unwrap();
        let path = files(&home).remove(&place.id.to_string()).unwrap();
        let size = fs::metadata(path).unwrap().len() - u64::from(place.footer_bytes);
        store.verify(place, size).await.unwrap();
    }
}

/// More than the file system has is refused when the upload begins. Runs where a
/// small file system can be mounted; elsewhere it says so.
#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_at_its_beginning() {
    let home = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(home.path())
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("not run: a tmpfs cannot be mounted here");
        return;
    }
    let store = LocalBlobStore::open(&home.path().join("blobs"), Arc::new(|| rand::rng().random())).unwrap();
    let refused = store.create(Some(64 << 20)).await.err();
    let mut unannounced = store.create(None).await.unwrap();
    let mut written = Ok(());
    for _ in 0..64 {
        written = unannounced.write(Bytes::from(body(256 * 1024))).await;
        if written.is_err() {
            break;
        }
    }
    drop(unannounced);
    let admitted = store.admit(64 << 20);
    let still = put(&store, &body(100_000)).await;
    drop((still, store));
    let unmounted = std::process::Command::new("umount").arg("-l").arg(home.path()).status().unwrap();
    assert!(unmounted.success());
    assert!(matches!(refused, Some(StoreError::Full)));
    assert!(matches!(written, Err(StoreError::Full)));
    assert!(matches!(admitted, Err(StoreError::Full)));
}
