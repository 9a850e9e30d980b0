//! The end of a TLS stream: was it announced?
//!
//! A head that closes in order sends a close_notify alert before its FIN; a head
//! that dies leaves the FIN to its kernel. An alert can be told by the header of its
//! record, which is not encrypted: its type, or under TLS 1.3 its length.

/// Bytes of the longest alert record: header, explicit nonce, alert, tag.
const TAIL_BYTES: usize = HEADER_BYTES + 26;

const HEADER_BYTES: usize = 5;

/// Record types of RFC 8446 section 5.1.
const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;
const HANDSHAKE: u8 = 22;

/// Type and length of every record that holds an alert: in the clear; under TLS 1.2
/// with ChaCha20-Poly1305 and with AES-GCM; under TLS 1.3, where the alert looks like
/// data of 2 bytes, its true type and the tag.
const ALERT_RECORDS: [(u8, u8); 4] = [(ALERT, 2), (ALERT, 18), (ALERT, 26), (APPLICATION_DATA, 19)];

/// The last bytes of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Tail {
    bytes: [u8; TAIL_BYTES],
    filled: usize,
}

impl Tail {
    /// Of a stream that has not begun.
    pub const EMPTY: Self = Self { bytes: [0; TAIL_BYTES], filled: 0 };

    /// Bytes were added to the stream.
    ///
    /// *Cost*: a copy of at most 31 bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let fresh = bytes.last_chunk::<TAIL_BYTES>();
        if let Some(last) = fresh {
            self.bytes = *last;
            self.filled = TAIL_BYTES;
            return;
        }
        // Kept at the right end of the array, so that the end has a fixed place.
        self.bytes.rotate_left(bytes.len());
        let (_, end) = self.bytes.split_at_mut(TAIL_BYTES - bytes.len());
        end.copy_from_slice(bytes);
        self.filled = TAIL_BYTES.min(self.filled + bytes.len());
    }

    /// Whether the stream ends with a record that holds an alert.
    #[must_use]
    pub fn is_alert(&self) -> bool {
        self.alert().is_some()
    }

    /// The length of that record.
    fn alert(&self) -> Option<u8> {
        let seen = self.bytes.get(TAIL_BYTES - self.filled..).unwrap_or_default();
        let found = ALERT_RECORDS.iter().find(|(kind, length)| {
            let record = seen.len().checked_sub(HEADER_BYTES + usize::from(*length));
            let header = record.and_then(|start| seen.get(start..start + HEADER_BYTES));
            matches!(header, Some([k, 3, _, 0, l]) if k == kind && l == length)
        });
        found.map(|(_, length)| *length)
    }
}

/// The bytes without a record at their end that holds an alert.
#[must_use]
pub fn without_alert(bytes: &[u8]) -> &[u8] {
    let mut tail = Tail::EMPTY;
    tail.push(bytes);
    let length = tail.alert().map_or(0, |length| HEADER_BYTES + usize::from(length));
    bytes.get(..bytes.len().saturating_sub(length)).unwrap_or(bytes)
}

/// Whether a client's first bytes begin a TLS handshake.
#[must_use]
pub fn is_client_hello(first: &[u8]) -> bool {
    matches!(first, [HANDSHAKE] | [HANDSHAKE, 3, ..])
}

#[cfg(test)]
mod tests {
    use super::{TAIL_BYTES, Tail, is_client_hello, without_alert};

    fn record(kind: u8, length: u8) -> Vec<u8> {
        let mut record = vec![kind, 3, 3, 0, length];
        record.resize(5 + usize::from(length), 0xAA);
        record
    }

    fn ends_announced(stream: &[u8], pieces: usize) -> bool {
        let mut tail = Tail::EMPTY;
        stream.chunks(pieces).for_each(|piece| tail.push(piece));
        tail.is_alert()
    }

    #[test]
    fn alerts_are_told_whatever_the_pieces() {
        for (kind, length) in [(21, 2), (21, 18), (21, 26), (23, 19)] {
            let stream = [record(23, 200), record(kind, length)].concat();
            for pieces in 1..=stream.len() {
                assert!(ends_announced(&stream, pieces), "{kind} {length} in pieces of {pieces}");
            }
            assert!(ends_announced(&record(kind, length), 3), "with nothing before");
            assert_eq!(without_alert(&stream), record(23, 200));
            assert_eq!(without_alert(&record(kind, length)), b"");
            assert!(!ends_announced(&stream[..stream.len() - 1], 7), "cut off");
        }
    }

    #[test]
    fn data_and_nothing_are_no_alert() {
        for stream in [&record(23, 200)[..], &record(23, 20), &record(22, 2), b"HTTP/1.1 200 OK\r\n\r\n", b""]
        {
            assert!(!ends_announced(stream, TAIL_BYTES), "{stream:?}");
        }
        assert!(is_client_hello(&record(22, 200)) && is_client_hello(&[22]));
        assert!(!is_client_hello(b"GET / HTTP/1.1\r\n"));
    }
}
