//! Identities, policies, keys, revocations and the audit.

use repono_store::error::{StoreError, Subject};
use repono_store::model::identity::{
    IdentityChange as Change, KeyRole, KeyRow, KeyState, PolicyAttachment, RevokedSalt, SecretHash, Standing,
};

use crate::fixture::{Fixture, account, application, by, container, user};

pub(super) async fn run(make: &impl Fn() -> Fixture) {
    every_change_grows_the_epoch_and_is_audited(make().with_container().await).await;
    users_and_applications(make().with_container().await).await;
    groups_and_policies_go_with_what_they_hang_on(make().with_container().await).await;
    keys_rotate_at_once(make().with_container().await).await;
    revocations_last_as_long_as_the_ticket(make().with_container().await).await;
}

fn hash(text: &str) -> SecretHash {
    SecretHash::new(text.into())
}

fn create_application() -> Change {
    Change::CreateApplication { name: application("app"), secret_hash: hash("sha256$app") }
}

fn create_user() -> Change {
    let (account, name) = (account("demo"), user("alice"));
    Change::CreateUser { account, name, secret_hash: hash("sha256$alice"), application: application("app") }
}

async fn every_change_grows_the_epoch_and_is_audited(f: Fixture) {
    let meta = f.store.meta();
    let mut reader = f.store.reader().unwrap();
    let before = meta.identity_epoch().await.unwrap();
    let outcome = meta.change_identity(create_application(), by("made app")).await.unwrap();
    assert_eq!(outcome.epoch, before + 1);
    let failed = meta.change_identity(create_application(), by("made app again")).await;
    assert!(matches!(failed, Err(StoreError::AlreadyExists(Subject::Application))));
    assert_eq!(reader.identity_epoch().await.unwrap(), outcome.epoch);
    assert_eq!(meta.identity().await.unwrap().epoch, outcome.epoch);
    assert_eq!(meta.secrets().await.unwrap().epoch, outcome.epoch);
    meta.audit(by("only a line")).await.unwrap();
    assert_eq!(meta.identity_epoch().await.unwrap(), outcome.epoch);
    assert_eq!(meta.audit_tail(2).await.unwrap(), [by("only a line"), by("made app")]);
}

async fn users_and_applications(f: Fixture) {
    let (meta, demo, alice, app) = (f.store.meta(), account("demo"), user("alice"), application("app"));
    assert!(matches!(f.change(create_user()).await, Err(StoreError::NoSuch(Subject::Application))));
    let app_id = f.change(create_application()).await.unwrap().id.unwrap();
    let user_id = f.change(create_user()).await.unwrap().id.unwrap();
    assert!(matches!(f.change(create_user()).await, Err(StoreError::AlreadyExists(Subject::User))));
    let stored = meta.secret_of_user(&demo, &alice).await.unwrap().unwrap();
    assert_eq!((stored.id, stored.application_id, stored.standing), (user_id, app_id, Standing::Enabled));
    assert_eq!(stored.hash.expose(), "sha256$alice");
    assert_eq!(meta.secret_of_application(&app).await.unwrap().unwrap().hash.expose(), "sha256$app");
    assert!(meta.secret_of_user(&demo, &user("bob")).await.unwrap().is_none());

    let named = || (demo.clone(), alice.clone());
    let (account, name) = named();
    f.change(Change::SetUserStanding { account, name, standing: Standing::Disabled }).await.unwrap();
    let (account, name) = named();
    f.change(Change::RotateUserSecret { account, name, secret_hash: hash("new") }).await.unwrap();
    for at_s in [50, 40] {
        let (account, name) = named();
        f.change(Change::RevokeUser { account, name, at_s }).await.unwrap();
        f.change(Change::RevokeApplication { name: app.clone(), at_s }).await.unwrap();
    }
    let standing = Standing::Disabled;
    f.change(Change::SetApplicationStanding { name: app.clone(), standing }).await.unwrap();
    f.change(Change::RotateApplicationSecret { name: app.clone(), secret_hash: hash("new") }).await.unwrap();
    let snapshot = meta.identity().await.unwrap();
    let row = &snapshot.users[0];
    assert_eq!((row.standing, row.revoked_before_s, row.id), (Standing::Disabled, Some(50), user_id));
    let row = &snapshot.applications[0];
    assert_eq!((row.standing, row.revoked_before_s, row.id), (Standing::Disabled, Some(50), app_id));
    let secrets = meta.secrets().await.unwrap();
    assert_eq!(secrets.users, [(user_id, hash("new"))]);
    assert_eq!(secrets.applications, [(app_id, hash("new"))]);

    let delete = || Change::DeleteApplication { name: app.clone() };
    assert!(matches!(f.change(delete()).await, Err(StoreError::Conflict(Subject::Application))));
    let (account, name) = named();
    f.change(Change::DeleteUser { account, name }).await.unwrap();
    f.change(delete()).await.unwrap();
    f.change(create_application()).await.unwrap();
    let again = f.change(create_user()).await.unwrap().id.unwrap();
    assert!(again > user_id, "a number was used again");
}

