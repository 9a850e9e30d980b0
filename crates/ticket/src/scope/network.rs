//! A source network in CIDR form.

use std::fmt;
use std::net::IpAddr;

/// An IPv4 or IPv6 network without host bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Parses `10.1.0.0/16`, `2001:db8::/32`, or one address.
    ///
    /// Host bits that are set are refused: such a text means something else to
    /// whoever wrote it. So are IPv4 addresses in IPv6 form: peers are compared in
    /// their IPv4 form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        if address.to_canonical() != address {
            return None;
        }
        let most = width(address);
        let bits = match bits {
            None => most,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        let network = Self { address, bits };
        let host_bits = number(address) & !network.mask();
        (bits <= most && host_bits == 0).then_some(network)
    }

    pub(super) fn contains(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        width(ip) == width(self.address) && (number(ip) ^ number(self.address)) & self.mask() == 0
    }

    /// The network's bits, left-aligned in 128.
    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.bits.min(128))).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address, left-aligned in 128 bits.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
