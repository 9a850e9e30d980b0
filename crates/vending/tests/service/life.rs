//! Start, life and end of the service.

use std::error::Error;
use std::time::{Duration, Instant};

use repono_core::time::Timestamp;
use repono_store::model::identity::{Audit, IdentityChange, Standing};
use repono_vending::VendingError;
use tokio::io::AsyncReadExt;

use crate::house::{House, KEYS, LIMIT, Site};

#[tokio::test]
async fn an_idle_connection_is_closed_by_close_notify_when_the_service_ends() {
    let house = House::new().await;
    let mut client = house.client().await;
    assert_eq!(client.fetch("/healthcheck").await.body, "OK\n");
    let mut idle = house.tls().await;
    let ending = house.running.stop();
    // Without close_notify this is an error: UnexpectedEof.
    let read = tokio::time::timeout(LIMIT, idle.read(&mut [0; 8])).await.expect("in time");
    assert_eq!(read.expect("announced"), 0);
    drop(idle);
    tokio::task::spawn_blocking(move || ending.ended()).await.expect("no panic").expect("in order");
}

#[tokio::test]
async fn a_change_by_another_process_is_in_force_within_two_seconds() {
    let house = House::new().await;
    let mut client = house.client().await;
    client.ticket(&house.login()).await.expect(200);
    let disable = IdentityChange::SetUserStanding {
        account: house.first.account.clone(),
        name: house.first.user.clone(),
        standing: Standing::Disabled,
    };
    let by = Audit {
        at: Timestamp::now(),
        who: "another".to_owned(),
        source: "another".to_owned(),
        what: "disable".to_owned(),
    };
    let since = Instant::now();
    house.store.meta().change_identity(disable, by).await.expect("changed");
    while client.ticket(&house.login()).await.status != 401 {
        assert!(since.elapsed() < Duration::from_secs(2), "it is still in force");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn tickets_are_journalled_by_their_salt_and_secrets_never() {
    let house = House::new().await;
    let mut client = house.client().await;
    let vended = client.ticket(&house.login()).await.expect(200);
    let wrong = house.login_with(serde_json::json!({"secret": "not the right secret"}));
    client.ticket(&wrong).await.refused(401);
    drop(client);
    let (site, first) = (house.site, house.first);
    let ending = house.running.stop();
    tokio::task::spawn_blocking(move || ending.ended()).await.expect("no panic").expect("in order");
    let journal = crate::house::read(&site.path("journal/vending.jsonl"));
    for expected in ["ticket-issue", "\"vending\"", "demo:demo", "Unauthorized", "/v1/tickets"] {
        assert!(journal.contains(expected), "{expected}: {journal}");
    }
    assert!(journal.contains(vended["headers"]["x-auth-salt"].as_str().expect("text")));
    let token = vended["token"].as_str().expect("text");
    let ticket = vended["headers"]["x-auth-ticket"].as_str().expect("text");
    for secret in [&**first.user_secret, &first.application_secret, "not the right secret", token, ticket] {
        assert!(!journal.contains(secret));
    }
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_start_is_named() {
    let site = Site::new();
    let refused = |config| site.start(config).err().expect("refused");

    let mut config = site.config();
    config.vending_master_key_file = site.path("missing.key");
    assert!(matches!(refused(config), VendingError::File { path, .. } if path == site.path("missing.key")));

    let mut config = site.config();
    config.heads_master_key_file = site.path("server.pem");
    let error = refused(config);
    assert!(matches!(error, VendingError::Key { .. }));
    assert!(error.source().is_some());

    let mut config = site.config();
    site.write("same.key", &KEYS[0].to_uppercase());
    config.heads_master_key_file = site.path("same.key");
    assert!(matches!(refused(config), VendingError::SameKeys));

    let mut config = site.config();
    config.tls.rsa_key = site.path("vending.key");
    assert!(matches!(refused(config), VendingError::Tls(_)));

    let mut config = site.config();
    config.admin_socket = site.path("no/such/folder/admin.sock");
    assert!(matches!(refused(config), VendingError::AdminSocket { .. }));

    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let mut config = site.config();
    config.listen = taken.local_addr().expect("bound");
    assert!(matches!(refused(config), VendingError::Listen { .. }));

    let mut config = site.config();
    config.name = "../up".to_owned();
    assert!(matches!(refused(config), VendingError::Journal(_)));

    let mut config = site.config();
    config.store = site.path("server.pem");
    assert!(matches!(refused(config), VendingError::Store(_)));

    // The ring of this store is sealed under other keys by now.
    let mut config = site.config();
    site.write("other.key", &KEYS[0].replace("00", "ff"));
    config.vending_master_key_file = site.path("other.key");
    assert!(matches!(refused(config), VendingError::Directory(_)));
}

#[tokio::test]
async fn an_empty_store_gets_its_keys_from_the_first_start() {
    let site = Site::new();
    let running = site.start(site.config()).expect("started");
    let keys = site.store().meta().identity().await.expect("read").keys;
    assert_eq!(keys.len(), 3);
    running.stop().ended().expect("in order");
    let running = site.start(site.config()).expect("started again");
    assert_eq!(site.store().meta().identity().await.expect("read").keys, keys);
    running.stop().ended().expect("in order");
}
