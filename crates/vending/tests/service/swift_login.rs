//! Swift's v1 log-in: what its clients get, and what is refused.

use crate::house::{House, Reply};
use crate::tickets::verified;

async fn log_in(house: &House, path: &str, fields: &[(&str, &str)]) -> Reply {
    house.client().await.send_with("GET", path, fields, "").await
}

#[tokio::test]
async fn a_token_holds_at_a_head_and_comes_with_the_address_of_the_account() {
    let house = House::new().await;
    let (account, user) = (house.first.account.as_str(), house.first.user.as_str());
    let (named, secret) = (format!("{account}:{user}"), house.first.user_secret.as_str());
    let own_path = format!("/auth/v1/{account}/auth");
    let rows: [(&str, [(&str, &str); 2]); 5] = [
        ("/auth/v1.0", [("X-Auth-User", &named), ("X-Auth-Key", secret)]),
        ("/auth/v1", [("X-Auth-User", &named), ("X-Auth-Key", secret)]),
        ("/auth/v1.0", [("X-Storage-User", &named), ("X-Storage-Pass", secret)]),
        (&own_path, [("X-Auth-User", &named), ("X-Auth-Key", secret)]),
        (&own_path, [("X-Storage-User", user), ("X-Storage-Pass", secret)]),
    ];
    for (path, fields) in rows {
        let reply = log_in(&house, path, &fields).await;
        assert_eq!(reply.status, 200, "{path} {fields:?}");
        let field = |name: &str| reply.headers[name].to_str().expect("text");
        assert_eq!(field("x-storage-url"), format!("https://store.example.net/v1/{account}"));
        assert_eq!(field("x-auth-token"), field("x-storage-token"));
        assert_eq!(field("x-auth-token-expires"), "3600");
        assert_eq!(field("cache-control"), "no-store");
        let ticket = verified(&house, &[("x-auth-token", field("x-auth-token"))]).await;
        assert_eq!((ticket.account(), ticket.user()), (&house.first.account, &house.first.user));
        assert_eq!(ticket.application(), &house.first.application);
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_alike() {
    let house = House::new().await;
    let named = format!("{}:{}", house.first.account, house.first.user);
    let secret = house.first.user_secret.as_str();
    let rows: [&[(&str, &str)]; 6] = [
        &[("X-Auth-User", &named), ("X-Auth-Key", "wrong wrong wrong")],
        &[("X-Auth-User", "demo:nobody"), ("X-Auth-Key", secret)],
        &[("X-Auth-User", &named)],
        &[("X-Auth-Key", secret)],
        &[],
        &[("X-Auth-User", &named), ("X-Storage-User", &named), ("X-Auth-Key", secret)],
    ];
    for fields in rows {
        let reply = log_in(&house, "/auth/v1.0", fields).await;
        assert_eq!(reply.refused(401), "Unauthorized", "{fields:?}");
        assert!(reply.headers.contains_key("www-authenticate"));
        assert!(!reply.headers.contains_key("x-auth-token"));
    }
    let elsewhere =
        log_in(&house, "/auth/v1/other/auth", &[("X-Auth-User", &named), ("X-Auth-Key", secret)]).await;
    assert_eq!(elsewhere.refused(401), "Unauthorized");
}

/// Without the key in the configuration, nobody logs in without an application's
/// secret; and a user of another application never does.
#[tokio::test]
async fn only_users_of_the_named_application_and_only_where_it_is_named() {
    let mut house = House::new().await;
    let named = format!("{}:{}", house.first.account, house.first.user);
    let secret = house.first.user_secret.to_string();
    let fields = [("X-Auth-User", named.as_str()), ("X-Auth-Key", secret.as_str())];
    assert_eq!(log_in(&house, "/auth/v1.0", &fields).await.status, 200);

    let mut config = house.site.config();
    if let Some(swift) = &mut config.swift_login {
        swift.application = "another-app".to_owned();
    }
    house.restart(config);
    assert_eq!(log_in(&house, "/auth/v1.0", &fields).await.refused(401), "Unauthorized");

    let mut config = house.site.config();
    config.swift_login = None;
    house.restart(config);
    assert_eq!(log_in(&house, "/auth/v1.0", &fields).await.refused(404), "NotFound");
}
