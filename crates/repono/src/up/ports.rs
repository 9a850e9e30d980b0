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

/// An address on `ip` that is free now; `port` is kept when it is not 0.
pub(crate) fn choose(ip: IpAddr, port: u16, random: &mut impl Rng) -> Result<SocketAddr> {
    if port != 0 {
        return Ok(SocketAddr::new(ip, port));
    }
    let end = ephemeral_begin().max(LOWEST + 1000);
    for _ in 0..TRIES {
        let address = SocketAddr::new(ip, random.random_range(LOWEST..end));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no free port between {LOWEST} and {end} on {ip}");
}

/// `address` when it is free, else a free port beside it.
pub(crate) fn prefer(address: SocketAddr, random: &mut impl Rng) -> Result<SocketAddr> {
    if TcpListener::bind(address).is_ok() { Ok(address) } else { choose(address.ip(), 0, random) }
}

fn ephemeral_begin() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(EPHEMERAL_DEFAULT)
}
