//! A manifest as it is kept: what each segment was when the manifest came, so that
//! a reader notices when it is no longer that.

use std::ops::Range;

use data_encoding::BASE64;
use md5::{Digest, Md5};
use repono_core::etag::ETag;
use repono_core::name::{ContainerName, ObjectKey};
use repono_core::range::{RangeSet, Resolved};
use repono_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A kept manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its segments, none of them empty.
    pub segments: Vec<StoredSegment>,
}

/// One segment of a kept manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredSegment {
    /// An object, or a part of one.
    Object {
        /// Its container, in the account of the manifest.
        container: ContainerName,
        /// Its name.
        key: ObjectKey,
        /// What it must still be.
        facts: SegmentFacts,
        /// The part that is meant.
        range: Range<u64>,
    },
    /// Bytes within the manifest.
    Inline(Vec<u8>),
}

/// What an object was when a manifest named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// Its size in bytes; of a manifest, what that stands for.
    pub bytes: u64,
    /// Its tag; of a manifest, that of what it stands for.
    pub etag: ETag,
    /// Its media type.
    pub content_type: String,
    /// When it was written, as listings write it.
    pub last_modified: String,
    /// Whether it is a manifest itself.
    pub nested: Nested,
}

/// Whether a segment is a manifest itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nested {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl StoredSegment {
    /// Its part of the whole, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Object { range, .. } => range.end.saturating_sub(range.start),
            Self::Inline(data) => data.len() as u64,
        }
    }
}

/// The tag of a large object: the MD5 over the tags of its segments, each in hex.
#[derive(Default)]
pub struct TagOfTags(Md5);

impl TagOfTags {
    /// Adds the tag of the next segment.
    pub fn add(&mut self, etag: ETag) {
        self.0.update(etag.to_string());
    }

    fn add_range(&mut self, etag: ETag, range: &Range<u64>) {
        self.0.update(format!("{etag}:{};", text(range)));
    }

    /// The tag.
    #[must_use]
    pub fn finish(self) -> ETag {
        ETag::from_md5(self.0.finalize().into())
    }
}

/// The form in which a manifest is kept and shown, fields as Swift names them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Object {
        name: String,
        bytes: u64,
        hash: String,
        content_type: String,
        last_modified: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sub_slo: Option<bool>,
    },
    Inline {
        data: String,
    },
}

/// The form in which a manifest could be sent again.
#[derive(Serialize)]
#[serde(untagged)]
enum Raw {
    Object {
        path: String,
        etag: String,
        size_bytes: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        range: Option<String>,
    },
    Inline {
        data: String,
    },
}

impl StoredManifest {
    /// Bytes of all segments together; `None` beyond 64 bits.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.segments.iter().try_fold(0_u64, |sum, segment| sum.checked_add(segment.bytes()))
    }

    /// The tag of the whole.
    #[must_use]
    pub fn etag(&self) -> ETag {
        let mut tags = TagOfTags::default();
        for segment in &self.segments {
            match segment {
                StoredSegment::Object { facts, range, .. } if *range == (0..facts.bytes) => {
                    tags.add(facts.etag)
                }
                StoredSegment::Object { facts, range, .. } => tags.add_range(facts.etag, range),
                StoredSegment::Inline(data) => tags.add(ETag::from_md5(Md5::digest(data).into())),
            }
        }
        tags.finish()
    }

    /// The text in which it is kept.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let kept: Vec<Kept> = self.segments.iter().map(kept).collect();
        serde_json::to_vec(&kept).unwrap_or_default()
    }

    /// The text in which it could be sent.
    #[must_use]
    pub fn to_raw_json(&self) -> Vec<u8> {
        let raw: Vec<Raw> = self.segments.iter().map(raw).collect();
        serde_json::to_vec(&raw).unwrap_or_default()
    }

    /// Reads what [`StoredManifest::to_json`] wrote.
    ///
    /// *Errors*: `None` for anything else.
    #[must_use]
    pub fn parse(json: &[u8]) -> Option<Self> {
        let kept: Vec<Kept> = serde_json::from_slice(json).ok()?;
        Some(Self { segments: kept.into_iter().map(segment).collect::<Option<_>>()? })
    }
}

/// A half-open range with both ends included, as headers have it.
fn text(range: &Range<u64>) -> String {
    format!("{}-{}", range.start, range.end.saturating_sub(1))
}

fn part(range: &Range<u64>, bytes: u64) -> Option<String> {
    (*range != (0..bytes)).then(|| text(range))
}

