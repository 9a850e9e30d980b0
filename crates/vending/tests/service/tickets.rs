//! What is vended, and what is refused.

use repono_core::request::{Method, RequestHead, Version};
use repono_core::time::{Timestamp, parse_utc_seconds};
use repono_ticket::keyring::KeyState;
use repono_ticket::{KeyId, Presented, Verified, VerifyingKeys, verify};
use serde_json::{Value, json};

use crate::house::House;

/// What a head makes of header fields.
pub(crate) async fn verified(house: &House, fields: &[(&str, &str)]) -> Verified {
    let mut head = RequestHead::new(Method::Get, Version::Http11, b"/v1/demo/files/a").expect("small");
    for (name, value) in fields {
        head.push(name.as_bytes(), value.as_bytes()).expect("small");
    }
    let identity = house.store.meta().identity().await.expect("read");
    let tickets = identity.keys.iter().filter(|row| !row.public.is_empty());
    let keys = tickets.map(|row| {
        let kid = KeyId::parse(row.id.as_bytes()).expect("a key id");
        (kid, row.public.as_slice(), KeyState::parse(row.state.as_str()).expect("a state"))
    });
    let keys = VerifyingKeys::new(keys).expect("keys");
    let presented = Presented::from_head(&head).expect("form").expect("a ticket");
    verify(&presented, &keys, Timestamp::now().unix_seconds()).expect("a ticket that holds")
}

pub(crate) fn headers(vended: &Value) -> Vec<(&str, &str)> {
    let headers = vended["headers"].as_object().expect("an object");
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect()
}

#[tokio::test]
async fn a_ticket_holds_at_a_head_as_headers_and_as_a_token() {
    let house = House::new().await;
    let mut client = house.client().await;
    let reply = client.ticket(&house.login()).await;
    let vended = reply.expect(200);
    assert_eq!(reply.headers["cache-control"], "no-store");
    assert_eq!(reply.headers["keep-alive"], "timeout=55");
    assert!(reply.headers["x-trans-id"].to_str().expect("text").starts_with("tx"));
    assert_eq!(headers(&vended).len(), 5);
    let by_headers = verified(&house, &headers(&vended)).await;
    let token = vended["token"].as_str().expect("text");
    assert!(token.starts_with("RK1."));
    let by_token = verified(&house, &[("x-auth-token", token)]).await;
    for ticket in [&by_headers, &by_token] {
        assert_eq!((ticket.account(), ticket.user()), (&house.first.account, &house.first.user));
        assert_eq!(ticket.application(), &house.first.application);
        assert!(ticket.scope().is_none());
    }
    assert_eq!(by_headers.salt(), by_token.salt());
    let expires = parse_utc_seconds(vended["expires"].as_str().expect("text").as_bytes()).expect("a date");
    assert_eq!(expires, by_headers.expiry());
    assert_eq!(by_headers.expiry() - by_headers.salt().issued_at(), 1200);

    // The same connection goes on, and no two tickets have one salt.
    let again = client.ticket(&house.login()).await.expect(200);
    assert_ne!(again["headers"]["x-auth-salt"], vended["headers"]["x-auth-salt"]);
}

#[tokio::test]
async fn life_and_scope_are_taken_over() {
    let house = House::new().await;
    let mut client = house.client().await;
    let login = house.login_with(json!({"life_s": 60, "scope": "p=/v1/demo/files/;m=GET"}));
    let vended = client.ticket(&login).await.expect(200);
    assert_eq!(vended["headers"]["x-auth-scope"], "m=GET;p=/v1/demo/files/");
    let ticket = verified(&house, &headers(&vended)).await;
    assert_eq!(ticket.expiry() - ticket.salt().issued_at(), 60);
    assert!(ticket.scope().is_some());
}