async fn groups_and_policies_go_with_what_they_hang_on(f: Fixture) {
    let (demo, alice) = (account("demo"), user("alice"));
    f.change(create_application()).await.unwrap();
    let user_id = f.change(create_user()).await.unwrap().id.unwrap();
    let group = || (demo.clone(), "staff".to_owned());
    let (account, name) = group();
    let group_id = f.change(Change::CreateGroup { account, name }).await.unwrap().id.unwrap();
    let add = || Change::AddMember { account: demo.clone(), group: "staff".into(), user: alice.clone() };
    f.change(add()).await.unwrap();
    assert!(matches!(f.change(add()).await, Err(StoreError::AlreadyExists(Subject::Member))));
    let put = |name: &str, attachment| Change::PutPolicy {
        owner: demo.clone(),
        name: name.into(),
        attachment,
        json: format!("{{\"{name}\":1}}"),
    };
    let files = PolicyAttachment::Container(demo.clone(), container("files"));
    let attachments = [
        ("account", PolicyAttachment::Account(demo.clone())),
        ("files", files.clone()),
        ("user", PolicyAttachment::User(user_id)),
        ("group", PolicyAttachment::Group(group_id)),
    ];
    for (name, attachment) in &attachments {
        f.change(put(name, attachment.clone())).await.unwrap();
    }
    f.change(put("user", PolicyAttachment::User(user_id))).await.unwrap();
    let nowhere = PolicyAttachment::Container(demo.clone(), container("none"));
    assert!(matches!(f.change(put("x", nowhere)).await, Err(StoreError::NoSuch(Subject::Attachment))));
    let snapshot = f.store.meta().identity().await.unwrap();
    assert_eq!(snapshot.groups[0].members, [user_id]);
    let kept: Vec<_> = snapshot.policies.iter().map(|row| (&*row.name, row.attachment.clone())).collect();
    assert_eq!(kept, attachments);

    let epoch = snapshot.epoch;
    f.store.meta().delete_container(&demo, &container("files")).await.unwrap();
    assert!(f.store.meta().identity_epoch().await.unwrap() > epoch, "a policy went in silence");
    f.change(Change::DeleteUser { account: demo.clone(), name: alice.clone() }).await.unwrap();
    let (account, name) = group();
    f.change(Change::DeleteGroup { account, name }).await.unwrap();
    f.change(Change::DeletePolicy { owner: demo.clone(), name: "account".into() }).await.unwrap();
    let snapshot = f.store.meta().identity().await.unwrap();
    assert!(snapshot.policies.is_empty() && snapshot.groups.is_empty() && snapshot.users.is_empty());
    let gone = f.change(Change::DeletePolicy { owner: demo.clone(), name: "account".into() }).await;
    assert!(matches!(gone, Err(StoreError::NoSuch(Subject::Policy))));
}

async fn keys_rotate_at_once(f: Fixture) {
    let key = |id: &str, state| KeyRow {
        id: id.into(),
        role: KeyRole::Ticket,
        state,
        public: vec![1; 32],
        sealed: vec![2; 60],
        created_s: 5,
        active_from_s: 15,
        verify_until_s: None,
    };
    f.change(Change::PutKey(key("aaaaaaaa", KeyState::Active))).await.unwrap();
    let old = KeyRow { verify_until_s: Some(4000), ..key("aaaaaaaa", KeyState::VerifyOnly) };
    let rotated = vec![old, key("bbbbbbbb", KeyState::Active)];
    let before = f.store.meta().identity_epoch().await.unwrap();
    f.change(Change::PutKeys(rotated.clone())).await.unwrap();
    let snapshot = f.store.meta().identity().await.unwrap();
    assert_eq!((snapshot.keys, snapshot.epoch), (rotated, before + 1));
}

async fn revocations_last_as_long_as_the_ticket(f: Fixture) {
    let now_s = f.clock.now().unix_seconds();
    let revoke = |byte, until_s| Change::RevokeSalt { salt: [byte; 16], until_s };
    f.change(revoke(1, now_s + 10)).await.unwrap();
    f.change(revoke(2, now_s + 100)).await.unwrap();
    f.change(revoke(2, now_s + 50)).await.unwrap();
    assert_eq!(f.store.meta().identity().await.unwrap().revoked_salts.len(), 2);
    f.clock.advance(std::time::Duration::from_secs(20));
    f.change(revoke(3, now_s + 100)).await.unwrap();
    let kept = f.store.meta().identity().await.unwrap().revoked_salts;
    let row = |byte| RevokedSalt { salt: [byte; 16], until_s: now_s + 100 };
    assert_eq!(kept, [row(2), row(3)]);
}
