//! Revocation and rotation, as heads learn of them.

use std::time::{Duration, Instant};

use repono_core::time::Timestamp;
use repono_ticket::{Revocations, Salt};
use serde_json::json;

use crate::house::House;
use crate::tickets::{headers, verified};

/// The revocations that a head would build now.
async fn revocations(house: &House) -> Revocations {
    let identity = house.store.meta().identity().await.expect("read");
    Revocations::build(
        Timestamp::now().unix_seconds(),
        identity.revoked_salts.iter().map(|row| (Salt::from_bytes(row.salt), row.until_s)),
        identity.users.iter().filter_map(|row| Some((row.id, row.revoked_before_s?))),
        identity.applications.iter().filter_map(|row| Some((row.id, row.revoked_before_s?))),
    )
    .expect("few")
}

#[tokio::test]
async fn tickets_end_one_by_one_by_user_and_by_application() {
    let house = House::new().await;
    let (mut admin, mut client) = (house.admin().await, house.client().await);
    let identity = house.store.meta().identity().await.expect("read");
    let (user, application) = (identity.users[0].id, identity.applications[0].id);
    let first = client.ticket(&house.login()).await.expect(200);
    let other = client.ticket(&house.login()).await.expect(200);
    let salt = first["headers"]["x-auth-salt"].as_str().expect("text");
    admin.ask("POST", "/v1/revoke", &json!({"ticket": salt})).await.expect(200);
    let ended = revocations(&house).await;
    assert!(ended.ticket_revoked(&verified(&house, &headers(&first)).await, user, application));
    assert!(!ended.ticket_revoked(&verified(&house, &headers(&other)).await, user, application));

    for revocation in [json!({"user": "demo:demo"}), json!({"application": "demo-app"})] {
        let before = client.ticket(&house.login()).await.expect(200);
        admin.ask("POST", "/v1/revoke", &revocation).await.expect(200);
        let ended = revocations(&house).await;
        let before = verified(&house, &headers(&before)).await;
        assert!(ended.ticket_revoked(&before, user, application), "{revocation}");
        // A new log-in holds: at once after one revocation, in the next second
        // after the second one within a second.
        let since = Instant::now();
        loop {
            let after = client.ticket(&house.login()).await.expect(200);
            let after = verified(&house, &headers(&after)).await;
            if !ended.ticket_revoked(&after, user, application) {
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(5), "{revocation}");
        }
    }
}

#[tokio::test]
async fn a_rotation_is_pending_until_heads_know_it() {
    let house = House::new().await;
    let mut admin = house.admin().await;
    for role in ["ticket", "preauth", "tls-ticket"] {
        let written = admin.send("POST", &format!("/v1/signing-keys/{role}/rotate"), "").await.expect(200);
        assert_eq!(written.as_array().expect("a list").len(), 1);
        assert_eq!(written[0]["state"], "pending");
        assert_eq!(written[0]["role"], role);
        let again = admin.send("POST", &format!("/v1/signing-keys/{role}/rotate"), "").await;
        assert_eq!(again.refused(409), "RotationUnderWay");
    }
    let listed = admin.fetch("/v1/signing-keys").await;
    assert_eq!(listed.expect(200).as_array().expect("a list").len(), 6);
    let text = String::from_utf8_lossy(&listed.body).into_owned();
    assert!(!text.contains("sealed") && !text.contains("public"), "{text}");
}

#[tokio::test]
async fn a_revoked_signing_key_is_replaced_at_once() {
    let house = House::new().await;
    let (mut admin, mut client) = (house.admin().await, house.client().await);
    let keys = admin.fetch("/v1/signing-keys").await.expect(200);
    let stolen =
        keys.as_array().expect("a list").iter().find(|key| key["role"] == "ticket").expect("one")["id"]
            .clone();
    let key = json!({"key": {"role": "ticket", "id": stolen}});
    let revoked = admin.ask("POST", "/v1/revoke", &key).await.expect(200);
    assert_eq!(revoked["revoked"], stolen);
    let states: Vec<_> =
        revoked["keys"].as_array().expect("a list").iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["dead", "active"]);
    let vended = client.ticket(&house.login()).await.expect(200);
    let ticket = verified(&house, &headers(&vended)).await;
    assert_ne!(json!(ticket.kid().to_string()), stolen);
    let identity = house.store.meta().identity().await.expect("read");
    let dead = identity.keys.iter().find(|row| json!(row.id) == stolen).expect("kept");
    assert!(dead.sealed.is_empty(), "its secret is gone");
}
