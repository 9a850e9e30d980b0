//! What becomes of a packet of a connection that nobody knows: RST or silence tells in a
//! second what a forgotten connection will meet.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use socket2::{Domain, Protocol, Socket, Type};

/// Sent so often, one after another: a packet may be lost.
const TRIES: u32 = 3;
/// For the answer to each: no way on earth is longer.
const WAIT: Duration = Duration::from_millis(700);
/// An IPv4 header without options (RFC 791 section 3.1), and a TCP header (RFC 9293
/// section 3.1).
const IP_BYTES_MIN: usize = 20;
const TCP_BYTES: usize = 20;
const ACK: u8 = 0x10;
const RST: u8 = 0x04;
/// The protocol's number in a pseudo header.
const TCP: u8 = 6;

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Stranger {
    /// RST, as RFC 9293 section 3.5.2 asks.
    Rst {
        /// In so long, seconds.
        after_s: f64,
    },
    /// Nothing: so will a forgotten connection be answered.
    Silence,
}

/// Sends an acknowledgement of nothing.
///
/// *Errors*: [`io::ErrorKind::PermissionDenied`] without `CAP_NET_RAW`;
/// [`io::ErrorKind::Unsupported`] over IPv6.
pub(crate) async fn ask(target: SocketAddr) -> io::Result<Stranger> {
    let SocketAddr::V4(target) = target else { return Err(io::ErrorKind::Unsupported.into()) };
    tokio::task::spawn_blocking(move || send(target)).await.map_err(io::Error::other)?
}

fn send(target: SocketAddrV4) -> io::Result<Stranger> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP))?;
    let ours = source(target)?;
    // Held, so that no connection of this machine gets the same port meanwhile.
    let port = TcpListener::bind((ours, 0))?;
    let source = SocketAddrV4::new(ours, port.local_addr()?.port());
    socket.set_read_timeout(Some(WAIT))?;
    for number in 0..TRIES {
        let begun = Instant::now();
        socket.send_to(&segment(source, target, number), &SocketAddr::V4(target).into())?;
        if answered(&socket, source, target, begun)? {
            return Ok(Stranger::Rst { after_s: begun.elapsed().as_secs_f64() });
        }
    }
    Ok(Stranger::Silence)
}

/// The address from which the target is reached.
fn source(target: SocketAddrV4) -> io::Result<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // Chooses a route; nothing is sent.
    socket.connect(target)?;
    match socket.local_addr()?.ip() {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Whether an RST for our port comes in time, among whatever else comes.
fn answered(
    mut socket: &Socket,
    source: SocketAddrV4,
    target: SocketAddrV4,
    begun: Instant,
) -> io::Result<bool> {
    let mut packet = [0; 256];
    while begun.elapsed() < WAIT {
        match socket.read(&mut packet) {
            Ok(count) if packet.get(..count).is_some_and(|packet| is_reset(packet, source, target)) => {
                return Ok(true);
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn is_reset(packet: &[u8], source: SocketAddrV4, target: SocketAddrV4) -> bool {
    let header = packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    let (Some(ip), Some(tcp)) = (packet.get(..header), packet.get(header..header + TCP_BYTES)) else {
        return false;
    };
    header >= IP_BYTES_MIN
        && ip.get(12..16) == Some(&target.ip().octets()[..])
        && tcp.get(..2) == Some(&target.port().to_be_bytes()[..])
        && tcp.get(2..4) == Some(&source.port().to_be_bytes()[..])
        && tcp.get(13).is_some_and(|flags| flags & RST != 0)
}

/// A TCP header that acknowledges what was never sent.
fn segment(source: SocketAddrV4, target: SocketAddrV4, number: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(TCP_BYTES);
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(target.port().to_be_bytes());
    bytes.extend(number.wrapping_add(1).to_be_bytes());
    bytes.extend(1_u32.to_be_bytes());
    // Five words of header, ACK, a window, no checksum yet, no urgent data.
    bytes.extend([0x50, ACK, 0xff, 0xff, 0, 0, 0, 0]);
    let sum = checksum(source, target, &bytes).to_be_bytes();
    bytes.splice(16..18, sum);
    bytes
}

/// RFC 9293 section 3.1, over the pseudo header of IPv4.
fn checksum(source: SocketAddrV4, target: SocketAddrV4, tcp: &[u8]) -> u16 {
    let length = u16::try_from(tcp.len()).unwrap_or(u16::MAX).to_be_bytes();
    let pseudo = [&source.ip().octets()[..], &target.ip().octets(), &[0, TCP], &length].concat();
    let words = pseudo.chunks(2).chain(tcp.chunks(2));
    let mut sum: u32 = words.map(|word| word.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use super::{ACK, RST, checksum, is_reset, segment};

    fn ends() -> (SocketAddrV4, SocketAddrV4) {
        ("192.0.2.1:40000".parse().expect("an address"), "192.0.2.2:443".parse().expect("an address"))
    }

    #[test]
    fn a_segment_sums_up_to_nothing() {
        let (source, target) = ends();
        let bytes = segment(source, target, 7);
        assert_eq!((bytes.len(), bytes[13], checksum(source, target, &bytes)), (20, ACK, 0));
    }

    #[test]
    fn only_an_rst_of_the_target_counts() {
        let (source, target) = ends();
        let answer = |flags: u8, from: SocketAddrV4| {
            let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
            packet.extend(from.ip().octets());
            packet.extend(source.ip().octets());
            let mut tcp = segment(from, source, 0);
            tcp[13] = flags;
            packet.extend(tcp);
            packet
        };
        assert!(is_reset(&answer(RST, target), source, target));
        assert!(!is_reset(&answer(ACK, target), source, target));
        assert!(!is_reset(&answer(RST, "192.0.2.2:80".parse().expect("an address")), source, target));
        assert!(!is_reset(&answer(RST, target)[..30], source, target));
        assert!(!is_reset(&[], source, target));
    }
}
