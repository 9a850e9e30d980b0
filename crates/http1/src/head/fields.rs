//! What the header fields of one head say about host, body and connection.

use httparse::Header;
use repono_core::refusal::After;
use repono_core::request::Version;

use super::framing::{self, Coding};
use super::{BodyKind, Expect, host};
use crate::grammar::trim;
use crate::{Limits, Reject};

/// The fields that the codec itself acts on, each seen at most once.
pub(super) struct Seen<'b> {
    version: Version,
    host: Option<&'b [u8]>,
    length: Option<u64>,
    coding: Option<Coding>,
    expect: Expect,
    connection: After,
}

/// Checks every field of a complete head.
pub(super) fn check<'b>(
    clean: &[u8],
    fields: &[Header<'b>],
    version: Version,
    limits: &Limits,
) -> Result<Seen<'b>, Reject> {
    // Names and the request line are ASCII where it matters, so one search over
    // the whole head does what a check of each value would.
    if memchr::memchr(0xFF, clean).is_some() {
        return Err(Reject::FieldValue);
    }
    let metadata = fields.iter().filter(|field| is_metadata(field.name.as_bytes())).count();
    if metadata > limits.metadata_fields_max || fields.len() - metadata > limits.fields_max {
        return Err(Reject::FieldsTooMany);
    }
    let mut seen = Seen::new(version);
    for field in fields {
        let name = field.name.as_bytes();
        if name.contains(&b'_') && is_alias(name) {
            return Err(Reject::FieldAlias);
        }
        seen.note(name, field.value)?;
    }
    if seen.host.is_none() && version != Version::Http10 {
        return Err(Reject::HostMissing);
    }
    Ok(seen)
}

impl<'b> Seen<'b> {
    fn new(version: Version) -> Self {
        // A 1.0 client that asks for keep-alive may be behind a proxy that does
        // not know the word and would wait for the end of the connection.
        let connection = if version == Version::Http10 { After::Close } else { After::Keep };
        Self { version, host: None, length: None, coding: None, expect: Expect::None, connection }
    }

    fn note(&mut self, name: &[u8], value: &'b [u8]) -> Result<(), Reject> {
        // The length tells most names apart without comparing them.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.note_host(value),
            6 if name.eq_ignore_ascii_case(b"expect") => self.note_expect(value),
            10 if name.eq_ignore_ascii_case(b"connection") => {
                if value.split(|b| *b == b',').any(|option| trim(option).eq_ignore_ascii_case(b"close")) {
                    self.connection = After::Close;
                }
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.note_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.note_coding(value),
            _ => Ok(()),
        }
    }

    fn note_host(&mut self, value: &'b [u8]) -> Result<(), Reject> {
        if self.host.is_some() {
            return Err(Reject::HostRepeated);
        }
        if !host::is_valid(value) {
            return Err(Reject::HostInvalid);
        }
        self.host = Some(value);
        Ok(())
    }

    fn note_expect(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.expect != Expect::None || !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Reject::Expectation);
        }
        self.expect = Expect::Continue;
        Ok(())
    }

    fn note_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.length.is_some() {
            return Err(Reject::LengthRepeated);
        }
        self.length = Some(framing::length(value).ok_or(Reject::LengthInvalid)?);
        Ok(())
    }

    fn note_coding(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.version == Version::Http10 {
            return Err(Reject::EncodingVersion);
        }
        if self.coding.is_some() {
            return Err(Reject::EncodingRepeated);
        }
        self.coding = Some(framing::coding(value)?);
        Ok(())
    }

    pub(super) const fn host(&self) -> Option<&'b [u8]> {
        self.host
    }

    pub(super) const fn connection(&self) -> After {
        self.connection
    }

    /// How the body is framed, and whether the client waits before it sends it.
    ///
    /// *Source*: RFC 9112 section 6.3, without its repairs of ambiguous framing;
    /// RFC 9110 section 10.1.1: an expectation in HTTP/1.0 is ignored.
    pub(super) const fn body(&self) -> Result<(BodyKind, Expect), Reject> {
        let body = match (self.length, self.coding) {
            (Some(_), Some(_)) => return Err(Reject::LengthAndEncoding),
            (None, Some(Coding::Unknown)) => return Err(Reject::EncodingUnknown),
            (None, Some(Coding::Chunked)) => BodyKind::Chunked,
            (Some(bytes), None) => BodyKind::Length(bytes),
            (None, None) => BodyKind::None,
        };
        let expect = match (self.version, body) {
            (Version::Http10, _) | (_, BodyKind::None | BodyKind::Length(0)) => Expect::None,
            (Version::Http11 | Version::Http2, BodyKind::Length(_) | BodyKind::Chunked) => self.expect,
        };
        Ok((body, expect))
    }
}

/// Fields that have a count of their own, because Swift has a limit of its own for them.
fn is_metadata(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 3] = [b"x-object-meta-", b"x-container-meta-", b"x-account-meta-"];
    matches!(name, [b'x' | b'X', b'-', b'o' | b'O' | b'c' | b'C' | b'a' | b'A', ..])
        && PREFIXES.iter().any(|p| name.get(..p.len()).is_some_and(|n| n.eq_ignore_ascii_case(p)))
}

/// Whether a name with `_` becomes one that carries credentials or framing when
/// `_` is read as `-`, as CGI and many frameworks do.
fn is_alias(name: &[u8]) -> bool {
    const EXACT: [&[u8]; 3] = [b"x-storage-token", b"content-length", b"transfer-encoding"];
    const PREFIX: &[u8] = b"x-auth-";
    let reads_as = |known: &[u8]| {
        name.get(..known.len()).is_some_and(|n| {
            n.iter().zip(known).all(|(a, b)| a.eq_ignore_ascii_case(b) || (*a == b'_' && *b == b'-'))
        })
    };
    reads_as(PREFIX) || EXACT.iter().any(|known| name.len() == known.len() && reads_as(known))
}
