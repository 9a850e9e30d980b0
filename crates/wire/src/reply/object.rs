//! The fields of replies about objects.

use std::ops::Range;

use repono_core::etag::ETag;
use repono_core::time::Timestamp;

use crate::byteranges::Boundary;
use crate::metadata::{Owner, with_wire_name};
use crate::reply::disposition::{Disposition, append};
use crate::reply::{Common, FieldSink, date, ids, last_modified, number, timestamp, trans_id};
use crate::scratch::Scratch;

/// What the store knows of an object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectHeaders<'a> {
    /// When this version was written.
    pub timestamp: Timestamp,
    /// The MD5 of its bytes.
    pub etag: ETag,
    /// Its size in bytes.
    pub size: u64,
    /// Its media type.
    pub content_type: &'a str,
    /// Metadata and kept headers, under their stored names.
    pub metadata: &'a [(String, String)],
    /// Whether it is a large object.
    pub form: Form,
}

/// How the object came by its bytes, which some fields tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// They were sent as one.
    Plain,
    /// They are those of the objects that a listing gives.
    Dynamic,
    /// They are those of the objects that a manifest names.
    Static {
        /// The MD5 of the manifest.
        manifest: ETag,
        /// The number of segments, where one was asked for by its number.
        parts: Option<usize>,
    },
    /// They are a manifest, asked for as such.
    Manifest,
}

/// By what right the caller reads, which decides the fields about caching and
/// display.
#[derive(Clone, Copy)]
pub enum Access<'a> {
    /// By a ticket, or as anyone where a policy allows it.
    Ticket,
    /// By a ticket, and the reply hands out a pre-authorized URI.
    TicketWithUri {
        /// The URI; it is a credential.
        uri: &'a [u8],
    },
    /// By a pre-authorized URI, perhaps in a browser.
    Preauthorized {
        /// The name under which a browser saves the file.
        file_name: &'a str,
    },
}

/// Which bytes of the object the reply is about.
#[derive(Clone, Copy, Debug)]
pub enum Selection<'a> {
    /// All: 200.
    Whole,
    /// One range, half-open and not empty: 206.
    Part(&'a Range<u64>),
    /// Several ranges: 206.
    Parts {
        /// What stands between them.
        boundary: &'a Boundary,
        /// The length of the whole body, by [`crate::byteranges::Parts::body_bytes`].
        body_bytes: u64,
    },
}

impl Selection<'_> {
    /// The status of the reply.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Whole => 200,
            Self::Part(_) | Self::Parts { .. } => 206,
        }
    }
}

/// The fields of a reply to GET or HEAD of an object.
///
/// *Cost*: allocates for the file name of a pre-authorized reply, otherwise not.
pub fn object(
    sink: &mut impl FieldSink,
    common: &Common<'_>,
    object: &ObjectHeaders<'_>,
    selection: &Selection<'_>,
    access: &Access<'_>,
) {
    timestamp(sink, object.timestamp);
    if let Access::TicketWithUri { uri } = access {
        sink.field("X-Preauth-Uri", uri);
    }
    trans_id(sink, common);
    sink.field("Accept-Ranges", b"bytes");
    content(sink, object, selection);
    date(sink, common);
    version_of(sink, object);
    if let Selection::Part(range) = selection {
        let (first, last, size) = (range.start, range.end.saturating_sub(1), object.size);
        let value = Scratch::of(format_args!("bytes {first}-{last}/{size}"));
        sink.field("Content-Range", value.as_bytes());
    }
    kept(sink, object, access);
    ids(sink, common);
}

/// The fields of a 304: what the caller's copy can be refreshed with.
pub fn not_modified(
    sink: &mut impl FieldSink,
    common: &Common<'_>,
    object: &ObjectHeaders<'_>,
    access: &Access<'_>,
) {
    timestamp(sink, object.timestamp);
    trans_id(sink, common);
    date(sink, common);
    version_of(sink, object);
    kept(sink, object, access);
    ids(sink, common);
}

/// The fields of a 201 to an upload.
pub fn object_created(sink: &mut impl FieldSink, common: &Common<'_>, etag: ETag, written: Timestamp) {
    timestamp(sink, written);
    trans_id(sink, common);
    sink.field("Content-Length", b"0");
    date(sink, common);
    version(sink, etag, written);
    ids(sink, common);
}

/// The metadata of its own that a copy is told to have.
pub fn copied_metadata(sink: &mut impl FieldSink, items: &[(String, String)]) {
    let told = |name: &str| name.starts_with(Owner::Object.prefix()) || name == "x-delete-at";
    for (name, value) in items.iter().filter(|(name, _)| told(name)) {
        with_wire_name(name, |title| sink.field(title, value.as_bytes()));
    }
}

/// The fields of a 304 to a copy whose source has not changed.
pub fn not_copied(sink: &mut impl FieldSink, common: &Common<'_>, etag: ETag) {
    trans_id(sink, common);
    date(sink, common);
    sink.field("ETag", Scratch::of(format_args!("\"{etag}\"")).as_bytes());
    ids(sink, common);
}

