//! Uploads and metadata updates, checked in full before a byte of the body is read.

use repono_core::etag::ETag;
use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::content_type;
use crate::metadata;
use crate::refusals::{
    BAD_DIGEST, ENTITY_TOO_LARGE, INVALID_CONDITION, LENGTH_REQUIRED, NOT_IMPLEMENTED, PRECONDITION_FAILED,
};
use crate::unserved::refuse_unserved;

/// The largest object, in bytes: 5 GiB, the most that the store takes in one piece.
pub const BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;

/// How the body of a request is framed, as the codec found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKindHint {
    /// There is no body, and no length was given.
    None,
    /// `Content-Length`.
    Length(u64),
    /// Chunked coding: the length shows at the end, and the reader holds it
    /// against [`BYTES_MAX`].
    Chunked,
}

/// What must hold in the moment of the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the last writer wins.
    None,
    /// `If-None-Match: *`: no object has the name.
    Absent,
    /// `If-Match` with one strong tag: this version is replaced.
    Matches(ETag),
}

/// An upload that may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutRequest {
    /// The announced length, if there is one: at most [`BYTES_MAX`].
    pub length: Option<u64>,
    /// The MD5 that the body must have.
    pub expected_etag: Option<ETag>,
    /// What must hold at the commit.
    pub precondition: Precondition,
    /// Metadata and kept headers, by [`metadata::object`].
    pub metadata: Vec<(String, String)>,
}

impl PutRequest {
    /// Reads an upload. Its media type is [`content_type::content_type`].
    ///
    /// *Errors*: 411 without a length, 413 above [`BYTES_MAX`], 422 for an `ETag`
    /// that no body can have, 400 and 412 for conditions, 400 for metadata, 501
    /// for what is not served.
    pub fn from_head(head: &RequestHead, body: BodyKindHint) -> Result<Self, Refusal> {
        let length = match body {
            BodyKindHint::None => return Err(LENGTH_REQUIRED),
            BodyKindHint::Length(bytes) if bytes > BYTES_MAX => return Err(ENTITY_TOO_LARGE),
            BodyKindHint::Length(bytes) => Some(bytes),
            BodyKindHint::Chunked => None,
        };
        refuse_unserved(head)?;
        Ok(Self {
            length,
            expected_etag: expected_etag(head)?,
            precondition: precondition(head)?,
            metadata: metadata::object(head)?,
        })
    }
}

/// An update of an object's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostRequest {
    /// The new media type; the old one stays without it.
    pub content_type: Option<String>,
    /// What replaces all metadata and kept headers.
    pub metadata: Vec<(String, String)>,
}

impl PostRequest {
    /// Reads an update. Its conditions are [`crate::conditions::Conditions`].
    ///
    /// *Errors*: 400 for metadata or media type, 501 for what is not served.
    pub fn from_head(head: &RequestHead) -> Result<Self, Refusal> {
        refuse_unserved(head)?;
        Ok(Self { content_type: content_type::sent(head)?, metadata: metadata::object(head)? })
    }
}

/// A tag that is no MD5, or two of them, match no body: the same answer as for a
/// body that turns out different.
fn expected_etag(head: &RequestHead) -> Result<Option<ETag>, Refusal> {
    only(head, "etag")
        .map_err(|Repeated| BAD_DIGEST)?
        .map(|tag| ETag::parse(tag).ok_or(BAD_DIGEST))
        .transpose()
}

fn precondition(head: &RequestHead) -> Result<Precondition, Refusal> {
    if head.field("if-unmodified-since").is_some() {
        // A date cannot tell two versions of one second apart, so it cannot guard a write.
        return Err(NOT_IMPLEMENTED);
    }
    let absent = only(head, "if-none-match").map_err(|Repeated| INVALID_CONDITION)?;
    let matches = only(head, "if-match").map_err(|Repeated| INVALID_CONDITION)?;
    match (absent, matches) {
        (None, None) => Ok(Precondition::None),
        (Some(b"*"), None) => Ok(Precondition::Absent),
        (None, Some(tag)) => replaced_version(tag),
        (Some(_), None | Some(_)) => Err(INVALID_CONDITION),
    }
}

