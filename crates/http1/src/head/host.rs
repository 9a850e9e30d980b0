//! The value of `Host`.

/// Longest name of the domain name system in text form (RFC 1035 section 2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// Whether `value` is one host name, IPv4 address or bracketed IPv6 address with
/// an optional port.
///
/// RFC 3986 would also allow userinfo elsewhere, percent-encoding, commas and an
/// empty name; each is a way to let two parties see two hosts.
pub(super) fn is_valid(value: &[u8]) -> bool {
    match value {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|b| *b == b']') else { return false };
            let (address, after) = rest.split_at(end);
            let ip = str::from_utf8(address).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
            ip && is_port(after.get(1..).unwrap_or_default())
        }
        name => {
            let end = name.iter().position(|b| *b == b':').unwrap_or(name.len());
            let (name, port) = name.split_at(end);
            is_name(name) && is_port(port)
        }
    }
}

fn is_name(name: &[u8]) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

/// Nothing, or a colon and 1 to 5 digits.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn one_host_with_or_without_port() {
        for good in
            ["h", "heads.example.org:7443", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443", "head_1.lan", "H"]
        {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
        let long = "a".repeat(254);
        for bad in [
            "",
            ":80",
            "h:",
            "h:123456",
            "h:8o",
            "a, b",
            "a,b",
            "a b",
            "u@h",
            "a/b@c",
            "h/",
            "h?",
            "h#",
            "h\\",
            "%68",
            "::1",
            "[::1",
            "[::1%eth0]",
            "[::1]x",
            "[]",
            "[h]",
            "[::1]]",
            "h\u{e9}",
            &long,
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }
}
