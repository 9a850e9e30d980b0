//! GET and HEAD of a large object, and of the manifest that it is.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use repono_core::etag::ETag;
use repono_core::request::Method;
use repono_store::model::Object;
use repono_store::model::large::LargeObject;
use repono_store::store::{Body, OpenObject};
use repono_wire::large::{
    LargeQuery, ManifestUse, ObjectManifest, PartNumber, StoredManifest, StoredSegment,
};
use repono_wire::refusals::{PART_NUMBER_AND_RANGE, RANGE_NOT_SATISFIABLE};
use repono_wire::reply::{Access, Form, ObjectHeaders};

use super::super::read::{self, Content};
use super::super::{Detail, Exchange, Stop};
use super::stream::{Source, Stream};
use super::{Kind, Right, dynamic, segment};

/// The media type of a manifest that is asked for as such.
const JSON: &str = "application/json; charset=utf-8";

/// The bytes of many objects, one behind another.
pub(in super::super) struct Many<'a> {
    right: Right<'a>,
    source: Source<'a>,
    /// A stream whose first segment is open.
    ready: Option<Stream<'a>>,
}

impl<'a> Many<'a> {
    /// Opens the first segment of a range that will be sent first.
    pub(in super::super) async fn prime(
        &mut self,
        exchange: &mut Exchange<'_>,
        range: Range<u64>,
    ) -> Result<(), Stop> {
        let mut stream = self.stream(range);
        stream.prime(exchange).await?;
        self.ready = Some(stream);
        Ok(())
    }

    /// Appends a range to `out`, sending what stands there whenever a step is full.
    ///
    /// *Errors*: only [`Stop::Broken`]: the reply has begun.
    pub(in super::super) async fn send(
        &mut self,
        exchange: &mut Exchange<'_>,
        out: &mut BytesMut,
        range: Range<u64>,
    ) -> Result<(), Stop> {
        let mut stream = match self.ready.take() {
            Some(ready) => ready,
            None => self.stream(range),
        };
        while stream.left() > 0 {
            if out.len() >= exchange.step_bytes() {
                read::flush(exchange, out).await?;
            }
            exchange.step_turn().await;
            if stream.step(exchange, out).await.map_err(torn)? == 0 {
                return Err(Stop::Broken("SegmentChanged"));
            }
        }
        Ok(())
    }

    fn stream(&self, range: Range<u64>) -> Stream<'a> {
        Stream::new(self.right, &self.source, range)
    }
}

/// A reply that has begun cannot be refused any more.
fn torn(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(refusal, _) => {
            tracing::warn!(code = refusal.code, "a large object changed while it was sent");
            Stop::Broken("SegmentChanged")
        }
        Stop::Broken(why) => Stop::Broken(why),
    }
}

/// Answers GET or HEAD of a large object.
pub(in super::super) async fn serve(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    kind: Kind,
    found: OpenObject,
    access: &Access<'_>,
) -> Result<(), Stop> {
    let query = LargeQuery::from_head(exchange.head)?;
    match (kind, query.manifest) {
        (Kind::Static(_), ManifestUse::Show) => show(exchange, found, access).await,
        (Kind::Static(_), ManifestUse::ShowRaw) => show_raw(exchange, found, access).await,
        (Kind::Dynamic(_), ManifestUse::Show | ManifestUse::ShowRaw) => {
            let OpenObject { object, body } = found;
            let headers = headers(&object, Form::Plain);
            read::answer(exchange, &headers, Content::One(body), access, None).await
        }
        (Kind::Static(large), ManifestUse::Resolve | ManifestUse::Put | ManifestUse::Delete) => {
            resolve(exchange, right, large, found, access, query.part).await
        }
        (Kind::Dynamic(manifest), ManifestUse::Resolve | ManifestUse::Put | ManifestUse::Delete) => {
            listed(exchange, right, &manifest, found, access).await
        }
    }
}

fn headers(object: &Object, form: Form) -> ObjectHeaders<'_> {
    let metadata = match LargeObject::split(&object.metadata) {
        Some((_, of_the_user)) => of_the_user,
        None => &object.metadata,
    };
    ObjectHeaders {
        timestamp: object.timestamp,
        etag: object.etag,
        size: object.size,
        content_type: &object.content_type,
        metadata,
        form,
    }
}

async fn show(exchange: &mut Exchange<'_>, found: OpenObject, access: &Access<'_>) -> Result<(), Stop> {
    let OpenObject { object, body } = found;
    let headers = ObjectHeaders { content_type: JSON, ..headers(&object, Form::Manifest) };
    read::answer(exchange, &headers, Content::One(body), access, None).await
}

async fn show_raw(exchange: &mut Exchange<'_>, found: OpenObject, access: &Access<'_>) -> Result<(), Stop> {
    let object = std::sync::Arc::clone(&found.object);
    let raw = segment::manifest(exchange, found).await?.to_raw_json();
    let headers = ObjectHeaders {
        content_type: JSON,
        size: raw.len() as u64,
        etag: ETag::from_md5(Md5::digest(&raw).into()),
        ..headers(&object, Form::Manifest)
    };
    let body = Body::Inline(Bytes::from(raw));
    read::answer(exchange, &headers, Content::One(body), access, None).await
}

async fn resolve(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    large: LargeObject,
    found: OpenObject,
    access: &Access<'_>,
    part: Option<PartNumber>,
) -> Result<(), Stop> {
    let object = std::sync::Arc::clone(&found.object);
    // A HEAD of the whole needs nothing but what the metadata say.
    let segments = if exchange.head.method() == Method::Head && part.is_none() {
        Vec::new()
    } else {
        let StoredManifest { segments } = segment::manifest(exchange, found).await?;
        segments
    };
    let range = part.map(|part| part_range(exchange, &segments, part, large.size)).transpose()?;
    let parts = part.map(|_| segments.len());
    let form = Form::Static { manifest: object.etag, parts };
    let headers = ObjectHeaders { size: large.size, etag: large.etag, ..headers(&object, form) };
    let source = Source::Static(segments.into());
    let content = Content::Many(Box::new(Many { right, source, ready: None }));
    read::answer(exchange, &headers, content, access, range).await
}

/// The bytes of the whole that are those of one segment.
fn part_range(
    exchange: &Exchange<'_>,
    segments: &[StoredSegment],
    part: PartNumber,
    size: u64,
) -> Result<Range<u64>, Stop> {
    if exchange.head.field("range").is_some() {
        return Err(PART_NUMBER_AND_RANGE.into());
    }
    let outside = || Stop::Refused(RANGE_NOT_SATISFIABLE, Detail::Size(size));
    let (before, rest) = segments.split_at_checked(part.0 - 1).ok_or_else(outside)?;
    let segment = rest.first().ok_or_else(outside)?;
    let start = before.iter().map(StoredSegment::bytes).sum();
    Ok(start..start + segment.bytes())
}

async fn listed(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    manifest: &ObjectManifest,
    found: OpenObject,
    access: &Access<'_>,
) -> Result<(), Stop> {
    let object = found.object;
    let sum = dynamic::sum(exchange, right, manifest).await?;
    let headers = ObjectHeaders { size: sum.size, etag: sum.etag, ..headers(&object, Form::Dynamic) };
    let source = Source::Dynamic(sum.pages);
    let content = Content::Many(Box::new(Many { right, source, ready: None }));
    read::answer(exchange, &headers, content, access, None).await
}