/// The fields of a 201 to the upload of a manifest: as [`object_created`], with the
/// tag of what it stands for.
pub fn large_created(sink: &mut impl FieldSink, common: &Common<'_>, etag: ETag, written: Timestamp) {
    timestamp(sink, written);
    trans_id(sink, common);
    sink.field("Content-Length", b"0");
    date(sink, common);
    quoted_version(sink, etag, written);
    ids(sink, common);
}

/// The fields of a 202 to a metadata update.
pub fn object_updated(sink: &mut impl FieldSink, common: &Common<'_>, written: Timestamp) {
    timestamp(sink, written);
    super::empty(sink, common, 202);
}

/// The field that a 416 has besides those of a refusal.
pub fn range_not_satisfiable(sink: &mut impl FieldSink, size: u64) {
    sink.field("Content-Range", Scratch::of(format_args!("bytes */{size}")).as_bytes());
}

fn content(sink: &mut impl FieldSink, object: &ObjectHeaders<'_>, selection: &Selection<'_>) {
    match selection {
        Selection::Whole => number(sink, "Content-Length", object.size),
        Selection::Part(range) => number(sink, "Content-Length", range.end.saturating_sub(range.start)),
        Selection::Parts { body_bytes, .. } => number(sink, "Content-Length", *body_bytes),
    }
    match selection {
        Selection::Whole | Selection::Part(_) => sink.field("Content-Type", object.content_type.as_bytes()),
        Selection::Parts { boundary, .. } => {
            let boundary = str::from_utf8(*boundary).unwrap_or_default();
            let value = Scratch::of(format_args!("multipart/byteranges;boundary={boundary}"));
            sink.field("Content-Type", value.as_bytes());
        }
    }
}

fn version(sink: &mut impl FieldSink, etag: ETag, written: Timestamp) {
    sink.field("ETag", Scratch::of(format_args!("{etag}")).as_bytes());
    last_modified(sink, written);
}

/// Swift writes the tag of a large object in quotes, and that of a plain one bare.
fn quoted_version(sink: &mut impl FieldSink, etag: ETag, written: Timestamp) {
    sink.field("ETag", Scratch::of(format_args!("\"{etag}\"")).as_bytes());
    last_modified(sink, written);
}

fn version_of(sink: &mut impl FieldSink, object: &ObjectHeaders<'_>) {
    match object.form {
        Form::Plain | Form::Manifest => version(sink, object.etag, object.timestamp),
        Form::Dynamic | Form::Static { .. } => quoted_version(sink, object.etag, object.timestamp),
    }
}

/// What is told of a manifest to those who may know it.
fn form(sink: &mut impl FieldSink, form: Form) {
    match form {
        Form::Plain | Form::Dynamic => {}
        Form::Static { manifest, parts } => {
            sink.field("X-Static-Large-Object", b"True");
            sink.field("X-Manifest-Etag", Scratch::of(format_args!("{manifest}")).as_bytes());
            if let Some(parts) = parts {
                number(sink, "X-Parts-Count", parts as u64);
            }
        }
        Form::Manifest => sink.field("X-Static-Large-Object", b"True"),
    }
}

/// Metadata and kept headers, and what the manner of access adds or leaves out.
fn kept(sink: &mut impl FieldSink, object: &ObjectHeaders<'_>, access: &Access<'_>) {
    match access {
        Access::Ticket => {
            form(sink, object.form);
            metadata(sink, object, |_| true);
        }
        Access::TicketWithUri { .. } => {
            // The URI is a credential: no cache may hand it to someone else.
            sink.field("Cache-Control", b"private, no-store");
            form(sink, object.form);
            metadata(sink, object, |_| true);
        }
        Access::Preauthorized { file_name } => preauthorized(sink, object, file_name),
    }
}

/// A link may be opened in a browser, by someone who must not see more than the
/// file, on an origin that must not run what the file contains.
fn preauthorized(sink: &mut impl FieldSink, object: &ObjectHeaders<'_>, file_name: &str) {
    let disposition = Disposition::of(object.content_type);
    metadata(sink, object, |name| match name {
        "cache-control" | "expires" | "content-disposition" | "x-object-manifest" => false,
        other => !other.starts_with(Owner::Object.prefix()),
    });
    sink.field("Cache-Control", b"private, no-store");
    sink.field("Referrer-Policy", b"no-referrer");
    sink.field("X-Content-Type-Options", b"nosniff");
    sink.field("Content-Security-Policy", b"sandbox; default-src 'none'");
    let mut value = Vec::with_capacity(64 + file_name.len());
    append(disposition, file_name, &mut value);
    sink.field("Content-Disposition", &value);
    sink.field("Cross-Origin-Resource-Policy", b"same-origin");
}

fn metadata(sink: &mut impl FieldSink, object: &ObjectHeaders<'_>, shown: impl Fn(&str) -> bool) {
    for (name, value) in object.metadata.iter().filter(|(name, _)| shown(name)) {
        with_wire_name(name, |title| sink.field(title, value.as_bytes()));
    }
}
