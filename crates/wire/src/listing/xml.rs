//! Listings as XML.
//!
//! *Source*: `swift/common/middleware/listing_formats.py`, `container_to_xml` and
//! `account_to_xml`.

use std::io::Write as _;

use crate::listing::{Entry, Listed};

/// Appends the declaration and the start of the root.
pub(super) fn open(out: &mut Vec<u8>, listed: Listed<'_>) {
    let (tag, name) = root(listed);
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<");
    out.extend_from_slice(tag.as_bytes());
    out.extend_from_slice(b" name=\"");
    escape(out, name);
    out.extend_from_slice(b"\">");
}

/// Appends the end of the root.
pub(super) fn close(out: &mut Vec<u8>, listed: Listed<'_>) {
    end(out, root(listed).0);
}

/// Appends one entry.
pub(super) fn entry(out: &mut Vec<u8>, entry: &Entry<'_>) {
    match *entry {
        Entry::Object { name, bytes, etag, content_type, timestamp, large } => {
            start(out, "object");
            text(out, "name", name);
            text(out, "hash", &etag.to_string());
            number(out, "bytes", large.map_or(bytes, |(bytes, _)| bytes));
            text(out, "content_type", content_type);
            text(out, "last_modified", &timestamp.listing());
            if let Some((_, etag)) = large {
                text(out, "slo_etag", &format!("\"{etag}\""));
            }
            end(out, "object");
        }
        Entry::Subdir { name } => {
            out.extend_from_slice(b"<subdir name=\"");
            escape(out, name);
            out.extend_from_slice(b"\">");
            text(out, "name", name);
            end(out, "subdir");
        }
        Entry::Container { name, count, bytes, timestamp } => {
            start(out, "container");
            text(out, "name", name);
            number(out, "count", count);
            number(out, "bytes", bytes);
            text(out, "last_modified", &timestamp.listing());
            end(out, "container");
        }
    }
}

const fn root(listed: Listed<'_>) -> (&'static str, &str) {
    match listed {
        Listed::Account(name) => ("account", name),
        Listed::Container(name) => ("container", name),
    }
}

/// Appends a start tag.
pub(crate) fn start(out: &mut Vec<u8>, tag: &str) {
    out.push(b'<');
    out.extend_from_slice(tag.as_bytes());
    out.push(b'>');
}

/// Appends an end tag.
pub(crate) fn end(out: &mut Vec<u8>, tag: &str) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(tag.as_bytes());
    out.push(b'>');
}

/// Appends an element that holds text.
pub(crate) fn text(out: &mut Vec<u8>, tag: &str, content: &str) {
    start(out, tag);
    escape(out, content);
    end(out, tag);
}

/// Appends an element that holds a number.
pub(crate) fn number(out: &mut Vec<u8>, tag: &str, content: u64) {
    start(out, tag);
    let written = write!(out, "{content}");
    debug_assert!(written.is_ok(), "memory takes every number");
    end(out, tag);
}

/// Appends text so that it is the same text within an element and within double
/// quotes. U+FFFE and U+FFFF, which names may hold and XML may not (section 2.2),
/// become U+FFFD: one such name must not make the whole page unreadable.
fn escape(out: &mut Vec<u8>, content: &str) {
    for c in content.chars() {
        match c {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '"' => out.extend_from_slice(b"&quot;"),
            '\t' => out.extend_from_slice(b"&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.extend_from_slice("\u{fffd}".as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
