//! Large objects: one name for the bytes of many objects.
//!
//! | module | holds |
//! |---|---|
//! | `query` | what a request wants of a manifest |
//! | `sent` | a manifest as a client sends it, checked entry by entry |
//! | `stored` | a manifest as it is kept and shown, and its tag |
//! | `dynamic` | `X-Object-Manifest` |
//! | `span` | which part of which segment a range comes to |
//! | `outcome` | what became of many objects, as one document |
//!
//! *Source*: `swift/common/middleware/slo.py`, `dlo.py`, `bulk.py`.

mod dynamic;
mod outcome;
mod query;
mod sent;
mod span;
mod stored;

pub use crate::large::dynamic::ObjectManifest;
pub use crate::large::outcome::{DocumentForm, Outcome};
pub use crate::large::query::{Heartbeat, LargeQuery, ManifestUse, PartNumber};
pub use crate::large::sent::{Faulty, SentEntry, SentManifest, SentSegment};
pub use crate::large::span::Walk;
pub use crate::large::stored::{Nested, SegmentFacts, StoredManifest, StoredSegment, TagOfTags};

/// The most segments of one manifest (Swift's default): one look-up each, so that
/// an upload of a manifest stays within some milliseconds.
pub const SEGMENTS_MAX: usize = 1000;
/// The longest manifest, in bytes (Swift's default): it is read into memory.
pub const MANIFEST_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The least segment, in bytes (Swift's limit): an empty one says nothing.
pub const SEGMENT_BYTES_MIN: u64 = 1;
/// The most segments of a dynamic large object: to list them takes a thread some
/// milliseconds for each thousand.
pub const DYNAMIC_SEGMENTS_MAX: usize = 100_000;
/// How deep manifests may name manifests (Swift's limit): a reader keeps one list
/// of segments for each level.
pub const DEPTH_MAX: usize = 10;
