//! Tickets that are missing, changed, foreign or narrowed.

use anyhow::Result;
use repono_core::request::Method;
use serde_json::json;

use crate::attack::{Ask, Attack, MARKER};
use crate::stage::{KNOWN, SECRET, Stage, on_stage};
use crate::ticket::{FIELDS, Ticket, flipped};

/// A read and a write, refused alike.
fn both(name: &str, ticket: &Ticket, status: u16, code: &'static str) -> [Attack; 2] {
    let target = format!("/v1/demo/files/{MARKER}");
    [
        Ask::new("GET", KNOWN).ticket(ticket).keeps(format!("GET with {name}"), status, code),
        Ask::new("PUT", target).ticket(ticket).body(MARKER).keeps(format!("PUT with {name}"), status, code),
    ]
}

/// The signature of a ticket field with another character at `at`, counted from
/// its end.
fn resigned(ticket: &Ticket, field: &str, from_end: usize) -> Ticket {
    let value = ticket.value(field);
    ticket.with(field, &flipped(value, value.len() - from_end))
}

#[test]
fn tickets_that_do_not_hold() {
    on_stage(2, |stage| {
        let owner = &stage.owner;
        let other = stage.vend(&stage.owner_login, &json!({}))?;
        let nobody = owner.without("x-auth-scope");
        let nobody = FIELDS.iter().fold(nobody, |ticket, field| ticket.without(field));
        let tampered = [
            ("no ticket", nobody.clone()),
            ("another system's Authorization", nobody.with("Authorization", "Bearer abc")),
            ("another system's token", nobody.with("X-Auth-Token", "gAAAAAB")),
            ("another signature", resigned(owner, "x-auth-ticket", 50)),
            ("another dev-signature", resigned(owner, "x-auth-dev-ticket", 50)),
            ("another expiry", owner.with("x-auth-expiry", "2126-06-01T00:00:00Z")),
            ("an expiry long ago", owner.with("x-auth-expiry", "2016-06-01T00:00:00Z")),
            ("another salt", owner.with("x-auth-salt", &flipped(owner.salt(), 3))),
            ("another user", owner.with("x-auth-user", "demo:guest")),
            ("another case of the user", owner.with("x-auth-user", "demo:Demo")),
            ("an unknown user", owner.with("x-auth-user", &format!("demo:{MARKER}"))),
            ("another account", owner.with("x-auth-user", "globex:demo")),
            ("another tenant's user", owner.with("x-auth-user", "globex:mallory")),
            ("an unknown key", owner.with("x-auth-ticket", &flipped(owner.value("x-auth-ticket"), 5))),
            ("another salt's dev-ticket", owner.with("x-auth-dev-ticket", other.value("x-auth-dev-ticket"))),
            (
                "another application's dev-ticket",
                owner.with("x-auth-dev-ticket", stage.mallory.value("x-auth-dev-ticket")),
            ),
            (
                "another application's name",
                owner.with(
                    "x-auth-dev-ticket",
                    &owner.value("x-auth-dev-ticket").replace("demo-app", "globex-app"),
                ),
            ),
            ("the signatures exchanged", exchanged(owner)),
            ("a changed token", nobody.with("X-Auth-Token", &flipped(&owner.token, 80))),
            ("a scope added", owner.with("x-auth-scope", "m=GET")),
        ];
        let mut attacks = Vec::new();
        for (name, ticket) in &tampered {
            attacks.extend(both(name, ticket, 401, "Unauthorized"));
        }
        for field in FIELDS {
            attacks.extend(both(&format!("no {field}"), &owner.without(field), 401, "Unauthorized"));
        }
        for target in [KNOWN, "/v1/demo/files", "/v1/demo", SECRET, "/v1/nobody/files/known"] {
            let name = format!("HEAD of {target} without a ticket");
            attacks.push(Ask::new("HEAD", target).keeps(name, 401, "Unauthorized"));
            let name = format!("DELETE of {KNOWN} without a ticket");
            attacks.push(Ask::new("DELETE", KNOWN).keeps(name, 401, "Unauthorized"));
        }
        stage.repel(&attacks)?;
        says_the_same(stage, &attacks)
    });
}

fn exchanged(ticket: &Ticket) -> Ticket {
    let signature = |field| ticket.value(field).rsplit('.').next().unwrap_or_default().to_owned();
    let (user, dev) = (signature("x-auth-ticket"), signature("x-auth-dev-ticket"));
    ticket
        .with("x-auth-ticket", &ticket.value("x-auth-ticket").replace(&user, &dev))
        .with("x-auth-dev-ticket", &ticket.value("x-auth-dev-ticket").replace(&dev, &user))
}

