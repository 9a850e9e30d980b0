//! Listings of containers and accounts: what is asked for, and how it is written.
//!
//! *Source*: `swift/container/backend.py`, `list_objects_iter`;
//! `swift/common/middleware/listing_formats.py`.

mod accept;
mod query;
#[cfg(test)]
mod tests;

use repono_core::etag::ETag;
use repono_core::time::Timestamp;
use serde::Serialize;

pub use crate::listing::query::ListQuery;

/// The most entries of one listing, and the number without `limit` (Swift's limit).
pub const ENTRIES_MAX: u32 = 10_000;

/// How a listing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One name on each line.
    Plain,
    /// An array of objects.
    Json,
}

impl Format {
    /// The media type of a listing in this format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// One line of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// An object in a container.
    Object {
        /// Its key.
        name: &'a str,
        /// Its size in bytes.
        bytes: u64,
        /// The MD5 of its bytes.
        etag: ETag,
        /// Its media type.
        content_type: &'a str,
        /// When this version was written.
        timestamp: Timestamp,
        /// Size and tag of what a static large object stands for.
        large: Option<(u64, ETag)>,
    },
    /// Everything behind one delimiter.
    Subdir {
        /// The common prefix, with the delimiter.
        name: &'a str,
    },
    /// A container in an account.
    Container {
        /// Its name.
        name: &'a str,
        /// Objects in it.
        count: u64,
        /// The sum of their sizes.
        bytes: u64,
        /// When it was created.
        timestamp: Timestamp,
    },
}

impl Entry<'_> {
    const fn name(&self) -> &str {
        match self {
            Self::Object { name, .. } | Self::Subdir { name } | Self::Container { name, .. } => name,
        }
    }
}

/// Appends a whole listing.
///
/// *Shape*: plain is empty without entries (answer 204); JSON is `[]` then.
pub fn render<'a>(out: &mut Vec<u8>, format: Format, entries: impl IntoIterator<Item = Entry<'a>>) {
    let mut renderer = Renderer::new(out, format);
    for entry in entries {
        renderer.entry(out, &entry);
    }
    renderer.finish(out);
}

/// A listing that is written piece by piece, so that one page need not be in
/// memory twice.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    separator: &'static [u8],
}

impl Renderer {
    /// Begins a listing.
    pub fn new(out: &mut Vec<u8>, format: Format) -> Self {
        match format {
            Format::Plain => {}
            Format::Json => out.push(b'['),
        }
        Self { format, separator: b"" }
    }

    /// Appends one entry.
    pub fn entry(&mut self, out: &mut Vec<u8>, entry: &Entry<'_>) {
        match self.format {
            Format::Plain => {
                out.extend_from_slice(entry.name().as_bytes());
                out.push(b'\n');
            }
            Format::Json => {
                out.extend_from_slice(self.separator);
                self.separator = b", ";
                json(out, entry);
            }
        }
    }

    /// Ends the listing.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.format {
            Format::Plain => {}
            Format::Json => out.push(b']'),
        }
    }
}

/// The JSON of an entry, fields as Swift names them.
#[derive(Serialize)]
#[serde(untagged)]
enum Json<'a> {
    Object {
        name: &'a str,
        hash: String,
        bytes: u64,
        content_type: &'a str,
        last_modified: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        slo_etag: Option<String>,
    },
    Subdir {
        subdir: &'a str,
    },
    Container {
        name: &'a str,
        count: u64,
        bytes: u64,
        last_modified: String,
    },
}

fn json(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let json = match *entry {
        Entry::Object { name, bytes, etag, content_type, timestamp, large } => Json::Object {
            name,
            hash: etag.to_string(),
            bytes: large.map_or(bytes, |(bytes, _)| bytes),
            content_type,
            last_modified: timestamp.listing(),
            slo_etag: large.map(|(_, etag)| format!("\"{etag}\"")),
        },
        Entry::Subdir { name } => Json::Subdir { subdir: name },
        Entry::Container { name, count, bytes, timestamp } => {
            Json::Container { name, count, bytes, last_modified: timestamp.listing() }
        }
    };
    let written = serde_json::to_writer(out, &json);
    debug_assert!(written.is_ok(), "text and numbers always become JSON in memory");
}
