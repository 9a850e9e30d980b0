//! The bytes of a large object, one segment after another: what GET sends, and
//! what a copy can read.
//!
//! At any time one segment is open, and for each level of manifests one list of
//! segments is in memory; bodies are streamed.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use repono_store::store::Body;
use repono_wire::large::{DEPTH_MAX, Nested, StoredManifest, StoredSegment, Walk};
use repono_wire::refusals::{SEGMENT_CHANGED, TOO_MANY_SEGMENTS};

use super::super::{Exchange, Stop, read};
use super::Right;
use super::dynamic::Pages;
use super::segment::{self, Named};

/// Segments that stand one behind another, and how far a reader has come.
struct Level {
    segments: Arc<[StoredSegment]>,
    walk: Walk,
}

/// What is being read.
struct Open {
    body: Body,
    at: u64,
    end: u64,
}

/// Bytes of a large object on their way out.
pub(super) struct Stream<'a> {
    right: Right<'a>,
    levels: Vec<Level>,
    pages: Option<Pages<'a>>,
    open: Option<Open>,
    left: u64,
}

/// Where the segments of a large object are.
#[derive(Clone)]
pub(super) enum Source<'a> {
    Static(Arc<[StoredSegment]>),
    Dynamic(Pages<'a>),
}

impl<'a> Stream<'a> {
    /// The bytes of one range of the whole.
    pub(super) fn new(right: Right<'a>, source: &Source<'a>, range: Range<u64>) -> Self {
        let left = range.end.saturating_sub(range.start);
        let (levels, pages) = match source {
            Source::Static(segments) => {
                (vec![Level { segments: Arc::clone(segments), walk: Walk::new(range) }], None)
            }
            Source::Dynamic(pages) => (Vec::new(), Some(pages.clone().at(range))),
        };
        Self { right, levels, pages, open: None, left }
    }

    /// Bytes that are still to come.
    pub(super) const fn left(&self) -> u64 {
        self.left
    }

    /// Opens the segment from which the next byte comes, so that what is wrong with
    /// it shows before the reply begins.
    ///
    /// *Errors*: 409 for a segment that changed, 401 or 403 for one that the caller
    /// may not read.
    pub(super) async fn prime(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Stop> {
        while self.left > 0 && self.open.as_ref().is_none_or(|open| open.at == open.end) {
            self.advance(exchange).await?;
        }
        Ok(())
    }

    /// Appends the next verified bytes to `out`; none only at the end.
    ///
    /// *Errors*: those of [`Stream::prime`], and of reading.
    pub(super) async fn step(
        &mut self,
        exchange: &mut Exchange<'_>,
        out: &mut BytesMut,
    ) -> Result<u64, Stop> {
        self.prime(exchange).await?;
        let Some(open) = &mut self.open else { return Ok(0) };
        let read = match &mut open.body {
            Body::Inline(bytes) => {
                out.extend_from_slice(read::slice(bytes, open.at..open.end)?);
                open.end - open.at
            }
            Body::Blob(reader) => read::step(exchange, &mut **reader, open.at, open.end, out).await?,
        };
        open.at += read;
        self.left = self.left.saturating_sub(read);
        Ok(read)
    }

    /// Goes one segment, one manifest or one page on.
    async fn advance(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Stop> {
        self.open = None;
        let Some(level) = self.levels.last_mut() else {
            let pages = self.pages.as_mut().ok_or(SEGMENT_CHANGED)?;
            let (segments, range) = pages.next(exchange, self.right).await?.ok_or(SEGMENT_CHANGED)?;
            self.levels.push(Level { segments, walk: Walk::new(range) });
            return Ok(());
        };
        let Level { segments, walk } = level;
        let Some((number, part)) = walk.step(|n| segments.get(n).map(StoredSegment::bytes)) else {
            self.levels.pop();
            return Ok(());
        };
        match segments.get(number) {
            Some(StoredSegment::Inline(data)) => {
                let body = Body::Inline(Bytes::copy_from_slice(data));
                self.open = Some(Open { body, at: part.start, end: part.end });
                Ok(())
            }
            Some(StoredSegment::Object { container, key, facts, range }) => {
                let named = Named {
                    container: container.clone(),
                    key: key.clone(),
                    bytes: facts.bytes,
                    etag: facts.etag,
                    nested: facts.nested,
                };
                let part = range.start + part.start..range.start + part.end;
                self.enter(exchange, &named, part).await
            }
            None => Err(SEGMENT_CHANGED.into()),
        }
    }

    /// Opens an object, or takes up the manifest that it is.
    async fn enter(
        &mut self,
        exchange: &mut Exchange<'_>,
        named: &Named,
        part: Range<u64>,
    ) -> Result<(), Stop> {
        let open = segment::open(exchange, self.right, named).await?;
        match named.nested {
            Nested::No => {
                self.open = Some(Open { body: open.body, at: part.start, end: part.end });
            }
            Nested::Yes => {
                if self.levels.len() >= DEPTH_MAX {
                    return Err(TOO_MANY_SEGMENTS.into());
                }
                let StoredManifest { segments } = segment::manifest(exchange, open).await?;
                self.levels.push(Level { segments: segments.into(), walk: Walk::new(part) });
            }
        }
        Ok(())
    }
}
