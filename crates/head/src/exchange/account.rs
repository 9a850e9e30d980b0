//! Requests about an account: its containers and its metadata.

use repono_core::name::AccountName;
use repono_core::request::Method;
use repono_journal::Stamp;
use repono_policy::{Action, Permit, Resource};
use repono_store::model::{Account, ContainerItem};
use repono_wire::listing::{self, Entry, ListQuery, Listed};
use repono_wire::metadata::{Changes, Owner};
use repono_wire::quota;
use repono_wire::refusals::{METHOD_NOT_ALLOWED, NOT_FOUND};
use repono_wire::reply::{self, AccountHeaders, ListingBody};
use repono_wire::unserved::{refuse_unserved, refuse_unserved_query};

use super::access;
use super::container::page;
use super::{Exchange, Stop};
use crate::caller::Caller;

/// Answers a request about an account.
pub(super) async fn handle(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    account: &AccountName,
) -> Result<(), Stop> {
    match exchange.head.method() {
        Method::Get | Method::Head => get(exchange, caller, account).await,
        Method::Post => post(exchange, caller, account).await,
        Method::Put | Method::Delete | Method::Copy | Method::Options => Err(METHOD_NOT_ALLOWED.into()),
    }
}

/// Merges metadata and the access list into what is there.
async fn post(exchange: &mut Exchange<'_>, caller: &Caller, account: &AccountName) -> Result<(), Stop> {
    refuse_unserved(exchange.head)?;
    let resource = Resource::Account { account };
    let permit = exchange.authorize(caller, Action::PutAccountMetadata, resource, None)?;
    let changes = Changes::from_head(exchange.head, Owner::Account)?;
    quota::check_account(changes.items())?;
    let lists = access::on_account(exchange.head)?;
    let name = permit.account();
    let began = Stamp::mono_now();
    let current = exchange.shard.reader().await.account(name.as_str()).await?.ok_or(NOT_FOUND)?;
    // The limits hold for the result, so they are checked against what is there.
    changes.apply(&current.metadata)?;
    let merged = changes.items().to_vec();
    if lists.is_empty() {
        exchange.shard.common.store.meta().change_account_metadata(name, merged).await?;
    } else {
        access::store(exchange, caller, (name, None), merged, lists).await?;
    }
    exchange.store_took(began);
    exchange.send_fields(204, |sink, common| reply::empty(sink, common, 204)).await
}

/// Answers GET or HEAD of an account.
async fn get(exchange: &mut Exchange<'_>, caller: &Caller, account: &AccountName) -> Result<(), Stop> {
    refuse_unserved_query(exchange.head)?;
    let query = match exchange.head.method() {
        Method::Get => Some(ListQuery::from_head(exchange.head)?),
        _without_a_listing => None,
    };
    let resource = Resource::Account { account };
    let permit = exchange.authorize(caller, Action::ListAllMyBuckets, resource, query.as_ref())?;
    let began = Stamp::mono_now();
    let found = look_up(exchange, &permit, query.as_ref()).await;
    exchange.store_took(began);
    let (mut found, items) = found?;
    access::hide(exchange, caller, account, &mut found.metadata);
    let mut body = Vec::new();
    let kind = match &query {
        None => ListingBody::Head(ListQuery::format(exchange.head)?),
        Some(query) => {
            let listed = Listed::Account(permit.account().as_str());
            listing::render(&mut body, query.format, listed, items.iter().map(entry));
            ListingBody::Listing { format: query.format, bytes: body.len() as u64 }
        }
    };
    let headers = AccountHeaders {
        timestamp: found.created,
        container_count: found.container_count,
        object_count: found.object_count,
        bytes_used: found.bytes_used,
        metadata: &found.metadata,
    };
    exchange
        .send_document(kind.status(), &body, |sink, common| reply::account(sink, common, &headers, kind))
        .await
}

async fn look_up(
    exchange: &Exchange<'_>,
    permit: &Permit,
    query: Option<&ListQuery>,
) -> Result<(Account, Vec<ContainerItem>), Stop> {
    let name = permit.account().as_str();
    let mut reader = exchange.shard.reader().await;
    let account = reader.account(name).await?.ok_or(NOT_FOUND)?;
    let items = match query {
        None => Vec::new(),
        Some(query) => reader.list_containers(name, &page(query)).await?.ok_or(NOT_FOUND)?,
    };
    Ok((account, items))
}

fn entry(item: &ContainerItem) -> Entry<'_> {
    match item {
        ContainerItem::Container { name, last_put, object_count, bytes_used } => {
            Entry::Container { name, count: *object_count, bytes: *bytes_used, timestamp: *last_put }
        }
        ContainerItem::Prefix(name) => Entry::Subdir { name },
    }
}
