//! The fields of a refusal.

use repono_core::refusal::Refusal;
use repono_core::request::Method;

use crate::error_body;
use crate::reply::{Common, FieldSink, date, ids, number, trans_id};
use crate::scratch::Scratch;

/// The scheme that clients of this dialect know. Always the same: a realm that named
/// the account would tell which ones exist (Swift CVE-2014-3497 reflected the path
/// here).
const CHALLENGE: &[u8] = b"Swift realm=\"repono\"";

/// The fields of a refusal whose document, by [`error_body::xml`], has
/// `body_bytes` bytes (also when a HEAD leaves the document out).
///
/// A 405 takes [`allow`] besides, a 416 [`crate::reply::range_not_satisfiable`].
pub fn refusal(sink: &mut impl FieldSink, common: &Common<'_>, refusal: &Refusal, body_bytes: u64) {
    trans_id(sink, common);
    number(sink, "Content-Length", body_bytes);
    sink.field("Content-Type", error_body::CONTENT_TYPE.as_bytes());
    date(sink, common);
    if refusal.status == 401 {
        sink.field("WWW-Authenticate", CHALLENGE);
    }
    if let Some(seconds) = refusal.retry_after_s {
        number(sink, "Retry-After", u64::from(seconds));
    }
    ids(sink, common);
}

/// `Allow`, with the methods that are served at an address.
pub fn allow(sink: &mut impl FieldSink, methods: &[Method]) {
    let value = Scratch::of(format_args!("{}", Separated(methods)));
    sink.field("Allow", value.as_bytes());
}

struct Separated<'a>(&'a [Method]);

impl std::fmt::Display for Separated<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, method) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", method.as_str())?;
        }
        Ok(())
    }
}
