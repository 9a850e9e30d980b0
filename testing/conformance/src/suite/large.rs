//! Objects whose bytes are a manifest.

use repono_core::etag::ETag;
use repono_store::model::large::LargeObject;
use repono_store::model::{ListItem, ListPage, ObjectMetadata};
use repono_store::upload::CommitRequest;

use crate::fixture::{Fixture, account, container, key, request};

pub(super) async fn run(make: &impl Fn() -> Fixture) {
    stays_a_manifest_and_is_listed_as_one(make().with_container().await).await;
}

async fn stays_a_manifest_and_is_listed_as_one(f: Fixture) {
    let large = LargeObject { size: 1 << 40, etag: ETag::from_md5([9; 16]) };
    let metadata = vec![large.item(), ("x-object-meta-a".into(), "1".into())];
    f.put(CommitRequest { metadata, ..request("whole") }, b"[]").await.unwrap();
    f.put(request("part"), b"abc").await.unwrap();

    let new =
        ObjectMetadata { content_type: None, metadata: vec![("x-object-meta-b".into(), "[[\"".into())] };
    let names = (account("demo"), container("files"), key("whole"));
    f.store.meta().replace_metadata(&names.0, &names.1, &names.2, new.clone()).await.unwrap();
    f.store.meta().replace_metadata(&names.0, &names.1, &key("part"), new).await.unwrap();

    let object = f.object("whole").await;
    let (found, rest) = LargeObject::split(&object.metadata).unwrap();
    assert_eq!((found, rest), (large, &[("x-object-meta-b".to_owned(), "[[\"".to_owned())][..]));
    let page = ListPage { limit: 10, ..ListPage::default() };
    let listed = f.store.reader().unwrap().list_objects("demo", "files", &page).await.unwrap().unwrap();
    let marks: Vec<_> = listed
        .iter()
        .map(|item| match item {
            ListItem::Object { size, large, .. } => (*size, *large),
            ListItem::Prefix(prefix) => panic!("{prefix}"),
        })
        .collect();
    assert_eq!(marks, [(3, None), (2, Some(large))]);
}
