//! The administrators' interface.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_goes_with_the_service() {
    let house = House::new().await;
    let path = house.running.bound.admin.clone();
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let beside: Vec<_> = fs::read_dir(path.parent().expect("a folder"))
        .expect("read")
        .map(|entry| entry.expect("read").file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(beside.is_empty(), "{beside:?}");
    let mut admin = house.admin().await;
    assert_eq!(admin.fetch("/v1/tickets").await.refused(404), "NotFound");
    assert_eq!(admin.send("PATCH", "/v1/users", "").await.refused(405), "MethodNotAllowed");
    house.running.stop().ended().expect("in order");
    assert!(!path.exists());
}

#[tokio::test]
async fn a_new_user_logs_in_at_once_and_a_rotated_secret_replaces_the_old_one() {
    let house = House::new().await;
    let (mut admin, mut client) = (house.admin().await, house.client().await);
    admin.ask("POST", "/v1/accounts", &json!({"account": "acme"})).await.expect(201);
    let application =
        admin.ask("POST", "/v1/applications", &json!({"application": "reader"})).await.expect(201);
    let user = json!({"user": "acme:alice", "application": "reader"});
    let user = admin.ask("POST", "/v1/users", &user).await.expect(201);
    let login = |secret: &serde_json::Value| {
        json!({
            "user": "acme:alice", "secret": secret,
            "application": "reader", "application_secret": application["secret"],
        })
    };
    client.ticket(&login(&user["secret"])).await.expect(200);
    let rotated = admin.ask("POST", "/v1/users/acme:alice/rotate-secret", &json!({})).await.expect(200);
    client.ticket(&login(&user["secret"])).await.refused(401);
    client.ticket(&login(&rotated["secret"])).await.expect(200);
    let new = admin.ask("POST", "/v1/applications/reader/rotate-secret", &json!({})).await.expect(200);
    client.ticket(&login(&rotated["secret"])).await.refused(401);
    let login = house.login_with(json!({
        "user": "acme:alice", "secret": rotated["secret"],
        "application": "reader", "application_secret": new["secret"],
    }));
    client.ticket(&login).await.expect(200);

    admin.send("POST", "/v1/users/acme:alice/disable", "").await.expect(204);
    client.ticket(&login).await.refused(401);
    let listed = admin.fetch("/v1/users?account=acme").await.expect(200);
    assert_eq!(
        listed,
        json!([{"user": "acme:alice", "application": "reader", "standing": "disabled", "revoked_before": null}])
    );
    assert_eq!(admin.fetch("/v1/users").await.expect(200).as_array().expect("a list").len(), 2);
    admin.send("POST", "/v1/users/acme:alice/enable", "").await.expect(204);
    client.ticket(&login).await.expect(200);
    admin.send("DELETE", "/v1/users/acme:alice", "").await.expect(204);
    client.ticket(&login).await.refused(401);
    admin.send("DELETE", "/v1/applications/reader", "").await.expect(204);
    admin.send("DELETE", "/v1/accounts/acme", "").await.expect(204);
    let accounts = admin.fetch("/v1/accounts").await.expect(200);
    assert_eq!(accounts.as_array().expect("a list").len(), 1);
    assert_eq!(accounts[0]["account"], "demo");
}

