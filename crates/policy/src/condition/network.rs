//! Address ranges in CIDR form.

use std::net::IpAddr;

/// One range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    V4 { bits: u32, mask: u32 },
    V6 { bits: u128, mask: u128 },
}

impl Network {
    pub(crate) const FORMS: &str =
        "an address or a range such as 203.0.113.0/24 or 2001:db8::/32, without bits beyond the prefix";

    /// An address, or a range whose bits beyond the prefix are zero: `10.1.2.3/8`
    /// may mean 16 million addresses or one, so it is not accepted. An IPv4 address
    /// in IPv6 form is written as IPv4.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix_bits(prefix)?)),
            None => (text, None),
        };
        let network = match address.parse().ok()? {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix.unwrap_or(32))?).unwrap_or(0);
                Self::V4 { bits: v4.to_bits(), mask }
            }
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => return None,
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix.unwrap_or(128))?).unwrap_or(0);
                Self::V6 { bits: v6.to_bits(), mask }
            }
        };
        network.is_whole().then_some(network)
    }

    /// Whether the address, in canonical form, lies in the range.
    pub(crate) const fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { bits, mask }, IpAddr::V4(v4)) => v4.to_bits() & mask == bits,
            (Self::V6 { bits, mask }, IpAddr::V6(v6)) => v6.to_bits() & mask == bits,
            (Self::V4 { .. }, IpAddr::V6(_)) | (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }

    const fn is_whole(self) -> bool {
        match self {
            Self::V4 { bits, mask } => bits & !mask == 0,
            Self::V6 { bits, mask } => bits & !mask == 0,
        }
    }
}

/// One to three digits: `parse` alone would also take `+8`.
fn prefix_bits(text: &str) -> Option<u32> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn ranges() {
        let cases: [(&str, &[&str], &[&str]); 7] = [
            ("203.0.113.0/24", &["203.0.113.0", "203.0.113.255"], &["203.0.114.0", "::1"]),
            ("10.1.2.3", &["10.1.2.3"], &["10.1.2.4"]),
            ("10.1.2.3/32", &["10.1.2.3"], &["10.1.2.2"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::"]),
            ("::/0", &["::", "2001:db8::1"], &["127.0.0.1"]),
            ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::"]),
            ("::1", &["::1"], &["::2"]),
        ];
        for (range, inside, outside) in cases {
            let network = Network::parse(range).expect(range);
            for address in inside {
                assert!(network.contains(address.parse().expect("address")), "{range} {address}");
            }
            for address in outside {
                assert!(!network.contains(address.parse().expect("address")), "{range} {address}");
            }
        }
    }

    #[test]
    fn whatever_could_mean_something_else_is_refused() {
        for bad in [
            "",
            "/",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.0/08000",
            "010.0.0.1",
            "10.0.0",
            "::1/64",
            "2001:db8::/129",
            "::ffff:10.0.0.1",
            "*",
            "10.0.0.*",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
