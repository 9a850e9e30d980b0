//! What a request wants of a manifest: `multipart-manifest`, `format`,
//! `part-number`, `heartbeat`.

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::content_type::is_true;
use crate::percent;
use crate::refusals::{INVALID_ARGUMENT, INVALID_PART_NUMBER, INVALID_URI};

/// The value of `multipart-manifest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestUse {
    /// None: the object that the manifest stands for.
    Resolve,
    /// `get`: the manifest itself.
    Show,
    /// `get` with `format=raw`: in the form in which it was sent.
    ShowRaw,
    /// `put`: the body is a manifest.
    Put,
    /// `delete`: the segments go too.
    Delete,
}

/// The number of a segment, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartNumber(pub usize);

/// The parameters of a request about an object that may be a large one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeQuery {
    /// What is meant.
    pub manifest: ManifestUse,
    /// Only this segment.
    pub part: Option<PartNumber>,
    /// Whether the answer to an upload begins before its outcome is known.
    pub heartbeat: Heartbeat,
}

/// When the status of an answer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// 202 at once, the outcome in the body.
    On,
    /// With the outcome.
    Off,
}

impl LargeQuery {
    /// What a request without a query wants.
    pub const NONE: Self = Self { manifest: ManifestUse::Resolve, part: None, heartbeat: Heartbeat::Off };

    /// Reads the query of a request. Other values of `multipart-manifest` mean
    /// nothing, as in Swift.
    ///
    /// *Errors*: 400 for a parameter that cannot be decoded, and for a part number
    /// that is no number above 0.
    ///
    /// *Cost*: nothing without a query.
    pub fn from_head(head: &RequestHead) -> Result<Self, Refusal> {
        let Some(query) = head.query() else { return Ok(Self::NONE) };
        let (mut manifest, mut raw, mut found) = (None, false, Self::NONE);
        for parameter in query.split(|b| *b == b'&') {
            let mut halves = parameter.splitn(2, |b| *b == b'=');
            let name = percent::decode_query(halves.next().unwrap_or_default()).map_err(|_| INVALID_URI)?;
            let value = percent::decode_query(halves.next().unwrap_or_default()).map_err(|_| INVALID_URI)?;
            match &*name {
                b"multipart-manifest" if manifest.is_some() => return Err(INVALID_ARGUMENT),
                b"multipart-manifest" => manifest = Some(value.into_owned()),
                b"format" => raw = &*value == b"raw",
                b"heartbeat" if is_true(&value) => found.heartbeat = Heartbeat::On,
                b"part-number" => found.part = Some(part_number(&value)?),
                _other => {}
            }
        }
        found.manifest = match manifest.as_deref() {
            Some(b"get") if raw => ManifestUse::ShowRaw,
            Some(b"get") => ManifestUse::Show,
            Some(b"put") => ManifestUse::Put,
            Some(b"delete") => ManifestUse::Delete,
            Some(_) | None => ManifestUse::Resolve,
        };
        Ok(found)
    }
}

fn part_number(value: &[u8]) -> Result<PartNumber, Refusal> {
    let digits = str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok()).filter(|number| *number > 0);
    number.map(PartNumber).ok_or(INVALID_PART_NUMBER)
}

#[cfg(test)]
mod tests {
    use repono_core::request::{Method, RequestHead, Version};

    use super::{Heartbeat, LargeQuery, ManifestUse, PartNumber};

    fn read(query: &str) -> Result<LargeQuery, u16> {
        let target = format!("/v1/a/c/o{query}");
        let head = RequestHead::new(Method::Get, Version::Http11, target.as_bytes()).expect("small");
        LargeQuery::from_head(&head).map_err(|refusal| refusal.status)
    }

    #[test]
    fn each_parameter() {
        let uses = [
            ("", ManifestUse::Resolve),
            ("?format=raw", ManifestUse::Resolve),
            ("?multipart-manifest=get", ManifestUse::Show),
            ("?format=raw&multipart%2Dmanifest=get", ManifestUse::ShowRaw),
            ("?multipart-manifest=put&x=1", ManifestUse::Put),
            ("?multipart-manifest=delete", ManifestUse::Delete),
            ("?multipart-manifest=other", ManifestUse::Resolve),
        ];
        for (query, manifest) in uses {
            assert_eq!(read(query), Ok(LargeQuery { manifest, ..LargeQuery::NONE }), "{query}");
        }
        assert_eq!(read("?part-number=12").map(|q| q.part), Ok(Some(PartNumber(12))));
        assert_eq!(read("?heartbeat=on").map(|q| q.heartbeat), Ok(Heartbeat::On));
        assert_eq!(read("?heartbeat=no").map(|q| q.heartbeat), Ok(Heartbeat::Off));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let queries = [
            "?part-number=0",
            "?part-number=",
            "?part-number=-1",
            "?part-number=+1",
            "?part-number=99999999999999999999999999",
            "?multipart-manifest=get&multipart-manifest=put",
            "?multipart-manifest=%",
        ];
        for query in queries {
            assert_eq!(read(query), Err(400), "{query}");
        }
    }
}
