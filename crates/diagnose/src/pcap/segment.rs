//! What is read of a packet: the TCP segment in it, whatever stands before it.
//!
//! *Source*: link types of tcpdump.org; RFC 791, 8200 and 9293 by `etherparse`.

use std::net::SocketAddr;

use etherparse::{IpNumber, LaxIpSlice, TcpHeaderSlice, TcpOptionElement};

use crate::event::Instant;
use crate::input::Packet;

/// What a segment says beside its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) psh: bool,
}

/// A segment of TCP, as far as it was kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) at: Option<Instant>,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// What is left of the number of hops that it may take.
    pub(super) ttl: u8,
    /// The number of an IPv4 packet; 0 where it has none.
    pub(super) packet_id: u16,
    pub(super) flags: Flags,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
    pub(super) window_scale: Option<u8>,
    /// Bytes of payload on the wire.
    pub(super) length: u32,
    /// Those that were kept.
    pub(super) payload: &'a [u8],
}

/// Why a packet is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// It carries something else: UDP, ICMP, ARP.
    NotTcp,
    /// It is a piece of an IP packet.
    Fragment,
    /// Its first header is of a kind that is not read.
    Link(u16),
    /// Too little of it was kept, to tell what it is.
    Short,
    /// Its headers contradict themselves.
    Damaged,
}

/// What a link type has before the IP header.
enum Network<'a> {
    Ip(&'a [u8]),
    Other(Other),
}

const ETHER_IPV4: u16 = 0x0800;
const ETHER_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and the numbers that stood for the latter before it had one.
const ETHER_VLANS: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// VLANs within each other that are looked through.
const VLANS_MAX: usize = 4;

/// IPv4 and IPv6 in PPP (RFC 1332, 5072).
const PPP_IP: [u16; 2] = [0x0021, 0x0057];

impl<'a> Segment<'a> {
    /// The segment in a packet.
    pub(super) fn of(packet: &Packet<'a>) -> Result<Self, Other> {
        let ip = match network(packet.link, packet.bytes) {
            Network::Ip(ip) => ip,
            Network::Other(other) => return Err(other),
        };
        let is_cut = packet.bytes.len() < packet.length as usize;
        let unread = if is_cut { Other::Short } else { Other::Damaged };
        let Ok((sliced, _)) = LaxIpSlice::from_slice(ip) else { return Err(unread) };
        let payload = sliced.payload();
        if payload.fragmented {
            return Err(Other::Fragment);
        }
        if payload.ip_number != IpNumber::TCP {
            return Err(Other::NotTcp);
        }
        let Ok(tcp) = TcpHeaderSlice::from_slice(payload.payload) else { return Err(unread) };
        // Kernels that leave cutting to the network card write no length.
        let before = packet.bytes.len() - ip.len();
        let on_wire = (packet.length as usize).saturating_sub(before);
        let (ttl, packet_id, ip_length) = match &sliced {
            LaxIpSlice::Ipv4(v4) => {
                let header = v4.header();
                let total = Some(usize::from(header.total_len())).filter(|total| *total > 0);
                let bytes = total.unwrap_or(on_wire).saturating_sub(header.slice().len());
                (header.ttl(), header.identification(), bytes)
            }
            LaxIpSlice::Ipv6(v6) => {
                let header = v6.header();
                let own = header.slice().len();
                let total = Some(usize::from(header.payload_length())).filter(|total| *total > 0);
                let bytes = total.unwrap_or(on_wire.saturating_sub(own));
                (header.hop_limit(), 0, bytes.saturating_sub(v6.extensions().slice().len()))
            }
        };
        let header_bytes = tcp.slice().len();
        let Some(length) = ip_length.checked_sub(header_bytes) else { return Err(Other::Damaged) };
        let kept = payload.payload.get(header_bytes..).unwrap_or_default();
        Ok(Self {
            at: packet.at,
            from: SocketAddr::new(sliced.source_addr(), tcp.source_port()),
            to: SocketAddr::new(sliced.destination_addr(), tcp.destination_port()),
            ttl,
            packet_id,
            flags: Flags { syn: tcp.syn(), ack: tcp.ack(), fin: tcp.fin(), rst: tcp.rst(), psh: tcp.psh() },
            seq: tcp.sequence_number(),
            ack: tcp.acknowledgment_number(),
            window: tcp.window_size(),
            window_scale: window_scale(&tcp),
            length: u32::try_from(length).unwrap_or(u32::MAX),
            payload: kept.get(..kept.len().min(length)).unwrap_or_default(),
        })
    }

    /// The number after its last byte; SYN and FIN take one each.
    pub(super) fn end(&self) -> u32 {
        let own = u32::from(self.flags.syn) + u32::from(self.flags.fin);
        self.seq.wrapping_add(self.length).wrapping_add(own)
    }

    /// Whether the end of its payload was not kept.
    pub(super) fn is_cut(&self) -> bool {
        self.payload.len() < self.length as usize
    }
}

fn window_scale(tcp: &TcpHeaderSlice<'_>) -> Option<u8> {
    if !tcp.syn() {
        return None;
    }
    tcp.options_iterator().find_map(|option| match option {
        // RFC 7323 section 2.3 has 14 as the most.
        Ok(TcpOptionElement::WindowScale(scale)) => Some(scale.min(14)),
        Ok(_) | Err(_) => None,
    })
}

fn network(link: u16, bytes: &[u8]) -> Network<'_> {
    match link {
        // NULL and LOOP: an address family of the host that captured.
        0 | 108 => match bytes.get(..4) {
            Some([2, 0, 0, 0] | [0, 0, 0, 2]) => ip(bytes, 4),
            Some([24 | 28 | 30, 0, 0, 0] | [0, 0, 0, 24 | 28 | 30]) => ip(bytes, 4),
            Some(_) => Network::Other(Other::NotTcp),
            None => Network::Other(Other::Short),
        },
        1 => ether(bytes, 12),
        9 => match bytes {
            [0xff, 0x03, high, low, ..] if PPP_IP.contains(&u16::from_be_bytes([*high, *low])) => {
                ip(bytes, 4)
            }
            [high, low, ..] if PPP_IP.contains(&u16::from_be_bytes([*high, *low])) => ip(bytes, 2),
            _ => Network::Other(Other::NotTcp),
        },
        // RAW, as it is in files of BSDs and of all others.
        12 | 14 | 101 | 228 | 229 => ip(bytes, 0),
        113 => ether(bytes, 14),
        // SLL2 has its protocol first.
        276 => match number(bytes, 0) {
            Some(ETHER_IPV4 | ETHER_IPV6) => ip(bytes, 20),
            Some(vlan) if ETHER_VLANS.contains(&vlan) => ether(bytes, 22),
            Some(_) => Network::Other(Other::NotTcp),
            None => Network::Other(Other::Short),
        },
        other => Network::Other(Other::Link(other)),
    }
}

/// What follows the type of an Ethernet frame that stands at `at`.
fn ether(bytes: &[u8], mut at: usize) -> Network<'_> {
    for _ in 0..=VLANS_MAX {
        match number(bytes, at) {
            Some(ETHER_IPV4 | ETHER_IPV6) => return ip(bytes, at + 2),
            Some(vlan) if ETHER_VLANS.contains(&vlan) => at += 4,
            Some(_) => return Network::Other(Other::NotTcp),
            None => return Network::Other(Other::Short),
        }
    }
    Network::Other(Other::NotTcp)
}

fn ip(bytes: &[u8], at: usize) -> Network<'_> {
    bytes.get(at..).map_or(Network::Other(Other::Short), Network::Ip)
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}
