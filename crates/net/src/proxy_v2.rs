//! Who the client is, said by the balancer to a head under a key.
//!
//! *Shape*: the binary PROXY protocol, version 2, in exactly three forms:
//!
//! | form | bytes | holds |
//! |---|---|---|
//! | TCP over IPv4 | 78 | addresses, TLV 0x05 (connection id), TLV 0xE0 (HMAC) |
//! | TCP over IPv6 | 102 | the same; also for a mixed pair, IPv4 mapped into IPv6 |
//! | LOCAL | 51 | TLV 0xE0 only: a health check, no client behind it |
//!
//! The HMAC-SHA-256 covers every byte before its own TLV. Anything else, valid
//! PROXY v2 of others included, is refused at the first byte that differs, so a
//! head parses nothing that its balancer did not write.
//!
//! A recorded header can be replayed by who can reach the balancer-only listener
//! and has read the balancer's traffic; it lends the old client's address, not its
//! ticket.
//!
//! *Source*: HAProxy `doc/proxy-protocol.txt`, sections 2.2 and 2.2.8.

mod key_file;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use aws_lc_rs::hmac;
use repono_core::id::ConnectionId;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use crate::listen::canonical;

pub use key_file::KeyFileError;

/// The longest header.
pub const HEADER_BYTES_MAX: usize = PREFIX_BYTES + V6_BYTES + ID_TLV_BYTES + MAC_TLV_BYTES;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const PREFIX_BYTES: usize = 16;
const V4_BYTES: usize = 12;
const V6_BYTES: usize = 36;
const TLV_PREFIX: usize = 3;
const ID_BYTES: usize = 12;
const MAC_BYTES: usize = 32;
const ID_TLV_BYTES: usize = TLV_PREFIX + ID_BYTES;
const MAC_TLV_BYTES: usize = TLV_PREFIX + MAC_BYTES;

/// `PP2_TYPE_UNIQUE_ID`, 12 bytes.
const ID_TLV: [u8; TLV_PREFIX] = [0x05, 0, 12];
/// The first type of the range for private use (0xE0 to 0xEF), 32 bytes.
const MAC_TLV: [u8; TLV_PREFIX] = [0xE0, 0, 32];

/// The key that the balancer and its heads share, for this header only.
///
/// Neither shown nor compared; what it holds is wiped when it is dropped.
#[derive(Clone)]
pub struct ProxyKey(hmac::Key);

impl ProxyKey {
    /// The key with these bytes; the caller wipes them.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

/// What the balancer says about a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The client's address, as the balancer saw it.
    pub source: SocketAddr,
    /// The balancer's address that the client connected to.
    pub destination: SocketAddr,
    /// The id under which the balancer journals the connection.
    pub id: ConnectionId,
}

/// What was made of the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A beginning; more bytes are needed.
    Partial,
    /// A client's connection; what follows `consumed` bytes is the client's.
    Complete {
        /// Who it is.
        header: Header,
        /// Bytes of the header.
        consumed: usize,
    },
    /// The balancer's own health check.
    Local {
        /// Bytes of the header.
        consumed: usize,
    },
}

/// The bytes are not a header of ours. The connection is closed without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyRefused {
    /// Not one of the three forms.
    #[error("this is not a PROXY v2 header in a form that the balancer sends")]
    Form,
    /// The right form under another key, or changed on the way.
    #[error("the PROXY v2 header is not signed with the key of this balancer")]
    Signature,
}

/// Who is at the other end of a connection to the balancer-only listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A client, through the balancer.
    Client(Header),
    /// The balancer's own health check.
    Local,
}

/// A connection to the balancer-only listener that did not begin as it must.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It began with something else.
    #[error("the connection does not begin with the balancer's header")]
    Refused(#[from] ProxyRefused),
    /// The header was not complete in time.
    #[error("the balancer's header was not complete in time")]
    Timeout,
    /// The connection ended before the header did.
    #[error("the connection ended within the balancer's header")]
    Io(#[source] io::Error),
}

/// The form, as the first 16 bytes give it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    V4,
    V6,
    Local,
}

