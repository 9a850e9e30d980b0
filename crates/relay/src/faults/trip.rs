//! The byte at which a strike falls.

use super::plan::When;
use crate::outcome::Side;

/// Type, version and length before each TLS record (RFC 8446 section 5.1).
const HEADER_BYTES: usize = 5;

/// Counts the bytes of one side until the strike falls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trip {
    from: Side,
    mark: Mark,
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    /// After so many bytes more.
    Bytes(u64),
    /// Within a record whose payload begins after so many bytes more.
    Record { after: u64, within: Within },
    /// It has fallen.
    Reached,
}

/// Where in a record the count stands.
#[derive(Clone, Copy, Debug)]
enum Within {
    /// In the header, with its bytes so far.
    Header([u8; HEADER_BYTES], usize),
    /// In a payload that lasts so many bytes more.
    Payload(usize),
    /// In the payload that is struck, after so many bytes more.
    Doomed(usize),
}

impl Trip {
    /// The trip of a moment that bytes decide.
    pub(super) const fn new(when: When) -> Option<Self> {
        match when {
            When::Bytes(from, count) => Some(Self { from, mark: Mark::Bytes(count) }),
            When::MidRecord(from, after) => {
                let within = Within::Header([0; HEADER_BYTES], 0);
                Some(Self { from, mark: Mark::Record { after, within } })
            }
            When::Idle(_) | When::SendAfterIdle(_) | When::Age(_) => None,
        }
    }

    /// Whether the strike falls here.
    pub(super) fn is_reached(&self, from: Side) -> bool {
        self.from == from && matches!(self.mark, Mark::Bytes(0) | Mark::Reached)
    }

    /// How many of these bytes may pass before it.
    pub(super) fn room(mut self, from: Side, bytes: &[u8]) -> usize {
        self.advance(from, bytes)
    }

    /// Counts bytes that have passed; gives how many of them come before the strike.
    pub(super) fn advance(&mut self, from: Side, bytes: &[u8]) -> usize {
        if self.from != from {
            return bytes.len();
        }
        let mut passed = 0;
        while let Some(rest) = bytes.get(passed..).filter(|rest| !rest.is_empty()) {
            let step = self.step(rest);
            if step == 0 {
                break;
            }
            passed += step;
        }
        passed
    }

    /// Counts some of the bytes; none once the mark is reached.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.mark {
            Mark::Reached => 0,
            Mark::Bytes(left) => {
                let step = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left = left.saturating_sub(count(step));
                step
            }
            Mark::Record { after, within } => {
                let step = within.step(bytes, *after == 0);
                *after = after.saturating_sub(count(step));
                if matches!(within, Within::Doomed(0)) {
                    self.mark = Mark::Reached;
                }
                step
            }
        }
    }
}

impl Within {
    /// Counts some of the bytes; a record that begins when `armed` is doomed.
    fn step(&mut self, bytes: &[u8], armed: bool) -> usize {
        match self {
            Self::Header(header, have) => {
                let Some((place, byte)) = header.get_mut(*have).zip(bytes.first()) else { return 0 };
                *place = *byte;
                *have += 1;
                if let [_, _, _, high, low] = *header
                    && *have == HEADER_BYTES
                {
                    *self = Self::payload(usize::from(u16::from_be_bytes([high, low])), armed);
                }
                1
            }
            Self::Payload(left) | Self::Doomed(left) => {
                let step = bytes.len().min(*left);
                *left -= step;
                if matches!(self, Self::Payload(0)) {
                    *self = Self::Header([0; HEADER_BYTES], 0);
                }
                step
            }
        }
    }

    /// A record of one byte has no middle and is let pass.
    const fn payload(length: usize, armed: bool) -> Self {
        match length {
            0 => Self::Header([0; HEADER_BYTES], 0),
            2.. if armed => Self::Doomed(length / 2),
            _ => Self::Payload(length),
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Trip;
    use crate::faults::When;
    use crate::outcome::Side;

    /// Passes `bytes` in pieces; gives how many passed before the strike.
    fn fall(when: When, bytes: &[u8], piece: usize) -> Option<usize> {
        let mut trip = Trip::new(when)?;
        let mut passed = 0;
        for piece in bytes.chunks(piece) {
            let room = trip.room(Side::Server, piece);
            trip.advance(Side::Server, &piece[..room]);
            passed += room;
            if trip.is_reached(Side::Server) {
                return Some(passed);
            }
        }
        None
    }

    fn record(length: u16) -> Vec<u8> {
        let mut record = vec![23, 3, 3];
        record.extend(length.to_be_bytes());
        record.resize(usize::from(length) + 5, 7);
        record
    }

    #[test]
    fn bytes_are_counted_to_the_byte_however_they_come() {
        for piece in [1, 3, 64, 1000] {
            assert_eq!(fall(When::Bytes(Side::Server, 100), &[0; 1000], piece), Some(100), "{piece}");
            assert_eq!(fall(When::Bytes(Side::Server, 1001), &[0; 1000], piece), None);
            assert_eq!(fall(When::Bytes(Side::Client, 1), &[0; 1000], piece), None, "the other side");
        }
        let now = Trip::new(When::Bytes(Side::Server, 0)).unwrap();
        assert!(now.is_reached(Side::Server) && !now.is_reached(Side::Client));
    }

    #[test]
    fn a_record_is_torn_in_its_middle_and_never_at_its_edge() {
        let stream = [record(100), record(0), record(1), record(40)].concat();
        let first = 105;
        for piece in [1, 2, 5, 7, 50, 1000] {
            let at = |after| fall(When::MidRecord(Side::Server, after), &stream, piece);
            assert_eq!((at(0), at(4)), (Some(5 + 50), Some(5 + 50)), "{piece}");
            // The empty record and that of one byte have no middle.
            assert_eq!(at(5), Some(first + 5 + 6 + 5 + 20), "{piece}");
            assert_eq!(at(120), Some(first + 5 + 6 + 5 + 20), "{piece}");
            assert_eq!(at(121), None, "no payload begins later: {piece}");
        }
    }
}
