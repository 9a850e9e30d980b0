//! The head of an HTTP request, as every protocol crate reads it: the codec
//! fills it, tickets and the interfaces look things up in it.

use std::ops::Range;

use smallvec::SmallVec;

/// A request method that Repono serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `PUT`
    Put,
    /// `POST`
    Post,
    /// `DELETE`
    Delete,
    /// `COPY` (OpenStack Swift)
    Copy,
    /// `OPTIONS`
    Options,
}

impl Method {
    /// Every method, in the order of `Allow`.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Head, Self::Put, Self::Post, Self::Delete, Self::Copy, Self::Options];

    /// The method with this exact, case-sensitive name (RFC 9110 section 9.1).
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str().as_bytes() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Copy => "COPY",
            Self::Options => "OPTIONS",
        }
    }
}

/// The version of HTTP in which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: closes after the reply.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

/// Method, target and header fields of one request.
///
/// *Shape*: one buffer and spans into it, so that a connection can fill the same
/// value for each of its requests without allocating. Names keep the case in
/// which they were sent; look-ups ignore case. At most 64 KiB in all.
#[derive(Clone, Debug)]
pub struct RequestHead {
    method: Method,
    version: Version,
    bytes: Vec<u8>,
    target: Span,
    fields: SmallVec<[Field; 24]>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u16,
    end: u16,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// The head does not fit into 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request head is larger than 64 KiB")]
pub struct HeadTooLarge;

/// A GET without a target, to be filled.
impl Default for RequestHead {
    fn default() -> Self {
        Self {
            method: Method::Get,
            version: Version::Http11,
            bytes: Vec::new(),
            target: Span { start: 0, end: 0 },
            fields: SmallVec::new(),
        }
    }
}

impl RequestHead {
    /// A head without header fields.
    ///
    /// *Errors*: [`HeadTooLarge`].
    pub fn new(method: Method, version: Version, target: &[u8]) -> Result<Self, HeadTooLarge> {
        let mut head = Self::default();
        head.reset(method, version, target)?;
        Ok(head)
    }

    /// Forgets everything and begins a new head in the same memory.
    ///
    /// *Errors*: [`HeadTooLarge`].
    pub fn reset(&mut self, method: Method, version: Version, target: &[u8]) -> Result<(), HeadTooLarge> {
        self.method = method;
        self.version = version;
        self.bytes.clear();
        self.fields.clear();
        self.target = self.append(target)?;
        Ok(())
    }

    /// Adds one header field.
    ///
    /// *Errors*: [`HeadTooLarge`].
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadTooLarge> {
        let name = self.append(name)?;
        let value = self.append(value)?;
        self.fields.push(Field { name, value });
        Ok(())
    }

    /// Says in which version it came, for a carrier that is not the codec's.
    pub const fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The request target as sent: path and query.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.at(self.target)
    }

    /// The raw path, still percent-encoded.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.split_target().0
    }

    /// The raw query without its `?`, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        self.split_target().1
    }

    /// The first value of a header field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields_named(name).next()
    }

    /// Every value of a header field, in the order sent.
    pub fn fields_named(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.fields().filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Every header field, in the order sent.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|f| (self.at(f.name), self.at(f.value)))
    }

    fn split_target(&self) -> (&[u8], Option<&[u8]>) {
        let target = self.target();
        match target.iter().position(|b| *b == b'?') {
            Some(at) => (&target[..at], Some(&target[at + 1..])),
            None => (target, None),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<Span, HeadTooLarge> {
        let start = u16::try_from(self.bytes.len()).map_err(|_| HeadTooLarge)?;
        let end = u16::try_from(self.bytes.len() + bytes.len()).map_err(|_| HeadTooLarge)?;
        self.bytes.extend_from_slice(bytes);
        Ok(Span { start, end })
    }

    fn at(&self, span: Span) -> &[u8] {
        &self.bytes[Range::from(span)]
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        usize::from(span.start)..usize::from(span.end)
    }
}

#[cfg(test)]
mod tests {
    use super::{HeadTooLarge, Method, RequestHead, Version};

    #[test]
    fn finds_fields_whatever_their_case() {
        let mut head = RequestHead::new(Method::Get, Version::Http11, b"/v1/a/c/o?limit=1").expect("small");
        head.push(b"Host", b"h").expect("small");
        head.push(b"X-Auth-User", b"demo:demo").expect("small");
        head.push(b"x-auth-user", b"root").expect("small");
        assert_eq!(head.path(), b"/v1/a/c/o");
        assert_eq!(head.query(), Some(&b"limit=1"[..]));
        assert_eq!(head.field("x-auth-user"), Some(&b"demo:demo"[..]));
        assert_eq!(head.fields_named("X-AUTH-USER").count(), 2);
        assert_eq!(head.field("x_auth_user"), None);
    }

    #[test]
    fn a_head_beyond_64_kib_is_an_error_not_a_panic() {
        let mut head = RequestHead::new(Method::Put, Version::Http11, b"/").expect("small");
        assert_eq!(head.push(b"a", &vec![b'x'; 70_000]), Err(HeadTooLarge));
    }

    #[test]
    fn methods_are_case_sensitive() {
        assert_eq!(Method::parse(b"GET"), Some(Method::Get));
        assert_eq!(Method::parse(b"get"), None);
        assert_eq!(Method::parse(b"BREW"), None);
    }
}
