//! Free ports for services whose address nobody chose, kept for them until they
//! listen, and while they are restarted.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};

use rand::Rng;
use socket2::{Domain, Protocol, Socket, Type};

/// Below the range that the kernel gives to outgoing connections: a service that
/// is restarted must find its port free, and an outgoing connection that borrowed
/// it meanwhile would take it away.
const LOWEST: u16 = 10_000;
/// The kernel's default beginning of that range, where it cannot be read.
const EPHEMERAL_DEFAULT: u16 = 32_768;
/// Tries before giving up: with half of the ports taken, 64 misses in a row are
/// one in 10^19.
const TRIES: usize = 64;

/// An address that is bound and not listened on.
///
/// The service that it is for binds it beside the reservation, as both set
/// `SO_REUSEADDR` and only one of them listens (Linux, `socket(7)`). Until it does,
/// and after it has ended, a connection is refused, as if there were no reservation.
#[derive(Debug)]
pub struct Reservation {
    socket: Socket,
}

impl Reservation {
    /// Reserves the address that somebody chose. Another reservation of it is no
    /// hindrance, nor are connections of its last service in `TIME_WAIT`.
    ///
    /// *Errors*: the kernel's: somebody listens there, it is not this machine's, or
    /// it needs a privilege.
    pub fn of(address: SocketAddr) -> io::Result<Self> {
        let socket = unbound(address)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(Self { socket })
    }

    /// Reserves a port on `ip` that nobody has bound, and that no other
    /// `Reservation::any` gets while this one is there.
    ///
    /// *Errors*: the kernel's; after 64 ports that were taken, the last one's.
    pub fn any(ip: IpAddr, random: &mut impl Rng) -> io::Result<Self> {
        let end = ephemeral_begin().max(LOWEST + 1000);
        let mut taken = 0;
        loop {
            let address = SocketAddr::new(ip, random.random_range(LOWEST..end));
            match Self::alone(address) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && taken < TRIES => taken += 1,
                reserved => return reserved,
            }
        }
    }

    /// Where it is.
    ///
    /// *Errors*: the kernel's; none is known for a bound socket.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Without `SO_REUSEADDR` the kernel gives an address to one socket only; what is
    /// set afterwards lets the service in.
    fn alone(address: SocketAddr) -> io::Result<Self> {
        let socket = unbound(address)?;
        socket.bind(&address.into())?;
        socket.set_reuse_address(true)?;
        Ok(Self { socket })
    }
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
}

fn ephemeral_begin() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(EPHEMERAL_DEFAULT)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{IpAddr, Ipv4Addr, TcpStream};

    use rand::{SeedableRng, rngs::StdRng};

    use super::Reservation;
    use crate::listen;

    const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn no_port_is_given_twice() {
        // A source of randomness that repeats itself is the worst case.
        let first = Reservation::any(IP, &mut StdRng::seed_from_u64(1)).expect("a port");
        let second = Reservation::any(IP, &mut StdRng::seed_from_u64(1)).expect("another");
        assert_ne!(first.address().expect("bound"), second.address().expect("bound"));
    }

    #[test]
    fn its_service_binds_it_again_and_again_and_nobody_else_gets_it() {
        let reservation = Reservation::any(IP, &mut rand::rng()).expect("a port");
        let address = reservation.address().expect("bound");
        for _ in 0..2 {
            let refused = TcpStream::connect(address).expect_err("nobody listens");
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            assert_eq!(Reservation::alone(address).expect_err("taken").kind(), ErrorKind::AddrInUse);
            let service = listen::bind(address, 1).expect("the service's");
            TcpStream::connect(address).expect("accepted");
            assert_eq!(Reservation::of(address).expect_err("taken").kind(), ErrorKind::AddrInUse);
            drop(service);
        }
    }
}
