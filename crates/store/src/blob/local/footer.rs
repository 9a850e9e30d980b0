//! The footer of a blob: what it is, and the checksums of its blocks.
//!
//! It stands behind the body, so that it can be written in one pass and so that
//! lost metadata can be rebuilt from the blobs alone. All numbers are
//! little-endian.
//!
//! | bytes | holds |
//! |---|---|
//! | 8 | magic `REPOBLOB` |
//! | 4 | format, 1 |
//! | 4 | bytes of a block, 65536 |
//! | 8 | version id of the object |
//! | 8 | bytes of the body |
//! | 16 | MD5 of the body |
//! | 32 | BLAKE3 of the body |
//! | 2 + 2 + 2 | bytes of the names of account, container and key |
//! | … | the three names |
//! | 8 each | CRC-64/NVME of each block |
//! | 4 | bytes of this footer, all of it |
//! | 8 | CRC-64/NVME of all the footer before it |

use crate::blob::{BLOCK_BYTES, OBJECT_BYTES_MAX};
use crate::error::{Part, StoreError};

const MAGIC: [u8; 8] = *b"REPOBLOB";
const FORMAT: u32 = 1;

/// Bytes at the very end of a blob from which the rest of the footer is found.
pub const TAIL_BYTES: usize = 12;

/// The largest footer: the checksums of the largest object, three names of at
/// most 64 KiB, and the fixed fields.
pub const FOOTER_BYTES_MAX: u64 = OBJECT_BYTES_MAX / BLOCK_BYTES as u64 * 8 + 3 * 65_536 + 128;

/// What a footer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Version of the object for which the blob was written.
    pub version: u64,
    /// Bytes of the body.
    pub size: u64,
    /// MD5 of the body.
    pub md5: [u8; 16],
    /// BLAKE3 of the body.
    pub blake3: [u8; 32],
    /// Account for which the blob was written.
    pub account: String,
    /// Container for which it was written.
    pub container: String,
    /// Key for which it was written.
    pub key: String,
    /// CRC-64/NVME of each block; the last block may be short.
    pub blocks: Vec<u64>,
}

impl Footer {
    /// The bytes of the footer, and the checksum that ends them.
    #[must_use]
    pub fn encode(&self) -> (Vec<u8>, u64) {
        let mut out = Vec::with_capacity(256 + self.blocks.len() * 8);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&(BLOCK_BYTES as u32).to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.md5);
        out.extend_from_slice(&self.blake3);
        let names = [&self.account, &self.container, &self.key];
        for name in names {
            out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        }
        for name in names {
            out.extend_from_slice(&name.as_bytes()[..name.len().min(usize::from(u16::MAX))]);
        }
        for block in &self.blocks {
            out.extend_from_slice(&block.to_le_bytes());
        }
        let bytes = u32::try_from(out.len() + TAIL_BYTES).unwrap_or(u32::MAX);
        out.extend_from_slice(&bytes.to_le_bytes());
        let crc64 = crc_fast::crc64_nvme(&out);
        out.extend_from_slice(&crc64.to_le_bytes());
        (out, crc64)
    }

    /// Reads a footer and verifies its checksum and its lengths.
    ///
    /// *Errors*: `Corrupt` for anything that [`Footer::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        Self::parse(bytes).ok_or(StoreError::Corrupt { what: Part::Footer })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (body, crc64) = bytes.split_last_chunk::<8>()?;
        if crc_fast::crc64_nvme(body) != u64::from_le_bytes(*crc64) {
            return None;
        }
        let (body, length) = body.split_last_chunk::<4>()?;
        if usize::try_from(u32::from_le_bytes(*length)).ok()? != bytes.len() {
            return None;
        }
        let mut fields = Fields(body);
        if fields.array()? != MAGIC || fields.u32()? != FORMAT || fields.u32()? != BLOCK_BYTES as u32 {
            return None;
        }
        let (version, size) = (fields.u64()?, fields.u64()?);
        let (md5, blake3) = (fields.array()?, fields.array()?);
        let lengths = [fields.u16()?, fields.u16()?, fields.u16()?];
        let [account, container, key] = lengths.map(|length| fields.text(length));
        let count = usize::try_from(size.div_ceil(BLOCK_BYTES as u64)).ok()?;
        if fields.0.len() != count.checked_mul(8)? {
            return None;
        }
        let blocks = fields.0.as_chunks::<8>().0.iter().map(|block| u64::from_le_bytes(*block)).collect();
        Some(Self { version, size, md5, blake3, account: account?, container: container?, key: key?, blocks })
    }
}

/// Bytes that were not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self, length: u16) -> Option<String> {
        let (head, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        String::from_utf8(head.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::Footer;

    fn footer(blocks: usize) -> Footer {
        Footer {
            version: 7,
            size: blocks as u64 * 65_536 - 3,
            md5: [1; 16],
            blake3: [2; 32],
            account: "demo".into(),
            container: "files".into(),
            key: "a/é".into(),
            blocks: (0..blocks as u64).collect(),
        }
    }

    #[test]
    fn a_footer_survives_the_round_trip_and_no_shorter_or_longer_one_does() {
        let footer = footer(5);
        let (bytes, crc64) = footer.encode();
        assert_eq!(Footer::decode(&bytes).unwrap(), footer);
        assert_eq!(bytes[bytes.len() - 8..], crc64.to_le_bytes());
        for end in 0..bytes.len() {
            assert!(Footer::decode(&bytes[..end]).is_err(), "{end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Footer::decode(&longer).is_err());
    }

    #[test]
    fn the_count_of_blocks_must_fit_the_size_even_with_a_right_checksum() {
        let (bytes, _) = Footer { size: 65_536 * 4, ..footer(5) }.encode();
        assert!(Footer::decode(&bytes).is_err());
        let (bytes, _) = Footer { size: u64::MAX, ..footer(5) }.encode();
        assert!(Footer::decode(&bytes).is_err());
    }

    proptest! {
        #[test]
        fn no_changed_byte_is_accepted(at in 0_usize..180, flip in 1_u8..) {
            let (mut bytes, _) = footer(5).encode();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            assert!(Footer::decode(&bytes).is_err());
        }

        #[test]
        fn bytes_from_anywhere_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let crc64 = crc_fast::crc64_nvme(&bytes);
            bytes.extend_from_slice(&crc64.to_le_bytes());
            assert!(Footer::decode(&bytes).is_err());
        }
    }
}
