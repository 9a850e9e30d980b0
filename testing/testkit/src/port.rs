//! Ports for the servers that a test configures itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use repono_net::reserve::Reservation;

/// Those of this test program: kept to its end, as a test may start its server
/// again and again.
static RESERVED: Mutex<Vec<Reservation>> = Mutex::new(Vec::new());

/// A loopback address that nobody else gets while this program runs.
pub fn free() -> io::Result<SocketAddr> {
    let reservation = Reservation::any(IpAddr::V4(Ipv4Addr::LOCALHOST), &mut rand::rng())?;
    let address = reservation.address()?;
    RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(reservation);
    Ok(address)
}
