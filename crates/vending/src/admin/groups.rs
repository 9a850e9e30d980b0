//! Groups of users of one account. Group names follow the rules of user names:
//! both stand in ARNs.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use repono_core::name::{AccountName, UserName};
use repono_store::error::Subject;
use repono_store::model::identity::{GroupRow, IdentityChange, IdentitySnapshot};
use serde::{Deserialize, Serialize};

use super::input::{Filter, Peer, Qualified, Segments, named};
use crate::office::Office;
use crate::reply::{Documented, Fault, JsonBody, json};

#[derive(Serialize)]
struct View {
    group: String,
    /// Names of users of the same account.
    members: Vec<String>,
}

impl View {
    fn of(row: &GroupRow, identity: &IdentitySnapshot) -> Self {
        let name = |id: &u32| {
            let at = identity.users.binary_search_by_key(id, |user| user.id).ok()?;
            identity.users.get(at).map(|user| user.name.to_string())
        };
        Self {
            group: format!("{}:{}", row.account, row.name),
            members: row.members.iter().filter_map(name).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    group: String,
}

impl Documented for Create {
    const FORM: &'static str = r#"{"group":"ACCOUNT:GROUP"}"#;
}

#[derive(Serialize)]
struct Named<'a> {
    group: &'a str,
}

pub(super) async fn list(State(office): State<Arc<Office>>, filter: Filter) -> Result<Response<Body>, Fault> {
    let identity = office.identity().await?;
    let wanted = identity.groups.iter().filter(|row| filter.wants(&row.account));
    Ok(json(StatusCode::OK, &wanted.map(|row| View::of(row, &identity)).collect::<Vec<_>>()))
}

pub(super) async fn create(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    JsonBody(create): JsonBody<Create>,
) -> Result<Response<Body>, Fault> {
    let Qualified { account, name } = Qualified::parse(&create.group, "group")?;
    let what = format!("create group {account}:{name}");
    let change = IdentityChange::CreateGroup { account: account.clone(), name: name.to_string() };
    office.change(who, what, &[(Subject::Account, account.as_str())], change).await?;
    Ok(json(StatusCode::CREATED, &Named { group: &create.group }))
}

pub(super) async fn remove(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(group): Segments<String>,
) -> Result<StatusCode, Fault> {
    let Qualified { account, name } = Qualified::parse(&group, "group")?;
    let what = format!("delete group {account}:{name}");
    let change = IdentityChange::DeleteGroup { account: account.clone(), name: name.to_string() };
    let wanted = [(Subject::Account, account.as_str()), (Subject::Group, group.as_str())];
    office.change(who, what, &wanted, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn add(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(segments): Segments<(String, String)>,
) -> Result<StatusCode, Fault> {
    let member = Member::parse(&segments)?;
    let what = format!("add {} to group {}", member.qualified, segments.0);
    let Member { account, group, user, .. } = member.clone();
    let change = IdentityChange::AddMember { account, group, user };
    office.change(who, what, &member.wanted(&segments.0), change).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn take_out(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(segments): Segments<(String, String)>,
) -> Result<StatusCode, Fault> {
    let member = Member::parse(&segments)?;
    let what = format!("remove {} from group {}", member.qualified, segments.0);
    let Member { account, group, user, .. } = member.clone();
    let change = IdentityChange::RemoveMember { account, group, user };
    office.change(who, what, &member.wanted(&segments.0), change).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Clone)]
struct Member {
    account: AccountName,
    group: String,
    user: UserName,
    /// `account:user`.
    qualified: String,
}

impl Member {
    fn parse((group, user): &(String, String)) -> Result<Self, Fault> {
        let Qualified { account, name } = Qualified::parse(group, "group")?;
        let user: UserName = named(user, "user")?;
        let qualified = format!("{account}:{user}");
        Ok(Self { account, group: name.to_string(), user, qualified })
    }

    fn wanted<'a>(&'a self, group: &'a str) -> [(Subject, &'a str); 4] {
        [
            (Subject::Account, self.account.as_str()),
            (Subject::Group, group),
            (Subject::User, self.qualified.as_str()),
            (Subject::Member, self.qualified.as_str()),
        ]
    }
}
