//! Captures as tcpdump and Wireshark write them.

use super::talk::Sent;

/// How a capture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Micros,
    Nanos,
    /// With the longer records of patched kernels.
    Patched,
    Blocks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

pub(super) const ALL: [(Form, Order); 8] = [
    (Form::Micros, Order::Little),
    (Form::Micros, Order::Big),
    (Form::Nanos, Order::Little),
    (Form::Nanos, Order::Big),
    (Form::Patched, Order::Little),
    (Form::Patched, Order::Big),
    (Form::Blocks, Order::Little),
    (Form::Blocks, Order::Big),
];

/// What stands before an IPv4 header, by link type.
pub(super) const LINKS: [(u16, &[u8]); 10] = [
    (1, &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]),
    (1, &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 7, 8, 0]),
    (0, &[2, 0, 0, 0]),
    (108, &[0, 0, 0, 2]),
    (101, &[]),
    (228, &[]),
    (113, &[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0]),
    (276, &[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]),
    (9, &[0xff, 3, 0, 0x21]),
    (9, &[0, 0x21]),
];

/// The same before an IPv6 header.
pub(super) const LINKS_V6: [(u16, &[u8]); 7] = [
    (1, &[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd]),
    (0, &[24, 0, 0, 0]),
    (108, &[0, 0, 0, 30]),
    (101, &[]),
    (229, &[]),
    (276, &[0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]),
    (9, &[0xff, 3, 0, 0x57]),
];

/// The same packets in IPv6, from and to addresses that end as theirs do; with a header of
/// options between, as it may stand there.
pub(super) fn in_v6(packets: &[Sent]) -> Vec<Sent> {
    let in_v6 = |packet: &Sent| {
        let (v4, tcp) = packet.ip.split_at(20);
        let length = u16::try_from(8 + tcp.len()).unwrap();
        let mut ip = vec![0x60, 0, 0, 0];
        ip.extend(length.to_be_bytes());
        ip.extend([0, v4[8]]);
        for address in [&v4[12..16], &v4[16..20]] {
            ip.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
            ip.extend(address);
        }
        ip.extend([6, 0, 1, 4, 0, 0, 0, 0]);
        ip.extend(tcp);
        Sent { micros: packet.micros, ip }
    };
    packets.iter().map(in_v6).collect()
}

struct Writer(Order, Vec<u8>);

impl Writer {
    fn u16(&mut self, number: u16) -> &mut Self {
        self.1.extend(if self.0 == Order::Little { number.to_le_bytes() } else { number.to_be_bytes() });
        self
    }

    fn u32(&mut self, number: u32) -> &mut Self {
        self.1.extend(if self.0 == Order::Little { number.to_le_bytes() } else { number.to_be_bytes() });
        self
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = 12 + padded as u32;
        self.u32(kind).u32(length);
        self.1.extend(body);
        self.1.resize(self.1.len() + padded - body.len(), 0);
        self.u32(length);
    }
}

/// A capture of these packets, in Ethernet.
pub(super) fn capture(packets: &[Sent], (form, order): (Form, Order)) -> Vec<u8> {
    linked(packets, (form, order), LINKS[0])
}

pub(super) fn linked(packets: &[Sent], (form, order): (Form, Order), link: (u16, &[u8])) -> Vec<u8> {
    let mut out = Writer(order, Vec::new());
    if form == Form::Blocks {
        blocks(packets, link, &mut out);
        return out.1;
    }
    let magic = match form {
        Form::Nanos => 0xa1b2_3c4d,
        Form::Patched => 0xa1b2_cd34,
        Form::Micros | Form::Blocks => 0xa1b2_c3d4,
    };
    out.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(262_144).u32(link.0.into());
    for packet in packets {
        let bytes = [link.1, &packet.ip].concat();
        let fraction = (packet.micros % 1_000_000) as u32 * if form == Form::Nanos { 1_000 } else { 1 };
        out.u32((packet.micros / 1_000_000) as u32)
            .u32(fraction)
            .u32(bytes.len() as u32)
            .u32(bytes.len() as u32);
        if form == Form::Patched {
            out.u32(1).u32(0);
        }
        out.1.extend(bytes);
    }
    out.1
}

/// Two sections; the second has an interface with ticks of 2^-20 s and an offset of time.
fn blocks(packets: &[Sent], link: (u16, &[u8]), out: &mut Writer) {
    let (first, second) = packets.split_at(packets.len() / 2);
    for (section, packets) in [first, second].into_iter().enumerate() {
        let mut body = Writer(out.0, Vec::new());
        body.u32(0x1a2b_3c4d).u16(1).u16(0).u32(u32::MAX).u32(u32::MAX);
        out.block(0x0a0d_0d0a, &body.1);
        out.block(0xbad, b"unknown");
        let mut other = Writer(out.0, Vec::new());
        other.u16(147).u16(0).u32(0);
        out.block(1, &other.1);
        let mut interface = Writer(out.0, Vec::new());
        interface.u16(link.0).u16(0).u32(0);
        if section == 1 {
            interface.u16(9).u16(1).1.extend([0x80 | 20, 0, 0, 0]);
            let offset = 1_000_000_u64;
            let halves = [(offset >> 32) as u32, offset as u32];
            let halves = if out.0 == Order::Big { halves } else { [halves[1], halves[0]] };
            interface.u16(14).u16(8).u32(halves[0]).u32(halves[1]).u32(0);
        }
        out.block(1, &interface.1);
        for packet in packets {
            let ticks = match section {
                0 => packet.micros,
                _ => {
                    let since = u128::from(packet.micros - 1_000_000 * 1_000_000);
                    // Rounded up, so that it is the same microsecond.
                    ((since << 20).div_ceil(1_000_000)) as u64
                }
            };
            let bytes = [link.1, &packet.ip].concat();
            let mut body = Writer(out.0, Vec::new());
            body.u32(1).u32((ticks >> 32) as u32).u32(ticks as u32);
            body.u32(bytes.len() as u32).u32(bytes.len() as u32).1.extend(bytes);
            out.block(6, &body.1);
        }
    }
}