#[tokio::test]
async fn errors_say_what_and_name_the_nearest() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    for (method, path, body, status, code, hint) in [
        ("POST", "/v1/users/demo:dmeo/disable", json!({}), 404, "NotFound", "`demo:demo`"),
        ("DELETE", "/v1/applications/demo-ap", json!({}), 404, "NotFound", "`demo-app`"),
        ("POST", "/v1/users", json!({"user": "dmo:x", "application": "demo-app"}), 404, "NotFound", "`demo`"),
        (
            "POST",
            "/v1/users",
            json!({"user": "demo:x", "application": "demoapp"}),
            404,
            "NotFound",
            "`demo-app`",
        ),
        (
            "POST",
            "/v1/users",
            json!({"user": "demo:demo", "application": "demo-app"}),
            409,
            "AlreadyExists",
            "",
        ),
        (
            "POST",
            "/v1/users",
            json!({"user": "demo", "application": "demo-app"}),
            400,
            "InvalidRequest",
            "demo:alice",
        ),
        ("POST", "/v1/users", json!({"name": "demo:x"}), 400, "InvalidRequest", "ACCOUNT:USER"),
        ("POST", "/v1/accounts", json!({"account": "demo"}), 409, "AlreadyExists", ""),
        ("POST", "/v1/accounts", json!({"account": "de mo"}), 400, "InvalidRequest", "ASCII"),
        ("DELETE", "/v1/accounts/demo", json!({}), 409, "InUse", "containers"),
        ("DELETE", "/v1/applications/demo-app", json!({}), 409, "InUse", "users"),
        ("POST", "/v1/groups", json!({"group": "dem:staff"}), 404, "NotFound", "`demo`"),
        ("GET", "/v1/policies/demo/ownr", json!({}), 404, "NotFound", "`demo/owner`"),
        ("DELETE", "/v1/policies/demo/ownr", json!({}), 404, "NotFound", "`demo/owner`"),
        ("GET", "/v1/users?acount=demo", json!({}), 400, "InvalidRequest", "?account="),
        ("POST", "/v1/signing-keys/tickets/rotate", json!({}), 404, "NotFound", "tls-ticket"),
        ("POST", "/v1/revoke", json!({"ticket": "zz"}), 400, "InvalidRequest", "x-auth-salt"),
        ("POST", "/v1/revoke", json!({"user": "demo:dem"}), 404, "NotFound", "`demo:demo`"),
        ("POST", "/v1/revoke", json!({"application": "demo-ap"}), 404, "NotFound", "`demo-app`"),
        ("POST", "/v1/revoke", json!({"everything": true}), 400, "InvalidRequest", "ticket"),
        (
            "POST",
            "/v1/revoke",
            json!({"key": {"role": "ticket", "id": "00000000"}}),
            404,
            "NotFound",
            "signing-keys",
        ),
    ] {
        let reply = admin.ask(method, path, &body).await;
        assert_eq!(reply.refused(status), code, "{method} {path} {body}");
        let told = reply.json()["error"]["hint"].as_str().expect("text").to_owned();
        assert!(told.contains(hint), "{method} {path} {body}: {told}");
    }
}

#[tokio::test]
async fn groups_have_members_of_their_account() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    admin.ask("POST", "/v1/groups", &json!({"group": "demo:staff"})).await.expect(201);
    admin.send("PUT", "/v1/groups/demo:staff/members/demo", "").await.expect(204);
    let listed = admin.fetch("/v1/groups?account=demo").await.expect(200);
    assert_eq!(listed, json!([{"group": "demo:staff", "members": ["demo"]}]));
    let missing = admin.send("PUT", "/v1/groups/demo:staff/members/dem", "").await;
    assert_eq!(missing.refused(404), "NotFound");
    assert!(missing.json()["error"]["hint"].as_str().expect("text").contains("`demo:demo`"));
    admin.send("DELETE", "/v1/groups/demo:staff/members/demo", "").await.expect(204);
    assert_eq!(admin.send("DELETE", "/v1/groups/demo:staff/members/demo", "").await.refused(404), "NotFound");
    admin.send("DELETE", "/v1/groups/demo:staff", "").await.expect(204);
    assert_eq!(admin.fetch("/v1/groups").await.expect(200), json!([]));
}