impl Form {
    const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Local];

    const fn address_bytes(self) -> usize {
        match self {
            Self::V4 => V4_BYTES,
            Self::V6 => V6_BYTES,
            Self::Local => 0,
        }
    }

    /// Bytes that the HMAC covers.
    const fn signed_bytes(self) -> usize {
        let id = match self {
            Self::V4 | Self::V6 => ID_TLV_BYTES,
            Self::Local => 0,
        };
        PREFIX_BYTES + self.address_bytes() + id
    }

    const fn bytes(self) -> usize {
        self.signed_bytes() + MAC_TLV_BYTES
    }

    /// Version 2 with PROXY or LOCAL; TCP over IPv4, over IPv6, or unspecified;
    /// the length of what follows.
    fn prefix(self) -> [u8; PREFIX_BYTES] {
        let (command, family) = match self {
            Self::V4 => (0x21, 0x11),
            Self::V6 => (0x21, 0x21),
            Self::Local => (0x20, 0x00),
        };
        let mut prefix = [0; PREFIX_BYTES];
        let (signature, rest) = prefix.split_at_mut(SIGNATURE.len());
        signature.copy_from_slice(&SIGNATURE);
        // The longest is 86, so the high byte of the length is 0.
        rest.copy_from_slice(&[command, family, 0, (self.bytes() - PREFIX_BYTES) as u8]);
        prefix
    }

    /// The form whose prefix begins with these bytes, or with whose prefix they
    /// begin. With fewer than 14 bytes it is one of several.
    fn of(bytes: &[u8]) -> Option<Self> {
        let seen = bytes.get(..PREFIX_BYTES).unwrap_or(bytes);
        Self::ALL.into_iter().find(|form| form.prefix().starts_with(seen))
    }
}

/// Writes the header that goes before a client's bytes.
#[must_use]
pub fn encode(header: &Header, key: &ProxyKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES_MAX);
    let (source, destination) = (canonical(header.source), canonical(header.destination));
    if let (SocketAddr::V4(from), SocketAddr::V4(to)) = (source, destination) {
        bytes.extend_from_slice(&Form::V4.prefix());
        bytes.extend_from_slice(&from.ip().octets());
        bytes.extend_from_slice(&to.ip().octets());
    } else {
        bytes.extend_from_slice(&Form::V6.prefix());
        bytes.extend_from_slice(&as_v6(source).octets());
        bytes.extend_from_slice(&as_v6(destination).octets());
    }
    bytes.extend_from_slice(&source.port().to_be_bytes());
    bytes.extend_from_slice(&destination.port().to_be_bytes());
    bytes.extend_from_slice(&ID_TLV);
    bytes.extend_from_slice(header.id.as_bytes());
    sign(bytes, key)
}

/// Writes the header that goes before the balancer's own health check.
#[must_use]
pub fn encode_local(key: &ProxyKey) -> Vec<u8> {
    sign(Form::Local.prefix().to_vec(), key)
}

/// Reads a header from the beginning of `buf`.
///
/// *Errors*: [`ProxyRefused`], as soon as the bytes seen cannot become a header.
/// *Cost*: one HMAC, about 1 µs, and only once the form is right.
pub fn parse(buf: &[u8], key: &ProxyKey) -> Result<Parsed, ProxyRefused> {
    let form = Form::of(buf).ok_or(ProxyRefused::Form)?;
    if buf.len() < PREFIX_BYTES {
        return Ok(Parsed::Partial);
    }
    let consumed = form.bytes();
    let Some(bytes) = buf.get(..consumed) else {
        return Ok(Parsed::Partial);
    };
    let (signed, mac) = bytes.split_at(form.signed_bytes());
    let mac = mac.strip_prefix(&MAC_TLV).ok_or(ProxyRefused::Form)?;
    hmac::verify(&key.0, signed, mac).map_err(|_| ProxyRefused::Signature)?;
    let body = signed.get(PREFIX_BYTES..).ok_or(ProxyRefused::Form)?;
    let header = match form {
        Form::Local => return Ok(Parsed::Local { consumed }),
        Form::V4 => v4(body),
        Form::V6 => v6(body),
    };
    header.map(|header| Parsed::Complete { header, consumed }).ok_or(ProxyRefused::Form)
}

