use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::{SeedableRng, rngs::StdRng};
use repono_core::time::Timestamp;
use repono_journal::{Journal, JournalConfig};
use repono_store::model::identity::IdentityChange;
use repono_store::store::{Store, StoreConfig};
use repono_ticket::MasterKey;
use repono_ticket::keyring::{KeyState, PENDING_S, Role};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{Office, Who};
use crate::directory::{Feed, Stale};
use crate::key_ring::{self, Masters};
use crate::limits::DIRECTORY_STALE;
use crate::secret::Verifier;

struct Fixture {
    _directory: TempDir,
    _journal: Journal,
    now_s: Arc<AtomicU64>,
    office: Office,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let now_s = Arc::new(AtomicU64::new(1_439_686_983));
        let clock = {
            let now_s = Arc::clone(&now_s);
            Arc::new(move || Timestamp::from_unix_seconds(now_s.load(Ordering::Relaxed)))
        };
        let mut config = StoreConfig::new(directory.path().join("store"));
        config.clock = clock.clone();
        let meta = Arc::clone(Store::open(config).expect("opened").meta());
        let key = |first: u8| {
            let mut bytes = [7; 32];
            bytes[0] = first;
            MasterKey::from_bytes(bytes).expect("a key")
        };
        let masters = Arc::new(Masters { vending: key(1), heads: key(2) });
        let by = crate::server::started(clock());
        key_ring::apply(&*meta, by, |rows| key_ring::complete(rows, &masters, clock().unix_seconds()))
            .await
            .expect("keys");
        let feed = Feed::open(Arc::clone(&meta), Arc::clone(&masters)).await.expect("read");
        let journal = JournalConfig::new(directory.path().join("journal"), "vending", "vending");
        let journal = Journal::open(journal).expect("opened");
        let verifier = Verifier::new(1, &mut StdRng::seed_from_u64(1)).expect("argon2id");
        let office = Office::new(meta, Arc::new(feed), masters, Arc::new(verifier), journal.shared(), clock);
        Self { _directory: directory, _journal: journal, now_s, office }
    }

    fn states(&self) -> Vec<KeyState> {
        let keys = &self.office.feed.current().keys;
        keys.iter().filter(|row| row.role == Role::Ticket).map(|row| row.state).collect()
    }
}

#[tokio::test]
async fn a_rotation_is_finished_by_time_and_signs_with_the_new_key() {
    let fixture = Fixture::new().await;
    let office = &fixture.office;
    let before = office.feed.current().signer.kid();
    let rotate = |rows: &[_], masters: &_, now_s| key_ring::rotate(rows, Role::Ticket, masters, now_s);
    office.change_ring(Who::Uid(0), "rotate".to_owned(), rotate).await.expect("rotated");
    assert_eq!(office.feed.current().signer.kid(), before, "heads do not know the new key yet");
    office.tend_once().await.expect("nothing is due");
    assert!(fixture.states().contains(&KeyState::Pending));
    fixture.now_s.fetch_add(PENDING_S, Ordering::Relaxed);
    office.tend_once().await.expect("tended");
    assert!(!fixture.states().contains(&KeyState::Pending));
    assert_ne!(office.feed.current().signer.kid(), before);
    fixture.now_s.fetch_add(2 * 60 * 60, Ordering::Relaxed);
    office.tend_once().await.expect("tended");
    assert!(fixture.states().contains(&KeyState::Dead));
    let audit = office.meta.audit_tail(10).await.expect("read");
    assert_eq!(audit.len(), 4, "{audit:?}");
    assert_eq!((audit[2].who.as_str(), audit[2].what.as_str()), ("uid 0", "rotate"));
    assert_eq!(audit[1].who, "vending");
}

#[tokio::test]
async fn a_change_is_in_force_when_it_is_answered() {
    let fixture = Fixture::new().await;
    let office = &fixture.office;
    let application: repono_core::name::ApplicationName = "app".parse().expect("a name");
    let create = IdentityChange::CreateApplication {
        name: application.clone(),
        secret_hash: crate::secret::Secret::digest_of("x"),
    };
    assert!(office.feed.current().application("app").is_none());
    office.change(Who::Uid(7), "create".to_owned(), &[], create).await.expect("created");
    assert!(office.feed.current().application("app").is_some());
    let again = IdentityChange::CreateApplication {
        name: application,
        secret_hash: crate::secret::Secret::digest_of("x"),
    };
    let fault = office.change(Who::Uid(7), "create".to_owned(), &[], again).await.expect_err("refused");
    assert_eq!(fault.code, "AlreadyExists");
}

#[tokio::test]
async fn a_directory_that_is_not_confirmed_for_a_minute_is_stale() {
    let fixture = Fixture::new().await;
    let feed = &fixture.office.feed;
    let now = Instant::now();
    assert!(feed.fresh(now).is_ok());
    assert_eq!(feed.fresh(now + DIRECTORY_STALE).err(), Some(Stale));
}
