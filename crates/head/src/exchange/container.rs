//! Requests about one container, its listing among them.

use repono_core::name::{AccountName, ContainerName};
use repono_core::request::Method;
use repono_journal::Stamp;
use repono_policy::{Action, Permit, Resource};
use repono_store::model::{
    Container, ContainerDeletion, Creation, ListItem, ListOrder, ListPage, MetadataChange, RollUp,
};
use repono_wire::listing::{self, Entry, ListQuery, Listed, Order};
use repono_wire::metadata::{Changes, Owner};
use repono_wire::quota;
use repono_wire::refusals::{CONTAINER_NOT_EMPTY, METHOD_NOT_ALLOWED, NO_SUCH_CONTAINER};
use repono_wire::reply::{self, ContainerHeaders, ListingBody};
use repono_wire::unserved::{refuse_unserved, refuse_unserved_query};

use super::access::{self, List};
use super::{Exchange, Stop};
use crate::caller::Caller;

/// Answers a request about a container.
pub(super) async fn handle(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    account: &AccountName,
    container: &ContainerName,
) -> Result<(), Stop> {
    let resource = Resource::Container { account, container };
    let method = exchange.head.method();
    let query = match method {
        Method::Get => Some(ListQuery::from_head(exchange.head)?),
        Method::Head | Method::Put | Method::Post | Method::Delete | Method::Copy | Method::Options => None,
    };
    let action = match method {
        Method::Get | Method::Head => Action::ListBucket,
        Method::Put => Action::CreateBucket,
        Method::Post => Action::PutBucketMetadata,
        Method::Delete => Action::DeleteBucket,
        Method::Copy | Method::Options => return Err(METHOD_NOT_ALLOWED.into()),
    };
    let permit = exchange.authorize(caller, action, resource, query.as_ref())?;
    match method {
        Method::Get | Method::Head => get(exchange, caller, &permit, query.as_ref()).await,
        Method::Put => put(exchange, caller, &permit).await,
        Method::Post => post(exchange, caller, &permit).await,
        Method::Delete => delete(exchange, &permit).await,
        Method::Copy | Method::Options => Err(METHOD_NOT_ALLOWED.into()),
    }
}

fn names(permit: &Permit) -> Result<(&AccountName, &ContainerName), Stop> {
    let container = permit.container().ok_or(NO_SUCH_CONTAINER)?;
    Ok((permit.account(), container))
}

async fn get(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    permit: &Permit,
    query: Option<&ListQuery>,
) -> Result<(), Stop> {
    refuse_unserved_query(exchange.head)?;
    let (account, name) = names(permit)?;
    let began = Stamp::mono_now();
    let found = look_up(exchange, account, name, query).await;
    exchange.store_took(began);
    let (mut container, items) = found?;
    access::hide(exchange, caller, account, &mut container.metadata);
    let mut body = Vec::new();
    let kind = match query {
        None => ListingBody::Head(ListQuery::format(exchange.head)?),
        Some(query) => {
            listing::render(
                &mut body,
                query.format,
                Listed::Container(name.as_str()),
                items.iter().map(entry),
            );
            ListingBody::Listing { format: query.format, bytes: body.len() as u64 }
        }
    };
    let headers = ContainerHeaders {
        timestamp: container.created,
        last_put: container.last_put,
        object_count: container.object_count,
        bytes_used: container.bytes_used,
        metadata: &container.metadata,
    };
    exchange
        .send_document(kind.status(), &body, |sink, common| reply::container(sink, common, &headers, kind))
        .await
}

async fn look_up(
    exchange: &Exchange<'_>,
    account: &AccountName,
    name: &ContainerName,
    query: Option<&ListQuery>,
) -> Result<(Container, Vec<ListItem>), Stop> {
    let mut reader = exchange.shard.reader().await;
    let container = reader.container(account.as_str(), name.as_str()).await?.ok_or(NO_SUCH_CONTAINER)?;
    let items = match query {
        None => Vec::new(),
        Some(query) => {
            let listed = reader.list_objects(account.as_str(), name.as_str(), &page(query)).await?;
            listed.ok_or(NO_SUCH_CONTAINER)?
        }
    };
    Ok((container, items))
}

