//! What a ticket is narrowed to: methods, a path prefix, a source network.
//!
//! `m=GET,HEAD;p=/v1/acme/docs/;ip=10.1.0.0/16`. A scope only takes away: policy
//! is asked as well, whatever the scope permits.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use repono_core::request::Method;

use crate::scope::methods::MethodSet;
use crate::scope::network::Network;

mod methods;
mod network;

/// A parsed scope, kept in its one canonical text: keys in the order `m`, `p`,
/// `ip`, methods in the order of `Allow`, paths percent-encoded one way.
///
/// *Shape*: at most [`Scope::BYTES_MAX`] bytes of text; at least one key; each at
/// most once.
#[derive(Clone, PartialEq, Eq)]
pub struct Scope {
    text: Box<str>,
    methods: Option<MethodSet>,
    prefix: Option<Box<str>>,
    network: Option<Network>,
}

/// Why a scope was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Nothing at all.
    #[error("the scope is empty")]
    Empty,
    /// More text than [`Scope::BYTES_MAX`].
    #[error("the scope is longer than 1024 bytes")]
    TooLong,
    /// A character that cannot stand in a header value.
    #[error("the scope contains a character outside visible ASCII")]
    Character,
    /// A key other than `m`, `p` and `ip`.
    #[error("the scope has a key other than `m`, `p` and `ip`")]
    UnknownKey,
    /// A key that stands twice.
    #[error("the scope has a key twice")]
    DuplicateKey,
    /// A method that is not served, is empty, or stands twice.
    #[error("the scope's methods are not a list of different methods that Repono serves")]
    Method,
    /// Not an absolute path, badly encoded, or with a `.` or `..` segment.
    #[error("the scope's prefix is not an absolute path without dot segments")]
    Prefix,
    /// Not an address or a network, or one with host bits set.
    #[error("the scope's network is not an address or a network in CIDR form")]
    Network,
}

/// Everything but unreserved characters and `/` is encoded (RFC 3986 section 2.3).
const PREFIX_ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

impl Scope {
    /// The longest text: two of it fit a header line beside the longest path that
    /// is worth naming.
    pub const BYTES_MAX: usize = 1024;

    /// Parses a scope, in any order of keys.
    ///
    /// *Errors*: the first rule of [`ScopeError`] that the text breaks; all are the
    /// caller's fault (400).
    pub fn parse(text: &[u8]) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Err(ScopeError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(ScopeError::TooLong);
        }
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err(ScopeError::Character);
        }
        let text = str::from_utf8(text).map_err(|_| ScopeError::Character)?;
        let (mut methods, mut prefix, mut network) = (None, None, None);
        for part in text.split(';') {
            match part.split_once('=') {
                Some(("m", list)) => once(&mut methods, MethodSet::parse(list).ok_or(ScopeError::Method)?)?,
                Some(("p", path)) => once(&mut prefix, parse_prefix(path)?)?,
                Some(("ip", net)) => once(&mut network, Network::parse(net).ok_or(ScopeError::Network)?)?,
                Some(_) | None => return Err(ScopeError::UnknownKey),
            }
        }
        let text = canonical(methods, prefix.as_deref(), network);
        // Encoding can lengthen a prefix: what is signed obeys the limit as well.
        if text.len() > Self::BYTES_MAX {
            return Err(ScopeError::TooLong);
        }
        Ok(Self { text: text.into(), methods, prefix, network })
    }

    /// The canonical text: what is signed and sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a request lies within the scope.
    ///
    /// `path` is the decoded path by which the request is routed, in the native
    /// form `/v1/{account}/{container}/{key}`, whichever interface it came by. A
    /// prefix that ends in `/` permits what lies below it; any other permits that
    /// one path. GET does not imply HEAD: a scope says what it means. `ip` is the
    /// peer's address as the listener knows it, never a forwarded one.
    ///
    /// *Cost*: no allocation.
    #[must_use]
    pub fn permits(&self, method: Method, path: &str, ip: IpAddr) -> bool {
        self.methods.is_none_or(|methods| methods.contains(method))
            && self.prefix.as_deref().is_none_or(|prefix| below(prefix, path))
            && self.network.is_none_or(|network| network.contains(ip))
    }

    /// Whether a ticket with this scope may be turned into a pre-authorized URI,
    /// which serves GET and HEAD to any address: not if the scope lacks either
    /// method, and not if it is bound to a network, because the link is not.
    #[must_use]
    pub fn permits_links(&self) -> bool {
        let methods = self.methods.is_none_or(|m| m.contains(Method::Get) && m.contains(Method::Head));
        methods && self.network.is_none()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), ScopeError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ScopeError::DuplicateKey),
    }
}

fn below(prefix: &str, path: &str) -> bool {
    if prefix.ends_with('/') { path.starts_with(prefix) } else { path == prefix }
}

fn parse_prefix(encoded: &str) -> Result<Box<str>, ScopeError> {
    if !well_encoded(encoded.as_bytes()) {
        return Err(ScopeError::Prefix);
    }
    let path = percent_decode_str(encoded).decode_utf8().map_err(|_| ScopeError::Prefix)?;
    let dotted = path.split(['/', '\\']).any(|s| matches!(s.split(';').next(), Some("." | "..")));
    if !path.starts_with('/') || dotted || path.chars().any(char::is_control) {
        return Err(ScopeError::Prefix);
    }
    Ok(path.into())
}

/// Whether each `%` is followed by two hex digits.
fn well_encoded(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|b| *b == b'%') {
        match rest.get(at + 1..at + 3) {
            Some([a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                rest = rest.get(at + 3..).unwrap_or_default();
            }
            Some(_) | None => return false,
        }
    }
    true
}

fn canonical(methods: Option<MethodSet>, prefix: Option<&str>, network: Option<Network>) -> String {
    let methods = methods.map(|m| format!("m={m}"));
    let prefix = prefix.map(|p| format!("p={}", utf8_percent_encode(p, PREFIX_ENCODED)));
    let network = network.map(|n| format!("ip={n}"));
    [methods, prefix, network].into_iter().flatten().collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests;
