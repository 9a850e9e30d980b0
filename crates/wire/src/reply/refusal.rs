//! The fields of a refusal.

use repono_core::name::AccountName;
use repono_core::refusal::Refusal;
use repono_core::request::Method;

use crate::error_body;
use crate::reply::{Common, FieldSink, date, ids, number, trans_id};
use crate::scratch::Scratch;

/// What a 401 names as its realm where no account was asked for.
const NO_REALM: &str = "unknown";

/// The fields of a refusal whose document, by [`error_body::xml`], has
/// `body_bytes` bytes (also when a HEAD leaves the document out). A 401 names the
/// account that was asked for, whether or not there is one.
///
/// A 405 takes [`allow`] besides, a 416 [`crate::reply::range_not_satisfiable`].
pub fn refusal(
    sink: &mut impl FieldSink,
    common: &Common<'_>,
    refusal: &Refusal,
    body_bytes: u64,
    account: Option<&AccountName>,
) {
    trans_id(sink, common);
    number(sink, "Content-Length", body_bytes);
    sink.field("Content-Type", error_body::CONTENT_TYPE.as_bytes());
    date(sink, common);
    if refusal.status == 401 {
        // A name of an account is ASCII without quotes: nothing else of the path comes
        // back (Swift CVE-2014-3497).
        let realm = account.map_or(NO_REALM, AccountName::as_str);
        sink.field("WWW-Authenticate", format!("Swift realm=\"{realm}\"").as_bytes());
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