/// The page of the store that a query asks for.
pub(super) fn page(query: &ListQuery) -> ListPage {
    ListPage {
        prefix: query.prefix.clone(),
        delimiter: query.delimiter.clone(),
        roll_up: match query.roll_up {
            listing::RollUp::Show => RollUp::Show,
            listing::RollUp::Leave => RollUp::Leave,
        },
        marker: query.marker.clone(),
        end_marker: query.end_marker.clone(),
        limit: usize::try_from(query.limit).unwrap_or(ListPage::LIMIT_MAX),
        order: match query.order {
            Order::Ascending => ListOrder::Ascending,
            Order::Descending => ListOrder::Descending,
        },
    }
}

fn entry(item: &ListItem) -> Entry<'_> {
    match item {
        ListItem::Object { key, size, etag, content_type, timestamp, large } => Entry::Object {
            name: key,
            bytes: *size,
            etag: *etag,
            content_type,
            timestamp: *timestamp,
            large: large.map(|large| (large.size, large.etag)),
        },
        ListItem::Prefix(name) => Entry::Subdir { name },
    }
}

async fn put(exchange: &mut Exchange<'_>, caller: &Caller, permit: &Permit) -> Result<(), Stop> {
    refuse_unserved(exchange.head)?;
    let (account, name) = names(permit)?;
    let changes = Changes::from_head(exchange.head, Owner::Container)?;
    quota::check_values(changes.items())?;
    let lists = access::on_container(exchange.head)?;
    access::require_owner(exchange, caller, account, &lists)?;
    let current = exchange.shard.reader().await.container(account.as_str(), name.as_str()).await?;
    changes.apply(current.as_ref().map_or(&[], |current| &current.metadata))?;
    let metadata = changes.apply(&[])?;
    let began = Stamp::mono_now();
    let created = exchange.shard.common.store.meta().create_container(account, name, metadata).await?;
    let status = match created {
        Creation::Created => 201,
        Creation::Existed => 202,
    };
    let removes = changes.items().iter().any(|(_, value)| value.is_none());
    if !lists.is_empty() || (removes && created == Creation::Existed) {
        store(exchange, caller, (account, name), changes.items().to_vec(), lists).await?;
    }
    exchange.store_took(began);
    exchange.send_fields(status, |sink, common| reply::empty(sink, common, status)).await
}

async fn post(exchange: &mut Exchange<'_>, caller: &Caller, permit: &Permit) -> Result<(), Stop> {
    refuse_unserved(exchange.head)?;
    let (account, name) = names(permit)?;
    let changes = Changes::from_head(exchange.head, Owner::Container)?;
    quota::check_values(changes.items())?;
    let lists = access::on_container(exchange.head)?;
    access::require_owner(exchange, caller, account, &lists)?;
    let began = Stamp::mono_now();
    let current = exchange.shard.reader().await.container(account.as_str(), name.as_str()).await;
    let current = current?.ok_or(NO_SUCH_CONTAINER)?;
    // The limits hold for the result, so they are checked against what is there.
    changes.apply(&current.metadata)?;
    let merged = changes.items().to_vec();
    let changed = store(exchange, caller, (account, name), merged, lists).await;
    exchange.store_took(began);
    changed?;
    exchange.send_fields(204, |sink, common| reply::empty(sink, common, 204)).await
}

/// Stores a change of a container.
async fn store(
    exchange: &Exchange<'_>,
    caller: &Caller,
    (account, name): (&AccountName, &ContainerName),
    metadata: Vec<MetadataChange>,
    lists: Vec<List>,
) -> Result<(), Stop> {
    if lists.is_empty() {
        let meta = exchange.shard.common.store.meta();
        return Ok(meta.change_container_metadata(account, name, metadata).await?);
    }
    access::store(exchange, caller, (account, Some(name)), metadata, lists).await
}

async fn delete(exchange: &mut Exchange<'_>, permit: &Permit) -> Result<(), Stop> {
    refuse_unserved_query(exchange.head)?;
    let (account, name) = names(permit)?;
    let began = Stamp::mono_now();
    let deleted = exchange.shard.common.store.meta().delete_container(account, name).await;
    exchange.store_took(began);
    match deleted? {
        ContainerDeletion::Deleted => {
            exchange.send_fields(204, |sink, common| reply::empty(sink, common, 204)).await
        }
        ContainerDeletion::NotEmpty => Err(CONTAINER_NOT_EMPTY.into()),
        ContainerDeletion::NoSuch => Err(NO_SUCH_CONTAINER.into()),
    }
}
