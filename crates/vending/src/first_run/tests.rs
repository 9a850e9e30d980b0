use std::net::{IpAddr, Ipv4Addr};

use rand::{SeedableRng, rngs::StdRng};
use repono_core::name::ObjectKey;
use repono_core::time::Timestamp;
use repono_policy::{
    Action, Actor, Attachment, Context, Document, PolicySet, Request, Resource, Transport, UserIdentity,
};
use repono_store::error::StoreError;
use repono_store::model::identity::{IdentityChange, PolicyAttachment};
use repono_store::store::{Store, StoreConfig};
use repono_ticket::MasterKey;
use repono_ticket::keyring::{Role, active};
use tempfile::TempDir;

use super::{FirstRun, FirstRunError, Masters, audit, initialise, renew_secrets};
use crate::secret::{Kept, Secret};
use repono_store::rights::key_rows;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_439_686_983);

fn masters() -> Masters {
    let key = |first: u8| {
        let mut bytes = [7; 32];
        bytes[0] = first;
        MasterKey::from_bytes(bytes).expect("a key")
    };
    Masters { vending: key(1), heads: key(2) }
}

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().expect("a folder");
    let store = Store::open(StoreConfig::new(directory.path())).expect("opened");
    (directory, store)
}

async fn first(store: &Store) -> Option<FirstRun> {
    let mut random = StdRng::from_rng(&mut rand::rng());
    initialise(store, &masters(), NOW, &mut random).await.expect("filled")
}

async fn user_secret_is(store: &Store, run: &FirstRun) -> bool {
    let kept = store.meta().secret_of_user(&run.account, &run.user).await.expect("read").expect("a user");
    kept.hash == Secret::digest_of(&run.user_secret) && matches!(Kept::parse(&kept.hash), Kept::Digest(_))
}

#[tokio::test]
async fn a_new_store_is_filled_once() {
    let (_directory, store) = store();
    let run = first(&store).await.expect("made now");
    let identity = store.meta().identity().await.expect("read");
    for role in Role::ALL {
        assert!(active(&key_rows(&identity.keys), role).is_some(), "{role:?}");
    }
    assert_eq!(identity.users.len(), 1);
    assert!(user_secret_is(&store, &run).await);
    let container = store.reader().expect("a reader").container("demo", "files").await.expect("read");
    assert!(container.is_some());

    // What an operator removes does not come back.
    let delete = IdentityChange::DeleteUser { account: run.account.clone(), name: run.user.clone() };
    store.meta().change_identity(delete, audit(NOW, "delete")).await.expect("deleted");
    assert!(first(&store).await.is_none());
    assert!(store.meta().identity().await.expect("read").users.is_empty());
    let mut random = StdRng::from_rng(&mut rand::rng());
    let renewed = renew_secrets(&store, NOW, &mut random).await;
    assert!(matches!(renewed, Err(FirstRunError::Store(StoreError::NoSuch(_)))));
}

#[tokio::test]
async fn an_interrupted_run_is_taken_up_again_with_new_secrets() {
    let (_directory, store) = store();
    let mut random = StdRng::from_rng(&mut rand::rng());
    let interrupted = FirstRun::new(&mut random).expect("names");
    interrupted.write(&**store.meta(), NOW).await.expect("all but the keys");
    let run = first(&store).await.expect("made now");
    assert!(user_secret_is(&store, &run).await);
    assert!(!user_secret_is(&store, &interrupted).await);
}

#[tokio::test]
async fn lost_secrets_are_renewed() {
    let (_directory, store) = store();
    let lost = first(&store).await.expect("made now");
    let mut random = StdRng::from_rng(&mut rand::rng());
    let renewed = renew_secrets(&store, NOW, &mut random).await.expect("renewed");
    assert!(user_secret_is(&store, &renewed).await);
    assert!(!user_secret_is(&store, &lost).await);
}

#[tokio::test]
async fn the_owner_may_do_everything_in_the_account_alone() {
    let (_directory, store) = store();
    let run = first(&store).await.expect("made now");
    let identity = store.meta().identity().await.expect("read");
    let policies = identity.policies.iter().map(|row| {
        let PolicyAttachment::User(id) = row.attachment else { panic!("on the user") };
        let attachment = Attachment::User(id);
        let document = Document::parse(&row.json, attachment.kind()).expect("a policy");
        (row.owner.clone(), attachment, document)
    });
    let policies = PolicySet::build(policies);
    let owner = UserIdentity {
        id: identity.users[0].id,
        account: run.account.clone(),
        user: run.user.clone(),
        application: run.application.clone(),
        application_id: identity.applications[0].id,
        groups: Vec::new(),
        group_names: Vec::new(),
    };
    let other = "other".parse().expect("a name");
    let key: ObjectKey = "README.md".parse().expect("a key");
    for (account, expected) in [(&run.account, true), (&other, false)] {
        let resource = Resource::Object { account, container: &run.container, key: &key };
        let request =
            Request { actor: Actor::User(&owner), action: Action::PutObject, resource, context: context() };
        assert_eq!(policies.authorize(&request).is_ok(), expected, "{account}");
    }
}

fn context() -> Context<'static> {
    Context {
        source_ip: IpAddr::from(Ipv4Addr::LOCALHOST),
        now_s: NOW.unix_seconds(),
        transport: Transport::Tls,
        prefix: None,
        delimiter: None,
        max_keys: None,
        user_agent: None,
        referer: None,
    }
}
