//! A store to be tested, its clock, and what every case needs.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use repono_core::id::BlobId;
use repono_core::name::{AccountName, ApplicationName, ContainerName, ObjectKey, UserName};
use repono_core::time::Timestamp;
use repono_store::blob::{CachedRead, PARTITIONS};
use repono_store::error::StoreError;
use repono_store::model::identity::{Audit, ChangeOutcome, IdentityChange};
use repono_store::model::{Clock, Committed, Object, ObjectLookup, Precondition};
use repono_store::store::{Body, ObjectRead, Store};
use repono_store::upload::CommitRequest;

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows 2026-11-23 00:00:00 UTC.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(Timestamp::from_unix_seconds(1_795_392_000).units())))
    }

    /// What it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_units(self.0.load(Ordering::SeqCst))
    }

    /// Moves it on.
    pub fn advance(&self, span: Duration) {
        self.0.store(self.now().plus(span).units(), Ordering::SeqCst);
    }

    /// Moves it back.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.units(), Ordering::SeqCst);
    }

    /// The clock as a store takes it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let this = self.clone();
        Arc::new(move || this.now())
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

/// An empty store. Its clock is [`Fixture::clock`]; its garbage stays for
/// [`GRACE`].
pub struct Fixture {
    /// The store.
    pub store: Store,
    /// Its clock.
    pub clock: ManualClock,
    /// What must live as long as the store: its directory.
    pub home: Box<dyn Any>,
}

/// How long garbage stays in a tested store.
pub const GRACE: Duration = Duration::from_secs(600);

/// A name.
#[must_use]
pub fn account(name: &str) -> AccountName {
    name.parse().unwrap_or_else(|_| panic!("{name}"))
}

/// A name.
#[must_use]
pub fn container(name: &str) -> ContainerName {
    name.parse().unwrap_or_else(|_| panic!("{name}"))
}

/// A name.
#[must_use]
pub fn key(name: &str) -> ObjectKey {
    name.parse().unwrap_or_else(|_| panic!("{name}"))
}

/// A name.
#[must_use]
pub fn user(name: &str) -> UserName {
    name.parse().unwrap_or_else(|_| panic!("{name}"))
}

/// A name.
#[must_use]
pub fn application(name: &str) -> ApplicationName {
    name.parse().unwrap_or_else(|_| panic!("{name}"))
}

/// A request for `demo/files/{key}` without conditions.
#[must_use]
pub fn request(name: &str) -> CommitRequest {
    CommitRequest {
        account: account("demo"),
        container: container("files"),
        key: key(name),
        content_type: "application/octet-stream".into(),
        metadata: vec![("x-object-meta-a".into(), "1".into())],
        expected_etag: None,
        expected_len: None,
        precondition: Precondition::None,
        repeatable: None,
    }
}

/// A line of the audit.
#[must_use]
pub fn by(what: &str) -> Audit {
    Audit {
        at: Timestamp::from_unix_seconds(7),
        who: "suite".into(),
        source: "test".into(),
        what: what.into(),
    }
}

impl Fixture {
    /// The same store with the account `demo` and its container `files`.
    pub async fn with_container(self) -> Self {
        self.change(IdentityChange::CreateAccount { name: account("demo") }).await.unwrap();
        self.store.meta().create_container(&account("demo"), &container("files"), Vec::new()).await.unwrap();
        self
    }

    /// Applies a change of identities.
    ///
    /// *Errors*: those of the store.
    pub async fn change(&self, change: IdentityChange) -> Result<ChangeOutcome, StoreError> {
        self.store.meta().change_identity(change, by("change")).await
    }

    /// Uploads a body in pieces of uneven length.
    ///
    /// *Errors*: those of the store.
    pub async fn put(&self, request: CommitRequest, body: &[u8]) -> Result<Committed, StoreError> {
        let mut upload = self.store.begin_upload(request.expected_len)?;
        for piece in body.chunks(70_001) {
            upload.feed(Bytes::copy_from_slice(piece)).await?;
        }
        upload.finish(request).await
    }

    /// Looks up `demo/files/{key}`.
    pub async fn lookup(&self, key: &str) -> ObjectLookup {
        self.store.reader().unwrap().object("demo", "files", key).await.unwrap()
    }

    /// Looks up `demo/files/{key}`, which is there.
    pub async fn object(&self, key: &str) -> Arc<Object> {
        match self.lookup(key).await {
            ObjectLookup::Found(object) => object,
            other => panic!("{key}: {other:?}"),
        }
    }

    /// Reads the whole body of `demo/files/{key}`, if it is there.
    pub async fn body(&self, key: &str) -> Option<Vec<u8>> {
        let mut reader = self.store.reader().unwrap();
        match self.store.read(&mut *reader, "demo", "files", key).await.unwrap() {
            ObjectRead::Found(open) => Some(read_body(open.body).await),
            ObjectRead::NoKey | ObjectRead::NoContainer => None,
        }
    }

    /// Every blob that has a name.
    pub async fn blobs(&self) -> Vec<BlobId> {
        let mut found = Vec::new();
        for part in 0..PARTITIONS {
            let part = u8::try_from(part).unwrap_or(u8::MAX);
            found.extend(self.store.blobs().older_than(part, Timestamp::MAX).await.unwrap());
        }
        found
    }
}

/// Reads a whole body.
pub async fn read_body(body: Body) -> Vec<u8> {
    match body {
        Body::Inline(bytes) => bytes.to_vec(),
        Body::Blob(mut reader) => {
            let mut out = BytesMut::new();
            while (out.len() as u64) < reader.size() {
                let offset = out.len() as u64;
                let cached = reader.try_read_cached(offset, usize::MAX, &mut out).unwrap();
                if cached == CachedRead::WouldBlock {
                    assert!(reader.read_at(offset, usize::MAX, &mut out).await.unwrap() > 0);
                }
            }
            out.to_vec()
        }
    }
}
