//! The character classes of HTTP.

/// A byte that may stand in a token: methods, field names, chunk extensions.
///
/// *Source*: RFC 9110 section 5.6.2, `tchar`.
pub(crate) const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// A table, since the class has nine ranges and is asked for each byte of a name.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z');
        byte += 1;
    }
    table
};

/// A byte that may stand in a field value. Bytes above ASCII are opaque; 0xFF is
/// refused because nothing but an attack on a lenient decoder sends it.
///
/// *Source*: RFC 9110 section 5.5, `field-content`, less 0xFF.
pub(crate) const fn is_value(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..=0xFE)
}

/// A byte that may stand in a request target.
///
/// RFC 3986 allows fewer; `^`, `` ` ``, `{`, `|` and `}` are sent raw by browsers
/// and curl and mean themselves to everybody. A backslash does not: some parties
/// read it as a slash. `#` has a [refusal](crate::Reject::TargetFragment) of its own.
pub(crate) const fn is_target(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'<' | b'>' | b'\\')
}

/// Without the white space (SP and HTAB) at both ends.
pub(crate) const fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether `class` holds for every byte. Looks at all of them, which lets the
/// compiler use vector instructions; bad bytes are rare.
pub(crate) fn all(bytes: &[u8], class: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |good, byte| good & class(*byte))
}
