//! `Idempotency-Key`: a write that may be sent again and takes effect once.
//!
//! *Source*: draft-ietf-httpapi-idempotency-key-header. The key is a string of
//! structured fields (RFC 9651 section 3.3.3), in quotes; without them it is taken
//! too, as many clients send it.

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::refusals::INVALID_IDEMPOTENCY_KEY;

/// The longest key: several UUIDs.
pub const KEY_BYTES_MAX: usize = 255;

/// How the names of those fields begin that say what a write asks for. The others
/// may differ when it is sent again: credentials, traces, what the client says of
/// itself.
const ASKED: [&str; 13] = [
    "x-object-",
    "x-copy-",
    "x-delete-",
    "x-fresh-",
    "x-detect-",
    "x-remove-",
    "content-",
    "cache-control",
    "expires",
    "etag",
    "if-",
    "range",
    "destination",
];

/// The key of a request, if it has one.
///
/// *Errors*: 400 for one that is empty, too long, sent twice or not of visible ASCII.
pub fn key(head: &RequestHead) -> Result<Option<&str>, Refusal> {
    let mut sent = head.fields_named("idempotency-key");
    let Some(key) = sent.next() else { return Ok(None) };
    let key = key.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\"")).unwrap_or(key);
    let fits = (1..=KEY_BYTES_MAX).contains(&key.len());
    let plain = key.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    match str::from_utf8(key) {
        Ok(key) if fits && plain && sent.next().is_none() => Ok(Some(key)),
        Ok(_) | Err(_) => Err(INVALID_IDEMPOTENCY_KEY),
    }
}

/// What a request asks for, but for its body: two with the same parts are the same.
pub fn parts(head: &RequestHead) -> impl Iterator<Item = &[u8]> {
    let asked = |name: &[u8]| {
        let is = |start: &str| {
            name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start.as_bytes()))
        };
        // The same body may come in chunks the second time.
        ASKED.iter().any(|start| is(start)) && !name.eq_ignore_ascii_case(b"content-length")
    };
    let fields = head.fields().filter(move |(name, _)| asked(name)).flat_map(|(name, value)| [name, value]);
    [head.method().as_str().as_bytes(), head.target()].into_iter().chain(fields)
}

#[cfg(test)]
mod tests {
    use repono_core::request::{Method, RequestHead, Version};

    use super::{KEY_BYTES_MAX, key, parts};

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::new(Method::Put, Version::Http11, b"/v1/a/c/o").expect("small");
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).expect("small");
        }
        head
    }

    #[test]
    fn keys_are_quoted_or_bare() {
        let of = |sent: &str| {
            key(&head(&[("Idempotency-Key", sent)]))
                .map_or_else(|r| r.status.to_string(), |k| k.unwrap_or_default().to_owned())
        };
        let long = "k".repeat(KEY_BYTES_MAX);
        for (sent, found) in [
            ("\"8e03978e-40d5\"", "8e03978e-40d5"),
            ("8e03978e-40d5", "8e03978e-40d5"),
            (&long, &long),
            (&format!("{long}k"), "400"),
            ("", "400"),
            ("\"\"", "400"),
            ("\"a", "400"),
            ("a b", "400"),
            ("\"a\\\"b\"", "400"),
            ("\u{e9}", "400"),
        ] {
            assert_eq!(of(sent), found, "{sent}");
        }
        assert_eq!(key(&head(&[])), Ok(None));
        let twice = head(&[("Idempotency-Key", "a"), ("Idempotency-Key", "a")]);
        assert_eq!(key(&twice).map_err(|r| r.status), Err(400));
    }

    #[test]
    fn credentials_and_traces_do_not_make_another_request() {
        let of = |fields: &[(&str, &str)]| parts(&head(fields)).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let plain = of(&[("X-Object-Meta-A", "1")]);
        let again = [
            ("Host", "h"),
            ("Traceparent", "00-1"),
            ("X-Object-Meta-A", "1"),
            ("X-Auth-Ticket", "other"),
            ("Content-Length", "5"),
        ];
        assert_eq!(plain, of(&again));
        for other in [("X-Object-Meta-A", "2"), ("Content-Type", "a/b"), ("If-None-Match", "*")] {
            assert_ne!(plain, of(&[other]), "{other:?}");
        }
    }
}
