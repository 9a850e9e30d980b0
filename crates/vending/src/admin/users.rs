//! Users, each bound to one application.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use repono_core::name::ApplicationName;
use repono_core::time::utc_seconds;
use repono_store::error::Subject;
use repono_store::model::identity::{IdentityChange, IdentitySnapshot, Standing, UserRow};
use serde::{Deserialize, Serialize};

use super::input::{Filter, Peer, Qualified, Segments, named};
use super::secrets::{self, NewSecret};
use crate::office::{Office, Who};
use crate::reply::{Documented, Fault, JsonBody, json};
use crate::secret::Secret;

#[derive(Serialize)]
struct View {
    user: String,
    application: Option<String>,
    standing: &'static str,
    /// Tickets issued up to then are void.
    revoked_before: Option<String>,
}

impl View {
    fn of(row: &UserRow, identity: &IdentitySnapshot) -> Self {
        let application = identity.applications.iter().find(|a| a.id == row.application_id);
        Self {
            user: format!("{}:{}", row.account, row.name),
            application: application.map(|a| a.name.to_string()),
            standing: standing_name(row.standing),
            revoked_before: row.revoked_before_s.map(utc_seconds),
        }
    }
}

pub(super) const fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Enabled => "enabled",
        Standing::Disabled => "disabled",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    user: String,
    application: String,
    secret: Option<Secret>,
}

impl Documented for Create {
    const FORM: &'static str =
        r#"{"user":"ACCOUNT:USER","application":"NAME","secret":"…"}; without `secret` one is generated"#;
}

#[derive(Serialize)]
struct Created<'a> {
    user: &'a str,
    application: &'a str,
}

#[derive(Serialize)]
struct Named<'a> {
    user: &'a str,
}

pub(super) async fn list(State(office): State<Arc<Office>>, filter: Filter) -> Result<Response<Body>, Fault> {
    let identity = office.identity().await?;
    let wanted = identity.users.iter().filter(|row| filter.wants(&row.account));
    Ok(json(StatusCode::OK, &wanted.map(|row| View::of(row, &identity)).collect::<Vec<_>>()))
}

pub(super) async fn create(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    JsonBody(create): JsonBody<Create>,
) -> Result<Response<Body>, Fault> {
    let Qualified { account, name } = Qualified::parse(&create.user, "user")?;
    let application: ApplicationName = named(&create.application, "application")?;
    let secret = secrets::prepare(&office, create.secret).await?;
    let what = format!("create user {account}:{name} bound to application {application}");
    let change = IdentityChange::CreateUser {
        account: account.clone(),
        name,
        secret_hash: secret.hash.clone(),
        application,
    };
    let wanted = [(Subject::Account, account.as_str()), (Subject::Application, create.application.as_str())];
    office.change(who, what, &wanted, change).await?;
    let facts = Created { user: &create.user, application: &create.application };
    Ok(secret.tell(StatusCode::CREATED, &facts))
}

pub(super) async fn rotate_secret(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(user): Segments<String>,
    JsonBody(new): JsonBody<NewSecret>,
) -> Result<Response<Body>, Fault> {
    let Qualified { account, name } = Qualified::parse(&user, "user")?;
    let secret = secrets::prepare(&office, new.secret).await?;
    let what = format!("rotate the secret of user {account}:{name}");
    let change =
        IdentityChange::RotateUserSecret { account: account.clone(), name, secret_hash: secret.hash.clone() };
    office.change(who, what, &wanted(&account, &user), change).await?;
    Ok(secret.tell(StatusCode::OK, &Named { user: &user }))
}

pub(super) async fn enable(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(user): Segments<String>,
) -> Result<StatusCode, Fault> {
    set_standing(&office, who, &user, Standing::Enabled).await
}

pub(super) async fn disable(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(user): Segments<String>,
) -> Result<StatusCode, Fault> {
    set_standing(&office, who, &user, Standing::Disabled).await
}

async fn set_standing(
    office: &Office,
    who: Who,
    user: &str,
    standing: Standing,
) -> Result<StatusCode, Fault> {
    let Qualified { account, name } = Qualified::parse(user, "user")?;
    let what = format!("user {account}:{name} {}", standing_name(standing));
    let change = IdentityChange::SetUserStanding { account: account.clone(), name, standing };
    office.change(who, what, &wanted(&account, user), change).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(user): Segments<String>,
) -> Result<StatusCode, Fault> {
    let Qualified { account, name } = Qualified::parse(&user, "user")?;
    let what = format!("delete user {account}:{name}");
    let change = IdentityChange::DeleteUser { account: account.clone(), name };
    office.change(who, what, &wanted(&account, &user), change).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn wanted<'a>(account: &'a repono_core::name::AccountName, user: &'a str) -> [(Subject, &'a str); 2] {
    [(Subject::Account, account.as_str()), (Subject::User, user)]
}
