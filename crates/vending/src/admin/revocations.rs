//! Ending what was issued before its time.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use repono_core::name::ApplicationName;
use repono_store::error::Subject;
use repono_store::model::identity::IdentityChange;
use repono_ticket::keyring::KeyRow;
use repono_ticket::{CLOCK_SKEW_S, Life, Salt};
use serde::{Deserialize, Serialize};

use super::input::{Peer, Qualified, named};
use super::signing_keys::{self, View, parse_role};
use crate::key_ring;
use crate::nearest;
use crate::office::{Office, Who};
use crate::reply::{Documented, Fault, JsonBody, json};

/// What is to end.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Revocation {
    /// One ticket, by its salt.
    Ticket(String),
    /// Every ticket of a user issued until now.
    User(String),
    /// Every ticket of an application issued until now.
    Application(String),
    /// Everything made under a key; another is active at once.
    Key(KeyName),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyName {
    role: String,
    id: String,
}

impl Documented for Revocation {
    const FORM: &'static str = r#"one of {"ticket":"32 HEX DIGITS"}, {"user":"ACCOUNT:USER"}, {"application":"NAME"}, {"key":{"role":"ticket","id":"8 HEX DIGITS"}}"#;
}

#[derive(Serialize)]
struct Revoked<'a> {
    revoked: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<View>,
}

pub(super) async fn revoke(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    JsonBody(revocation): JsonBody<Revocation>,
) -> Result<Response<Body>, Fault> {
    let (revoked, keys) = match &revocation {
        Revocation::Ticket(salt) => (salt, ticket(&office, who, salt).await?),
        Revocation::User(name) => (name, user(&office, who, name).await?),
        Revocation::Application(name) => (name, application(&office, who, name).await?),
        Revocation::Key(name) => (&name.id, key(&office, who, name).await?),
    };
    Ok(json(StatusCode::OK, &Revoked { revoked, keys }))
}

async fn ticket(office: &Office, who: Who, text: &str) -> Result<Vec<View>, Fault> {
    let salt = Salt::parse(text.as_bytes()).ok_or_else(|| {
        Fault::invalid("`ticket` must be 32 lower-case hex digits.", "The value of x-auth-salt.")
    })?;
    // Whatever the salt says of its issue: no ticket of today lives longer.
    let until_s = office.now().unix_seconds() + Life::MAX.seconds() + 2 * CLOCK_SKEW_S;
    let change = IdentityChange::RevokeSalt { salt: *salt.as_bytes(), until_s };
    office.change(who, format!("revoke ticket {salt}"), &[], change).await?;
    Ok(Vec::new())
}

async fn user(office: &Office, who: Who, text: &str) -> Result<Vec<View>, Fault> {
    let Qualified { account, name } = Qualified::parse(text, "user")?;
    let identity = office.identity().await?;
    let found = identity.users.iter().find(|row| row.account == account && row.name == name);
    let row = found.ok_or_else(|| {
        nearest::not_found(Subject::User, Some(text), &nearest::names(&identity, Subject::User))
    })?;
    let bound = identity.applications.iter().find(|application| application.id == row.application_id);
    let last_s = row.revoked_before_s.max(bound.and_then(|application| application.revoked_before_s));
    let at_s = revoked_at(last_s, office.now().unix_seconds());
    let change = IdentityChange::RevokeUser { account, name, at_s };
    office
        .change(who, format!("revoke the tickets of user {text}"), &[(Subject::User, text)], change)
        .await?;
    Ok(Vec::new())
}

async fn application(office: &Office, who: Who, text: &str) -> Result<Vec<View>, Fault> {
    let name: ApplicationName = named(text, "application")?;
    let identity = office.identity().await?;
    let found = identity.applications.iter().find(|row| row.name == name);
    let row = found.ok_or_else(|| {
        let known = nearest::names(&identity, Subject::Application);
        nearest::not_found(Subject::Application, Some(text), &known)
    })?;
    let users = identity.users.iter().filter(|user| user.application_id == row.id);
    let last_s = users.map(|user| user.revoked_before_s).fold(row.revoked_before_s, Option::max);
    let at_s = revoked_at(last_s, office.now().unix_seconds());
    let what = format!("revoke the tickets of application {text}");
    let change = IdentityChange::RevokeApplication { name, at_s };
    office.change(who, what, &[(Subject::Application, text)], change).await?;
    Ok(Vec::new())
}

async fn key(office: &Office, who: Who, name: &KeyName) -> Result<Vec<View>, Fault> {
    let role = parse_role(&name.role)?;
    let what = format!("revoke the {} key {}", role.as_str(), name.id);
    let revoke = |rows: &[KeyRow], masters: &_, now_s| key_ring::revoke(rows, role, &name.id, masters, now_s);
    let written = office.change_ring(who, what, revoke).await;
    let written = written.map_err(|error| signing_keys::refused(&error))?;
    Ok(written.iter().map(View::from).collect())
}

/// The second up to which tickets are void, where the last revocation of the user
/// or of the application, whichever it was, ended those up to `last_s`.
///
/// A ticket issued directly after that one is stamped one second ahead
/// ([`Salt::after_revocation`]); a revocation that follows within the second ends
/// it too. Log-ins after it hold from the next second on.
fn revoked_at(last_s: Option<u64>, now_s: u64) -> u64 {
    match last_s {
        Some(last_s) if last_s >= now_s => last_s.saturating_add(1),
        Some(_) | None => now_s,
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};
    use repono_ticket::Salt;

    use super::revoked_at;

    #[test]
    fn a_second_revocation_within_a_second_ends_what_was_issued_in_between() {
        let first = revoked_at(None, 100);
        let salt = Salt::after_revocation(100, Some(first), &mut StdRng::seed_from_u64(1));
        assert!(salt.issued_at() > first);
        assert!(salt.issued_at() <= revoked_at(Some(first), 100));
        assert_eq!(revoked_at(Some(first), 200), 200);
    }
}
