//! What a HEAD tells of an object.

use http::HeaderMap;
use repono_core::etag::ETag;
use repono_core::time::{Timestamp, parse_http_date};

use crate::error::ClientError;
use crate::exchange::header;

/// The prefix of user metadata.
const METADATA: &str = "x-object-meta-";

/// The present version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectState {
    /// Size in bytes.
    pub bytes: u64,
    /// MD5 of the bytes; `None` where the tag is not one (a large object).
    pub etag: Option<ETag>,
    /// Media type.
    pub content_type: String,
    /// When it was written, in 10 µs.
    pub timestamp: Option<Timestamp>,
    /// The same in whole seconds since the epoch, rounded up.
    pub last_modified_s: Option<u64>,
    /// The path and query of a link that hands out this version without a ticket;
    /// a credential for as long as it lives. `None` where the caller may not read.
    pub preauth_uri: Option<String>,
    /// User metadata, names in lower case, in the order sent.
    pub metadata: Vec<(String, String)>,
    /// `X-Trans-Id` of the reply.
    pub trans_id: String,
}

impl ObjectState {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, ClientError> {
        let text = |name| header(headers, name).map(str::to_owned);
        let bytes = header(headers, "content-length").and_then(|value| value.parse().ok());
        let metadata = headers.iter().filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix(METADATA)?;
            Some((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        });
        Ok(Self {
            bytes: bytes.ok_or(ClientError::Protocol("an object without a size"))?,
            etag: header(headers, "etag").and_then(|tag| ETag::parse(tag.as_bytes())),
            content_type: text("content-type").unwrap_or_default(),
            timestamp: header(headers, "x-timestamp").and_then(Timestamp::parse),
            last_modified_s: header(headers, "last-modified").and_then(|d| parse_http_date(d.as_bytes())),
            preauth_uri: text("x-preauth-uri").map(own_path).transpose()?,
            metadata: metadata.collect(),
            trans_id: text("x-trans-id").unwrap_or_default(),
        })
    }
}

/// The link must lead to the host that gave it: a path, not `//elsewhere` and not
/// a URL.
fn own_path(uri: String) -> Result<String, ClientError> {
    let plain = uri.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if plain && uri.starts_with('/') && !uri.starts_with("//") {
        Ok(uri)
    } else {
        Err(ClientError::Protocol("a pre-authorized URI that is no path"))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::ObjectState;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(n, v)| ((*n).parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn the_reply_of_the_incident_is_understood() {
        let state = ObjectState::from_headers(&headers(&[
            ("X-Timestamp", "1413849343.99091"),
            ("X-Preauth-Uri", "/repono/3dfc/f.pdf?token=PREA_49cd"),
            ("X-Trans-Id", "tx72179a9abf4a4d7e8cc65-0055cfe147"),
            ("Content-Length", "5378129"),
            ("Content-Type", "application/pdf"),
            ("ETag", "40fb56bde55a37911d253debfa002005"),
            ("Last-Modified", "Mon, 20 Oct 2014 23:55:44 GMT"),
            ("X-Object-Meta-Page-Count", "12"),
        ]))
        .unwrap();
        assert_eq!(state.bytes, 5_378_129);
        assert_eq!(state.etag.unwrap().to_string(), "40fb56bde55a37911d253debfa002005");
        assert_eq!(state.last_modified_s, Some(state.timestamp.unwrap().last_modified_seconds()));
        assert_eq!(state.metadata, [("page-count".to_owned(), "12".to_owned())]);
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_refused() {
        for bad in ["//evil.example/x", "https://evil.example/x", "x", "/a b", "/\\evil"] {
            let fields = headers(&[("Content-Length", "1"), ("X-Preauth-Uri", bad)]);
            assert!(ObjectState::from_headers(&fields).is_err(), "{bad}");
        }
        assert!(ObjectState::from_headers(&headers(&[])).is_err());
    }
}
