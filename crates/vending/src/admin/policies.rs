//! Policies: AWS policy documents, each attached to one thing.

mod target;

use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use repono_core::name::{AccountName, UserName};
use repono_policy::{Document, DocumentError};
use repono_store::error::Subject;
use repono_store::model::identity::{IdentityChange, IdentitySnapshot, PolicyRow};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::target::{Resolved, Target};
use super::input::{Filter, Peer, Segments, named};
use crate::nearest;
use crate::office::{Office, Who};
use crate::reply::{Documented, Fault, JsonBody, json};

#[derive(Serialize)]
struct View<'a> {
    account: String,
    policy: &'a str,
    target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Put {
    target: Target,
    document: Box<RawValue>,
}

impl Documented for Put {
    const FORM: &'static str = r#"{"target":{"user":"ACCOUNT:USER"},"document":{"Version":"2012-10-17","Statement":[…]}}; a target is one of user, group, application, account, container"#;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attach {
    target: Target,
}

impl Documented for Attach {
    const FORM: &'static str = r#"{"target":{"user":"ACCOUNT:USER"}}; a target is one of user, group, application, account, container"#;
}

/// The name of a policy, from the path. It follows the rules of user names.
struct PolicyPath {
    account: AccountName,
    policy: UserName,
}

impl PolicyPath {
    fn parse((account, policy): &(String, String)) -> Result<Self, Fault> {
        Ok(Self { account: named(account, "account")?, policy: named(policy, "policy")? })
    }

    fn find<'a>(&self, identity: &'a IdentitySnapshot) -> Result<&'a PolicyRow, Fault> {
        let found = identity
            .policies
            .iter()
            .find(|row| row.owner == self.account && row.name == self.policy.as_str());
        found.ok_or_else(|| {
            let known = nearest::names(identity, Subject::Policy);
            nearest::not_found(Subject::Policy, Some(&self.to_string()), &known)
        })
    }
}

impl std::fmt::Display for PolicyPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.account, self.policy)
    }
}

pub(super) async fn list(State(office): State<Arc<Office>>, filter: Filter) -> Result<Response<Body>, Fault> {
    let identity = office.identity().await?;
    let wanted = identity.policies.iter().filter(|row| filter.wants(&row.owner));
    let view = |row| view(row, &identity, None);
    Ok(json(StatusCode::OK, &wanted.map(view).collect::<Vec<_>>()))
}

pub(super) async fn show(
    State(office): State<Arc<Office>>,
    Segments(segments): Segments<(String, String)>,
) -> Result<Response<Body>, Fault> {
    let identity = office.identity().await?;
    let row = PolicyPath::parse(&segments)?.find(&identity)?;
    // A stored document that is no JSON is shown as none; heads deny for it.
    let document = serde_json::from_str::<&RawValue>(&row.json).ok();
    Ok(json(StatusCode::OK, &view(row, &identity, document)))
}

fn view<'a>(row: &'a PolicyRow, identity: &IdentitySnapshot, document: Option<&'a RawValue>) -> View<'a> {
    let target = Target::of(&row.attachment, identity);
    View { account: row.owner.to_string(), policy: &row.name, target, document }
}

pub(super) async fn put(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(segments): Segments<(String, String)>,
    JsonBody(body): JsonBody<Put>,
) -> Result<Response<Body>, Fault> {
    let path = PolicyPath::parse(&segments)?;
    let identity = office.identity().await?;
    let json = body.document.get().to_owned();
    store(&office, who, &path, &identity, &body.target, json).await
}

pub(super) async fn attach(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(segments): Segments<(String, String)>,
    JsonBody(body): JsonBody<Attach>,
) -> Result<Response<Body>, Fault> {
    let path = PolicyPath::parse(&segments)?;
    let identity = office.identity().await?;
    let json = path.find(&identity)?.json.clone();
    store(&office, who, &path, &identity, &body.target, json).await
}

/// Checks a document against its target, and keeps it.
async fn store(
    office: &Office,
    who: Who,
    path: &PolicyPath,
    identity: &IdentitySnapshot,
    target: &Target,
    json: String,
) -> Result<Response<Body>, Fault> {
    let Resolved { attachment, kind } = target.resolve(&path.account, identity)?;
    let document = Document::parse(&json, kind).map_err(|error| invalid(&error))?;
    document.check_keeper(&path.account).map_err(|error| invalid(&error))?;
    let what = format!("put policy {path} on {target}");
    let change = IdentityChange::PutPolicy {
        owner: path.account.clone(),
        name: path.policy.to_string(),
        attachment,
        json,
    };
    let target_name = target.name();
    let wanted = [(Subject::Account, path.account.as_str()), (Subject::Attachment, target_name.as_str())];
    office.change(who, what, &wanted, change).await?;
    let stored = View {
        account: path.account.to_string(),
        policy: path.policy.as_str(),
        target: Some(target.clone()),
        document: None,
    };
    Ok(crate::reply::json(StatusCode::OK, &stored))
}

pub(super) async fn remove(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(segments): Segments<(String, String)>,
) -> Result<StatusCode, Fault> {
    let path = PolicyPath::parse(&segments)?;
    let name = path.to_string();
    let change = IdentityChange::DeletePolicy { owner: path.account.clone(), name: path.policy.to_string() };
    let wanted = [(Subject::Account, path.account.as_str()), (Subject::Policy, name.as_str())];
    office.change(who, format!("delete policy {name}"), &wanted, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The fault of a document in its author's words, the parser's own included.
fn invalid(error: &DocumentError) -> Fault {
    let message = match error.source() {
        Some(cause) => format!("The policy cannot be used: {error}: {cause}."),
        None => format!("The policy cannot be used: {error}."),
    };
    Fault::about(
        StatusCode::BAD_REQUEST,
        "InvalidPolicy",
        message,
        "Nothing was changed. Policies on accounts and containers name principals, the others none.",
    )
}