#[tokio::test]
async fn policies_are_checked_before_they_are_kept() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    let allow = |extra: serde_json::Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
        let more = extra.as_object().expect("an object").clone();
        statement.as_object_mut().expect("an object").extend(more);
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    let path = "/v1/policies/demo/readers";
    for (target, document, message) in [
        (json!({"user": "demo:demo"}), json!({"Version": "2012-10-17"}), "`Statement` is missing"),
        (json!({"user": "demo:demo"}), allow(json!({"Principal": "*"})), "resource policies only"),
        (json!({"container": "demo/files"}), allow(json!({})), "`Principal`"),
        (json!({"user": "demo:demo"}), allow(json!({"Action": "s3:GetObjct"})), "s3:GetObjct"),
        (json!({"user": "demo:demo"}), allow(json!({"Resource": "arn:aws:s3::other:files/*"})), "other"),
    ] {
        let reply = admin.ask("PUT", path, &json!({"target": target, "document": document})).await;
        assert_eq!(reply.refused(400), "InvalidPolicy", "{document}");
        let told = reply.json()["error"]["message"].as_str().expect("text").to_owned();
        assert!(told.contains(message), "{told}");
    }
    // A member that stands twice is the parser's to see: it may be the one that denies.
    let twice = r#"{"target":{"user":"demo:demo"},"document":{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Effect":"Allow","Action":"s3:*","Resource":"*"}]}}"#;
    let reply = admin.send("PUT", path, twice).await;
    assert_eq!(reply.refused(400), "InvalidPolicy");
    let foreign =
        json!({"target": {"container": "other/files"}, "document": allow(json!({"Principal": "*"}))});
    assert_eq!(admin.ask("PUT", path, &foreign).await.refused(400), "InvalidRequest");
    let absent = json!({"target": {"container": "demo/fils"}, "document": allow(json!({"Principal": "*"}))});
    assert_eq!(admin.ask("PUT", path, &absent).await.refused(404), "NotFound");
    let user = json!({"target": {"user": "demo:dmeo"}, "document": allow(json!({}))});
    assert_eq!(admin.ask("PUT", path, &user).await.refused(404), "NotFound");

    let public = allow(json!({"Principal": "*"}));
    let target = json!({"container": "demo/files"});
    admin.ask("PUT", path, &json!({"target": target, "document": public})).await.expect(200);
    let shown = admin.fetch(path).await.expect(200);
    assert_eq!(shown, json!({"account": "demo", "policy": "readers", "target": target, "document": public}));
    // The same document on the account, and back.
    admin.ask("POST", &format!("{path}/attach"), &json!({"target": {"account": "demo"}})).await.expect(200);
    assert_eq!(admin.fetch(path).await.expect(200)["target"], json!({"account": "demo"}));
    // A document with principals does not suit a user.
    let reply = admin.ask("POST", &format!("{path}/attach"), &json!({"target": {"user": "demo:demo"}})).await;
    assert_eq!(reply.refused(400), "InvalidPolicy");
    let listed = admin.fetch("/v1/policies?account=demo").await.expect(200);
    assert_eq!(listed.as_array().expect("a list").len(), 2);
    admin.send("DELETE", path, "").await.expect(204);
    assert_eq!(admin.fetch(path).await.refused(404), "NotFound");
}

#[tokio::test]
async fn every_change_is_in_the_audit_without_secrets() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    let user = json!({"user": "demo:bob", "application": "demo-app", "secret": "correct horse battery"});
    admin.ask("POST", "/v1/users", &user).await.expect(201);
    let rotated = admin.ask("POST", "/v1/users/demo:bob/rotate-secret", &json!({})).await.expect(200);
    let audit = admin.fetch("/v1/audit").await;
    let lines = audit.expect(200);
    assert_eq!(lines[0]["what"], "rotate the secret of user demo:bob");
    assert_eq!(lines[1]["what"], "create user demo:bob bound to application demo-app");
    assert!(lines[0]["who"].as_str().expect("text").starts_with("uid "));
    assert_eq!(lines[0]["source"], "admin socket");
    let text = String::from_utf8_lossy(&audit.body).into_owned();
    for secret in ["correct horse", rotated["secret"].as_str().expect("text"), "argon2id", "sha256$"] {
        assert!(!text.contains(secret), "{text}");
    }
}
