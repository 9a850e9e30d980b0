//! Requests that a browser makes for a page of another origin, as the metadata of the
//! container allows them. Credentials of the browser are never asked for.
//!
//! *Source*: `swift/common/cors.py`-like parts of `swift/proxy/controllers/base.py`
//! (`OPTIONS`, `cors_validation`, with `strict_cors_mode`); WHATWG Fetch, section 3.3.

use repono_core::request::{Method, RequestHead};

use crate::reply::FieldSink;

/// Origins, separated by spaces, or `*`.
pub const ALLOW_ORIGIN: &str = "x-container-meta-access-control-allow-origin";
/// Seconds for which a browser keeps the answer to a preflight.
pub const MAX_AGE: &str = "x-container-meta-access-control-max-age";
/// Further headers that a page may read, separated by spaces.
pub const EXPOSE_HEADERS: &str = "x-container-meta-access-control-expose-headers";

/// What a page may read besides what browsers always show (Swift's list).
const EXPOSED: &str = "cache-control, content-language, content-type, expires, last-modified, pragma, etag, x-timestamp, x-trans-id, x-openstack-request-id";

/// What a container grants to one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The origin, or `*` for every one.
    origin: String,
    max_age: Option<String>,
    expose: String,
}

impl Grant {
    /// What the container with this metadata grants to the origin that a request
    /// names; `None` without one, or when it is not among those allowed.
    #[must_use]
    pub fn of(head: &RequestHead, metadata: &[(String, String)]) -> Option<Self> {
        let origin = str::from_utf8(head.field("origin")?).ok()?;
        let value =
            |wanted: &str| metadata.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let mut allowed = value(ALLOW_ORIGIN)?.split_ascii_whitespace();
        let granted = allowed.find(|allowed| *allowed == "*" || *allowed == origin)?;
        let mut expose = EXPOSED.to_owned();
        for name in value(EXPOSE_HEADERS).unwrap_or_default().split_ascii_whitespace() {
            expose.push_str(", ");
            expose.push_str(name);
        }
        let max_age = value(MAX_AGE).map(str::to_owned);
        Some(Self { origin: granted.to_owned(), max_age, expose })
    }

    /// The fields of a reply to a request of the page.
    pub fn fields(&self, sink: &mut impl FieldSink) {
        self.origin(sink);
        sink.field("Access-Control-Expose-Headers", self.expose.as_bytes());
    }

    /// The fields of the answer to a preflight.
    pub fn preflight(&self, sink: &mut impl FieldSink, head: &RequestHead, methods: &[Method]) {
        self.origin(sink);
        if let Some(seconds) = &self.max_age {
            sink.field("Access-Control-Max-Age", seconds.as_bytes());
        }
        let methods: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
        sink.field("Access-Control-Allow-Methods", methods.join(", ").as_bytes());
        if let Some(headers) = head.field("access-control-request-headers") {
            sink.field("Access-Control-Allow-Headers", headers);
        }
    }

    fn origin(&self, sink: &mut impl FieldSink) {
        sink.field("Access-Control-Allow-Origin", self.origin.as_bytes());
        if self.origin != "*" {
            // A cache must not show one origin's reply to another.
            sink.field("Vary", b"Origin");
        }
    }
}

/// The method that a preflight asks for; `None` where it is no preflight.
#[must_use]
pub fn asked_method(head: &RequestHead) -> Option<Option<Method>> {
    head.field("origin")?;
    head.field("access-control-request-method").map(Method::parse)
}

#[cfg(test)]
mod tests {
    use repono_core::request::{Method, RequestHead, Version};

    use super::{ALLOW_ORIGIN, EXPOSE_HEADERS, Grant, MAX_AGE, asked_method};

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::new(Method::Options, Version::Http11, b"/v1/a/c/o").expect("small");
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).expect("small");
        }
        head
    }

    fn metadata(origins: &str) -> Vec<(String, String)> {
        vec![
            (ALLOW_ORIGIN.into(), origins.into()),
            (MAX_AGE.into(), "60".into()),
            (EXPOSE_HEADERS.into(), "x-object-meta-a x-b".into()),
        ]
    }

    fn written(write: impl FnOnce(&mut dyn FnMut(&str, &[u8]))) -> Vec<String> {
        let mut lines = Vec::new();
        write(&mut |name: &str, value: &[u8]| {
            lines.push(format!("{name}: {}", String::from_utf8_lossy(value)));
        });
        lines
    }

    #[test]
    fn only_origins_of_the_list_are_granted() {
        let page = head(&[("Origin", "https://a.example")]);
        for (origins, granted) in [
            ("https://a.example", true),
            ("https://b.example https://a.example", true),
            ("*", true),
            ("https://a.example.evil", false),
            ("https://A.example", false),
            ("", false),
        ] {
            assert_eq!(Grant::of(&page, &metadata(origins)).is_some(), granted, "{origins}");
        }
        assert_eq!(Grant::of(&page, &[]), None);
        assert_eq!(Grant::of(&head(&[]), &metadata("*")), None);
    }

    #[test]
    fn the_reply_names_the_origin_and_what_may_be_read() {
        let page = head(&[("Origin", "https://a.example")]);
        let grant = Grant::of(&page, &metadata("https://a.example")).expect("granted");
        let lines = written(|mut sink| grant.fields(&mut sink));
        assert!(lines.contains(&"Access-Control-Allow-Origin: https://a.example".to_owned()), "{lines:?}");
        assert!(lines.contains(&"Vary: Origin".to_owned()));
        assert!(
            lines
                .iter()
                .any(|l| l.starts_with("Access-Control-Expose") && l.ends_with("x-object-meta-a, x-b"))
        );
        assert!(!lines.iter().any(|line| line.contains("Credentials")));
        let everyone = Grant::of(&page, &metadata("*")).expect("granted");
        assert_eq!(written(|mut sink| everyone.fields(&mut sink))[0], "Access-Control-Allow-Origin: *");
    }

    #[test]
    fn a_preflight_is_answered_with_what_it_asks_for() {
        let page = head(&[
            ("Origin", "https://a.example"),
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "x-auth-token, x-object-meta-a"),
        ]);
        assert_eq!(asked_method(&page), Some(Some(Method::Put)));
        assert_eq!(asked_method(&head(&[("Origin", "https://a.example")])), None);
        let grant = Grant::of(&page, &metadata("*")).expect("granted");
        let lines = written(|mut sink| grant.preflight(&mut sink, &page, &[Method::Get, Method::Put]));
        assert_eq!(
            lines[1..],
            [
                "Access-Control-Max-Age: 60".to_owned(),
                "Access-Control-Allow-Methods: GET, PUT".to_owned(),
                "Access-Control-Allow-Headers: x-auth-token, x-object-meta-a".to_owned(),
            ]
        );
    }
}
