//! Captures of packets, one packet after the other: classic pcap and pcapng.
//!
//! *Source*: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.

mod blocks;
mod classic;

use std::io::{self, BufRead, ErrorKind};

use crate::event::Instant;
use blocks::Blocks;
use classic::Classic;

/// Bytes of a packet that can be: the largest snap length that tcpdump and Wireshark
/// take. A header that tells of more is damaged.
const PACKET_BYTES_MAX: u32 = 256 << 10;

/// What stands in a capture.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Frame<'a> {
    /// A packet.
    Packet(Packet<'a>),
    /// What should be one is none; nothing behind it can be found.
    Damaged,
}

/// A packet as it was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    /// When, if the block says so.
    pub(crate) at: Option<Instant>,
    /// What its first header is, by tcpdump's number.
    pub(crate) link: u16,
    /// How long it was on the wire.
    pub(crate) length: u32,
    /// What was kept of it.
    pub(crate) bytes: &'a [u8],
}

/// What a reader found; the bytes lie in its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Packet { at: Option<Instant>, link: u16, length: u32 },
    Damaged,
}

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// Reads a capture.
///
/// *Cost*: one packet in memory, or one block's first 320 KiB.
#[derive(Debug)]
pub(super) enum Capture {
    Classic(Classic),
    Blocks(Blocks),
    /// Its end, or what cannot be read on.
    Over,
}

/// How much there was of what was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    Whole,
    /// The input ended within.
    Cut,
    /// It ended before.
    Nothing,
}

impl Capture {
    /// The reader of an input that begins so, if it is a capture.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let magic = start.first_chunk()?;
        if *magic == blocks::SECTION {
            return Some(Self::Blocks(Blocks::default()));
        }
        Classic::of(*magic).map(Self::Classic)
    }

    /// The next packet, its bytes in `bytes`; `None` at the end.
    pub(super) fn next(&mut self, input: &mut dyn BufRead, bytes: &mut Vec<u8>) -> io::Result<Option<Found>> {
        let found = match self {
            Self::Classic(classic) => classic.next(input, bytes),
            Self::Blocks(blocks) => blocks.next(input, bytes),
            Self::Over => return Ok(None),
        };
        let found = match found {
            Ok(found) => found,
            // What was packed is cut or damaged: what came before it is good.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput
                ) =>
            {
                Some(Found::Damaged)
            }
            Err(error) => return Err(error),
        };
        if !matches!(found, Some(Found::Packet { .. })) {
            *self = Self::Over;
            if found.is_some() {
                bytes.clear();
            }
        }
        Ok(found)
    }
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }
}

/// Puts the next `wanted` bytes behind those in `bytes`, which grows as they come.
fn fill(input: &mut dyn BufRead, bytes: &mut Vec<u8>, wanted: usize) -> io::Result<Filled> {
    let end = bytes.len() + wanted;
    while bytes.len() < end {
        let read = input.fill_buf()?;
        let piece = read.get(..read.len().min(end - bytes.len())).unwrap_or_default();
        if piece.is_empty() {
            return Ok(if bytes.len() + wanted == end { Filled::Nothing } else { Filled::Cut });
        }
        let used = piece.len();
        bytes.extend_from_slice(piece);
        input.consume(used);
    }
    Ok(Filled::Whole)
}

/// Passes over so many bytes; says whether they were there.
fn skip(input: &mut dyn BufRead, mut count: u64) -> io::Result<bool> {
    while count > 0 {
        let read = input.fill_buf()?.len();
        if read == 0 {
            return Ok(false);
        }
        let used = read.min(usize::try_from(count).unwrap_or(usize::MAX));
        input.consume(used);
        count -= used as u64;
    }
    Ok(true)
}
