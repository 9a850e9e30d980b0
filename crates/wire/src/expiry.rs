//! When an object ends: `X-Delete-At` and `X-Delete-After`.
//!
//! *Source*: `swift/common/middleware`, `check_delete_headers` of `constraints.py`.

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::refusals::INVALID_DELETE_AT;

/// The last second that there is here: Swift keeps ten digits.
const SECONDS_MAX: u64 = 9_999_999_999;

/// The end that a request gives its object, in Unix seconds. `X-Delete-After`, in
/// seconds from now, wins over `X-Delete-At`.
///
/// *Errors*: 400 for what is no whole number, and for an end that is not in the future.
pub fn delete_at_s(head: &RequestHead, now_s: u64) -> Result<Option<u64>, Refusal> {
    let end_s = match (head.field("x-delete-after"), head.field("x-delete-at")) {
        (None, None) => return Ok(None),
        (Some(after), _) => now_s.saturating_add(number(after)?).min(SECONDS_MAX),
        (None, Some(at)) => number(at)?,
    };
    if end_s <= now_s || end_s > SECONDS_MAX { Err(INVALID_DELETE_AT) } else { Ok(Some(end_s)) }
}

/// When an object must end so that it is deleted: `X-If-Delete-At`.
///
/// *Errors*: 400 for what is no whole number.
pub fn if_delete_at_s(head: &RequestHead) -> Result<Option<u64>, Refusal> {
    head.field("x-if-delete-at").map(number).transpose()
}

fn number(text: &[u8]) -> Result<u64, Refusal> {
    let text = str::from_utf8(text).map_err(|_| INVALID_DELETE_AT)?.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(INVALID_DELETE_AT);
    }
    digits.parse().map_err(|_| INVALID_DELETE_AT)
}

#[cfg(test)]
mod tests {
    use repono_core::request::{Method, RequestHead, Version};

    use super::delete_at_s;

    fn end(fields: &[(&str, &str)]) -> Result<Option<u64>, u16> {
        let mut head = RequestHead::new(Method::Put, Version::Http11, b"/v1/a/c/o").expect("small");
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).expect("small");
        }
        delete_at_s(&head, 1000).map_err(|refusal| refusal.status)
    }

    #[test]
    fn the_span_wins_over_the_instant_and_neither_lies_in_the_past() {
        assert_eq!(end(&[]), Ok(None));
        assert_eq!(end(&[("X-Delete-At", "1001")]), Ok(Some(1001)));
        assert_eq!(end(&[("X-Delete-After", "10")]), Ok(Some(1010)));
        assert_eq!(end(&[("X-Delete-At", "5000"), ("X-Delete-After", "10")]), Ok(Some(1010)));
        for at in ["1000", "999", "0", "-1", "1e9", "soon", "", "99999999999"] {
            assert_eq!(end(&[("X-Delete-At", at)]), Err(400), "{at}");
        }
        for after in ["0", "-5", "x", "1.5", ""] {
            assert_eq!(end(&[("X-Delete-After", after)]), Err(400), "{after}");
        }
    }
}
