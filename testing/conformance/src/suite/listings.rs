//! Pages of listings.

use repono_store::model::{ContainerItem, ListItem, ListOrder, ListPage, RollUp};

use crate::fixture::{Fixture, account, container, request};

const KEYS: [&str; 12] = [
    "a",
    "photos/",
    "photos/2014/1",
    "photos/2014/2",
    "photos/2015/1",
    "photos/x",
    "photos0",
    "photo",
    "z",
    "\u{e9}/1",
    "\u{e9}/2",
    "videos/1",
];

pub(super) async fn run(make: &impl Fn() -> Fixture) {
    let f = make().with_container().await;
    for key in KEYS {
        f.put(request(key), key.as_bytes()).await.unwrap();
    }
    plain_pages(&f).await;
    common_prefixes(&f).await;
    pages_join_without_loss_or_repeat(&f).await;
    backwards(&f).await;
    what_lies_directly_below(&f).await;
    containers(&f).await;
}

fn all() -> ListPage {
    ListPage { limit: 100, ..ListPage::default() }
}

fn below(prefix: &str) -> ListPage {
    ListPage { prefix: prefix.into(), delimiter: Some("/".into()), ..all() }
}

/// The names of a page; `*` marks a common prefix.
async fn names(f: &Fixture, page: &ListPage) -> Vec<String> {
    let found = f.store.reader().unwrap().list_objects("demo", "files", page).await.unwrap().unwrap();
    found
        .into_iter()
        .map(|item| match item {
            ListItem::Object { key, .. } => key,
            ListItem::Prefix(prefix) => format!("{prefix}*"),
        })
        .collect()
}

async fn plain_pages(f: &Fixture) {
    let mut sorted = KEYS.to_vec();
    sorted.sort_unstable();
    assert_eq!(names(f, &all()).await, sorted);
    let page = ListPage { marker: Some("photos/".into()), end_marker: Some("photos0".into()), ..all() };
    assert_eq!(names(f, &page).await, ["photos/2014/1", "photos/2014/2", "photos/2015/1", "photos/x"]);
    let page = ListPage { marker: Some(String::new()), end_marker: Some(String::new()), ..all() };
    assert_eq!(names(f, &page).await.len(), KEYS.len());
    let page = ListPage { prefix: "photos/2014".into(), limit: 1, ..all() };
    assert_eq!(names(f, &page).await, ["photos/2014/1"]);
    assert!(names(f, &ListPage { limit: 0, ..all() }).await.is_empty());
    let none = f.store.reader().unwrap().list_objects("demo", "none", &all()).await.unwrap();
    assert!(none.is_none());
    let found = f.store.reader().unwrap().list_objects("demo", "files", &all()).await.unwrap().unwrap();
    let object = f.object("a").await;
    let expected = ListItem::Object {
        key: "a".into(),
        size: object.size,
        etag: object.etag,
        content_type: object.content_type.clone(),
        timestamp: object.timestamp,
        large: None,
    };
    assert_eq!(found[0], expected);
}

async fn common_prefixes(f: &Fixture) {
    let root = ["a", "photo", "photos/*", "photos0", "videos/*", "z", "\u{e9}/*"];
    assert_eq!(names(f, &below("")).await, root);
    let inside = ["photos/", "photos/2014/*", "photos/2015/*", "photos/x"];
    assert_eq!(names(f, &below("photos/")).await, inside);
    // The page before ended with this very prefix; within it, it is told again.
    let page = ListPage { marker: Some("photos/".into()), ..below("") };
    assert_eq!(names(f, &page).await, ["photos0", "videos/*", "z", "\u{e9}/*"]);
    let page = ListPage { marker: Some("photos/2014/2".into()), ..below("") };
    assert_eq!(names(f, &page).await, ["photos/*", "photos0", "videos/*", "z", "\u{e9}/*"]);
    let page = ListPage { delimiter: Some("os/".into()), ..all() };
    assert!(names(f, &page).await.contains(&"photos/*".to_owned()));
}

async fn pages_join_without_loss_or_repeat(f: &Fixture) {
    for order in [ListOrder::Ascending, ListOrder::Descending] {
        for delimiter in [None, Some("/".to_owned())] {
            let page = ListPage { order, delimiter, ..all() };
            let whole = names(f, &page).await;
            for limit in 1..4 {
                let mut joined: Vec<String> = Vec::new();
                loop {
                    let marker = joined.last().map(|name| name.trim_end_matches('*').to_owned());
                    let next = names(f, &ListPage { marker, limit, ..page.clone() }).await;
                    if next.is_empty() {
                        break;
                    }
                    joined.extend(next);
                }
                assert_eq!(joined, whole, "{order:?} {limit}");
            }
        }
    }
}

async fn backwards(f: &Fixture) {
    let page = ListPage { order: ListOrder::Descending, ..below("") };
    let mut root = names(f, &below("")).await;
    root.reverse();
    assert_eq!(names(f, &page).await, root);
    let page = ListPage {
        order: ListOrder::Descending,
        marker: Some("photos0".into()),
        end_marker: Some("photos/2014/2".into()),
        ..all()
    };
    assert_eq!(names(f, &page).await, ["photos/x", "photos/2015/1"]);
}

async fn what_lies_directly_below(f: &Fixture) {
    let directory = |prefix: &str| ListPage { roll_up: RollUp::Leave, ..below(prefix) };
    for (prefix, inside) in [("photos/", &["photos/x"][..]), ("", &["a", "photo", "photos/", "photos0", "z"])]
    {
        assert_eq!(names(f, &directory(prefix)).await, inside);
        let page = ListPage { order: ListOrder::Descending, ..directory(prefix) };
        let mut backwards = names(f, &page).await;
        backwards.reverse();
        assert_eq!(backwards, inside);
    }
    // The name that is left out takes no place of the page.
    assert_eq!(names(f, &ListPage { limit: 1, ..directory("photos/") }).await, ["photos/x"]);
}

async fn containers(f: &Fixture) {
    for name in ["b-1", "b-2", "c"] {
        f.store.meta().create_container(&account("demo"), &container(name), Vec::new()).await.unwrap();
    }
    let mut reader = f.store.reader().unwrap();
    let page = ListPage { delimiter: Some("-".into()), end_marker: Some("z".into()), ..all() };
    let found = reader.list_containers("demo", &page).await.unwrap().unwrap();
    let counted = reader.container("demo", "files").await.unwrap().unwrap();
    let item = |name: &str, object_count, bytes_used| ContainerItem::Container {
        name: name.into(),
        last_put: f.clock.now(),
        object_count,
        bytes_used,
    };
    let files = item("files", counted.object_count, counted.bytes_used);
    assert_eq!(found, [ContainerItem::Prefix("b-".into()), item("c", 0, 0), files]);
    assert!(reader.list_containers("none", &all()).await.unwrap().is_none());
}