#[tokio::test]
async fn every_wrong_log_in_gets_one_answer() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    let other = admin.ask("POST", "/v1/applications", &json!({"application": "other"})).await.expect(201);
    let disabled = admin
        .ask("POST", "/v1/users", &json!({"user": "demo:off", "application": "demo-app"}))
        .await
        .expect(201);
    admin.send("POST", "/v1/users/demo:off/disable", "").await.expect(204);
    let generated = format!("rsec_{}", "A".repeat(43));
    let wrong = [
        json!({"user": "demo:nobody"}),
        json!({"user": "nowhere:demo"}),
        json!({"secret": generated}),
        json!({"secret": "a chosen secret of somebody"}),
        json!({"secret": ""}),
        json!({"application": "no-such-app"}),
        json!({"application_secret": generated}),
        json!({"application": "other", "application_secret": other["secret"]}),
        json!({"user": "demo:off", "secret": disabled["secret"]}),
    ];
    let mut client = house.client().await;
    let mut answers = Vec::new();
    for change in wrong {
        let reply = client.ticket(&house.login_with(change)).await;
        assert_eq!(reply.refused(401), "Unauthorized");
        let names: Vec<_> = reply.headers.keys().map(|name| name.as_str().to_owned()).collect();
        assert_eq!(reply.headers["www-authenticate"], "Repono realm=\"repono\"");
        answers.push((reply.body, names));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_disabled_application_vends_nothing() {
    let house = House::new().await;
    let (mut admin, mut client) = (house.admin().await, house.client().await);
    admin.send("POST", "/v1/applications/demo-app/disable", "").await.expect(204);
    client.ticket(&house.login()).await.refused(401);
    admin.send("POST", "/v1/applications/demo-app/enable", "").await.expect(204);
    client.ticket(&house.login()).await.expect(200);
}

#[tokio::test]
async fn faults_of_form_are_named_without_quoting_a_secret() {
    let house = House::new().await;
    let mut client = house.client().await;
    for (change, named) in [
        (json!({"user": "demo"}), "`user`"),
        (json!({"user": "demo:"}), "`user`"),
        (json!({"user": "de mo:demo"}), "`user`"),
        (json!({"application": ""}), "`application`"),
        (json!({"life_s": 0}), "`life_s`"),
        (json!({"life_s": 3601}), "`life_s`"),
        (json!({"life_s": "long"}), "column"),
        (json!({"scope": "x=1"}), "`scope`"),
        (json!({"scope": ""}), "`scope`"),
        (json!({"secret": null}), "column"),
        (json!({"secret": 4711}), "column"),
        (json!({"secret": "4711".repeat(400)}), "secret"),
        (json!({"colour": "hunter2"}), "column"),
    ] {
        let reply = client.ticket(&house.login_with(change.clone())).await;
        assert_eq!(reply.refused(400), "InvalidRequest", "{change}");
        let message = reply.json()["error"]["message"].as_str().expect("text").to_owned();
        assert!(message.contains(named), "{change}: {message}");
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        for secret in ["4711", "hunter2", house.first.user_secret.as_str()] {
            assert!(!body.contains(secret), "{body}");
        }
    }
    assert_eq!(client.send("POST", "/v1/tickets", "{").await.refused(400), "InvalidRequest");
    assert_eq!(client.fetch("/v1/tickets").await.refused(405), "MethodNotAllowed");
    assert_eq!(client.fetch("/").await.refused(404), "NotFound");
    let large = house.login_with(json!({"scope": "x".repeat(70_000)}));
    assert_eq!(client.ticket(&large).await.refused(413), "EntityTooLarge");
}

#[tokio::test]
async fn failed_log_ins_are_limited_even_for_who_then_knows_the_secret() {
    let house = House::new().await;
    let mut client = house.client().await;
    let wrong = house.login_with(json!({"secret": format!("rsec_{}", "A".repeat(43))}));
    for _ in 0..10 {
        assert_eq!(client.ticket(&wrong).await.refused(401), "Unauthorized");
    }
    let reply = client.ticket(&house.login()).await;
    assert_eq!(reply.refused(429), "TooManyFailedLogins");
    let wait: u64 = reply.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=6).contains(&wait), "{wait}");
}

#[tokio::test]
async fn people_may_choose_a_secret_and_it_is_kept_as_argon2id() {
    let house = House::new().await;
    let (mut admin, mut client) = (house.admin().await, house.client().await);
    let create = |secret: &str| json!({"user": "demo:anna", "application": "demo-app", "secret": secret});
    for weak in ["short", "rsec_looks like one of ours", "a tab\tin between"] {
        assert_eq!(admin.ask("POST", "/v1/users", &create(weak)).await.refused(400), "InvalidRequest");
    }
    let chosen = "correct horse battery staple";
    let created = admin.ask("POST", "/v1/users", &create(chosen)).await.expect(201);
    assert!(created.get("secret").is_none(), "it is known already");
    let kept =
        house.store.meta().secret_of_user(&house.first.account, &"anna".parse().expect("a name")).await;
    let kept = kept.expect("read").expect("kept");
    assert!(kept.hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    let login = |secret: &str| house.login_with(json!({"user": "demo:anna", "secret": secret}));
    client.ticket(&login(chosen)).await.expect(200);
    assert_eq!(client.ticket(&login("correct horse battery stapler")).await.refused(401), "Unauthorized");
    // The user of the first run has a generated secret: argon2id has no say there.
    assert_eq!(
        client.ticket(&house.login_with(json!({"secret": chosen}))).await.refused(401),
        "Unauthorized"
    );
}
