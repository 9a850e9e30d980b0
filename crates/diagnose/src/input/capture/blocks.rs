//! pcapng: sections of blocks. Blocks of packets and of interfaces are read, others are
//! passed over.

use std::io::{self, BufRead};

use super::{Filled, Found, Order, PACKET_BYTES_MAX, fill, skip};
use crate::event::Instant;

/// How a section begins, in either order of bytes.
pub(super) const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The number that tells the order of bytes.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// Bytes of a block's body that are kept: a packet, and its options.
const BODY_BYTES_MAX: usize = PACKET_BYTES_MAX as usize + (64 << 10);

/// Interfaces of a section that are known; a host has some dozens.
const INTERFACES_MAX: usize = 1_024;

const INTERFACE: u32 = 1;
/// The packet block of old, which nobody writes any more.
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type and length stand before a body, the length again behind it.
const FRAME_BYTES: u32 = 12;

/// What a block of packets has before the packet.
const PACKET_AT: usize = 20;

const OPTION_END: u16 = 0;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;

/// Reads such a file.
#[derive(Debug, Default)]
pub(in crate::input) struct Blocks {
    order: Option<Order>,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u16,
    snap_length: u32,
    resolution: Resolution,
    offset_seconds: i64,
}

/// What a tick is: a negative power of one of these.
#[derive(Clone, Copy, Debug)]
enum Resolution {
    Ten(u32),
    Two(u32),
}

/// A packet within a body.
struct Within {
    interface: usize,
    ticks: Option<u64>,
    at: usize,
    kept: u32,
    length: u32,
}

impl Blocks {
    pub(super) fn next(&mut self, input: &mut dyn BufRead, bytes: &mut Vec<u8>) -> io::Result<Option<Found>> {
        loop {
            bytes.clear();
            match fill(input, bytes, 8)? {
                Filled::Whole => {}
                Filled::Cut => return Ok(Some(Found::Damaged)),
                Filled::Nothing => return Ok(None),
            }
            let begins_section = bytes.starts_with(&SECTION);
            if begins_section {
                // The order of its own length stands behind it.
                fill(input, bytes, 4)?;
                self.order = [Order::Little, Order::Big]
                    .into_iter()
                    .find(|order| order.u32(bytes, 8) == Some(BYTE_ORDER));
                self.interfaces.clear();
            }
            let Some(order) = self.order else { return Ok(Some(Found::Damaged)) };
            let number = |at| order.u32(bytes, at).unwrap_or_default();
            let (kind, length) = (number(0), number(4));
            let read = bytes.len() as u32 - 8;
            if length < FRAME_BYTES + read || length % 4 != 0 {
                return Ok(Some(Found::Damaged));
            }
            bytes.clear();
            if !body(input, bytes, order, length, read)? {
                return Ok(Some(Found::Damaged));
            }
            match kind {
                INTERFACE => self.interface(order, bytes),
                ENHANCED_PACKET | SIMPLE_PACKET | OLD_PACKET => {
                    return Ok(Some(self.packet(kind, order, bytes).unwrap_or(Found::Damaged)));
                }
                _ => {}
            }
        }
    }

    fn interface(&mut self, order: Order, body: &[u8]) {
        if self.interfaces.len() >= INTERFACES_MAX {
            return;
        }
        let mut interface = Interface {
            link: order.u16(body, 0).unwrap_or_default(),
            snap_length: order.u32(body, 4).unwrap_or_default(),
            resolution: Resolution::Ten(6),
            offset_seconds: 0,
        };
        let mut at = 8;
        while let (Some(code), Some(length)) = (order.u16(body, at), order.u16(body, at + 2)) {
            let value = body.get(at + 4..at + 4 + usize::from(length)).unwrap_or_default();
            match (code, value) {
                (OPTION_END, _) => break,
                (OPTION_RESOLUTION, [power, ..]) => interface.resolution = Resolution::of(*power),
                (OPTION_OFFSET, [_, _, _, _, _, _, _, _]) => {
                    let halves = [order.u32(value, 0).unwrap_or(0), order.u32(value, 4).unwrap_or(0)];
                    let [high, low] = if order == Order::Big { halves } else { [halves[1], halves[0]] };
                    interface.offset_seconds = (u64::from(high) << 32 | u64::from(low)).cast_signed();
                }
                _ => {}
            }
            at += 4 + usize::from(length).next_multiple_of(4);
        }
        self.interfaces.push(interface);
    }

    /// What a block says of its packet, whose bytes alone are left in the body.
    fn packet(&self, kind: u32, order: Order, body: &mut Vec<u8>) -> Option<Found> {
        let number = |at| order.u32(body, at);
        let within = match kind {
            SIMPLE_PACKET => {
                let length = number(0)?;
                let snap = self.interfaces.first()?.snap_length;
                let kept = length.min(if snap == 0 { u32::MAX } else { snap }).min(body.len() as u32 - 4);
                Within { interface: 0, ticks: None, at: 4, kept, length }
            }
            _ => Within {
                interface: if kind == OLD_PACKET { order.u16(body, 0)?.into() } else { number(0)? as usize },
                ticks: Some(u64::from(number(4)?) << 32 | u64::from(number(8)?)),
                at: PACKET_AT,
                kept: number(12)?,
                length: number(16)?,
            },
        };
        let interface = self.interfaces.get(within.interface)?;
        let end = within.at.checked_add(within.kept as usize)?;
        if end > body.len() || within.kept > PACKET_BYTES_MAX {
            return None;
        }
        body.truncate(end);
        body.drain(..within.at);
        let at = within.ticks.map(|ticks| interface.instant(ticks));
        Some(Found::Packet { at, link: interface.link, length: within.length })
    }
}

impl Interface {
    fn instant(&self, ticks: u64) -> Instant {
        let ticks = i128::from(ticks);
        let nanos = match self.resolution {
            Resolution::Ten(power @ 0..=9) => ticks * 10_i128.pow(9 - power),
            Resolution::Ten(power) => ticks / 10_i128.pow((power - 9).min(30)),
            Resolution::Two(power) => (ticks * 1_000_000_000) >> power,
        };
        Instant(nanos + i128::from(self.offset_seconds) * 1_000_000_000)
    }
}

impl Resolution {
    fn of(power: u8) -> Self {
        match power & 0x7f {
            power_of_two if power & 0x80 != 0 => Self::Two(power_of_two.into()),
            power_of_ten => Self::Ten(power_of_ten.into()),
        }
    }
}

/// Reads what is left of a body, and the length behind it; says whether it was whole.
fn body(
    input: &mut dyn BufRead,
    bytes: &mut Vec<u8>,
    order: Order,
    length: u32,
    read: u32,
) -> io::Result<bool> {
    let left = (length - FRAME_BYTES - read) as usize;
    let kept = left.min(BODY_BYTES_MAX);
    if kept > 0 && fill(input, bytes, kept)? != Filled::Whole {
        return Ok(false);
    }
    if !skip(input, (left - kept) as u64)? {
        return Ok(false);
    }
    let again = bytes.len();
    let is_whole = fill(input, bytes, 4)? == Filled::Whole && order.u32(bytes, again) == Some(length);
    bytes.truncate(again);
    Ok(is_whole)
}
