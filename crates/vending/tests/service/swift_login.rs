//! Swift's v1 log-in: what its clients get, and what is refused.

use serde_json::json;

use crate::house::{House, Reply, read};
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
    let long = "4711".repeat(400);
    let rows: [&[(&str, &str)]; 12] = [
        &[("X-Auth-User", &named), ("X-Auth-Key", "wrong wrong wrong")],
        &[("X-Auth-User", "demo:nobody"), ("X-Auth-Key", secret)],
        &[("X-Auth-User", &named)],
        &[("X-Auth-Key", secret)],
        &[],
        &[("X-Auth-User", &named), ("X-Storage-User", &named), ("X-Auth-Key", secret)],
        &[("X-Auth-User", &named), ("X-Auth-Key", secret), ("X-Auth-Key", secret)],
        &[("X-Auth-User", "demo"), ("X-Auth-Key", secret)],
        &[("X-Auth-User", "demo:"), ("X-Auth-Key", secret)],
        &[("X-Auth-User", "de mo:demo"), ("X-Auth-Key", secret)],
        &[("X-Auth-User", "demo:demo:demo"), ("X-Auth-Key", secret)],
        &[("X-Auth-User", &named), ("X-Auth-Key", &long)],
    ];
    for fields in rows {
        let reply = log_in(&house, "/auth/v1.0", fields).await;
        assert_eq!(reply.refused(401), "Unauthorized", "{fields:?}");
        assert_eq!(reply.headers["www-authenticate"], "Swift realm=\"repono\"");
        assert!(!reply.headers.contains_key("x-auth-token"));
        assert!(!String::from_utf8_lossy(&reply.body).contains("4711"));
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
        swift.application = "another-app".parse().expect("a name");
    }
    house.restart(config);
    assert_eq!(log_in(&house, "/auth/v1.0", &fields).await.refused(401), "Unauthorized");

    let mut config = house.site.config();
    config.swift_login = None;
    house.restart(config);
    for fields in [fields.as_slice(), &[]] {
        assert_eq!(log_in(&house, "/auth/v1.0", fields).await.refused(404), "NotFound");
    }
}

#[tokio::test]
async fn failures_count_together_with_those_of_the_other_log_in() {
    let house = House::new().await;
    let mut client = house.client().await;
    let named = format!("{}:{}", house.first.account, house.first.user);
    let wrong = house.login_with(json!({"secret": format!("rsec_{}", "A".repeat(43))}));
    for _ in 0..5 {
        assert_eq!(client.ticket(&wrong).await.refused(401), "Unauthorized");
        let fields = [("X-Auth-User", named.as_str()), ("X-Auth-Key", "wrong wrong wrong")];
        assert_eq!(log_in(&house, "/auth/v1.0", &fields).await.refused(401), "Unauthorized");
    }
    let fields = [("X-Auth-User", named.as_str()), ("X-Auth-Key", house.first.user_secret.as_str())];
    let reply = log_in(&house, "/auth/v1.0", &fields).await;
    assert_eq!(reply.refused(429), "TooManyFailedLogins");
    assert!(!reply.headers.contains_key("www-authenticate"));
    let wait: u64 = reply.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=6).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_chosen_secret_may_be_more_than_ascii() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    let chosen = "ein sch\u{f6}nes Geheimnis \u{2713}";
    let user = json!({"user": "demo:anna", "application": "demo-app", "secret": chosen});
    admin.ask("POST", "/v1/users", &user).await.expect(201);
    let fields = [("X-Auth-User", "demo:anna"), ("X-Auth-Key", chosen)];
    assert_eq!(log_in(&house, "/auth/v1.0", &fields).await.status, 200);
    let fields = [("X-Auth-User", "demo:anna"), ("X-Auth-Key", "ein schones Geheimnis")];
    assert_eq!(log_in(&house, "/auth/v1.0", &fields).await.refused(401), "Unauthorized");
}

/// Each issue by its salt, each refusal by its code, and what cannot be read too.
#[tokio::test]
async fn every_log_in_is_recorded_and_no_secret() {
    let house = House::new().await;
    let named = format!("{}:{}", house.first.account, house.first.user);
    let secret = house.first.user_secret.to_string();
    let fields = [("X-Auth-User", named.as_str()), ("X-Auth-Key", secret.as_str())];
    let granted = log_in(&house, "/auth/v1.0", &fields).await;
    let token = granted.headers["x-auth-token"].to_str().expect("text").to_owned();
    let salt = verified(&house, &[("x-auth-token", &token)]).await.salt().hex().to_vec();
    let salt = String::from_utf8(salt).expect("hex");
    for (user, key) in [("demo:wrong", "wrong wrong wrong"), ("unreadable", "wrong wrong wrong")] {
        log_in(&house, "/auth/v1.0", &[("X-Auth-User", user), ("X-Auth-Key", key)]).await.refused(401);
    }
    let (site, ending) = (house.site, house.running.stop());
    tokio::task::spawn_blocking(move || ending.ended()).await.expect("no panic").expect("in order");
    let journal = read(&site.path("journal/vending.jsonl"));
    let audited = |user: &str, outcome: &str| {
        let mut lines = journal.lines().filter(|line| line.contains("ticket-issue"));
        lines.any(|line| line.contains(user) && line.contains(outcome) && line.contains("demo-app"))
    };
    assert!(audited(&named, &salt), "{journal}");
    assert!(audited("demo:wrong", "Unauthorized"), "{journal}");
    assert!(audited("unreadable", "Unauthorized"), "{journal}");
    for kept in [secret.as_str(), "wrong wrong wrong", &token] {
        assert!(!journal.contains(kept));
    }
}