/// Nothing but the ids tells one cause from another.
fn says_the_same(stage: &Stage, attacks: &[Attack]) -> Result<()> {
    let mut documents = std::collections::BTreeSet::new();
    for attack in attacks.iter().filter(|attack| attack.method == "GET") {
        let mut wire = stage.connect(stage.system.balancer())?;
        wire.send(&attack.bytes)?;
        let response = wire.response("GET")?;
        let id = response.header("x-trans-id").unwrap_or_default().to_owned();
        let names: Vec<_> = response.headers.iter().map(|(name, _)| name.clone()).collect();
        documents.insert((response.text().replace(&id, ""), names));
    }
    assert_eq!(documents.len(), 1, "{documents:?}");
    Ok(())
}

#[test]
fn tickets_that_cannot_be_read() {
    on_stage(2, |stage| {
        let owner = &stage.owner;
        let nobody = FIELDS.iter().fold(owner.clone(), |ticket, field| ticket.without(field));
        let last = |field: &str| {
            let value = owner.value(field);
            // The last character of 64 bytes in base64 holds two bits: `B` sets one more.
            owner.with(field, &format!("{}B", &value[..value.len() - 1]))
        };
        let upper = owner.salt().to_uppercase();
        let unreadable = [
            ("a signature with trailing bits", last("x-auth-ticket")),
            ("a dev-signature with trailing bits", last("x-auth-dev-ticket")),
            (
                "another algorithm",
                owner.with("x-auth-ticket", &owner.value("x-auth-ticket").replace("RT1.", "RT2.")),
            ),
            (
                "a padded signature",
                owner.with("x-auth-ticket", &format!("{}==", owner.value("x-auth-ticket"))),
            ),
            ("a date that is none", owner.with("x-auth-expiry", "2027-02-30T00:00:00Z")),
            ("a leap second", owner.with("x-auth-expiry", "2026-12-31T23:59:60Z")),
            ("an offset", owner.with("x-auth-expiry", "2027-01-01T00:00:00+00:00")),
            ("a short salt", owner.with("x-auth-salt", &owner.salt()[..30])),
            (
                "a salt in capitals",
                owner.with("x-auth-salt", if upper == owner.salt() { "A" } else { &upper }),
            ),
            ("no account", owner.with("x-auth-user", "demo")),
            ("a user that cannot be", owner.with("x-auth-user", &format!("demo:../{MARKER}"))),
            ("a marker for a ticket", owner.with("x-auth-ticket", MARKER)),
            ("an over-long user", owner.with("x-auth-user", &format!("demo:{}", "u".repeat(400)))),
            ("a garbled scope", owner.with("x-auth-scope", &format!("x={MARKER}"))),
            ("an empty scope", owner.with("x-auth-scope", "")),
            ("a scope in another order", owner.with("x-auth-scope", "p=/v1/demo/;m=GET")),
            ("a cut token", nobody.with("X-Auth-Token", &owner.token[..owner.token.len() - 8])),
            ("a token and headers", owner.with("X-Auth-Token", &owner.token)),
            ("two tokens", nobody.with("X-Auth-Token", &owner.token).with("X-Storage-Token", &owner.token)),
        ];
        let mut attacks = Vec::new();
        for (name, ticket) in &unreadable {
            attacks.extend(both(name, ticket, 400, "MalformedTicket"));
        }
        for field in FIELDS {
            // The second one under another spelling of its name.
            let twice = owner.with(&field.to_uppercase(), owner.value(field));
            attacks.extend(both(&format!("{field} twice"), &twice, 400, "MalformedTicket"));
            let other = owner.with(&field.to_uppercase(), MARKER);
            attacks.extend(both(&format!("{field} twice and different"), &other, 400, "MalformedTicket"));
            let alias = owner.without(field).with(&field.replace('-', "_"), owner.value(field));
            let name = format!("{field} with underscores");
            attacks.push(Ask::new("GET", KNOWN).ticket(&alias).closes(name, 400, "InvalidRequest"));
        }
        stage.repel(&attacks)
    });
}

