//! One connection of HTTP/2 on which a test writes exactly the frames it wants.
//!
//! *Source*: RFC 9113 sections 4 and 6, RFC 7541 section 6.2.

use std::net::TcpStream;
use std::path::Path;

use anyhow::{Context, Result};

use crate::wire::{Wire, address};

/// A type of frame.
pub mod kind {
    /// DATA
    pub const DATA: u8 = 0;
    /// HEADERS
    pub const HEADERS: u8 = 1;
    /// RST_STREAM
    pub const RST_STREAM: u8 = 3;
    /// SETTINGS
    pub const SETTINGS: u8 = 4;
    /// PING
    pub const PING: u8 = 6;
    /// GOAWAY
    pub const GOAWAY: u8 = 7;
    /// WINDOW_UPDATE
    pub const WINDOW_UPDATE: u8 = 8;
    /// CONTINUATION
    pub const CONTINUATION: u8 = 9;
}

/// The stream ends with this frame.
pub const END_STREAM: u8 = 1;
/// The header block ends with this frame.
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame that came.
#[derive(Debug)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its stream, 0 for the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// Connects with `h2` offered, and sends the preface and empty settings.
pub fn connect(url: &str, ca: &Path) -> Result<Wire> {
    let mut wire = Wire::offering(TcpStream::connect(address(url)?)?, ca, &[b"h2"])?;
    wire.send(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat())?;
    Ok(wire)
}

/// The bytes of a frame.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block: literals without indexing and without Huffman coding, of names
/// and values below 127 bytes.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            bytes.push(u8::try_from(text.len()).unwrap_or(126));
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// The header block of a GET.
#[must_use]
pub fn get(authority: &str, path: &str) -> Vec<u8> {
    block(&[(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path)])
}

/// The next frame; `None` at the end of the connection.
pub fn next(wire: &mut Wire) -> Result<Option<Frame>> {
    let Some(head) = wire.exactly(9)? else { return Ok(None) };
    let &[a, b, c, kind, _flags, ref stream @ ..] = head.as_slice() else { return Ok(None) };
    let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
    let payload = match length {
        0 => Vec::new(),
        _ => wire.exactly(length)?.context("the connection ended within a frame")?,
    };
    let stream = u32::from_be_bytes(stream.first_chunk().copied().unwrap_or_default());
    Ok(Some(Frame { kind, stream, payload }))
}
