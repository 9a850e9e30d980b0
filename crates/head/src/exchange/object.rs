//! Requests about one object.

use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::request::Method;
use repono_journal::Stamp;
use repono_policy::{Action, Permit, Resource};
use repono_store::model::repeat::Body;
use repono_store::model::{DeleteObject, Deleted, MetadataReplaced, Object, ObjectMetadata};
use repono_store::store::ObjectRead;
use repono_ticket::{PreauthClaims, append_preauth_uri};
use repono_wire::copy;
use repono_wire::expiry;
use repono_wire::large::{LargeQuery, ManifestUse};
use repono_wire::put::PostRequest;
use repono_wire::refusals::{METHOD_NOT_ALLOWED, NO_SUCH_CONTAINER, NO_SUCH_KEY};
use repono_wire::reply::{self, Access};

use super::large::{Kind, Right};
use super::{Exchange, Stop};
use crate::caller::Caller;

/// Answers a request about an object.
pub(super) async fn handle(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    account: &AccountName,
    container: &ContainerName,
    key: &ObjectKey,
) -> Result<(), Stop> {
    let method = exchange.head.method();
    let action = match method {
        Method::Get | Method::Head | Method::Copy => Action::GetObject,
        Method::Put | Method::Post => Action::PutObject,
        Method::Delete => Action::DeleteObject,
        Method::Options => return Err(METHOD_NOT_ALLOWED.into()),
    };
    let resource = Resource::Object { account, container, key };
    let permit = exchange.authorize(caller, action, resource, None)?;
    match method {
        Method::Get | Method::Head => get(exchange, caller, &permit).await,
        Method::Put => match LargeQuery::from_head(exchange.head)?.manifest {
            ManifestUse::Put => Box::pin(super::large::put(exchange, caller, &permit)).await,
            ManifestUse::Resolve | ManifestUse::Show | ManifestUse::ShowRaw | ManifestUse::Delete => {
                match copy::source(exchange.head, account)? {
                    Some(source) => super::copy::from_source(exchange, caller, &source, &permit).await,
                    None => super::upload::put(exchange, caller, &permit).await,
                }
            }
        },
        Method::Copy => super::copy::to_destination(exchange, caller, &permit).await,
        Method::Post => post(exchange, &permit).await,
        Method::Delete => match LargeQuery::from_head(exchange.head)?.manifest {
            ManifestUse::Delete => Box::pin(super::large::delete(exchange, caller, &permit)).await,
            ManifestUse::Resolve | ManifestUse::Show | ManifestUse::ShowRaw | ManifestUse::Put => {
                delete(exchange, caller, &permit).await
            }
        },
        Method::Options => Err(METHOD_NOT_ALLOWED.into()),
    }
}

/// The three names of an object that a permit is for.
pub(super) fn names(permit: &Permit) -> Result<(&AccountName, &ContainerName, &ObjectKey), Stop> {
    match (permit.container(), permit.key()) {
        (Some(container), Some(key)) => Ok((permit.account(), container, key)),
        (Some(_) | None, None) | (None, Some(_)) => Err(NO_SUCH_KEY.into()),
    }
}

async fn get(exchange: &mut Exchange<'_>, caller: &Caller, permit: &Permit) -> Result<(), Stop> {
    let (account, container, key) = names(permit)?;
    let began = Stamp::mono_now();
    let shard = exchange.shard;
    let read = {
        let mut reader = shard.reader().await;
        let (account, container, key) = (account.as_str(), container.as_str(), key.as_str());
        shard.common.store.read(&mut **reader, account, container, key).await
    };
    exchange.store_took(began);
    let found = match read? {
        ObjectRead::Found(found) if !found.object.is_expired(exchange.now.unix_seconds()) => found,
        ObjectRead::NoKey | ObjectRead::Found(_) => {
            return Err(super::read::absent(exchange).unwrap_or_else(|| NO_SUCH_KEY.into()));
        }
        ObjectRead::NoContainer => return Err(NO_SUCH_CONTAINER.into()),
    };
    let uri = match exchange.head.method() {
        Method::Head => preauth_uri(exchange, caller, account, key, &found.object),
        _other => None,
    };
    let access = match &uri {
        Some(uri) => Access::TicketWithUri { uri },
        None => Access::Ticket,
    };
    super::read::serve(exchange, Right { caller, account }, found, &access).await
}

/// A link to this version, in the right of the ticket that asks.
fn preauth_uri(
    exchange: &Exchange<'_>,
    caller: &Caller,
    account: &AccountName,
    key: &ObjectKey,
    object: &Object,
) -> Option<Vec<u8>> {
    let (user, verified) = caller.ticket()?;
    if verified.scope().is_some() && Kind::of(object).is_some() {
        // A link carries no scope, which must hold for the segments too.
        return None;
    }
    let now_s = exchange.now.unix_seconds();
    let claims = PreauthClaims::for_ticket(verified, now_s, user.id, user.application_id, object.version)?;
    let mut uri = Vec::with_capacity(256);
    append_preauth_uri(&exchange.directory.preauth_keys, &claims, account.as_str(), file_name(key), &mut uri);
    Some(uri)
}

/// The last segment of a key, or the whole key where that is empty.
pub(super) fn file_name(key: &ObjectKey) -> &str {
    let key = key.as_str();
    let last = key.rsplit('/').next().unwrap_or(key);
    if last.is_empty() { key } else { last }
}

async fn post(exchange: &mut Exchange<'_>, permit: &Permit) -> Result<(), Stop> {
    let (account, container, key) = names(permit)?;
    let PostRequest { content_type, mut metadata } = PostRequest::from_head(exchange.head)?;
    super::upload::add_end(exchange, &mut metadata)?;
    let new = ObjectMetadata { content_type, metadata };
    let began = Stamp::mono_now();
    let replaced = exchange.shard.common.store.meta().replace_metadata(account, container, key, new).await;
    exchange.store_took(began);
    match replaced? {
        MetadataReplaced::Replaced { timestamp } => {
            exchange.send_fields(202, |sink, common| reply::object_updated(sink, common, timestamp)).await
        }
        MetadataReplaced::NoKey => Err(NO_SUCH_KEY.into()),
        MetadataReplaced::NoContainer => Err(NO_SUCH_CONTAINER.into()),
    }
}

async fn delete(exchange: &mut Exchange<'_>, caller: &Caller, permit: &Permit) -> Result<(), Stop> {
    let (account, container, key) = names(permit)?;
    repono_wire::unserved::refuse_unserved_query(exchange.head)?;
    let object = DeleteObject {
        if_delete_at_s: expiry::if_delete_at_s(exchange.head)?,
        repeatable: exchange.repeatable(caller, Body::Sent)?,
        ..DeleteObject::new(account, container, key)
    };
    let began = Stamp::mono_now();
    let deleted = exchange.shard.common.store.meta().delete_object(object).await;
    exchange.store_took(began);
    match deleted? {
        Deleted::Deleted { .. } => {
            exchange.send_fields(204, |sink, common| reply::empty(sink, common, 204)).await
        }
        Deleted::NoKey => Err(NO_SUCH_KEY.into()),
        Deleted::NoContainer => Err(NO_SUCH_CONTAINER.into()),
    }
}
