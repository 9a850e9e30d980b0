//! Handing out an object: conditions, ranges, and the bytes.

use std::ops::Range;

use bytes::BytesMut;
use repono_core::range::Resolved;
use repono_core::request::Method;
use repono_journal::Stamp;
use repono_store::blob::{BlobReader, CachedRead};
use repono_store::error::StoreError;
use repono_store::model::Object;
use repono_store::store::{Body, OpenObject};
use repono_wire::byteranges::Parts;
use repono_wire::conditions::{Conditions, Current, Verdict};
use repono_wire::refusals::{PRECONDITION_FAILED, RANGE_NOT_SATISFIABLE};
use repono_wire::reply::{self, Access, Form, ObjectHeaders, Selection};

use super::large::{self, Kind, Many, Right};
use super::{Detail, Exchange, Stop};

/// The answer to a read of an object that is not there, where its conditions
/// make it another one than 404.
pub(super) fn absent(exchange: &Exchange<'_>) -> Option<Stop> {
    match Conditions::from_head(exchange.head).evaluate(exchange.head.method(), None) {
        Verdict::PreconditionFailed => Some(PRECONDITION_FAILED.into()),
        Verdict::Proceed | Verdict::NotModified => None,
    }
}

/// What a reply takes its bytes from.
pub(super) enum Content<'a> {
    /// One body.
    One(Body),
    /// The bodies of a large object's segments.
    Many(Box<Many<'a>>),
}

/// Answers GET or HEAD with this object.
pub(super) async fn serve(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    found: OpenObject,
    access: &Access<'_>,
) -> Result<(), Stop> {
    if let Some(kind) = Kind::of(&found.object) {
        // Apart, so that a plain object's way stays small.
        return Box::pin(large::serve(exchange, right, kind, found, access)).await;
    }
    let OpenObject { object, body } = found;
    answer(exchange, &headers(&object), Content::One(body), access, None).await
}

/// Answers by the conditions and ranges of the request, or with `part` where the
/// request named one in its own way.
pub(super) async fn answer(
    exchange: &mut Exchange<'_>,
    object: &ObjectHeaders<'_>,
    content: Content<'_>,
    access: &Access<'_>,
    part: Option<Range<u64>>,
) -> Result<(), Stop> {
    let current = Current { etag: object.etag, last_modified_s: object.timestamp.last_modified_seconds() };
    let conditions = Conditions::from_head(exchange.head);
    match conditions.evaluate(exchange.head.method(), Some(&current)) {
        Verdict::Proceed => {}
        Verdict::PreconditionFailed => return Err(PRECONDITION_FAILED.into()),
        Verdict::NotModified => {
            return exchange
                .send_fields(304, |sink, common| reply::not_modified(sink, common, object, access))
                .await;
        }
    }
    let resolved = match part {
        Some(range) => Some(Resolved::Parts(vec![range])),
        None => conditions
            .range(exchange.head, exchange.head.method(), &current)
            .map(|set| set.resolve(object.size)),
    };
    match resolved {
        None | Some(Resolved::Whole) => {
            one(exchange, object, content, access, &Selection::Whole, 0..object.size).await
        }
        Some(Resolved::Unsatisfiable) => Err(Stop::Refused(RANGE_NOT_SATISFIABLE, Detail::Size(object.size))),
        Some(Resolved::Parts(ranges)) => match ranges.as_slice() {
            [range] => one(exchange, object, content, access, &Selection::Part(range), range.clone()).await,
            ranges => parts(exchange, object, content, access, ranges).await,
        },
    }
}

fn headers(object: &Object) -> ObjectHeaders<'_> {
    ObjectHeaders {
        timestamp: object.timestamp,
        etag: object.etag,
        size: object.size,
        content_type: &object.content_type,
        metadata: &object.metadata,
        form: Form::Plain,
    }
}

async fn begin(
    exchange: &mut Exchange<'_>,
    object: &ObjectHeaders<'_>,
    selection: &Selection<'_>,
    access: &Access<'_>,
) -> BytesMut {
    exchange.settle_body().await;
    let mut out = exchange.shard.take_buffer();
    exchange.write_head(&mut out, selection.status(), |sink, common| {
        reply::object(sink, common, object, selection, access);
    });
    out
}

