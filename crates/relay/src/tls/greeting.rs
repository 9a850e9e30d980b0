//! The beginning of a TLS 1.3 connection, where the server speaks without having been
//! asked.
//!
//! ```text
//! client                             server
//!   ClientHello ----------------------->
//!   <----------------- ServerHello … Finished
//!   Finished, and the first request --->
//!   <------------------------- session tickets     no answer
//!   <------------------------------- the reply     the answer
//! ```
//!
//! Taken for an answer, the tickets would end the turn of the first request, and hide
//! how long a server takes for it. A server sends them to each client that says in its
//! hello, which is not encrypted, that it can use them; they are the first that it
//! sends after its handshake. Our heads put them into one record, OpenSSL each into one
//! of the same length. If the reply comes together with them, it is an answer.
//!
//! *Source*: RFC 8446 sections 4.2.9, 4.6.1 and 5.1.

const HEADER_BYTES: usize = 5;

const APPLICATION_DATA: u8 = 23;
const CHANGE_CIPHER_SPEC: u8 = 20;

/// The extension `psk_key_exchange_modes` of a hello that offers `psk_dhe_ke`, alone
/// or beside `psk_ke`: without it there are no tickets.
const TAKES_TICKETS: [&[u8]; 3] = [&[0, 45, 0, 2, 1, 1], &[0, 45, 0, 3, 2, 0, 1], &[0, 45, 0, 3, 2, 1, 0]];

/// What of a hello is kept until its next piece: the longest of those less a byte.
const CARRIED_BYTES: usize = 6;

/// The longest record with tickets: a head's two have some 350 bytes, one of OpenSSL's
/// some 250.
const TICKET_BYTES_MAX: u16 = 1024;

/// What the server's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A part of the handshake.
    Handshake,
    /// Tickets, and the client waits for more than those.
    Tickets,
    /// An answer; there is no more to be learned here.
    Answer,
}

/// What was seen of a handshake so far.
#[derive(Debug, Default)]
pub struct Greeting {
    client: Records,
    head: Records,
    /// Records of the client that hold encrypted data: its Finished, and requests.
    client_data: usize,
    version: Version,
    /// Whether the head has begun to encrypt, as TLS 1.2 says it.
    ciphered: bool,
    /// The end of the client's last piece.
    carried: Vec<u8>,
    tickets: Tickets,
}

/// Whether session tickets are still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tickets {
    /// They are not: the client cannot use them, or has them. Left by a hello that
    /// offers to take some.
    #[default]
    None,
    /// They are. Left for `None` by them.
    Awaited,
}

/// As far as the records show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Version {
    /// The head's part of the handshake has no encrypted data: TLS 1.2, or nothing yet.
    #[default]
    Earlier,
    /// It has some.
    Tls13,
}

impl Greeting {
    /// Bytes came from the client.
    pub fn client(&mut self, bytes: &[u8]) {
        let Self { client, client_data, .. } = self;
        client.feed(bytes, |kind, _| *client_data += usize::from(kind == APPLICATION_DATA));
        if self.version == Version::Earlier && self.tickets == Tickets::None {
            self.read_hello(bytes);
        }
    }

    fn read_hello(&mut self, bytes: &[u8]) {
        let joined = [self.carried.as_slice(), bytes].concat();
        if TAKES_TICKETS.iter().any(|offer| joined.windows(offer.len()).any(|window| window == *offer)) {
            self.tickets = Tickets::Awaited;
        }
        self.carried = joined.get(joined.len().saturating_sub(CARRIED_BYTES)..).unwrap_or_default().to_vec();
    }

    /// Whether the server still owes something for what the client has sent: an answer, or
    /// its part of the handshake. The client's Finished is owed nothing in TLS 1.3, nor in a
    /// resumed handshake of TLS 1.2, where the server's comes first. A second hello looks
    /// like the latter until it is answered.
    #[must_use]
    pub const fn is_owed(&self) -> bool {
        match self.version {
            Version::Tls13 => self.client_data > 1,
            Version::Earlier => self.client_data > 0 || !self.ciphered,
        }
    }

    /// Bytes came from the server.
    pub fn server(&mut self, bytes: &[u8]) -> Heard {
        let begins = self.head.is_between();
        let (mut first, mut alike, mut data, mut ciphered) = (None, true, false, false);
        self.head.feed(bytes, |kind, length| {
            data |= kind == APPLICATION_DATA;
            ciphered |= kind == CHANGE_CIPHER_SPEC;
            alike &= *first.get_or_insert((kind, length)) == (kind, length);
        });
        self.ciphered |= ciphered;
        if self.client_data == 0 {
            if data {
                self.version = Version::Tls13;
            }
            return Heard::Handshake;
        }
        let fit = first.is_some_and(|(kind, length)| kind == APPLICATION_DATA && length <= TICKET_BYTES_MAX);
        let whole = begins && self.head.is_between();
        let tickets = self.tickets == Tickets::Awaited && self.version == Version::Tls13;
        let tickets = tickets && fit && alike && whole;
        if tickets {
            self.tickets = Tickets::None;
        }
        // The Finished alone asks for nothing.
        match self.version {
            Version::Tls13 if self.client_data == 1 => Heard::Handshake,
            Version::Tls13 if tickets => Heard::Tickets,
            Version::Tls13 | Version::Earlier => Heard::Answer,
        }
    }
}

