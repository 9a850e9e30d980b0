//! One segment of a large object: authorized, looked up, and held against what
//! its manifest says of it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use repono_core::etag::ETag;
use repono_core::name::{ContainerName, ObjectKey};
use repono_core::request::Method;
use repono_journal::Stamp;
use repono_policy::{Action, Permit, Resource};
use repono_store::model::large::LargeObject;
use repono_store::model::{Object, ObjectLookup};
use repono_store::store::{Body, ObjectRead, OpenObject};
use repono_wire::large::{MANIFEST_BYTES_MAX, Nested, StoredManifest};
use repono_wire::native::Target;
use repono_wire::refusals::{INTERNAL_ERROR, SEGMENT_CHANGED};

use super::super::object::names;
use super::super::{Exchange, Stop, read};
use super::Right;

/// The most bytes of a manifest as it is kept: as it was sent, and for each of its
/// thousand segments a media type of 1 KiB and some fields.
const KEPT_BYTES_MAX: u64 = MANIFEST_BYTES_MAX + 3 * 1024 * 1024;

/// What a manifest or a listing says of an object.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) container: ContainerName,
    pub(super) key: ObjectKey,
    pub(super) bytes: u64,
    pub(super) etag: ETag,
    pub(super) nested: Nested,
}

/// The right to read an object, which is checked against the policies and, for
/// `method`, against the scope of the ticket.
fn permit(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    method: Method,
    container: &ContainerName,
    key: &ObjectKey,
) -> Result<Permit, Stop> {
    let account = right.account;
    let target = Target::Object { account: account.clone(), container: container.clone(), key: key.clone() };
    exchange.within_scope(right.caller, method, &target)?;
    let resource = Resource::Object { account, container, key };
    Ok(exchange.authorize(right.caller, Action::GetObject, resource, None)?)
}

/// Looks an object up in the caller's right; `None` when it is not there.
pub(super) async fn look_up(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    method: Method,
    container: &ContainerName,
    key: &ObjectKey,
) -> Result<Option<Arc<Object>>, Stop> {
    let permit = permit(exchange, right, method, container, key)?;
    let (account, container, key) = names(&permit)?;
    let began = Stamp::mono_now();
    let found = {
        let mut reader = exchange.shard.reader().await;
        reader.object(account.as_str(), container.as_str(), key.as_str()).await
    };
    exchange.store_took(began);
    Ok(match found? {
        ObjectLookup::Found(object) if !object.is_expired(exchange.now.unix_seconds()) => Some(object),
        ObjectLookup::Found(_) | ObjectLookup::NoKey | ObjectLookup::NoContainer => None,
    })
}

/// Size and tag of what an object stands for, and whether it is a manifest.
pub(super) fn stands_for(object: &Object) -> (u64, ETag, Nested) {
    match LargeObject::split(&object.metadata) {
        Some((large, _)) => (large.size, large.etag, Nested::Yes),
        None => (object.size, object.etag, Nested::No),
    }
}

/// Looks an object up in the caller's right and opens its body.
pub(super) async fn open_any(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    method: Method,
    container: &ContainerName,
    key: &ObjectKey,
) -> Result<ObjectRead, Stop> {
    let permit = permit(exchange, right, method, container, key)?;
    let (account, container, key) = names(&permit)?;
    let began = Stamp::mono_now();
    let shard = exchange.shard;
    let read = {
        let mut reader = shard.reader().await;
        let (account, container, key) = (account.as_str(), container.as_str(), key.as_str());
        shard.common.store.read(&mut **reader, account, container, key).await
    };
    exchange.store_took(began);
    Ok(match read? {
        ObjectRead::Found(open) if open.object.is_expired(exchange.now.unix_seconds()) => ObjectRead::NoKey,
        read => read,
    })
}

/// Opens a segment that must still be what was said of it.
///
/// *Errors*: 409 where it is not.
pub(super) async fn open(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    named: &Named,
) -> Result<OpenObject, Stop> {
    let method = exchange.head.method();
    match open_any(exchange, right, method, &named.container, &named.key).await? {
        ObjectRead::Found(open) if stands_for(&open.object) == (named.bytes, named.etag, named.nested) => {
            Ok(open)
        }
        ObjectRead::Found(_) | ObjectRead::NoKey | ObjectRead::NoContainer => Err(SEGMENT_CHANGED.into()),
    }
}

/// Reads the manifest that is the body of an object.
pub(super) async fn manifest(exchange: &mut Exchange<'_>, open: OpenObject) -> Result<StoredManifest, Stop> {
    let text = whole(exchange, open).await?;
    StoredManifest::parse(&text).ok_or_else(|| {
        tracing::error!("a manifest is not one");
        INTERNAL_ERROR.into()
    })
}

/// Reads a body that is small enough to be held.
pub(super) async fn whole(exchange: &mut Exchange<'_>, open: OpenObject) -> Result<Bytes, Stop> {
    match open.body {
        Body::Inline(bytes) => Ok(bytes),
        Body::Blob(mut reader) => {
            let size = open.object.size;
            if size > KEPT_BYTES_MAX {
                return Err(INTERNAL_ERROR.into());
            }
            let mut text = BytesMut::new();
            let mut at = 0;
            while at < size {
                at += read::step(exchange, &mut *reader, at, size, &mut text).await?;
            }
            Ok(text.freeze())
        }
    }
}