fn kept(segment: &StoredSegment) -> Kept {
    match segment {
        StoredSegment::Object { container, key, facts, range } => Kept::Object {
            name: format!("/{container}/{key}"),
            bytes: facts.bytes,
            hash: facts.etag.to_string(),
            content_type: facts.content_type.clone(),
            last_modified: facts.last_modified.clone(),
            range: part(range, facts.bytes),
            sub_slo: match facts.nested {
                Nested::Yes => Some(true),
                Nested::No => None,
            },
        },
        StoredSegment::Inline(data) => Kept::Inline { data: BASE64.encode(data) },
    }
}

fn raw(segment: &StoredSegment) -> Raw {
    match segment {
        StoredSegment::Object { container, key, facts, range } => Raw::Object {
            path: format!("/{container}/{key}"),
            etag: facts.etag.to_string(),
            size_bytes: facts.bytes,
            range: part(range, facts.bytes),
        },
        StoredSegment::Inline(data) => Raw::Inline { data: BASE64.encode(data) },
    }
}

fn segment(kept: Kept) -> Option<StoredSegment> {
    match kept {
        Kept::Object { name, bytes, hash, content_type, last_modified, range, sub_slo } => {
            let (container, key) = name.strip_prefix('/')?.split_once('/')?;
            let nested = if sub_slo == Some(true) { Nested::Yes } else { Nested::No };
            let etag = ETag::parse(hash.as_bytes())?;
            Some(StoredSegment::Object {
                container: container.parse().ok()?,
                key: key.parse().ok()?,
                range: range.map_or(Some(0..bytes), |range| resolve(&range, bytes))?,
                facts: SegmentFacts { bytes, etag, content_type, last_modified, nested },
            })
        }
        Kept::Inline { data } => Some(StoredSegment::Inline(BASE64.decode(data.as_bytes()).ok()?)),
    }
}

fn resolve(range: &str, bytes: u64) -> Option<Range<u64>> {
    let set = RangeSet::parse(format!("bytes={range}").as_bytes())?;
    match set.resolve(bytes) {
        Resolved::Parts(parts) => match <[_; 1]>::try_from(parts) {
            Ok([range]) => Some(range),
            Err(_several) => None,
        },
        Resolved::Whole | Resolved::Unsatisfiable => None,
    }
}

impl SegmentFacts {
    /// What is known of an object that a manifest names.
    #[must_use]
    pub fn new(bytes: u64, etag: ETag, content_type: &str, written: Timestamp, nested: Nested) -> Self {
        let last_modified = written.listing();
        Self { bytes, etag, content_type: content_type.to_owned(), last_modified, nested }
    }
}

#[cfg(test)]
mod tests {
    use md5::{Digest, Md5};
    use repono_core::etag::ETag;
    use repono_core::time::Timestamp;

    use super::{Nested, SegmentFacts, StoredManifest, StoredSegment};

    fn object(name: &str, bytes: u64, range: std::ops::Range<u64>, nested: Nested) -> StoredSegment {
        let facts =
            SegmentFacts::new(bytes, ETag::from_md5([7; 16]), "a/b", Timestamp::from_unix_seconds(1), nested);
        let (container, key) = ("seg".parse().expect("name"), name.parse().expect("name"));
        StoredSegment::Object { container, key, facts, range }
    }

    fn manifest() -> StoredManifest {
        let segments = vec![
            object("a \"1\"", 10, 0..10, Nested::No),
            object("b/2", 10, 2..5, Nested::Yes),
            StoredSegment::Inline(b"hi".to_vec()),
        ];
        StoredManifest { segments }
    }

    #[test]
    fn survives_its_text() {
        let manifest = manifest();
        assert_eq!(StoredManifest::parse(&manifest.to_json()), Some(manifest.clone()));
        assert_eq!(manifest.bytes(), Some(15));
        let raw: serde_json::Value = serde_json::from_slice(&manifest.to_raw_json()).expect("JSON");
        assert_eq!(raw[0]["path"], "/seg/a \"1\"");
        assert_eq!((&raw[1]["range"], &raw[1]["size_bytes"]), (&"2-4".into(), &10.into()));
        assert_eq!(raw[2], serde_json::json!({ "data": "aGk=" }));
        for bad in ["", "{}", "[1]", r#"[{"data":"?"}]"#, r#"[{"name":"o","bytes":1}]"#] {
            assert_eq!(StoredManifest::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_tag_is_that_of_the_tags() {
        let tag = "07".repeat(16);
        let inline = ETag::from_md5(Md5::digest(b"hi").into());
        let text = format!("{tag}{tag}:2-4;{inline}");
        assert_eq!(manifest().etag(), ETag::from_md5(Md5::digest(text).into()));
    }

    #[test]
    fn sizes_beyond_64_bits_have_no_sum() {
        let huge = || object("a", u64::MAX, 0..u64::MAX, Nested::No);
        assert_eq!(StoredManifest { segments: vec![huge(), huge()] }.bytes(), None);
    }
}