/// Where a stream of TLS records is.
#[derive(Debug, Default)]
struct Records {
    header: [u8; HEADER_BYTES],
    filled: usize,
    /// Bytes of the record that are still to come.
    left: usize,
}

impl Records {
    /// Follows further bytes; `on` is told type and length of each record that begins.
    fn feed(&mut self, mut bytes: &[u8], mut on: impl FnMut(u8, u16)) {
        loop {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((byte, rest)) = bytes.split_first() else { return };
            bytes = rest;
            if let Some(place) = self.header.get_mut(self.filled) {
                *place = *byte;
            }
            self.filled += 1;
            if self.filled == HEADER_BYTES {
                let [kind, _, _, high, low] = self.header;
                let length = u16::from_be_bytes([high, low]);
                (self.filled, self.left) = (0, length.into());
                on(kind, length);
            }
        }
    }

    /// Whether the last record is whole, and no other has begun.
    const fn is_between(&self) -> bool {
        self.filled == 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Greeting, Heard};

    fn record(kind: u8, length: u8) -> Vec<u8> {
        let mut record = vec![kind, 3, 3, 0, length];
        record.resize(5 + usize::from(length), 0xAA);
        record
    }

    /// A client's hello, with the extension or with nothing in its place.
    fn hello(modes: &[u8]) -> Vec<u8> {
        let mut hello = record(22, 250);
        hello[100..100 + modes.len()].copy_from_slice(modes);
        hello
    }

    const MODES: [u8; 6] = [0, 45, 0, 2, 1, 1];

    /// After a handshake of TLS 1.3, in pieces of this size.
    fn greeted(modes: &[u8], pieces: usize) -> Greeting {
        let mut greeting = Greeting::default();
        hello(modes).chunks(pieces).for_each(|piece| greeting.client(piece));
        let flight = [record(22, 90), record(20, 1), record(23, 200), record(23, 53)].concat();
        for piece in flight.chunks(pieces) {
            assert_eq!(greeting.server(piece), Heard::Handshake);
        }
        [record(20, 1), record(23, 53)].concat().chunks(pieces).for_each(|piece| greeting.client(piece));
        greeting
    }

    #[test]
    fn tickets_are_told_from_a_reply() {
        for modes in [&MODES[..], &[0, 45, 0, 3, 2, 1, 0], &[0, 45, 0, 3, 2, 0, 1]] {
            for (pieces, tickets) in [(1, 1), (7, 1), (64, 2), (1_000, 2)] {
                let mut greeting = greeted(modes, pieces);
                greeting.client(&record(23, 99));
                assert_eq!(greeting.server(&record(23, 250).repeat(tickets)), Heard::Tickets);
                assert_eq!(greeting.server(&record(23, 250)), Heard::Answer, "they come once");
            }
        }
        let long = [&[23, 3, 3, 4, 1][..], &[0; 1025]].concat();
        for reply in [[record(23, 250), record(23, 90)].concat(), record(21, 2), long] {
            let mut greeting = greeted(&MODES, 64);
            greeting.client(&record(23, 99));
            assert_eq!(greeting.server(&reply), Heard::Answer, "{reply:?}");
        }
        let mut greeting = greeted(&MODES, 64);
        greeting.client(&record(23, 99));
        assert_eq!(greeting.server(&record(23, 250)[..254]), Heard::Answer, "not whole");
    }

    #[test]
    fn who_takes_no_tickets_gets_a_reply() {
        for modes in [&[][..], &[0, 45, 0, 2, 1, 0]] {
            let mut greeting = greeted(modes, 64);
            greeting.client(&record(23, 99));
            assert_eq!(greeting.server(&record(23, 250)), Heard::Answer, "{modes:?}");
        }
    }

    #[test]
    fn without_a_request_tickets_belong_to_the_handshake() {
        let mut greeting = greeted(&MODES, 64);
        assert_eq!(greeting.server(&record(23, 250)), Heard::Handshake, "they answer the Finished");
        greeting.client(&record(23, 99));
        assert_eq!(greeting.server(&record(23, 250)), Heard::Answer, "they come once");
        let mut earlier = Greeting::default();
        earlier.client(&hello(&MODES));
        assert_eq!(earlier.server(&record(22, 90)), Heard::Handshake);
        earlier.client(&[record(22, 66), record(20, 1), record(22, 40)].concat());
        assert_eq!(earlier.server(&[record(20, 1), record(22, 40)].concat()), Heard::Handshake);
        earlier.client(&[record(23, 99), record(23, 99)].concat());
        assert_eq!(earlier.server(&record(23, 250)), Heard::Answer, "TLS 1.2 has none here");
    }

    #[test]
    fn a_second_hello_is_not_a_request() {
        let mut greeting = Greeting::default();
        greeting.client(&hello(&MODES));
        assert_eq!(greeting.server(&[record(22, 88), record(20, 1)].concat()), Heard::Handshake);
        greeting.client(&[record(20, 1), record(22, 251)].concat());
        assert_eq!(greeting.server(&[record(22, 90), record(23, 250)].concat()), Heard::Handshake);
    }
}
