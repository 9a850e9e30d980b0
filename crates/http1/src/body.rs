//! The body of a request: by length, or in chunks.

mod extension;
#[cfg(test)]
mod tests;
mod trailer;

use self::extension::Extension;
use self::trailer::Trailer;
use crate::{BodyKind, Limits, Reject};

/// Hex digits of a chunk size: 64 bits.
const SIZE_DIGITS_MAX: u8 = 16;

/// Takes the body of one request out of the stream.
///
/// A body is whole only when [`BodyDecoder::is_done`] says so: a stream that ends
/// before, or an error, means that what came so far must not be committed.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    limits: Limits,
    /// Bytes of chunk extensions so far.
    extensions: usize,
}

/// One run of body bytes, a slice of what was passed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// Bytes of the input that are dealt with, framing and data.
    pub consumed: usize,
    /// Data, the last bytes of those consumed. May be empty although bytes were
    /// consumed.
    pub data: &'a [u8],
}

/// Where in the body the decoder stands.
#[derive(Clone, Copy, Debug)]
enum State {
    /// `left > 0` bytes by length. To `Done`.
    Length { left: u64 },
    /// In the digits of a chunk size. To `Extension`, `SizeLf`.
    Size { size: u64, digits: u8 },
    /// Behind the size, in its extensions. To `SizeLf`.
    Extension { size: u64, bytes: usize, at: Extension },
    /// CR seen behind size or extensions. To `Data`, or `Trailer` if `size` is 0.
    SizeLf { size: u64 },
    /// `left > 0` bytes of the chunk. To `DataCr`.
    Data { left: u64 },
    /// Behind the chunk. To `DataLf`.
    DataCr,
    /// CR seen behind the chunk. To `Size`.
    DataLf,
    /// Behind the last chunk. To `Done`.
    Trailer { bytes: usize, at: Trailer },
    /// The body is complete. No exit.
    Done,
    /// The framing is broken. No exit.
    Failed(Reject),
}

impl BodyDecoder {
    /// A decoder for the body that a head announced.
    #[must_use]
    pub const fn new(kind: BodyKind, limits: &Limits) -> Self {
        let state = match kind {
            BodyKind::None | BodyKind::Length(0) => State::Done,
            BodyKind::Length(left) => State::Length { left },
            BodyKind::Chunked => State::Size { size: 0, digits: 0 },
        };
        Self { state, limits: *limits, extensions: 0 }
    }

    /// Takes framing and at most one run of data from the beginning of `input`.
    ///
    /// *Shape*: call again with the rest until nothing is consumed; then the body
    /// is done or more input is needed. Trailers are checked and dropped, never
    /// merged into the head.
    ///
    /// *Errors*: [`Reject`], and the same one from then on. The upload must be
    /// given up, and the connection closed.
    ///
    /// *Cost*: no copy, no allocation; constant work per byte of framing, none
    /// per byte of data.
    ///
    /// *Source*: RFC 9112 sections 6.2 and 7.1, without bare LF and without white
    /// space around sizes and extensions.
    pub fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, Reject> {
        if let State::Failed(reject) = self.state {
            return Err(reject);
        }
        let mut at = 0;
        while let Some(byte) = input.get(at) {
            if let Some(data) = self.take_data(input.get(at..).unwrap_or_default()) {
                return Ok(Decoded { consumed: at + data.len(), data });
            }
            if self.is_done() {
                break;
            }
            match self.step(*byte) {
                Ok(next) => self.state = next,
                Err(reject) => {
                    self.state = State::Failed(reject);
                    return Err(reject);
                }
            }
            at += 1;
        }
        Ok(Decoded { consumed: at, data: &[] })
    }

    /// Whether the whole body has been taken.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Bytes that are still to come, if the framing tells: `None` for chunks
    /// until the last one, and after an error.
    #[must_use]
    pub const fn remaining_hint(&self) -> Option<u64> {
        match self.state {
            State::Length { left } => Some(left),
            State::Done => Some(0),
            State::Size { .. }
            | State::Extension { .. }
            | State::SizeLf { .. }
            | State::Data { .. }
            | State::DataCr
            | State::DataLf
            | State::Trailer { .. }
            | State::Failed(_) => None,
        }
    }

    /// The run of data at the beginning of `rest`, if data is what comes now.
    fn take_data<'a>(&mut self, rest: &'a [u8]) -> Option<&'a [u8]> {
        let (State::Length { left } | State::Data { left }) = self.state else { return None };
        let run = rest.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(rest);
        let left = left - run.len() as u64;
        self.state = match self.state {
            State::Length { .. } if left > 0 => State::Length { left },
            State::Length { .. } => State::Done,
            _ if left > 0 => State::Data { left },
            _ => State::DataCr,
        };
        Some(run)
    }

    /// The state after one byte of framing.
    fn step(&mut self, byte: u8) -> Result<State, Reject> {
        match self.state {
            State::Size { size, digits } => self.step_size(size, digits, byte),
            State::Extension { size, at, .. } if byte == b'\r' && at.may_end() => Ok(State::SizeLf { size }),
            State::Extension { size, bytes, at } => {
                let at = at.next(byte).ok_or(Reject::ChunkExtension)?;
                self.extension(size, bytes + 1, at)
            }
            State::SizeLf { size } => match (byte, size) {
                (b'\n', 0) => Ok(State::Trailer { bytes: 0, at: Trailer::LineStart }),
                (b'\n', left) => Ok(State::Data { left }),
                _ => Err(Reject::ChunkSize),
            },
            State::DataCr if byte == b'\r' => Ok(State::DataLf),
            State::DataLf if byte == b'\n' => Ok(State::Size { size: 0, digits: 0 }),
            State::DataCr | State::DataLf => Err(Reject::ChunkEnd),
            State::Trailer { bytes, at } => match at.next(byte).ok_or(Reject::Trailer)? {
                Trailer::End => Ok(State::Done),
                _ if bytes >= self.limits.trailer_bytes_max => Err(Reject::TrailerTooLong),
                at => Ok(State::Trailer { bytes: bytes + 1, at }),
            },
            // Data is taken in runs, never in steps, and nothing follows an end.
            State::Length { .. } | State::Data { .. } | State::Done | State::Failed(_) => Ok(self.state),
        }
    }

    fn step_size(&mut self, size: u64, digits: u8, byte: u8) -> Result<State, Reject> {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if digits > 0 => return Ok(State::SizeLf { size }),
            b';' if digits > 0 => return self.extension(size, 1, Extension::NameStart),
            _ => return Err(Reject::ChunkSize),
        };
        if digits == SIZE_DIGITS_MAX {
            return Err(Reject::ChunkSize);
        }
        Ok(State::Size { size: size << 4 | u64::from(value), digits: digits + 1 })
    }

    /// One more byte of extensions, within both bounds.
    fn extension(&mut self, size: u64, bytes: usize, at: Extension) -> Result<State, Reject> {
        self.extensions += 1;
        if bytes > self.limits.chunk_extension_bytes_max
            || self.extensions > self.limits.chunk_extensions_bytes_max
        {
            return Err(Reject::ChunkExtensionTooLong);
        }
        Ok(State::Extension { size, bytes, at })
    }
}
