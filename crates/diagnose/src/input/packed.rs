//! Inputs that are packed: gzip (RFC 1952, several members too) and zstd (RFC 8878).

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

/// Unpacked at a time.
const READ_BYTES: usize = 256 << 10;

/// A reader of what `input` holds, unpacked if its first bytes say that it is packed.
///
/// *Cost*: zstd keeps the window of its frame, at most 128 MiB; a frame that wants more
/// is refused.
pub(super) fn unpacked<'i>(mut input: impl BufRead + 'i) -> io::Result<Box<dyn BufRead + 'i>> {
    Ok(match input.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(input))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(BufReader::with_capacity(READ_BYTES, Frames::of(input)?)),
        _ => Box::new(input),
    })
}

/// The frames of a file, one after the other.
struct Frames<R: BufRead> {
    frame: Option<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>,
}

impl<R: BufRead> Frames<R> {
    fn of(input: R) -> io::Result<Self> {
        Ok(Self { frame: Some(StreamingDecoder::new(input).map_err(io::Error::other)?) })
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(frame) = &mut self.frame else { return Ok(0) };
            let read = frame.read(to)?;
            if read > 0 || to.is_empty() {
                return Ok(read);
            }
            let Some(mut rest) = self.frame.take().map(StreamingDecoder::into_inner) else { return Ok(0) };
            if rest.fill_buf()?.is_empty() {
                return Ok(0);
            }
            *self = Self::of(rest)?;
        }
    }
}