#[test]
fn tickets_of_those_who_may_not() {
    on_stage(2, |stage| {
        let mut attacks = Vec::new();
        let foreign = [
            ("guest", &stage.guest, [KNOWN, "/v1/demo/files/missing", "/v1/demo/nowhere/x"]),
            ("mallory", &stage.mallory, [KNOWN, "/v1/demo/files/missing", "/v1/nobody/files/x"]),
            ("owner", &stage.owner, [SECRET, "/v1/globex/vault/missing", "/v1/globex/nowhere/x"]),
        ];
        for (who, ticket, targets) in foreign {
            for target in targets {
                for method in [Method::Get, Method::Head, Method::Put, Method::Post, Method::Delete] {
                    let method = method.as_str();
                    let ask = Ask::new(method, target).ticket(ticket).body(MARKER);
                    attacks.push(ask.keeps(format!("{method} of {target} by {who}"), 403, "AccessDenied"));
                }
            }
        }
        for (who, ticket, account) in [
            ("guest", &stage.guest, "demo"),
            ("mallory", &stage.mallory, "demo"),
            ("owner", &stage.owner, "globex"),
            ("owner", &stage.owner, "nobody"),
        ] {
            let ask = |method, path: &str| Ask::new(method, format!("/v1/{account}{path}")).ticket(ticket);
            let name = |what: &str| format!("{what} in {account} by {who}");
            attacks.push(ask("GET", "").keeps(name("list containers"), 403, "AccessDenied"));
            attacks.push(ask("GET", "/files").keeps(name("list objects"), 403, "AccessDenied"));
            attacks.push(ask("GET", "/vault?format=json").keeps(name("list vault"), 403, "AccessDenied"));
            attacks.push(ask("PUT", "/grabbed").body("").keeps(
                name("create a container"),
                403,
                "AccessDenied",
            ));
            attacks.push(ask("POST", "/files").body("").keeps(
                name("change a container"),
                403,
                "AccessDenied",
            ));
            attacks.push(ask("DELETE", "/files").keeps(name("delete a container"), 403, "AccessDenied"));
        }
        stage.repel(&attacks)
    });
}

#[test]
fn tickets_that_were_narrowed() {
    on_stage(2, |stage| {
        let vend = |scope: &str| stage.vend(&stage.owner_login, &json!({ "scope": scope }));
        let reading = vend("m=GET,HEAD;p=/v1/demo/files/known")?;
        let elsewhere = vend("ip=10.1.0.0/16")?;
        let ask = |method, target: &str, ticket: &Ticket| Ask::new(method, target).ticket(ticket);
        let widened = reading.with("x-auth-scope", "m=GET,HEAD,PUT,DELETE");
        let other_prefix = reading.with("x-auth-scope", "m=GET,HEAD;p=/v1/demo/");
        let fresh = format!("/v1/demo/files/known/{MARKER}");
        let attacks = [
            ask("PUT", &fresh, &reading).body(MARKER).keeps("a method beyond the scope", 403, "AccessDenied"),
            ask("DELETE", KNOWN, &reading).keeps("a deletion beyond the scope", 403, "AccessDenied"),
            ask("GET", "/v1/demo/files/other", &reading).keeps("a key beyond the scope", 403, "AccessDenied"),
            ask("GET", "/v1/demo/files", &reading).keeps("a listing beyond the scope", 403, "AccessDenied"),
            ask("GET", KNOWN, &elsewhere).keeps("from beyond the scope's network", 403, "AccessDenied"),
            ask("GET", KNOWN, &elsewhere).line("X-Forwarded-For: 10.1.0.1").keeps(
                "from beyond the scope's network, with another claim",
                403,
                "AccessDenied",
            ),
            ask("PUT", &fresh, &widened).body(MARKER).keeps("a scope with more methods", 401, "Unauthorized"),
            ask("GET", "/v1/demo/files/other", &other_prefix).keeps(
                "a scope with more keys",
                401,
                "Unauthorized",
            ),
            ask("PUT", &fresh, &reading.without("x-auth-scope")).body(MARKER).keeps(
                "a scope left out",
                401,
                "Unauthorized",
            ),
            ask("GET", KNOWN, &elsewhere.with("x-auth-scope", "ip=127.0.0.0/8")).keeps(
                "a scope with another network",
                401,
                "Unauthorized",
            ),
        ];
        stage.repel(&attacks)?;
        let read = stage.once(&ask("GET", KNOWN, &reading), 200)?;
        assert_eq!(read.body.len(), 1000, "within its scope the ticket holds");
        Ok(())
    });
}
