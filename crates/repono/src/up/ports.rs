//! Free ports for services whose address nobody chose.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};

use anyhow::{Result, bail};
use rand::Rng;

/// Below the range that the kernel gives to outgoing connections: a service that
/// is restarted must find its port free, and an outgoing connection that borrowed
/// it meanwhile would take it away.
const LOWEST: u16 = 10_000;
/// The kernel's default beginning of that range, where it cannot be read.
const EPHEMERAL_DEFAULT: u16 = 32_768;
/// Tries before giving up: with half of the ports taken, 64 misses in a row are
/// one in 10^19.
const TRIES: usize = 64;

/// A search for several addresses: each that was found is held until the search
/// is dropped, so that none is found twice, by this process or another.
pub(crate) struct Search<R> {
    random: R,
    held: Vec<TcpListener>,
}

impl<R: Rng> Search<R> {
    pub(crate) const fn new(random: R) -> Self {
        Self { random, held: Vec::new() }
    }

    /// An address on `ip` that is free now; `port` is kept when it is not 0.
    pub(crate) fn choose(&mut self, ip: IpAddr, port: u16) -> Result<SocketAddr> {
        if port != 0 {
            let address = SocketAddr::new(ip, port);
            // Whether it is free is for its service to find out, and to report.
            self.hold(address);
            return Ok(address);
        }
        let end = ephemeral_begin().max(LOWEST + 1000);
        for _ in 0..TRIES {
            let address = SocketAddr::new(ip, self.random.random_range(LOWEST..end));
            if self.hold(address) {
                return Ok(address);
            }
        }
        bail!("no free port between {LOWEST} and {end} on {ip}");
    }

    /// `address` when it is free, else a free port beside it.
    pub(crate) fn prefer(&mut self, address: SocketAddr) -> Result<SocketAddr> {
        if self.hold(address) { Ok(address) } else { self.choose(address.ip(), 0) }
    }

    fn hold(&mut self, address: SocketAddr) -> bool {
        let listener = TcpListener::bind(address);
        let free = listener.is_ok();
        self.held.extend(listener);
        free
    }
}

fn ephemeral_begin() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(EPHEMERAL_DEFAULT)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{IpAddr, Ipv4Addr};

    use rand::{SeedableRng, rngs::StdRng};

    use super::Search;

    #[test]
    fn no_address_is_found_twice() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        // A source of randomness that repeats itself is the worst case.
        let mut search = Search::new(StdRng::seed_from_u64(1));
        let first = search.choose(ip, 0).expect("a port");
        search.random = StdRng::seed_from_u64(1);
        let second = search.choose(ip, 0).expect("another");
        let third = search.prefer(first).expect("yet another");
        assert_eq!(HashSet::from([first, second, third]).len(), 3);
        drop(search);
        assert_eq!(Search::new(StdRng::seed_from_u64(1)).choose(ip, first.port()).expect("as asked"), first);
    }
}
