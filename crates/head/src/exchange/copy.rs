//! Server-side copy: the bytes go from blob to blob in steps, and the copy is an
//! object of its own.
//!
//! Both sides are authorized: to read the source, to write the destination, each by
//! its own permit.

use std::sync::Arc;

use bytes::BytesMut;
use repono_core::etag::ETag;
use repono_core::range::Resolved;
use repono_core::request::Method;
use repono_journal::Stamp;
use repono_policy::{Action, Permit, Resource};
use repono_store::error::StoreError;
use repono_store::model::large::LargeObject;
use repono_store::model::repeat;
use repono_store::model::{Committed, Metadata, Object, Precondition};
use repono_store::store::{Body, ObjectRead, OpenObject};
use repono_store::upload::{CommitRequest, Upload};
use repono_wire::conditions::{Conditions, Current, Verdict};
use repono_wire::content_type;
use repono_wire::copy::{self, ObjectName};
use repono_wire::large::{LargeQuery, ManifestUse, ObjectManifest};
use repono_wire::metadata;
use repono_wire::native::Target;
use repono_wire::percent;
use repono_wire::put::{BodyKindHint, PostRequest};
use repono_wire::refusals::{
    COPY_WITH_BODY, NO_SUCH_CONTAINER, NO_SUCH_KEY, NOT_IMPLEMENTED, PRECONDITION_FAILED,
    RANGE_NOT_SATISFIABLE,
};
use repono_wire::reply::{self, FieldSink};

use super::large::{self, Flat, Kind, Right};
use super::object::names;
use super::room::Room;
use super::{Detail, Exchange, Stop};
use crate::caller::Caller;
use crate::limits::BLOB_STEP_BYTES;

/// `COPY source` with `Destination`; `read` is the permit for the source.
pub(super) async fn to_destination(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    read: &Permit,
) -> Result<(), Stop> {
    let other = copy::destination(exchange.head, read.account())?;
    let write = other_side(exchange, caller, &other, Action::PutObject, Method::Put)?;
    copy(exchange, caller, read, &write).await
}

/// `PUT destination` with `X-Copy-From`; `write` is the permit for the destination.
pub(super) async fn from_source(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    source: &ObjectName,
    write: &Permit,
) -> Result<(), Stop> {
    let read = other_side(exchange, caller, source, Action::GetObject, Method::Get)?;
    copy(exchange, caller, &read, write).await
}

/// The permit for what a header names: within the ticket's scope, and by the
/// policies.
fn other_side(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    name: &ObjectName,
    action: Action,
    method: Method,
) -> Result<Permit, Stop> {
    let ObjectName { account, container, key } = name.clone();
    let target = Target::Object { account, container, key };
    caller.reaches(method, &target, exchange.source)?;
    let ObjectName { account, container, key } = name;
    Ok(exchange.authorize(caller, action, Resource::Object { account, container, key }, None)?)
}

/// What is copied: the bytes of one object, or those that a large one stands for.
enum Bytes<'a> {
    One(Body),
    Many(Flat<'a>),
}

async fn copy(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    read: &Permit,
    write: &Permit,
) -> Result<(), Stop> {
    match exchange.carrier.hint() {
        BodyKindHint::None | BodyKindHint::Length(0) => {}
        BodyKindHint::Length(_) | BodyKindHint::Chunked => return Err(COPY_WITH_BODY.into()),
    }
    let repeatable = exchange.repeatable(caller, repeat::Body::Made)?;
    let mut request = PostRequest::from_head(exchange.head)?;
    super::upload::add_end(exchange, &mut request.metadata)?;
    let (account, container, key) = names(write)?;
    let began = Stamp::mono_now();
    let found = open(exchange, read).await?;
    let object = Arc::clone(&found.object);
    let kind = flattened(exchange, &object)?;
    let right = Right { caller, account: read.account() };
    let (bytes, size, etag) = match &kind {
        None => (Bytes::One(found.body), object.size, object.etag),
        Some(kind) => {
            let flat = large::flatten(exchange, right, kind, found).await?;
            let (size, etag) = (flat.size, flat.etag);
            (Bytes::Many(flat), size, etag)
        }
    };
    let Some(range) = wanted(exchange, &object, size, etag)? else {
        return exchange.send_fields(304, |sink, common| reply::not_copied(sink, common, etag)).await;
    };
    let content_type = content_type::of_copy(exchange.head, key, &object.content_type)?;
    let metadata = merged(exchange, &object, kind.as_ref(), request.metadata);
    metadata::within_limits(&metadata)?;
    let length = range.end - range.start;
    Room::of(exchange, account, container, repeatable.as_ref()).await?.admit(length)?;
    let mut upload = exchange.shard.common.store.begin_upload(Some(length))?;
    let expected_etag = match bytes {
        Bytes::One(body) => {
            transfer(body, range, &mut upload).await?;
            (length == size).then_some(etag)
        }
        Bytes::Many(flat) => {
            // Its tag is one of tags, not of these bytes.
            flat.feed(exchange, range, &mut upload).await?;
            None
        }
    };
    let committed = upload
        .finish(CommitRequest {
            account: account.clone(),
            container: container.clone(),
            key: key.clone(),
            content_type,
            metadata: metadata.clone(),
            expected_etag,
            expected_len: Some(length),
            precondition: Precondition::None,
            repeatable,
        })
        .await;
    exchange.store_took(began);
    copied(exchange, read, &object, &committed?, &metadata).await
}

