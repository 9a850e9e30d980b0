//! The suite over SQLite with a local directory, and over the model.

#![expect(clippy::unwrap_used, reason = "a test: what is not foreseen must panic")]

use std::sync::Arc;

use rand::Rng;
use repono_conformance::fixture::{Fixture, GRACE, ManualClock};
use repono_conformance::model::ModelStore;
use repono_store::blob::local::LocalBlobStore;
use repono_store::model::Entropy;
use repono_store::store::{INLINE_BYTES_MAX, Store, StoreConfig};

fn entropy() -> Entropy {
    Arc::new(|| rand::rng().random())
}

fn sqlite() -> Fixture {
    let (home, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let config = StoreConfig {
        clock: clock.clock(),
        garbage_grace: GRACE,
        ..StoreConfig::new(home.path().join("data"))
    };
    Fixture { store: Store::open(config).unwrap(), clock, home: Box::new(home) }
}

fn model() -> Fixture {
    let (home, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let meta = Arc::new(ModelStore::new(clock.clock(), GRACE));
    let blobs = Arc::new(LocalBlobStore::open(&home.path().join("blobs"), entropy()).unwrap());
    Fixture { store: Store::over(meta, blobs, INLINE_BYTES_MAX, entropy()), clock, home: Box::new(home) }
}

#[tokio::test]
async fn sqlite_and_a_local_directory_hold_the_suite() {
    repono_conformance::run(sqlite).await;
}

#[tokio::test]
async fn the_model_holds_the_suite() {
    repono_conformance::run(model).await;
}

/// What was acknowledged is there when the store is opened again.
#[tokio::test]
async fn a_store_opened_again_continues() {
    let (home, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let open = || {
        let config = StoreConfig { clock: clock.clock(), ..StoreConfig::new(home.path()) };
        Fixture { store: Store::open(config).unwrap(), clock: clock.clone(), home: Box::new(()) }
    };
    let first = open().with_container().await;
    let small = first.put(repono_conformance::fixture::request("small"), b"1").await.unwrap();
    first.put(repono_conformance::fixture::request("large"), &[5; 1_000_000]).await.unwrap();
    drop(first);
    let second = open();
    assert_eq!(second.object("small").await.version, small.version);
    assert_eq!(second.body("large").await.unwrap(), [5; 1_000_000]);
    assert_eq!(second.store.collect_orphans(second.clock.now(), std::time::Duration::ZERO).await.unwrap(), 0);
}
