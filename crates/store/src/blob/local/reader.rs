//! An open blob.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::BytesMut;
use md5::{Digest, Md5};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use super::blocking;
use super::footer::{FOOTER_BYTES_MAX, Footer};
use crate::blob::{BLOCK_BYTES, BlobReader, CachedRead, READ_BYTES_MAX};
use crate::error::{Part, StoreError};
use crate::model::BlobPlace;

const BAD_FOOTER: StoreError = StoreError::Corrupt { what: Part::Footer };
const BAD_BLOCK: StoreError = StoreError::Corrupt { what: Part::Block };

/// An open blob whose footer held.
pub(super) struct LocalReader {
    file: Arc<File>,
    size: u64,
    blocks: Arc<[u64]>,
}

impl LocalReader {
    /// Reads the footer, without a change of thread when it is in the page cache.
    pub(super) async fn open(file: File, place: BlobPlace, size: u64) -> Result<Self, StoreError> {
        if u64::from(place.footer_bytes) > FOOTER_BYTES_MAX {
            return Err(BAD_FOOTER);
        }
        let mut bytes = vec![0; place.footer_bytes as usize];
        let file = Arc::new(file);
        if read_cached(&file, size, &mut bytes).map_err(in_footer)? < bytes.len() {
            let file = Arc::clone(&file);
            bytes = blocking(move || {
                read_waiting(&file, size, &mut bytes).map_err(in_footer)?;
                Ok(bytes)
            })
            .await?;
        }
        let footer = check_footer(&bytes, place, size)?;
        Ok(Self { file, size, blocks: footer.blocks.into() })
    }

    /// The whole blocks that cover a read.
    fn span(&self, offset: u64, want: usize) -> Span {
        let block = BLOCK_BYTES as u64;
        let start = offset / block * block;
        let wanted = offset.saturating_add(want as u64).min(start.saturating_add(READ_BYTES_MAX as u64));
        let end = wanted.div_ceil(block).saturating_mul(block).min(self.size);
        Span { start, end, offset, until: wanted.min(end) }
    }
}

#[async_trait]
impl BlobReader for LocalReader {
    fn size(&self) -> u64 {
        self.size
    }

    fn try_read_cached(
        &mut self,
        offset: u64,
        want: usize,
        out: &mut BytesMut,
    ) -> Result<CachedRead, StoreError> {
        let span = self.span(offset, want);
        if span.is_empty() {
            return Ok(CachedRead::Read(0));
        }
        span.fill(&self.blocks, out, |bytes| read_cached(&self.file, span.start, bytes))
    }

    async fn read_at(&mut self, offset: u64, want: usize, out: &mut BytesMut) -> Result<usize, StoreError> {
        let span = self.span(offset, want);
        if span.is_empty() {
            return Ok(0);
        }
        let (file, blocks) = (Arc::clone(&self.file), Arc::clone(&self.blocks));
        let mut taken = std::mem::take(out);
        let (back, read) = blocking(move || {
            let read = span.fill(&blocks, &mut taken, |bytes| read_waiting(&file, span.start, bytes));
            Ok((taken, read))
        })
        .await?;
        *out = back;
        match read? {
            CachedRead::Read(bytes) => Ok(bytes),
            CachedRead::WouldBlock => Err(BAD_BLOCK),
        }
    }
}

/// Which blocks `[start, end)` are read so that `[offset, until)` can be handed
/// out.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
    offset: u64,
    until: u64,
}

impl Span {
    const fn is_empty(self) -> bool {
        self.offset >= self.until
    }

    /// Reads into the end of `out`, verifies, and cuts to what was asked for. A
    /// read that came short counts up to its last whole block.
    fn fill(
        self,
        blocks: &[u64],
        out: &mut BytesMut,
        read: impl FnOnce(&mut [u8]) -> Result<usize, StoreError>,
    ) -> Result<CachedRead, StoreError> {
        let base = out.len();
        let whole = (self.end - self.start) as usize;
        out.resize(base + whole, 0);
        let result =
            out.get_mut(base..).ok_or(BAD_BLOCK).and_then(|fresh| self.fill_fresh(blocks, fresh, read));
        match result {
            Ok(bytes) => {
                out.truncate(base + bytes);
                Ok(if bytes == 0 { CachedRead::WouldBlock } else { CachedRead::Read(bytes) })
            }
            Err(error) => {
                out.truncate(base);
                Err(error)
            }
        }
    }