async fn copied(
    exchange: &mut Exchange<'_>,
    read: &Permit,
    source: &Object,
    committed: &Committed,
    metadata: &Metadata,
) -> Result<(), Stop> {
    let (account, container, key) = names(read)?;
    let mut copied_from = Vec::new();
    percent::encode_segment(container.as_str(), &mut copied_from);
    copied_from.push(b'/');
    percent::encode_path(key.as_str(), &mut copied_from);
    exchange
        .send_fields(201, |sink, common| {
            reply::object_created(sink, common, committed.etag, committed.timestamp);
            sink.field("X-Copied-From", &copied_from);
            sink.field("X-Copied-From-Account", account.as_str().as_bytes());
            let modified = repono_core::time::http_date(source.timestamp.last_modified_seconds());
            sink.field("X-Copied-From-Last-Modified", modified.as_bytes());
            reply::copied_metadata(sink, metadata);
        })
        .await
}

async fn open(exchange: &Exchange<'_>, read: &Permit) -> Result<OpenObject, Stop> {
    let (account, container, key) = names(read)?;
    let shard = exchange.shard;
    let mut reader = shard.reader().await;
    let (account, container, key) = (account.as_str(), container.as_str(), key.as_str());
    match shard.common.store.read(&mut **reader, account, container, key).await? {
        ObjectRead::Found(found) if !found.object.is_expired(exchange.now.unix_seconds()) => Ok(found),
        ObjectRead::Found(_) | ObjectRead::NoKey => {
            match Conditions::from_head(exchange.head).evaluate(Method::Get, None) {
                Verdict::PreconditionFailed => Err(PRECONDITION_FAILED.into()),
                Verdict::Proceed | Verdict::NotModified => Err(NO_SUCH_KEY.into()),
            }
        }
        ObjectRead::NoContainer => Err(NO_SUCH_CONTAINER.into()),
    }
}

/// The kind of a large object that is copied as the bytes that it stands for; its
/// manifest is copied when that is asked for, and only as a whole.
fn flattened(exchange: &Exchange<'_>, object: &Object) -> Result<Option<Kind>, Stop> {
    let Some(kind) = Kind::of(object) else { return Ok(None) };
    match LargeQuery::from_head(exchange.head)?.manifest {
        ManifestUse::Resolve => Ok(Some(kind)),
        ManifestUse::Show if exchange.head.field("range").is_none() => Ok(None),
        ManifestUse::Show | ManifestUse::ShowRaw | ManifestUse::Put | ManifestUse::Delete => {
            Err(NOT_IMPLEMENTED.into())
        }
    }
}

/// Which bytes of the source are copied: its conditions and its range are those of a
/// GET, and so is the answer where it has not changed (Swift's `copy.py`).
fn wanted(
    exchange: &Exchange<'_>,
    object: &Object,
    size: u64,
    etag: ETag,
) -> Result<Option<std::ops::Range<u64>>, Stop> {
    let current = Current { etag, last_modified_s: object.timestamp.last_modified_seconds() };
    let conditions = Conditions::from_head(exchange.head);
    match conditions.evaluate(Method::Get, Some(&current)) {
        Verdict::Proceed => {}
        Verdict::NotModified => return Ok(None),
        Verdict::PreconditionFailed => return Err(PRECONDITION_FAILED.into()),
    }
    match conditions.range(exchange.head, Method::Get, &current).map(|set| set.resolve(size)) {
        None | Some(Resolved::Whole) => Ok(Some(0..size)),
        Some(Resolved::Unsatisfiable) => Err(Stop::Refused(RANGE_NOT_SATISFIABLE, Detail::Size(size))),
        Some(Resolved::Parts(ranges)) => match ranges.as_slice() {
            [range] => Ok(Some(range.clone())),
            // Several ranges are no bytes of one object.
            _several => Err(NOT_IMPLEMENTED.into()),
        },
    }
}

/// The metadata of the copy: that of the source with what the request says in its
/// place, or the latter alone.
fn merged(exchange: &Exchange<'_>, source: &Object, flattened: Option<&Kind>, request: Metadata) -> Metadata {
    // The first item of a large object says that it is one: it goes with a manifest.
    let marker = usize::from(Kind::of(source).is_some());
    let dropped = if flattened.is_some() { marker } else { 0 };
    let kept = if copy::is_fresh(exchange.head) { marker } else { source.metadata.len() };
    let mut merged: Metadata = source.metadata.iter().take(kept).skip(dropped).cloned().collect();
    merged.retain(|(name, _)| request.iter().all(|(new, _)| new != name));
    merged.extend(request);
    merged.sort_by_key(|(name, _)| name != ObjectManifest::NAME && name != LargeObject::NAME);
    merged
}

async fn transfer(body: Body, range: std::ops::Range<u64>, upload: &mut Upload) -> Result<(), Stop> {
    match body {
        Body::Inline(bytes) => {
            let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let slice = bounds.filter(|(_, end)| *end <= bytes.len());
            let (start, end) = slice.ok_or(StoreError::Missing)?;
            Ok(upload.feed(bytes.slice(start..end)).await?)
        }
        Body::Blob(mut reader) => {
            let mut at = range.start;
            while at < range.end {
                let want = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(BLOB_STEP_BYTES);
                let mut piece = BytesMut::new();
                let read = reader.read_at(at, want, &mut piece).await?;
                if read == 0 {
                    return Err(StoreError::Missing.into());
                }
                at += read as u64;
                upload.feed(piece.freeze()).await?;
            }
            Ok(())
        }
    }
}
