//! The media type of an upload: as sent, or guessed from the name.

use repono_core::name::ObjectKey;
use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::metadata::plain_text;
use crate::refusals::INVALID_CONTENT_TYPE;

/// The longest media type with its parameters, in bytes: RFC 6838 allows 127 for
/// each half of the name; the rest is for parameters.
pub const BYTES_MAX: usize = 1024;

/// What an object without a recognisable name is (Swift's default).
pub const DEFAULT: &str = "application/octet-stream";

/// The media type of an upload to `key`: `Content-Type` as sent, else guessed;
/// guessed in any case with `X-Detect-Content-Type: true`.
///
/// *Errors*: 400 for a value sent twice, too long, with a control character, or
/// with a parameter `swift_…`, which Swift keeps for itself.
pub fn content_type(head: &RequestHead, key: &ObjectKey) -> Result<String, Refusal> {
    let sent = sent(head)?;
    if head.field("x-detect-content-type").is_some_and(is_true) {
        return Ok(guess(key).to_owned());
    }
    Ok(sent.unwrap_or_else(|| guess(key).to_owned()))
}

/// The media type of a copy to `key` of an object of the type `source`: as sent,
/// else that of the source; guessed with `X-Detect-Content-Type: true`.
///
/// *Errors*: as [`content_type`].
pub fn of_copy(head: &RequestHead, key: &ObjectKey, source: &str) -> Result<String, Refusal> {
    let sent = sent(head)?;
    if head.field("x-detect-content-type").is_some_and(is_true) {
        return Ok(guess(key).to_owned());
    }
    Ok(sent.unwrap_or_else(|| source.to_owned()))
}

/// The media type that a request names, if it names one.
///
/// *Errors*: as [`content_type`].
pub fn sent(head: &RequestHead) -> Result<Option<String>, Refusal> {
    let mut values = head.fields_named("content-type");
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() || value.len() > BYTES_MAX {
        return Err(INVALID_CONTENT_TYPE);
    }
    let text = plain_text(value)?;
    let reserved = |p: &str| p.trim_start().get(..6).is_some_and(|p| p.eq_ignore_ascii_case("swift_"));
    if text.split(';').skip(1).any(reserved) {
        return Err(INVALID_CONTENT_TYPE);
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The media type that the ending of the name stands for.
#[must_use]
pub fn guess(key: &ObjectKey) -> &'static str {
    let name = key.as_str().rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    mime_guess::from_ext(ending).first_raw().unwrap_or(DEFAULT)
}

/// Swift's idea of "yes" (`config_true_value`).
pub(crate) fn is_true(value: &[u8]) -> bool {
    ["true", "1", "yes", "on", "t", "y"].iter().any(|yes| value.eq_ignore_ascii_case(yes.as_bytes()))
}

#[cfg(test)]
mod tests {
    use repono_core::request::{Method, RequestHead, Version};

    use super::{BYTES_MAX, content_type};

    fn of(key: &str, fields: &[(&str, &str)]) -> Result<String, (u16, &'static str)> {
        let mut head = RequestHead::new(Method::Put, Version::Http11, b"/v1/a/c/o").expect("small");
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).expect("small");
        }
        content_type(&head, &key.parse().expect("key")).map_err(|r| (r.status, r.code))
    }

    #[test]
    fn sent_or_guessed() {
        let is = |text: &str| Ok(text.to_owned());
        assert_eq!(of("a.pdf", &[]), is("application/pdf"));
        assert_eq!(of("a.b/c.PDF", &[]), is("application/pdf"));
        assert_eq!(of("a.pdf/c", &[]), is("application/octet-stream"));
        assert_eq!(of("pdf", &[]), is("application/octet-stream"));
        assert_eq!(of("a.pdf", &[("Content-Type", "text/xml; charset=x")]), is("text/xml; charset=x"));
        assert_eq!(of("a.pdf", &[("Content-Type", "")]), is("application/pdf"));
        let detect = ("X-Detect-Content-Type", "Yes");
        assert_eq!(of("a.png", &[("Content-Type", "text/xml"), detect]), is("image/png"));
    }

    #[test]
    fn refused() {
        let refused = Err((400, "InvalidContentType"));
        let long = "a".repeat(BYTES_MAX + 1);
        assert_eq!(of("a", &[("Content-Type", &long)]), refused);
        assert_eq!(of("a", &[("Content-Type", "a/b; Swift_bytes=1")]), refused);
        assert_eq!(of("a", &[("Content-Type", "a/b"), ("content-type", "a/b")]), refused);
        assert_eq!(of("a", &[("Content-Type", "a/b\nX: y")]), Err((400, "InvalidHeader")));
    }
}