async fn one(
    exchange: &mut Exchange<'_>,
    object: &ObjectHeaders<'_>,
    mut content: Content<'_>,
    access: &Access<'_>,
    selection: &Selection<'_>,
    range: Range<u64>,
) -> Result<(), Stop> {
    let bodiless = exchange.head.method() == Method::Head;
    if !bodiless {
        content.prime(exchange, &range).await?;
    }
    let mut out = begin(exchange, object, selection, access).await;
    if !bodiless {
        send_range(exchange, &mut content, &mut out, range).await?;
    }
    exchange.send(out).await
}

async fn parts(
    exchange: &mut Exchange<'_>,
    object: &ObjectHeaders<'_>,
    mut content: Content<'_>,
    access: &Access<'_>,
    ranges: &[Range<u64>],
) -> Result<(), Stop> {
    if let Some(first) = ranges.first() {
        content.prime(exchange, first).await?;
    }
    let boundary = exchange.shard.boundary();
    let parts = Parts { boundary: &boundary, content_type: object.content_type, size: object.size, ranges };
    let selection = Selection::Parts { boundary: &boundary, body_bytes: parts.body_bytes() };
    let mut out = begin(exchange, object, &selection, access).await;
    let mut frame = Vec::new();
    for range in ranges {
        parts.part_head(range, &mut frame);
        out.extend_from_slice(&frame);
        frame.clear();
        send_range(exchange, &mut content, &mut out, range.clone()).await?;
        Parts::part_end(&mut frame);
    }
    parts.finish(&mut frame);
    out.extend_from_slice(&frame);
    exchange.send(out).await
}

impl Content<'_> {
    /// Finds out what can be found out before the reply begins.
    async fn prime(&mut self, exchange: &mut Exchange<'_>, range: &Range<u64>) -> Result<(), Stop> {
        match self {
            Self::One(_) => Ok(()),
            Self::Many(many) => Box::pin(many.prime(exchange, range.clone())).await,
        }
    }
}

/// Appends a range to `out`, sending what stands there whenever a step is full;
/// the last step is left to the caller, so that what follows goes along with it.
async fn send_range(
    exchange: &mut Exchange<'_>,
    content: &mut Content<'_>,
    out: &mut BytesMut,
    range: Range<u64>,
) -> Result<(), Stop> {
    exchange.record.bytes_out += range.end - range.start;
    match content {
        Content::One(Body::Inline(bytes)) => {
            out.extend_from_slice(slice(bytes, range)?);
            Ok(())
        }
        Content::One(Body::Blob(reader)) => {
            let mut at = range.start;
            while at < range.end {
                if out.len() >= exchange.step_bytes() {
                    flush(exchange, out).await?;
                }
                exchange.step_turn().await;
                at += step(exchange, &mut **reader, at, range.end, out).await?;
            }
            Ok(())
        }
        Content::Many(many) => Box::pin(many.send(exchange, out, range)).await,
    }
}

/// A part of a body that is in memory.
pub(super) fn slice(bytes: &[u8], range: Range<u64>) -> Result<&[u8], Stop> {
    let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    bounds.and_then(|(start, end)| bytes.get(start..end)).ok_or(Stop::Broken("CorruptObject"))
}

/// Reads the next verified bytes of a blob; gives how many.
pub(super) async fn step(
    exchange: &mut Exchange<'_>,
    reader: &mut dyn BlobReader,
    at: u64,
    end: u64,
    out: &mut BytesMut,
) -> Result<u64, Stop> {
    let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(exchange.step_bytes());
    let began = Stamp::mono_now();
    let read = match reader.try_read_cached(at, want, out) {
        Ok(CachedRead::Read(n)) => Ok(n),
        Ok(CachedRead::WouldBlock) => reader.read_at(at, want, out).await,
        Err(error) => Err(error),
    };
    exchange.store_took(began);
    match read {
        Ok(0) => Err(torn(&StoreError::Missing)),
        Ok(n) => Ok(n as u64),
        Err(error) => Err(torn(&error)),
    }
}

/// A reply that has begun and cannot be completed: bytes that do not match their
/// checksum are never sent, and a short body never looks whole.
fn torn(error: &StoreError) -> Stop {
    tracing::error!(error = error as &dyn std::error::Error, "a reply was cut short");
    Stop::Broken("StoreFailed")
}

pub(super) async fn flush(exchange: &mut Exchange<'_>, out: &mut BytesMut) -> Result<(), Stop> {
    let began = Stamp::mono_now();
    exchange.carrier.send(out).await?;
    exchange.record.phases_ns.receive += Stamp::mono_now().saturating_sub(began);
    out.clear();
    Ok(())
}
