//! Listings of containers and accounts: what is asked for, and how it is written.
//!
//! *Source*: `swift/container/backend.py`, `list_objects_iter`;
//! `swift/common/middleware/listing_formats.py`.

mod accept;
mod query;
#[cfg(test)]
mod tests;
pub(crate) mod xml;

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
    /// A tree, under the media type of programs.
    Xml,
    /// The same tree, under the older media type that a client may insist on.
    TextXml,
}

impl Format {
    /// The media type of a listing in this format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
            Self::TextXml => "text/xml; charset=utf-8",
        }
    }
}

/// In which order names come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest name first.
    Ascending,
    /// Greatest name first (`reverse`): the marker is the upper bound.
    Descending,
}

/// What becomes of names that have the delimiter behind the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollUp {
    /// They show as one common prefix.
    Show,
    /// They are left out, but for the one that ends with the delimiter; and so is
    /// the name that is the prefix (`path`).
    Leave,
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

/// What is listed: the root of the XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed<'a> {
    /// The containers of an account.
    Account(&'a str),
    /// The objects of a container.
    Container(&'a str),
}

/// Appends a whole listing.
///
/// *Shape*: plain is empty without entries (answer 204); JSON is `[]` then, and XML
/// an element without children.
pub fn render<'a>(
    out: &mut Vec<u8>,
    format: Format,
    listed: Listed<'a>,
    entries: impl IntoIterator<Item = Entry<'a>>,
) {
    let mut renderer = Renderer::new(out, format, listed);
    for entry in entries {
        renderer.entry(out, &entry);
    }
    renderer.finish(out);
}

/// A listing that is written piece by piece, so that one page need not be in
/// memory twice.
#[derive(Debug)]
pub struct Renderer<'a> {
    format: Format,
    listed: Listed<'a>,
    separator: &'static [u8],
}

impl<'a> Renderer<'a> {
    /// Begins a listing.
    pub fn new(out: &mut Vec<u8>, format: Format, listed: Listed<'a>) -> Self {
        match format {
            Format::Plain => {}
            Format::Json => out.push(b'['),
            Format::Xml | Format::TextXml => xml::open(out, listed),
        }
        Self { format, listed, separator: b"" }
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
            Format::Xml | Format::TextXml => xml::entry(out, entry),
        }
    }

    /// Ends the listing.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.format {
            Format::Plain => {}
            Format::Json => out.push(b']'),
            Format::Xml | Format::TextXml => xml::close(out, self.listed),
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
