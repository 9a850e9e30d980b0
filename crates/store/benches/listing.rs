//! What a page of a listing costs in a small container and in a very large one:
//! it must be the same, whatever lies under a rolled-up prefix.

#![expect(clippy::expect_used, reason = "a benchmark: what is not foreseen must panic")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use repono_core::name::{AccountName, ContainerName};
use repono_core::time::Timestamp;
use repono_store::model::identity::{Audit, IdentityChange};
use repono_store::model::{ListOrder, ListPage};
use repono_store::store::{Store, StoreConfig};
use tokio::runtime::{Builder, Runtime};

/// Containers and the objects in each of them.
const SIZES: [(&str, u32); 2] = [("small", 10_000), ("large", 2_000_000)];

/// Directories at the top of each container, each with the same share of its objects.
const DIRECTORIES: u32 = 1_000;

async fn containers(store: &Store) {
    let account = AccountName::new(b"demo").expect("a name");
    let by = Audit {
        at: Timestamp::from_unix_seconds(1),
        who: "bench".into(),
        source: "bench".into(),
        what: "fill".into(),
    };
    let change = IdentityChange::CreateAccount { name: account.clone() };
    store.meta().change_identity(change, by).await.expect("an account");
    for (name, _) in SIZES {
        let container = ContainerName::new(name.as_bytes()).expect("a name");
        store.meta().create_container(&account, &container, Vec::new()).await.expect("a container");
    }
}

/// Rows straight into the table: two million commits would take minutes.
fn fill(database: &std::path::Path) {
    let connection = rusqlite::Connection::open(database).expect("the database");
    let mut first = 0;
    for (name, objects) in SIZES {
        connection
            .execute(
                "WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?1)
                 INSERT INTO object (container_id, key, version, timestamp, size, etag, content_type, metadata)
                 SELECT c.id, CAST(printf('%04d/%08d', n / (?1 / ?2), n) AS BLOB), ?3 + n, 100000, 1024,
                        zeroblob(16), 'application/octet-stream', '[]'
                 FROM number, container c WHERE c.name = CAST(?4 AS BLOB)",
                rusqlite::params![objects, DIRECTORIES, first, name],
            )
            .expect("rows");
        first += objects;
    }
}

fn pages(criterion: &mut Criterion) {
    let home = tempfile::tempdir().expect("a directory");
    let runtime: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let store = Store::open(StoreConfig::new(home.path().join("data"))).expect("a store");
    runtime.block_on(containers(&store));
    fill(&home.path().join("data/meta.sqlite"));
    let mut reader = store.reader().expect("a reader");
    let keys = ListPage { limit: 1_000, marker: Some("0500/".into()), ..ListPage::default() };
    let prefixes = ListPage { limit: 1_000, delimiter: Some("/".into()), ..ListPage::default() };
    let reverse = |page: &ListPage| ListPage { order: ListOrder::Descending, ..page.clone() };
    let pages = [
        ("1,000 keys", keys.clone()),
        ("1,000 keys, reverse", reverse(&keys)),
        ("1,000 common prefixes", prefixes.clone()),
        ("1,000 common prefixes, reverse", reverse(&prefixes)),
    ];
    for (title, page) in pages {
        for (container, objects) in SIZES {
            criterion.bench_function(&format!("{title} of {objects}"), |bencher| {
                bencher.iter(|| {
                    let listed = runtime.block_on(reader.list_objects("demo", container, &page));
                    let items = listed.expect("readable").expect("a container");
                    assert_eq!(items.len(), 1_000);
                    black_box(items)
                });
            });
        }
    }
}

criterion_group!(benches, pages);
criterion_main!(benches);
