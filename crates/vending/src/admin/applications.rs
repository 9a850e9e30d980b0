//! Applications, which ask for tickets in the name of users.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use repono_core::name::ApplicationName;
use repono_core::time::utc_seconds;
use repono_store::error::Subject;
use repono_store::model::identity::{ApplicationRow, IdentityChange, Standing};
use serde::{Deserialize, Serialize};

use super::input::{Peer, Segments, named};
use super::secrets::{self, NewSecret};
use super::users::standing_name;
use crate::office::{Office, Who};
use crate::reply::{Documented, Fault, JsonBody, json};
use crate::secret::Secret;

#[derive(Serialize)]
struct View {
    application: String,
    standing: &'static str,
    /// Tickets issued up to then are void.
    revoked_before: Option<String>,
}

impl From<&ApplicationRow> for View {
    fn from(row: &ApplicationRow) -> Self {
        Self {
            application: row.name.to_string(),
            standing: standing_name(row.standing),
            revoked_before: row.revoked_before_s.map(utc_seconds),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    application: String,
    secret: Option<Secret>,
}

impl Documented for Create {
    const FORM: &'static str = r#"{"application":"NAME","secret":"…"}; without `secret` one is generated"#;
}

#[derive(Serialize)]
struct Named<'a> {
    application: &'a str,
}

pub(super) async fn list(State(office): State<Arc<Office>>) -> Result<Response<Body>, Fault> {
    let identity = office.identity().await?;
    Ok(json(StatusCode::OK, &identity.applications.iter().map(View::from).collect::<Vec<_>>()))
}

pub(super) async fn create(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    JsonBody(create): JsonBody<Create>,
) -> Result<Response<Body>, Fault> {
    let name: ApplicationName = named(&create.application, "application")?;
    let secret = secrets::prepare(&office, create.secret).await?;
    let what = format!("create application {name}");
    let change = IdentityChange::CreateApplication { name, secret_hash: secret.hash.clone() };
    office.change(who, what, &[], change).await?;
    Ok(secret.tell(StatusCode::CREATED, &Named { application: &create.application }))
}

pub(super) async fn rotate_secret(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(application): Segments<String>,
    JsonBody(new): JsonBody<NewSecret>,
) -> Result<Response<Body>, Fault> {
    let name: ApplicationName = named(&application, "application")?;
    let secret = secrets::prepare(&office, new.secret).await?;
    let what = format!("rotate the secret of application {name}");
    let change = IdentityChange::RotateApplicationSecret { name, secret_hash: secret.hash.clone() };
    office.change(who, what, &[(Subject::Application, &application)], change).await?;
    Ok(secret.tell(StatusCode::OK, &Named { application: &application }))
}

pub(super) async fn enable(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(application): Segments<String>,
) -> Result<StatusCode, Fault> {
    set_standing(&office, who, &application, Standing::Enabled).await
}

pub(super) async fn disable(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(application): Segments<String>,
) -> Result<StatusCode, Fault> {
    set_standing(&office, who, &application, Standing::Disabled).await
}

async fn set_standing(
    office: &Office,
    who: Who,
    application: &str,
    standing: Standing,
) -> Result<StatusCode, Fault> {
    let name: ApplicationName = named(application, "application")?;
    let what = format!("application {name} {}", standing_name(standing));
    let change = IdentityChange::SetApplicationStanding { name, standing };
    office.change(who, what, &[(Subject::Application, application)], change).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remove(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(application): Segments<String>,
) -> Result<StatusCode, Fault> {
    let name: ApplicationName = named(&application, "application")?;
    let what = format!("delete application {name}");
    let wanted = [(Subject::Application, application.as_str())];
    office.change(who, what, &wanted, IdentityChange::DeleteApplication { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}
