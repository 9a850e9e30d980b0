//! The header fields of every reply, in the order of the incident's trace.
//!
//! The functions write into a [`FieldSink`], so that a head can have them go
//! straight into its codec. Status line, `Connection` and `Keep-Alive` belong to
//! the codec and to the life of the connection.

mod container;
mod disposition;
mod object;
mod refusal;
#[cfg(test)]
mod tests;

use httpdate::HttpDate;
use repono_core::id::{ConnectionId, TransId};
use repono_core::request::RequestHead;
use repono_core::time::Timestamp;
use std::time::{Duration, UNIX_EPOCH};

use crate::percent;
use crate::scratch::Scratch;

pub use crate::reply::container::{AccountHeaders, ContainerHeaders, ListingBody, account, container};
pub use crate::reply::object::{
    Access, Form, ObjectHeaders, Selection, copied_metadata, large_created, not_copied, not_modified, object,
    object_created, object_updated, range_not_satisfiable,
};
pub use crate::reply::refusal::{allow, refusal};

/// Takes header fields, one at a time. Any `FnMut(&str, &[u8])` is one.
pub trait FieldSink {
    /// Takes one field. Values are without line ends: everything that users can
    /// set was checked when it was stored.
    fn field(&mut self, name: &str, value: &[u8]);
}

impl<F: FnMut(&str, &[u8])> FieldSink for F {
    fn field(&mut self, name: &str, value: &[u8]) {
        self(name, value);
    }
}

/// What every reply carries, a refusal too.
#[derive(Clone, Copy, Debug)]
pub struct Common<'a> {
    /// The id of this request.
    pub trans_id: &'a TransId,
    /// What the caller wants added to that id, by [`trans_id_extra`].
    pub extra: &'a [u8],
    /// The id under which the journals know this connection.
    pub connection: &'a ConnectionId,
    /// The present, as an HTTP date: the caller keeps it for a second.
    pub date: &'a str,
}

/// The fields of a reply without a body: `Content-Length: 0`, or none with 204,
/// which must not have one (RFC 9110 section 8.6).
pub fn empty(sink: &mut impl FieldSink, common: &Common<'_>, status: u16) {
    trans_id(sink, common);
    if status != 204 {
        sink.field("Content-Length", b"0");
    }
    date(sink, common);
    ids(sink, common);
}

/// The fields of a reply whose body is a document of the head's own: `/info`,
/// `/healthcheck`.
pub fn document(sink: &mut impl FieldSink, common: &Common<'_>, content_type: &str, bytes: u64) {
    trans_id(sink, common);
    number(sink, "Content-Length", bytes);
    sink.field("Content-Type", content_type.as_bytes());
    date(sink, common);
    ids(sink, common);
}

/// The most bytes of `X-Trans-Id-Extra` that count (Swift's limit).
const EXTRA_BYTES_MAX: usize = 32;

/// What a caller wants to find behind the id of its request: the first 32 bytes of
/// `X-Trans-Id-Extra`. They are escaped on their way out, and stand in no document
/// and no journal.
///
/// *Source*: `swift/common/middleware/catch_errors.py`.
#[must_use]
pub fn trans_id_extra(head: &RequestHead) -> &[u8] {
    let extra = head.field("x-trans-id-extra").unwrap_or_default();
    extra.get(..EXTRA_BYTES_MAX).unwrap_or(extra)
}

fn trans_id(sink: &mut impl FieldSink, common: &Common<'_>) {
    id(sink, "X-Trans-Id", common);
}

/// *Cost*: allocates only where the caller adds something.
fn id(sink: &mut impl FieldSink, name: &str, common: &Common<'_>) {
    let id = common.trans_id.as_str().as_bytes();
    if common.extra.is_empty() {
        return sink.field(name, id);
    }
    let mut text = [id, b"-"].concat();
    percent::encode_bytes(common.extra, &mut text);
    sink.field(name, &text);
}

fn date(sink: &mut impl FieldSink, common: &Common<'_>) {
    sink.field("Date", common.date.as_bytes());
}

/// The fields that the incident's trace does not have, after those that it has.
fn ids(sink: &mut impl FieldSink, common: &Common<'_>) {
    id(sink, "X-Openstack-Request-Id", common);
    sink.field("X-Repono-Connection", &common.connection.hex());
}

fn number(sink: &mut impl FieldSink, name: &str, value: u64) {
    sink.field(name, Scratch::of(format_args!("{value}")).as_bytes());
}

fn timestamp(sink: &mut impl FieldSink, timestamp: Timestamp) {
    sink.field("X-Timestamp", Scratch::of(format_args!("{timestamp}")).as_bytes());
}

fn last_modified(sink: &mut impl FieldSink, timestamp: Timestamp) {
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(timestamp.last_modified_seconds()));
    sink.field("Last-Modified", Scratch::of(format_args!("{date}")).as_bytes());
}
