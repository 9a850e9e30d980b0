//! What a peer sends after our farewell: its own, or a request that raced ours.
//!
//! Told apart by the heads of the records alone. A record of TLS 1.3 hides what it
//! holds, but not its length, and no request is as short as a farewell.
//!
//! *Source*: RFC 8446 section 5, RFC 5246 section 6.2.

use super::Form;

/// The head of a record: type, version, length.
const HEAD_BYTES: usize = 5;

/// The type of a record that holds what the peer's program sends, and in TLS 1.3
/// everything else, too.
const APPLICATION_DATA: u8 = 23;

/// The longest record that is no request: an alert of TLS 1.3 has 19 bytes, a
/// KeyUpdate 22, the shortest request ("GET / HTTP/1.1", "Host") 44.
const FAREWELL_BYTES_MAX: u64 = 32;

/// Counts what is no farewell.
pub(super) struct Late {
    reading: Reading,
    bytes: u64,
}

enum Reading {
    /// Bytes as they are: all of them count.
    Plain,
    /// The head of a record, as far as it has come.
    Head(Vec<u8>),
    /// The rest of a record, so many bytes.
    Rest(u64),
    /// No record begins where one should: the close came within one, of which this
    /// is the rest.
    Torn,
}

impl Late {
    pub(super) const fn new(form: Form) -> Self {
        let reading = match form {
            Form::Plain => Reading::Plain,
            Form::Records => Reading::Head(Vec::new()),
        };
        Self { reading, bytes: 0 }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn note(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            let here = input.len() as u64;
            let taken = match &mut self.reading {
                Reading::Plain | Reading::Torn => {
                    self.bytes += here;
                    input.len()
                }
                Reading::Rest(left) => {
                    let taken = here.min(*left);
                    *left -= taken;
                    if *left == 0 {
                        self.reading = Reading::Head(Vec::new());
                    }
                    usize::try_from(taken).unwrap_or(input.len())
                }
                Reading::Head(head) => {
                    let taken = input.len().min(HEAD_BYTES - head.len());
                    head.extend_from_slice(input.get(..taken).unwrap_or_default());
                    if let [kind, 3, _, high, low] = **head {
                        let length = u64::from(high) << 8 | u64::from(low);
                        if kind == APPLICATION_DATA && length > FAREWELL_BYTES_MAX {
                            self.bytes += length;
                        }
                        self.reading =
                            if length == 0 { Reading::Head(Vec::new()) } else { Reading::Rest(length) };
                    } else if head.len() == HEAD_BYTES {
                        self.bytes += HEAD_BYTES as u64;
                        self.reading = Reading::Torn;
                    }
                    taken
                }
            };
            input = input.get(taken..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use proptest::prop_assert_eq;

    use super::{Form, Late};

    fn record(kind: u8, length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut bytes = vec![kind, 3, 3, high, low];
        bytes.resize(5 + usize::from(length), 0x5a);
        bytes
    }

    fn late(stream: &[u8], step: usize) -> u64 {
        let mut late = Late::new(Form::Records);
        for piece in stream.chunks(step) {
            late.note(piece);
        }
        late.bytes()
    }

    #[test]
    fn a_farewell_is_not_late_and_a_request_is() {
        let farewells = [record(23, 19), record(21, 26), record(23, 22)].concat();
        let request = [record(23, 44), record(23, 19)].concat();
        for step in [1, 2, 7, 1000] {
            assert_eq!(late(&farewells, step), 0);
            assert_eq!(late(&request, step), 44);
            assert_eq!(late(&[&farewells[..], &request].concat(), step), 44);
        }
        assert_eq!(late(&[0x5a; 80], 9), 80, "the rest of a record that was under way");
        let mut plain = Late::new(Form::Plain);
        plain.note(b"any");
        assert_eq!(plain.bytes(), 3);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            stream in proptest::collection::vec(any::<u8>(), 0..300),
            step in 1..50_usize,
        ) {
            prop_assert_eq!(late(&stream, step), late(&stream, 1000));
        }
    }
}
