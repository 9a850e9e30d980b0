//! Access lists: checked, translated into policies, stored with both, and shown to
//! owners only.

use repono_core::name::{AccountName, ContainerName};
use repono_core::request::RequestHead;
use repono_policy::{AccountAcl, AclError, Action, ContainerAcl, Resource, Right};
use repono_store::model::identity::{AccessChange, Audit, IdentityChange};
use repono_store::model::{Metadata, MetadataChange};
use repono_wire::access;
use repono_wire::refusals::{ACCESS_DENIED, INVALID_ACL};

use super::{Exchange, Stop};
use crate::caller::Caller;

/// The new text of one list and the policy that it means.
pub(super) struct List {
    header: &'static str,
    text: String,
    policy: Option<String>,
}

impl List {
    fn of(
        header: &'static str,
        text: String,
        policy: Result<Option<String>, AclError>,
    ) -> Result<Self, Stop> {
        let policy = policy.map_err(invalid)?;
        Ok(Self { header, text, policy })
    }
}

fn invalid(error: AclError) -> Stop {
    match error {
        AclError::Referrer | AclError::Designator | AclError::Form | AclError::TooLong => INVALID_ACL.into(),
    }
}

/// The lists that a request sets on a container.
pub(super) fn on_container(head: &RequestHead) -> Result<Vec<List>, Stop> {
    let mut lists = Vec::new();
    for (header, right) in [(access::CONTAINER_READ, Right::Read), (access::CONTAINER_WRITE, Right::Write)] {
        if let Some(value) = access::sent(head, header)? {
            let acl = ContainerAcl::parse(&value, right).map_err(invalid)?;
            lists.push(List::of(header, acl.text(), acl.policy())?);
        }
    }
    Ok(lists)
}

/// The list that a request sets on an account.
pub(super) fn on_account(head: &RequestHead) -> Result<Vec<List>, Stop> {
    let Some(value) = access::sent(head, access::ACCOUNT)? else {
        return Ok(Vec::new());
    };
    if value.trim().is_empty() {
        return Ok(vec![List { header: access::ACCOUNT, text: String::new(), policy: None }]);
    }
    let acl = AccountAcl::parse(&value).map_err(invalid)?;
    Ok(vec![List::of(access::ACCOUNT, acl.text(), acl.policy())?])
}

/// Whether the caller administers the account: Swift's `swift_owner`.
fn owns(exchange: &mut Exchange<'_>, caller: &Caller, account: &AccountName) -> bool {
    exchange.authorize(caller, Action::PutAccountMetadata, Resource::Account { account }, None).is_ok()
}

/// Lets only an owner set lists: whoever may set one can give away everything.
pub(super) fn require_owner(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    account: &AccountName,
    lists: &[List],
) -> Result<(), Stop> {
    if lists.is_empty() || owns(exchange, caller, account) { Ok(()) } else { Err(ACCESS_DENIED.into()) }
}

/// Leaves out of kept metadata what is for owners only.
pub(super) fn hide(exchange: &mut Exchange<'_>, caller: &Caller, account: &AccountName, kept: &mut Metadata) {
    let guarded = kept.iter().any(|(name, _)| access::is_for_owners(name));
    if guarded && !owns(exchange, caller, account) {
        kept.retain(|(name, _)| !access::is_for_owners(name));
    }
}

/// Stores lists, their policies, and further metadata in one transaction.
pub(super) async fn store(
    exchange: &Exchange<'_>,
    caller: &Caller,
    (account, container): (&AccountName, Option<&ContainerName>),
    mut metadata: Vec<MetadataChange>,
    lists: Vec<List>,
) -> Result<(), Stop> {
    let place = container.map_or_else(|| account.to_string(), |name| format!("{account}/{name}"));
    let who =
        caller.user().map_or_else(|| "anyone".to_owned(), |user| format!("{}:{}", user.account, user.user));
    let headers: Vec<_> = lists.iter().map(|list| list.header).collect();
    let by = Audit {
        at: exchange.now,
        who,
        source: exchange.source.to_string(),
        what: format!("set {} of {place}", headers.join(" and ")),
    };
    let mut policies = Vec::new();
    for List { header, text, policy } in lists {
        metadata.push((header.to_owned(), Some(text).filter(|text| !text.is_empty())));
        // The slash keeps these names apart from those that administrators give.
        policies.push((format!("{header}/{}", container.map_or("", ContainerName::as_str)), policy));
    }
    let change = AccessChange { account: account.clone(), container: container.cloned(), metadata, policies };
    exchange.shard.common.store.meta().change_identity(IdentityChange::ChangeAccess(change), by).await?;
    Ok(())
}