fn replaced_version(tag: &[u8]) -> Result<Precondition, Refusal> {
    if tag == b"*" || tag.contains(&b',') {
        return Err(INVALID_CONDITION);
    }
    // A weak tag or one that is no MD5 is the tag of no version here.
    ETag::parse(tag).map(Precondition::Matches).ok_or(PRECONDITION_FAILED)
}

struct Repeated;

fn only<'a>(head: &'a RequestHead, name: &'a str) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = head.fields_named(name);
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use repono_core::etag::ETag;
    use repono_core::request::{Method, RequestHead, Version};

    use super::{BYTES_MAX, BodyKindHint, PostRequest, Precondition, PutRequest};

    const TAG: &str = "40fb56bde55a37911d253debfa002005";

    fn head(fields: &[(&str, &str)]) -> RequestHead {
        let mut head = RequestHead::new(Method::Put, Version::Http11, b"/v1/a/c/o").expect("small");
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).expect("small");
        }
        head
    }

    fn put(fields: &[(&str, &str)], body: BodyKindHint) -> Result<PutRequest, u16> {
        PutRequest::from_head(&head(fields), body).map_err(|r| r.status)
    }

    #[test]
    fn reads_a_whole_upload() {
        let sent = [("ETag", TAG), ("If-None-Match", "*"), ("X-Object-Meta-A", "1")];
        let expected = PutRequest {
            length: Some(5),
            expected_etag: ETag::parse(TAG.as_bytes()),
            precondition: Precondition::Absent,
            metadata: vec![("x-object-meta-a".to_owned(), "1".to_owned())],
        };
        assert_eq!(put(&sent, BodyKindHint::Length(5)), Ok(expected));
        assert_eq!(put(&[], BodyKindHint::Chunked).map(|p| p.length), Ok(None));
    }

    #[test]
    fn the_length_is_known_and_bounded_or_chunked() {
        assert_eq!(put(&[], BodyKindHint::None), Err(411));
        assert_eq!(put(&[], BodyKindHint::Length(BYTES_MAX + 1)), Err(413));
        assert_eq!(put(&[], BodyKindHint::Length(BYTES_MAX)).map(|p| p.length), Ok(Some(BYTES_MAX)));
    }

    #[test]
    fn tags_and_conditions() {
        let quoted = format!("\"{TAG}\"");
        let weak = format!("W/{quoted}");
        let two = format!("{quoted}, {quoted}");
        let table: [(&[(&str, &str)], u16); 13] = [
            (&[("ETag", "abc")], 422),
            (&[("ETag", "")], 422),
            (&[("ETag", &weak)], 422),
            (&[("ETag", TAG), ("ETag", TAG)], 422),
            (&[("If-None-Match", &quoted)], 400),
            (&[("If-None-Match", "*"), ("If-None-Match", "*")], 400),
            (&[("If-None-Match", "*"), ("If-Match", &quoted)], 400),
            (&[("If-Match", "*")], 400),
            (&[("If-Match", &two)], 400),
            (&[("If-Match", &weak)], 412),
            (&[("If-Unmodified-Since", "Mon, 20 Oct 2014 23:55:44 GMT")], 501),
            (&[("X-If-Delete-At", "10")], 501),
            (&[("X-Object-Meta-A", "a\u{7f}")], 400),
        ];
        for (fields, status) in table {
            assert_eq!(put(fields, BodyKindHint::Length(1)), Err(status), "{fields:?}");
        }
        let matches = put(&[("If-Match", &quoted)], BodyKindHint::Length(1)).map(|p| p.precondition);
        assert_eq!(matches.ok(), ETag::parse(TAG.as_bytes()).map(Precondition::Matches));
    }

    #[test]
    fn an_update_keeps_the_media_type_unless_sent() {
        let without = PostRequest::from_head(&head(&[("X-Object-Meta-A", "1")])).expect("fine");
        assert_eq!((without.content_type, without.metadata.len()), (None, 1));
        let with = PostRequest::from_head(&head(&[("Content-Type", "a/b")])).expect("fine");
        assert_eq!(with.content_type.as_deref(), Some("a/b"));
        assert_eq!(
            PostRequest::from_head(&head(&[("X-Symlink-Target", "1")])).map_err(|r| r.status),
            Err(501)
        );
    }
}
