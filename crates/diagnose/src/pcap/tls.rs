//! What is seen of TLS without its keys: records, and the hellos of a handshake.
//!
//! *Source*: RFC 8446 sections 4.1.2, 4.1.3, 4.2.11 and 5.1; RFC 5246 section 7.3;
//! RFC 6066 section 3.

pub(super) const CHANGE_CIPHER: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION: u8 = 23;

/// The longest that a record may be, of any version.
const RECORD_BYTES_MAX: u16 = (1 << 14) + 2_048;

const HEADER_BYTES: usize = 5;

/// The random of a `HelloRetryRequest` begins so.
const RETRY_RANDOM: [u8; 4] = [0xcf, 0x21, 0xad, 0x74];

const EXTENSION_SNI: u16 = 0;
const EXTENSION_PSK: u16 = 41;
const EXTENSION_VERSIONS: u16 = 43;

/// Bytes of a server's name that are kept (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 255;

/// The records of one direction.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER_BYTES],
    have: usize,
    /// Bytes that are to come of the record that was begun.
    left: u32,
    /// Where records begin is not known.
    is_lost: bool,
}

/// The beginning of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) kind: u8,
    pub(super) length: u16,
    /// What the same segment has of it.
    pub(super) body: &'a [u8],
}

/// What a server's hello chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) is_13: bool,
    /// Whether it goes on with an earlier session, where the hello tells.
    pub(super) psk: bool,
}

/// Whether a segment can only begin a record.
pub(super) const fn begins_record(payload: &[u8]) -> bool {
    matches!(payload, [20..=23, 3, 0..=4, high, low, ..] if u16::from_be_bytes([*high, *low]) <= RECORD_BYTES_MAX)
}

impl Records {
    /// Forgets where a record ends: something is missing.
    pub(super) fn lose(&mut self) {
        (self.have, self.left, self.is_lost) = (0, 0, true);
    }

    /// Whether a record was begun and is not whole.
    pub(super) const fn is_within(&self) -> bool {
        !self.is_lost && (self.left > 0 || self.have > 0)
    }

    /// Takes a segment of so many bytes, of which some were kept.
    pub(super) fn take<'p>(&mut self, mut payload: &'p [u8], length: u32, each: &mut dyn FnMut(Record<'p>)) {
        if self.is_lost && begins_record(payload) {
            self.is_lost = false;
        }
        let mut not_kept = length.saturating_sub(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        while !self.is_lost && !payload.is_empty() {
            let skipped = payload.len().min(self.left as usize);
            self.left -= skipped as u32;
            payload = payload.get(skipped..).unwrap_or_default();
            while self.have < HEADER_BYTES
                && self.left == 0
                && let [byte, rest @ ..] = payload
            {
                self.header[self.have] = *byte;
                self.have += 1;
                payload = rest;
            }
            if self.have == HEADER_BYTES {
                if !begins_record(&self.header) {
                    self.lose();
                    return;
                }
                let [kind, _, _, high, low] = self.header;
                let length = u16::from_be_bytes([high, low]);
                (self.have, self.left) = (0, length.into());
                let body = payload.get(..payload.len().min(length.into())).unwrap_or_default();
                each(Record { kind, length, body });
            }
        }
        let skipped = not_kept.min(self.left);
        self.left -= skipped;
        not_kept -= skipped;
        if not_kept > 0 {
            self.lose();
        }
    }
}

/// The name in a client's hello, if this is one: `None` if it is not, and no name where
/// it has none, or what was kept of it.
pub(super) fn client_hello(body: &[u8]) -> Option<Option<Box<str>>> {
    let [1, _, _, _, hello @ ..] = body else { return None };
    Some(name(hello))
}

fn name(hello: &[u8]) -> Option<Box<str>> {
    let after_session = skip_counted(hello.get(34..)?, 1)?;
    let after_ciphers = skip_counted(after_session, 2)?;
    let extensions = skip_counted(after_ciphers, 1)?.get(2..)?;
    let list = extension(extensions, EXTENSION_SNI)?;
    let name = list.get(5..)?;
    let name = std::str::from_utf8(name.get(..name.len().min(NAME_BYTES_MAX))?).ok()?;
    name.bytes().all(|byte| byte.is_ascii_graphic()).then(|| name.into())
}

/// What a server's hello chose, if this is one.
pub(super) fn server_hello(body: &[u8]) -> Option<Chosen> {
    let [2, _, _, _, hello @ ..] = body else { return None };
    if hello.get(2..6) == Some(&RETRY_RANDOM) {
        return None;
    }
    let extensions = skip_counted(hello.get(34..)?, 1).and_then(|rest| rest.get(5..)).unwrap_or_default();
    let is_13 = extension(extensions, EXTENSION_VERSIONS) == Some(&[3, 4]);
    Some(Chosen { is_13, psk: is_13 && extension(extensions, EXTENSION_PSK).is_some() })
}

/// What follows a field that has its length before it, in so many bytes.
fn skip_counted(bytes: &[u8], counted_in: usize) -> Option<&[u8]> {
    let count = bytes.get(..counted_in)?.iter().fold(0, |count, byte| count << 8 | usize::from(*byte));
    bytes.get(counted_in + count..)
}

fn extension(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [kind_high, kind_low, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if u16::from_be_bytes([*kind_high, *kind_low]) == wanted {
            return rest.get(..length);
        }
        bytes = rest.get(length..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{APPLICATION, Records};

    #[test]
    fn records_are_found_wherever_segments_are_cut() {
        let stream =
            [&[23, 3, 3, 0, 7, 1, 2, 3, 4, 5, 6, 7][..], &[21, 3, 3, 0, 2, 1, 0], &[23, 3, 3, 0, 1, 9]]
                .concat();
        for size in 1..=stream.len() {
            let (mut records, mut seen) = (Records::default(), Vec::new());
            for piece in stream.chunks(size) {
                records
                    .take(piece, piece.len() as u32, &mut |record| seen.push((record.kind, record.length)));
            }
            assert_eq!(seen, [(23, 7), (21, 2), (23, 1)], "{size}");
            assert!(!records.is_within());
        }
    }

    #[test]
    fn what_was_not_kept_is_passed_over_within_a_record_only() {
        let (mut records, mut count) = (Records::default(), 0);
        records.take(&[APPLICATION, 3, 3, 1, 0, 9], 261, &mut |_| count += 1);
        assert!(!records.is_within());
        records.take(&[APPLICATION, 3, 3, 0, 1], 99, &mut |_| count += 1);
        records.take(&[1, 2, 3], 3, &mut |_| count += 1);
        records.take(&[APPLICATION, 3, 3, 0, 1, 0], 6, &mut |_| count += 1);
        assert_eq!(count, 3, "lost, and found again");
    }
}
