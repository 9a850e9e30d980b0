//! Accounts.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use repono_core::name::AccountName;
use repono_core::time::utc_seconds;
use repono_store::error::Subject;
use repono_store::model::identity::{AccessChange, IdentityChange};
use repono_wire::quota::ACCOUNT_BYTES;
use serde::{Deserialize, Serialize};

use super::input::{Peer, Segments, named};
use crate::office::Office;
use crate::reply::{Documented, Fault, JsonBody, json};

#[derive(Serialize)]
struct View {
    account: String,
    created: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    account: String,
}

impl Documented for Create {
    const FORM: &'static str = r#"{"account":"NAME"}"#;
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quota {
    bytes: Option<u64>,
}

impl Documented for Quota {
    const FORM: &'static str = r#"{"bytes":N}, or {"bytes":null} for no quota"#;
}

#[derive(Serialize)]
struct Named {
    account: String,
}

pub(super) async fn list(State(office): State<Arc<Office>>) -> Result<Response<Body>, Fault> {
    let identity = office.identity().await?;
    let view = |row: &repono_store::model::identity::AccountRow| View {
        account: row.name.to_string(),
        created: utc_seconds(row.created.unix_seconds()),
    };
    Ok(json(StatusCode::OK, &identity.accounts.iter().map(view).collect::<Vec<_>>()))
}

pub(super) async fn create(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    JsonBody(create): JsonBody<Create>,
) -> Result<Response<Body>, Fault> {
    let name: AccountName = named(&create.account, "account")?;
    let what = format!("create account {name}");
    office.change(who, what, &[], IdentityChange::CreateAccount { name }).await?;
    Ok(json(StatusCode::CREATED, &Named { account: create.account }))
}

pub(super) async fn remove(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(account): Segments<String>,
) -> Result<StatusCode, Fault> {
    let name: AccountName = named(&account, "account")?;
    let what = format!("delete account {name}");
    let wanted = [(Subject::Account, account.as_str())];
    office.change(who, what, &wanted, IdentityChange::DeleteAccount { name }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bounds what the containers of an account hold; what is there already stays.
pub(super) async fn set_quota(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(account): Segments<String>,
    JsonBody(quota): JsonBody<Quota>,
) -> Result<Response<Body>, Fault> {
    let name: AccountName = named(&account, "account")?;
    let what = match quota.bytes {
        Some(bytes) => format!("set the quota of account {name} to {bytes} bytes"),
        None => format!("take the quota off account {name}"),
    };
    let metadata = vec![(ACCOUNT_BYTES.to_owned(), quota.bytes.map(|bytes| bytes.to_string()))];
    let change = AccessChange { account: name, container: None, metadata, policies: Vec::new() };
    let wanted = [(Subject::Account, account.as_str())];
    office.change(who, what, &wanted, IdentityChange::ChangeAccess(change)).await?;
    Ok(json(StatusCode::OK, &quota))
}
