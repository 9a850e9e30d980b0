//! Classic pcap, of microseconds and of nanoseconds, in both orders of bytes, and the
//! form of patched kernels, whose records have 8 bytes more.

use std::io::{self, BufRead};

use super::{Filled, Found, Order, PACKET_BYTES_MAX, fill};
use crate::event::Instant;

/// The file's own header.
const HEADER_BYTES: usize = 24;

/// Where its link type stands; above the lower 16 bits it tells of checksums.
const LINK_AT: usize = 20;

/// Which form a file has, by its first number.
const FORMS: [(u32, Form); 3] = [
    (0xa1b2_c3d4, Form { nanos_of_fraction: 1_000, record_bytes: 16 }),
    (0xa1b2_3c4d, Form { nanos_of_fraction: 1, record_bytes: 16 }),
    (0xa1b2_cd34, Form { nanos_of_fraction: 1_000, record_bytes: 24 }),
];

#[derive(Clone, Copy, Debug)]
struct Form {
    nanos_of_fraction: i128,
    record_bytes: usize,
}

/// Reads such a file.
#[derive(Debug)]
pub(in crate::input) struct Classic {
    order: Order,
    form: Form,
    /// Known when the header is read.
    link: Option<u16>,
}

impl Classic {
    pub(super) fn of(magic: [u8; 4]) -> Option<Self> {
        let of = |number: u32, order| {
            let (_, form) = FORMS.iter().find(|(magic, _)| *magic == number)?;
            Some(Self { order, form: *form, link: None })
        };
        of(u32::from_le_bytes(magic), Order::Little).or_else(|| of(u32::from_be_bytes(magic), Order::Big))
    }

    pub(super) fn next(&mut self, input: &mut dyn BufRead, bytes: &mut Vec<u8>) -> io::Result<Option<Found>> {
        let link = match self.link {
            Some(link) => link,
            None => {
                bytes.clear();
                let Filled::Whole = fill(input, bytes, HEADER_BYTES)? else {
                    return Ok(Some(Found::Damaged));
                };
                let link = self.order.u32(bytes, LINK_AT).unwrap_or_default();
                *self.link.insert((link & 0xffff) as u16)
            }
        };
        bytes.clear();
        match fill(input, bytes, self.form.record_bytes)? {
            Filled::Whole => {}
            Filled::Cut => return Ok(Some(Found::Damaged)),
            Filled::Nothing => return Ok(None),
        }
        let number = |at| self.order.u32(bytes, at).unwrap_or_default();
        let [seconds, fraction, kept, length] = [number(0), number(4), number(8), number(12)];
        if kept > PACKET_BYTES_MAX {
            return Ok(Some(Found::Damaged));
        }
        bytes.clear();
        if kept > 0 && fill(input, bytes, kept as usize)? != Filled::Whole {
            return Ok(Some(Found::Damaged));
        }
        let nanos = i128::from(fraction) * self.form.nanos_of_fraction;
        let at = Some(Instant(i128::from(seconds) * 1_000_000_000 + nanos));
        Ok(Some(Found::Packet { at, link, length }))
    }
}
