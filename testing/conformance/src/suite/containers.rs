//! Containers, accounts, and what they count.

use repono_store::error::{StoreError, Subject};
use repono_store::model::identity::IdentityChange;
use repono_store::model::{ContainerDeletion, Creation, DeleteObject};

use crate::fixture::{Fixture, account, container, key, request};

pub(super) async fn run(make: &impl Fn() -> Fixture) {
    a_container_lives_and_dies(make().with_container().await).await;
    counters_follow_every_write(make().with_container().await).await;
    metadata_is_merged(make().with_container().await).await;
    an_account_with_containers_stays(make().with_container().await).await;
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

async fn a_container_lives_and_dies(f: Fixture) {
    let (meta, demo, new) = (f.store.meta(), account("demo"), container("new"));
    let created = meta.create_container(&demo, &new, vec![pair("a", "1"), pair("b", "1")]).await.unwrap();
    assert_eq!(created, Creation::Created);
    let began = f.clock.now();
    f.clock.advance(std::time::Duration::from_secs(5));
    let existed = meta.create_container(&demo, &new, vec![pair("b", "2")]).await.unwrap();
    assert_eq!(existed, Creation::Existed);
    let mut reader = f.store.reader().unwrap();
    let found = reader.container("demo", "new").await.unwrap().unwrap();
    assert_eq!(found.metadata, [pair("a", "1"), pair("b", "2")]);
    assert_eq!((found.created, found.last_put), (began, f.clock.now()));
    assert_eq!((found.object_count, found.bytes_used), (0, 0));
    assert_eq!(meta.delete_container(&demo, &new).await.unwrap(), ContainerDeletion::Deleted);
    assert_eq!(meta.delete_container(&demo, &new).await.unwrap(), ContainerDeletion::NoSuch);
    assert!(reader.container("demo", "new").await.unwrap().is_none());

    f.put(request("k"), b"1").await.unwrap();
    let files = container("files");
    assert_eq!(meta.delete_container(&demo, &files).await.unwrap(), ContainerDeletion::NotEmpty);
    meta.delete_object(DeleteObject::new(&demo, &files, &key("k"))).await.unwrap();
    assert_eq!(meta.delete_container(&demo, &files).await.unwrap(), ContainerDeletion::Deleted);
    let refused = meta.create_container(&account("none"), &files, Vec::new()).await;
    assert!(matches!(refused, Err(StoreError::NoSuch(Subject::Account))));
}

async fn counters_follow_every_write(f: Fixture) {
    let mut reader = f.store.reader().unwrap();
    let (demo, files) = (account("demo"), container("files"));
    f.put(request("a"), &[0; 100]).await.unwrap();
    f.put(request("b"), &[0; 100_000]).await.unwrap();
    f.put(request("a"), &[0; 30]).await.unwrap();
    let found = reader.container("demo", "files").await.unwrap().unwrap();
    assert_eq!((found.object_count, found.bytes_used), (2, 100_030));
    f.store.meta().create_container(&demo, &container("other"), Vec::new()).await.unwrap();
    let found = reader.account("demo").await.unwrap().unwrap();
    assert_eq!((found.container_count, found.object_count, found.bytes_used), (2, 2, 100_030));
    f.store.meta().delete_object(DeleteObject::new(&demo, &files, &key("b"))).await.unwrap();
    let found = reader.account("demo").await.unwrap().unwrap();
    assert_eq!((found.container_count, found.object_count, found.bytes_used), (2, 1, 30));
    assert!(reader.account("none").await.unwrap().is_none());
}

async fn metadata_is_merged(f: Fixture) {
    let (meta, demo, files) = (f.store.meta(), account("demo"), container("files"));
    let changes = |changes: &[(&str, Option<&str>)]| {
        changes.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
    };
    let mut reader = f.store.reader().unwrap();
    meta.change_container_metadata(&demo, &files, changes(&[("a", Some("1")), ("b", Some("1"))]))
        .await
        .unwrap();
    meta.change_container_metadata(&demo, &files, changes(&[("a", None), ("b", Some("2")), ("x", None)]))
        .await
        .unwrap();
    assert_eq!(reader.container("demo", "files").await.unwrap().unwrap().metadata, [pair("b", "2")]);
    let none = meta.change_container_metadata(&demo, &container("none"), Vec::new()).await;
    assert!(matches!(none, Err(StoreError::NoContainer)));

    meta.change_account_metadata(&demo, changes(&[("a", Some("1"))])).await.unwrap();
    assert_eq!(reader.account("demo").await.unwrap().unwrap().metadata, [pair("a", "1")]);
    let none = meta.change_account_metadata(&account("none"), Vec::new()).await;
    assert!(matches!(none, Err(StoreError::NoSuch(Subject::Account))));
}

async fn an_account_with_containers_stays(f: Fixture) {
    let delete = || IdentityChange::DeleteAccount { name: account("demo") };
    assert!(matches!(f.change(delete()).await, Err(StoreError::Conflict(Subject::Account))));
    f.store.meta().delete_container(&account("demo"), &container("files")).await.unwrap();
    f.change(delete()).await.unwrap();
    assert!(f.store.reader().unwrap().account("demo").await.unwrap().is_none());
}