/// Reads exactly one header from a connection to the balancer-only listener; what
/// the client sent stays in the socket.
///
/// *Errors*: [`ReceiveError`]; the caller closes without a word.
/// *Cancel safety*: none; the connection is of no use afterwards.
pub async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    key: &ProxyKey,
    limit: Duration,
) -> Result<Received, ReceiveError> {
    timeout(limit, receive_untimed(stream, key)).await.map_err(|_| ReceiveError::Timeout)?
}

async fn receive_untimed(
    stream: &mut (impl AsyncRead + Unpin),
    key: &ProxyKey,
) -> Result<Received, ReceiveError> {
    let mut buffer = [0; HEADER_BYTES_MAX];
    let mut filled = 0;
    let mut wanted = PREFIX_BYTES;
    loop {
        let room = buffer.get_mut(filled..wanted).ok_or(ProxyRefused::Form)?;
        let read = stream.read(room).await.map_err(ReceiveError::Io)?;
        if read == 0 {
            return Err(ReceiveError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        filled += read;
        let seen = buffer.get(..filled).ok_or(ProxyRefused::Form)?;
        match parse(seen, key)? {
            Parsed::Partial if filled >= PREFIX_BYTES => {
                wanted = Form::of(seen).ok_or(ProxyRefused::Form)?.bytes();
            }
            Parsed::Partial => {}
            Parsed::Complete { header, .. } => return Ok(Received::Client(header)),
            Parsed::Local { .. } => return Ok(Received::Local),
        }
    }
}

fn sign(mut bytes: Vec<u8>, key: &ProxyKey) -> Vec<u8> {
    let mac = hmac::sign(&key.0, &bytes);
    bytes.extend_from_slice(&MAC_TLV);
    bytes.extend_from_slice(mac.as_ref());
    bytes
}

fn as_v6(address: SocketAddr) -> Ipv6Addr {
    match address {
        SocketAddr::V4(address) => address.ip().to_ipv6_mapped(),
        SocketAddr::V6(address) => *address.ip(),
    }
}

fn v4(body: &[u8]) -> Option<Header> {
    let (from, body) = body.split_first_chunk::<4>()?;
    let (to, body) = body.split_first_chunk::<4>()?;
    ports_and_id(Ipv4Addr::from(*from).into(), Ipv4Addr::from(*to).into(), body)
}

fn v6(body: &[u8]) -> Option<Header> {
    let (from, body) = body.split_first_chunk::<16>()?;
    let (to, body) = body.split_first_chunk::<16>()?;
    ports_and_id(Ipv6Addr::from(*from).into(), Ipv6Addr::from(*to).into(), body)
}

fn ports_and_id(from: std::net::IpAddr, to: std::net::IpAddr, body: &[u8]) -> Option<Header> {
    let (from_port, body) = body.split_first_chunk::<2>()?;
    let (to_port, body) = body.split_first_chunk::<2>()?;
    let id: [u8; ID_BYTES] = body.strip_prefix(&ID_TLV)?.try_into().ok()?;
    Some(Header {
        source: canonical(SocketAddr::new(from, u16::from_be_bytes(*from_port))),
        destination: canonical(SocketAddr::new(to, u16::from_be_bytes(*to_port))),
        id: ConnectionId::from_bytes(id),
    })
}

#[cfg(test)]
mod tests;
