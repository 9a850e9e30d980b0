//! The segments of a dynamic large object: whatever a listing gives, page by page.
//!
//! Size and tag of the whole are those of one walk over the listing; the bytes come
//! with a second walk, which holds each page against what the first one saw there.

use std::ops::Range;
use std::sync::Arc;

use repono_core::etag::ETag;
use repono_core::name::{ContainerName, ObjectKey};
use repono_journal::Stamp;
use repono_policy::{Action, Resource};
use repono_store::model::{ListItem, ListOrder, ListPage, RollUp};
use repono_wire::large::{
    DYNAMIC_SEGMENTS_MAX, Nested, ObjectManifest, SegmentFacts, StoredManifest, StoredSegment, TagOfTags,
};
use repono_wire::listing::{self, Format, ListQuery};
use repono_wire::native::Target;
use repono_wire::refusals::{NO_SUCH_CONTAINER, SEGMENT_CHANGED, TOO_MANY_SEGMENTS};

use super::super::{Exchange, Stop};
use super::Right;

/// Segments listed at a time: half a millisecond of a thread, and some 300 KiB.
const PAGE: usize = 1000;

/// What the first walk saw of a page.
struct Seen {
    /// The last name before it.
    marker: Option<String>,
    bytes: u64,
    etag: ETag,
}

/// The pages of a listing, and how far a reader has come.
#[derive(Clone)]
pub(super) struct Pages<'a> {
    manifest: &'a ObjectManifest,
    seen: Arc<[Seen]>,
    next: usize,
    range: Range<u64>,
}

/// What a dynamic large object is at the moment.
pub(super) struct Sum<'a> {
    pub(super) size: u64,
    pub(super) etag: ETag,
    pub(super) pages: Pages<'a>,
}

/// Walks over the listing once, in the caller's right to list it.
///
/// *Errors*: 401 or 403, 404 without the container, 409 with more segments than
/// [`DYNAMIC_SEGMENTS_MAX`].
pub(super) async fn sum<'a>(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    manifest: &'a ObjectManifest,
) -> Result<Sum<'a>, Stop> {
    let (mut seen, mut count, mut size, mut tags) = (Vec::new(), 0, 0_u64, TagOfTags::default());
    let mut marker = None;
    loop {
        let page = list(exchange, right, manifest, marker.clone()).await?;
        count += page.segments.len();
        if count > DYNAMIC_SEGMENTS_MAX {
            return Err(TOO_MANY_SEGMENTS.into());
        }
        for segment in &page.segments {
            if let StoredSegment::Object { facts, .. } = segment {
                tags.add(facts.etag);
            }
        }
        let last = page.last;
        let page = StoredManifest { segments: page.segments };
        let bytes = page.bytes().ok_or(TOO_MANY_SEGMENTS)?;
        size = size.checked_add(bytes).ok_or(TOO_MANY_SEGMENTS)?;
        seen.push(Seen { marker: marker.take(), bytes, etag: page.etag() });
        match last {
            Some(last) => marker = Some(last),
            None => break,
        }
        // The other connections of this thread have a turn between two pages.
        tokio::task::yield_now().await;
    }
    let pages = Pages { manifest, seen: seen.into(), next: 0, range: 0..size };
    Ok(Sum { size, etag: tags.finish(), pages })
}

impl Pages<'_> {
    /// The same pages, for this range of the whole.
    pub(super) fn at(self, range: Range<u64>) -> Self {
        Self { range, next: 0, ..self }
    }

    /// The segments of the next page that has a part in the range, and that part.
    ///
    /// *Errors*: 409 when the page is not what it was.
    pub(super) async fn next(
        &mut self,
        exchange: &mut Exchange<'_>,
        right: Right<'_>,
    ) -> Result<Option<(Arc<[StoredSegment]>, Range<u64>)>, Stop> {
        while let Some(seen) = self.seen.get(self.next) {
            self.next += 1;
            let part = self.range.start.min(seen.bytes)..self.range.end.min(seen.bytes);
            self.range =
                self.range.start.saturating_sub(seen.bytes)..self.range.end.saturating_sub(seen.bytes);
            if part.start == part.end {
                continue;
            }
            let page = list(exchange, right, self.manifest, seen.marker.clone()).await?;
            let page = StoredManifest { segments: page.segments };
            if page.bytes() != Some(seen.bytes) || page.etag() != seen.etag {
                return Err(SEGMENT_CHANGED.into());
            }
            return Ok(Some((page.segments.into(), part)));
        }
        Ok(None)
    }
}

/// One page of the listing; `last` where another one may follow.
struct Page {
    segments: Vec<StoredSegment>,
    last: Option<String>,
}

async fn list(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    manifest: &ObjectManifest,
    marker: Option<String>,
) -> Result<Page, Stop> {
    let (account, container) = (right.account, &manifest.container);
    let target = Target::Container { account: account.clone(), container: container.clone() };
    exchange.within_scope(right.caller, exchange.head.method(), &target)?;
    let query = ListQuery {
        prefix: manifest.prefix.clone(),
        delimiter: None,
        marker,
        end_marker: None,
        roll_up: listing::RollUp::Show,
        limit: PAGE as u32,
        order: listing::Order::Ascending,
        format: Format::Json,
    };
    let resource = Resource::Container { account, container };
    let permit = exchange.authorize(right.caller, Action::ListBucket, resource, Some(&query))?;
    let container = permit.container().ok_or(NO_SUCH_CONTAINER)?;
    let page = ListPage {
        prefix: query.prefix,
        delimiter: None,
        marker: query.marker,
        end_marker: None,
        roll_up: RollUp::Show,
        limit: PAGE,
        order: ListOrder::Ascending,
    };
    let began = Stamp::mono_now();
    let listed = {
        let mut reader = exchange.shard.reader().await;
        reader.list_objects(permit.account().as_str(), container.as_str(), &page).await
    };
    exchange.store_took(began);
    let items = listed?.ok_or(NO_SUCH_CONTAINER)?;
    let last = if items.len() < PAGE { None } else { items.last().and_then(name) };
    let segments = items.into_iter().filter_map(|item| segment(container, item)).collect();
    Ok(Page { segments, last })
}

fn name(item: &ListItem) -> Option<String> {
    match item {
        ListItem::Object { key, .. } => Some(key.clone()),
        ListItem::Prefix(_) => None,
    }
}

/// An item as a segment; a listing without delimiter has objects only.
fn segment(container: &ContainerName, item: ListItem) -> Option<StoredSegment> {
    let ListItem::Object { key, size, etag, content_type, timestamp, large } = item else { return None };
    let (bytes, etag, nested) = match large {
        Some(large) => (large.size, large.etag, Nested::Yes),
        None => (size, etag, Nested::No),
    };
    let facts = SegmentFacts::new(bytes, etag, &content_type, timestamp, nested);
    let key = ObjectKey::new(key.as_bytes()).ok()?;
    Some(StoredSegment::Object { container: container.clone(), key, facts, range: 0..bytes })
}
