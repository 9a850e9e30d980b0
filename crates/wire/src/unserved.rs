//! Features of Swift that are not served, where ignoring the request would do
//! something else than the caller asked for: an object that never expires, an
//! empty object instead of a copy.

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::percent;
use crate::refusals::NOT_IMPLEMENTED;

/// Headers that change what a write means.
const FIELDS: [&str; 7] = [
    "x-symlink-target",
    "x-container-sync-to",
    "x-history-location",
    "x-versions-enabled",
    "x-versions-location",
    "x-if-delete-at",
    "content-range",
];

/// Query parameters that change what a request means.
const PARAMETERS: [&[u8]; 8] = [
    b"bulk-delete",
    b"extract-archive",
    b"symlink",
    b"temp_url_expires",
    b"temp_url_prefix",
    b"temp_url_sig",
    b"version-id",
    b"versions",
];

/// Refuses a write that depends on a feature which is not served.
///
/// *Errors*: 501.
pub fn refuse_unserved(head: &RequestHead) -> Result<(), Refusal> {
    refuse_unserved_query(head)?;
    let asks = |name: &[u8]| FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()));
    if head.fields().any(|(name, _)| asks(name)) { Err(NOT_IMPLEMENTED) } else { Ok(()) }
}

/// Refuses a read of an object that depends on a feature which is not served. What is
/// no symlink is its own target, and `?symlink=get` asks for nothing else.
///
/// *Errors*: 501.
///
/// *Cost*: nothing without a query.
pub fn refuse_unserved_read(head: &RequestHead) -> Result<(), Refusal> {
    refuse_query(head, |name| name != b"symlink")
}

/// Refuses a request of any method whose query depends on a feature which is not
/// served.
///
/// *Errors*: 501.
///
/// *Cost*: nothing without a query.
pub fn refuse_unserved_query(head: &RequestHead) -> Result<(), Refusal> {
    refuse_query(head, |_name| true)
}

fn refuse_query(head: &RequestHead, counts: impl Fn(&[u8]) -> bool) -> Result<(), Refusal> {
    let Some(query) = head.query() else {
        return Ok(());
    };
    let asks = |parameter: &[u8]| {
        let name = parameter.split(|b| *b == b'=').next().unwrap_or_default();
        percent::decode_query(name).is_ok_and(|name| PARAMETERS.contains(&&*name) && counts(&name))
    };
    if query.split(|b| *b == b'&').any(asks) { Err(NOT_IMPLEMENTED) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use repono_core::request::{Method, RequestHead, Version};

    use super::{FIELDS, PARAMETERS, refuse_unserved};

    fn status(target: &str, field: Option<&str>) -> Option<u16> {
        let mut head = RequestHead::new(Method::Put, Version::Http11, target.as_bytes()).expect("small");
        if let Some(field) = field {
            head.push(field.as_bytes(), b"1").expect("small");
        }
        refuse_unserved(&head).err().map(|r| r.status)
    }

    #[test]
    fn each_feature_is_refused_by_name() {
        for field in FIELDS {
            assert_eq!(status("/v1/a/c/o", Some(&field.to_uppercase())), Some(501), "{field}");
        }
        for parameter in PARAMETERS {
            let parameter = String::from_utf8_lossy(parameter);
            assert_eq!(status(&format!("/v1/a/c/o?x=1&{parameter}=put"), None), Some(501), "{parameter}");
        }
        assert_eq!(status("/v1/a/c/o?%62ulk-delete", None), Some(501));
        assert_eq!(status("/v1/a/c/o?prefix=versions", Some("X-Object-Meta-A")), None);
        assert_eq!(status("/v1/a/c/o?multipart-manifest=get", None), None);
        assert_eq!(status("/v1/a/c/o", None), None);
    }
}
