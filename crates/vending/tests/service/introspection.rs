//! Whom a ticket speaks for, as monitors ask.

use serde_json::{Value, json};

use crate::house::{Client, House, Reply};
use crate::tickets::headers;

const BOTH: [&str; 2] = ["repono:ViewMonitor", "repono:OperateMonitor"];

fn question() -> Value {
    json!({"source": "192.0.2.7", "actions": BOTH})
}

async fn ask(client: &mut Client, fields: &[(&str, &str)], question: &Value) -> Reply {
    client.send_with("POST", "/v1/introspect", fields, question.to_string()).await
}

#[tokio::test]
async fn a_ticket_tells_its_user_and_what_policies_allow() {
    let house = House::new().await;
    let (mut admin, mut client) = (house.admin().await, house.client().await);
    let vended = client.ticket(&house.login()).await.expect(200);
    let token = vended["token"].as_str().expect("text");
    let told =
        json!({"user": "demo:demo", "application": "demo-app", "until": vended["expires"], "allowed": BOTH});
    assert_eq!(ask(&mut client, &headers(&vended), &question()).await.expect(200), told);
    let reply = ask(&mut client, &[("x-auth-token", token)], &question()).await;
    assert_eq!(reply.expect(200), told);
    assert_eq!(reply.headers["cache-control"], "no-store");

    // A policy that speaks of objects alone says nothing of the monitor; a deny holds.
    let policies = [
        (r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#, json!([])),
        (r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#, json!(BOTH)),
        (r#"{"Effect":"Allow","Action":"repono:ViewMonitor","Resource":"*"}"#, json!([BOTH[0]])),
        (
            r#"{"Effect":"Allow","Action":"repono:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}}"#,
            json!([]),
        ),
    ];
    for (statement, allowed) in policies {
        let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let document: Value = serde_json::from_str(&document).expect("JSON");
        let put = json!({"target": {"user": "demo:demo"}, "document": document});
        admin.ask("PUT", "/v1/policies/demo/owner", &put).await.expect(200);
        let told = ask(&mut client, &[("x-auth-token", token)], &question()).await.expect(200);
        assert_eq!(told["allowed"], allowed, "{statement}");
    }
}

#[tokio::test]
async fn a_scope_narrows_what_its_ticket_may_do_at_the_monitor() {
    let house = House::new().await;
    let mut client = house.client().await;
    for (scope, allowed) in [
        ("m=GET,HEAD", json!([BOTH[0]])),
        ("m=GET,POST", json!(BOTH)),
        ("p=/v1/demo/files/", json!([])),
        ("ip=192.0.2.0/24", json!(BOTH)),
        ("ip=198.51.100.1", json!([])),
    ] {
        let vended = client.ticket(&house.login_with(json!({"scope": scope}))).await.expect(200);
        let told = ask(&mut client, &headers(&vended), &question()).await.expect(200);
        assert_eq!(told["allowed"], allowed, "{scope}");
    }
}

#[tokio::test]
async fn a_ticket_that_does_not_hold_is_answered_as_heads_answer_it() {
    let house = House::new().await;
    let (mut admin, mut client) = (house.admin().await, house.client().await);
    let vended = client.ticket(&house.login()).await.expect(200);
    let token = vended["token"].as_str().expect("text").to_owned();
    // One letter of a signature.
    let signature = vended["headers"]["x-auth-ticket"].as_str().expect("text");
    let mut changed = signature.to_owned();
    changed.replace_range(40..=40, if signature[40..].starts_with('A') { "B" } else { "A" });
    let mut forged = headers(&vended);
    let field = forged.iter_mut().find(|(name, _)| *name == "x-auth-ticket").expect("a ticket");
    field.1 = &changed;
    let both = [headers(&vended), vec![("x-auth-token", &*token)]].concat();
    for (fields, code, status) in [
        (vec![], "Unauthorized", 401),
        (forged, "Unauthorized", 401),
        (vec![("x-auth-token", "AUTH_tk0123")], "Unauthorized", 401),
        (headers(&vended)[1..].to_vec(), "Unauthorized", 401),
        (both, "MalformedTicket", 400),
        (vec![("x-auth-token", &*token), ("x-auth-token", &*token)], "MalformedTicket", 400),
    ] {
        assert_eq!(ask(&mut client, &fields, &question()).await.refused(status), code, "{fields:?}");
    }
    let short = client.ticket(&house.login_with(json!({"life_s": 1}))).await.expect(200);
    let by_token = [("x-auth-token", &*token)];
    ask(&mut client, &by_token, &question()).await.expect(200);
    for wrong in [
        json!({"source": "192.0.2.7"}),
        json!({"source": "here", "actions": BOTH}),
        json!({"source": "192.0.2.7", "actions": ["s3:GetObject"]}),
        json!({"source": "192.0.2.7", "actions": [BOTH[0], BOTH[0]]}),
        json!({"source": "192.0.2.7", "actions": BOTH, "ticket": "x"}),
    ] {
        assert_eq!(ask(&mut client, &by_token, &wrong).await.refused(400), "InvalidRequest", "{wrong}");
    }
    let salt = vended["headers"]["x-auth-salt"].clone();
    admin.ask("POST", "/v1/revoke", &json!({"ticket": salt})).await.expect(200);
    assert_eq!(ask(&mut client, &by_token, &question()).await.refused(401), "Unauthorized");
    // Clocks may differ by 30 s: until then the short ticket holds.
    assert_eq!(ask(&mut client, &headers(&short), &question()).await.status, 200);
}

#[tokio::test]
async fn failures_at_a_monitor_limit_their_source_and_no_session() {
    let house = House::new().await;
    let mut client = house.client().await;
    let vended = client.ticket(&house.login()).await.expect(200);
    let (known, other) = (vended["token"].as_str().expect("text"), house.login());
    ask(&mut client, &[("x-auth-token", known)], &question()).await.expect(200);
    let mut refusals = Vec::new();
    for _ in 0..11 {
        let reply = ask(&mut client, &[("x-auth-token", "RK1.AAAA")], &question()).await;
        refusals.push(reply.status.as_u16());
    }
    assert_eq!(refusals.iter().filter(|status| **status == 400).count(), 10, "{refusals:?}");
    let limited = ask(&mut client, &[("x-auth-token", "RK1.AAAA")], &question()).await;
    assert_eq!(limited.refused(429), "TooManyFailedLogins");
    assert!(limited.headers.contains_key("retry-after"));
    // Whom the monitor knows goes on, and so does whoever comes from elsewhere.
    ask(&mut client, &[("x-auth-token", known)], &question()).await.expect(200);
    let another = client.ticket(&other).await.expect(200);
    let elsewhere = json!({"source": "198.51.100.9", "actions": BOTH});
    ask(&mut client, &headers(&another), &elsewhere).await.expect(200);
}
