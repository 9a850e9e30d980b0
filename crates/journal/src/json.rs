//! JSON written straight into a buffer.
//!
//! The records are a closed set of flat objects, written 20,000 times a second:
//! no tree is built for them.

use std::net::{IpAddr, SocketAddr};
use std::str::Utf8Chunk;

/// An object being written. Ends with [`Object::end`], which [`object`] calls.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

/// Writes `{…}`.
#[inline]
pub(crate) fn object(out: &mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fields(&mut Object { out, first: true });
    out.push(b'}');
}

impl Object<'_> {
    /// A text; bytes that are not UTF-8 become U+FFFD.
    #[inline]
    pub(crate) fn text(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.name(name);
        string(self.out, value.as_ref());
    }

    /// A text, left out where it is empty.
    pub(crate) fn text_if_any(&mut self, name: &str, value: impl AsRef<[u8]>) {
        if !value.as_ref().is_empty() {
            self.text(name, value);
        }
    }

    #[inline]
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        number(self.out, value);
    }

    #[inline]
    pub(crate) fn truth(&mut self, name: &str, value: Truth) {
        self.name(name);
        self.out.extend_from_slice(match value {
            Truth::True => b"true",
            Truth::False => b"false",
        });
    }

    #[inline]
    pub(crate) fn object(&mut self, name: &str, fields: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        object(self.out, fields);
    }

    /// An instant as `2026-11-22T10:00:10.334512001Z`.
    pub(crate) fn instant(&mut self, name: &str, wall_ns: u64) {
        self.name(name);
        self.out.push(b'"');
        instant(self.out, wall_ns);
        self.out.push(b'"');
    }

    /// An object of `ip` and `port`.
    pub(crate) fn address(&mut self, name: &str, address: SocketAddr) {
        self.translated(name, address, None);
    }

    /// The same, and `nat`, where the address is seen as another one further on.
    pub(crate) fn translated(&mut self, name: &str, address: SocketAddr, onward: Option<SocketAddr>) {
        self.object(name, |o| {
            o.name("ip");
            ip(o.out, address.ip().to_canonical());
            o.number("port", address.port().into());
            if let Some(onward) = onward {
                o.address("nat", onward);
            }
        });
    }

    /// Members that were rendered before: `"name":value,…`, without braces.
    pub(crate) fn rendered(&mut self, members: &[u8]) {
        if !members.is_empty() {
            self.comma();
            self.out.extend_from_slice(members);
        }
    }

    #[inline]
    fn name(&mut self, name: &str) {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    #[inline]
    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }
}

/// A JSON boolean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// Escapes what JSON demands, and DEL and the C1 controls and line separators
/// besides: a journal is read in terminals.
fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    // Nearly all texts are.
    if bytes.iter().fold(true, |plain, byte| plain & is_plain(*byte)) {
        out.extend_from_slice(bytes);
    } else {
        bytes.utf8_chunks().for_each(|chunk| escaped_chunk(out, &chunk));
    }
    out.push(b'"');
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn escaped_chunk(out: &mut Vec<u8>, chunk: &Utf8Chunk<'_>) {
    for character in chunk.valid().chars() {
        escaped(out, character);
    }
    if !chunk.invalid().is_empty() {
        out.extend_from_slice("\u{FFFD}".as_bytes());
    }
}

fn escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        ' '..='~' => out.push(u8::try_from(character).unwrap_or(b'?')),
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
            use std::io::Write;
            // Every control character is below U+FFFF: one escape suffices.
            let _infallible = write!(out, "\\u{:04x}", u32::from(c));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn number(out: &mut Vec<u8>, value: u64) {
    const DIGITS_MAX: usize = 20;
    let mut text = [0; DIGITS_MAX];
    let digits = value.checked_ilog10().map_or(1, |log| log as usize + 1);
    if let Some(text) = text.get_mut(..digits) {
        digits_into(text, value);
        out.extend_from_slice(text);
    }
}

/// Fills a field with the last decimal digits of a value.
fn digits_into(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
    }
}

/// An address in quotation marks. Writing into a `Vec` cannot fail.
fn ip(out: &mut Vec<u8>, ip: IpAddr) {
    out.push(b'"');
    match ip {
        IpAddr::V4(ip) => {
            for (place, octet) in ip.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                number(out, octet.into());
            }
        }
        IpAddr::V6(ip) => {
            use std::io::Write;
            let _infallible = write!(out, "{ip}");
        }
    }
    out.push(b'"');
}

pub(crate) fn instant(out: &mut Vec<u8>, wall_ns: u64) {
    let (seconds, nanos) = (wall_ns / 1_000_000_000, wall_ns % 1_000_000_000);
    let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000000000Z";
    for (place, value) in [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, second_of_day / 3600),
        (14..16, second_of_day / 60 % 60),
        (17..19, second_of_day % 60),
        (20..29, nanos),
    ] {
        digits_into(text.get_mut(place).unwrap_or_default(), value);
    }
    out.extend_from_slice(&text);
}

/// Year, month and day of a count of days since 1970-01-01, in the proleptic
/// Gregorian calendar.
///
/// *Source*: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`; eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{instant, object};

    fn at(seconds: u64, nanos: u64) -> String {
        let mut out = Vec::new();
        instant(&mut out, seconds * 1_000_000_000 + nanos);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn instants_are_rfc_3339_with_nanoseconds() {
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(at(1_439_686_983, 7), "2015-08-16T01:03:03.000000007Z");
        assert_eq!(at(1_709_164_800, 999_999_999), "2024-02-29T00:00:00.999999999Z");
        assert_eq!(at(4_107_542_399, 0), "2100-02-28T23:59:59.000000000Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000000000Z");
    }

    #[test]
    fn what_a_stranger_sent_cannot_leave_its_string() {
        let sent = b"a\"b\\c\nd\x00\x1b[31m\x7f\xc2\x85\xe2\x80\xa8\xff\xc3\xa9";
        let mut out = Vec::new();
        object(&mut out, |o| o.text("path", sent));
        let text = String::from_utf8(out).unwrap();
        assert!(text.chars().all(|c| !c.is_control()), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["path"], String::from_utf8_lossy(sent).as_ref());
    }
}
