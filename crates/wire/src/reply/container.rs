//! The fields of replies about containers and accounts.

use repono_core::time::Timestamp;

use crate::listing::Format;
use crate::metadata::with_wire_name;
use crate::reply::{Common, FieldSink, date, ids, last_modified, number, timestamp, trans_id};
use crate::scratch::Scratch;

/// What the store knows of a container.
#[derive(Clone, Copy, Debug)]
pub struct ContainerHeaders<'a> {
    /// When it was created.
    pub timestamp: Timestamp,
    /// When it was last PUT.
    pub last_put: Timestamp,
    /// Objects in it.
    pub object_count: u64,
    /// The sum of their sizes.
    pub bytes_used: u64,
    /// Its metadata, under the stored names.
    pub metadata: &'a [(String, String)],
}

/// What the store knows of an account.
#[derive(Clone, Copy, Debug)]
pub struct AccountHeaders<'a> {
    /// When it was created.
    pub timestamp: Timestamp,
    /// Containers in it.
    pub container_count: u64,
    /// Objects in them.
    pub object_count: u64,
    /// The sum of their sizes.
    pub bytes_used: u64,
    /// Its metadata, under the stored names.
    pub metadata: &'a [(String, String)],
}

/// The body of a listing, or of the HEAD that stands for one.
#[derive(Clone, Copy, Debug)]
pub enum ListingBody {
    /// HEAD: there is none.
    Head(Format),
    /// GET: this many bytes.
    Listing {
        /// How it is written.
        format: Format,
        /// Its length.
        bytes: u64,
    },
}

impl ListingBody {
    /// The status of the reply: 204 where there is nothing to send.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Head(_) | Self::Listing { bytes: 0, .. } => 204,
            Self::Listing { .. } => 200,
        }
    }
}

/// The fields of a reply to GET or HEAD of a container.
pub fn container(
    sink: &mut impl FieldSink,
    common: &Common<'_>,
    container: &ContainerHeaders<'_>,
    body: ListingBody,
) {
    timestamp(sink, container.timestamp);
    trans_id(sink, common);
    listing(sink, body);
    date(sink, common);
    last_modified(sink, container.last_put);
    sink.field("X-PUT-Timestamp", Scratch::of(format_args!("{}", container.last_put)).as_bytes());
    number(sink, "X-Container-Object-Count", container.object_count);
    number(sink, "X-Container-Bytes-Used", container.bytes_used);
    metadata(sink, container.metadata);
    ids(sink, common);
}

/// The fields of a reply to GET or HEAD of an account.
pub fn account(
    sink: &mut impl FieldSink,
    common: &Common<'_>,
    account: &AccountHeaders<'_>,
    body: ListingBody,
) {
    timestamp(sink, account.timestamp);
    trans_id(sink, common);
    listing(sink, body);
    date(sink, common);
    number(sink, "X-Account-Container-Count", account.container_count);
    number(sink, "X-Account-Object-Count", account.object_count);
    number(sink, "X-Account-Bytes-Used", account.bytes_used);
    metadata(sink, account.metadata);
    ids(sink, common);
}

fn listing(sink: &mut impl FieldSink, body: ListingBody) {
    match body {
        ListingBody::Head(format) => sink.field("Content-Type", format.content_type().as_bytes()),
        ListingBody::Listing { format, bytes } => {
            if bytes > 0 {
                number(sink, "Content-Length", bytes);
            }
            sink.field("Content-Type", format.content_type().as_bytes());
        }
    }
    sink.field("Vary", b"Accept");
}

fn metadata(sink: &mut impl FieldSink, items: &[(String, String)]) {
    for (name, value) in items {
        with_wire_name(name, |title| sink.field(title, value.as_bytes()));
    }
}