    fn fill_fresh(
        self,
        blocks: &[u64],
        fresh: &mut [u8],
        read: impl FnOnce(&mut [u8]) -> Result<usize, StoreError>,
    ) -> Result<usize, StoreError> {
        let got = read(fresh)?;
        let got = if got < fresh.len() { got / BLOCK_BYTES * BLOCK_BYTES } else { got };
        let first = (self.start / BLOCK_BYTES as u64) as usize;
        let read = fresh.get(..got).ok_or(BAD_BLOCK)?;
        for (at, block) in read.chunks(BLOCK_BYTES).enumerate() {
            if blocks.get(first + at) != Some(&crc_fast::crc64_nvme(block)) {
                return Err(BAD_BLOCK);
            }
        }
        let from = (self.offset - self.start) as usize;
        let until = got.min((self.until - self.start) as usize);
        if from >= until {
            return Ok(0);
        }
        if from > 0 {
            fresh.copy_within(from..until, 0);
        }
        Ok(until - from)
    }
}

/// Reads what is in the page cache; answers how much that was.
fn read_cached(file: &File, offset: u64, bytes: &mut [u8]) -> Result<usize, StoreError> {
    let mut got = 0;
    while let Some(rest) = bytes.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match preadv2(file, &mut [IoSliceMut::new(rest)], offset + got as u64, ReadWriteFlags::NOWAIT) {
            Ok(0) => return Err(BAD_BLOCK),
            Ok(read) => got += read,
            // Not in the cache, or a file system that cannot tell.
            Err(Errno::AGAIN | Errno::OPNOTSUPP) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(got)
}

fn read_waiting(file: &File, offset: u64, bytes: &mut [u8]) -> Result<usize, StoreError> {
    match file.read_exact_at(bytes, offset) {
        Ok(()) => Ok(bytes.len()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(BAD_BLOCK),
        Err(error) => Err(error.into()),
    }
}

fn in_footer(error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { .. } => BAD_FOOTER,
        error => error,
    }
}

fn check_footer(bytes: &[u8], place: BlobPlace, size: u64) -> Result<Footer, StoreError> {
    let footer = Footer::decode(bytes)?;
    let crc64 = bytes.last_chunk::<8>().map(|crc64| u64::from_le_bytes(*crc64));
    if crc64 != Some(place.footer_crc64) || footer.size != size {
        return Err(BAD_FOOTER);
    }
    Ok(footer)
}

/// Reads all of a blob and compares every checksum that its footer holds; blocks.
pub(super) fn verify(file: &File, place: BlobPlace, size: u64) -> Result<(), StoreError> {
    if u64::from(place.footer_bytes) > FOOTER_BYTES_MAX {
        return Err(BAD_FOOTER);
    }
    let mut bytes = vec![0; place.footer_bytes as usize];
    read_waiting(file, size, &mut bytes).map_err(in_footer)?;
    let footer = check_footer(&bytes, place, size)?;
    let (mut md5, mut blake3) = (Md5::new(), blake3::Hasher::new());
    let mut buffer = vec![0; BLOCK_BYTES];
    for (at, expected) in footer.blocks.iter().enumerate() {
        let offset = at as u64 * BLOCK_BYTES as u64;
        let length = (size - offset).min(BLOCK_BYTES as u64) as usize;
        let block = buffer.get_mut(..length).ok_or(BAD_BLOCK)?;
        read_waiting(file, offset, block)?;
        if crc_fast::crc64_nvme(block) != *expected {
            return Err(BAD_BLOCK);
        }
        md5.update(&*block);
        blake3.update(block);
    }
    let md5: [u8; 16] = md5.finalize().into();
    if md5 != footer.md5 || blake3.finalize() != footer.blake3 {
        return Err(BAD_BLOCK);
    }
    Ok(())
}
