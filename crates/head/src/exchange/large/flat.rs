//! A large object as the bytes that it stands for: what a copy of it is made of.

use std::ops::Range;

use bytes::BytesMut;
use repono_core::etag::ETag;
use repono_store::store::OpenObject;
use repono_store::upload::Upload;
use repono_wire::large::StoredManifest;
use repono_wire::refusals::SEGMENT_CHANGED;

use super::super::{Exchange, Stop};
use super::stream::{Source, Stream};
use super::{Kind, Right, dynamic, segment};

/// The bytes of a large object, to be read in the caller's right.
pub(in super::super) struct Flat<'a> {
    /// How many there are.
    pub(in super::super) size: u64,
    /// The tag that a GET shows.
    pub(in super::super) etag: ETag,
    right: Right<'a>,
    source: Source<'a>,
}

/// Looks up what a large object stands for.
///
/// *Errors*: those of its GET.
pub(in super::super) async fn flatten<'a>(
    exchange: &mut Exchange<'_>,
    right: Right<'a>,
    kind: &'a Kind,
    found: OpenObject,
) -> Result<Flat<'a>, Stop> {
    match kind {
        Kind::Static(large) => {
            let StoredManifest { segments } = segment::manifest(exchange, found).await?;
            Ok(Flat { size: large.size, etag: large.etag, right, source: Source::Static(segments.into()) })
        }
        Kind::Dynamic(manifest) => {
            let sum = dynamic::sum(exchange, right, manifest).await?;
            Ok(Flat { size: sum.size, etag: sum.etag, right, source: Source::Dynamic(sum.pages) })
        }
    }
}

impl Flat<'_> {
    /// Feeds a range to an upload, in steps.
    ///
    /// *Errors*: 409 for a segment that changed, and those of reading and writing.
    pub(in super::super) async fn feed(
        &self,
        exchange: &mut Exchange<'_>,
        range: Range<u64>,
        upload: &mut Upload,
    ) -> Result<(), Stop> {
        let mut stream = Stream::new(self.right, &self.source, range);
        while stream.left() > 0 {
            let mut piece = BytesMut::new();
            exchange.step_turn().await;
            if stream.step(exchange, &mut piece).await? == 0 {
                return Err(SEGMENT_CHANGED.into());
            }
            upload.feed(piece.freeze()).await?;
        }
        Ok(())
    }
}
