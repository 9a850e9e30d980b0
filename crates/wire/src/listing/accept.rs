//! Which format of a listing a client prefers, by its `Accept` header.
//!
//! *Source*: RFC 9110 section 12.5.1.

use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

use crate::listing::Format;
use crate::refusals::NOT_ACCEPTABLE;

/// In the order of preference between equals.
const OFFERS: [(Format, &str, &str); 4] = [
    (Format::Plain, "text", "plain"),
    (Format::Json, "application", "json"),
    (Format::Xml, "application", "xml"),
    (Format::TextXml, "text", "xml"),
];

impl Format {
    /// The format that `Accept` prefers; plain without the header.
    ///
    /// *Errors*: 406 when it accepts none.
    pub fn from_accept(head: &RequestHead) -> Result<Self, Refusal> {
        let ranges = || head.fields_named("accept").flat_map(|value| value.split(|b| *b == b','));
        if ranges().all(|range| range.trim_ascii().is_empty()) {
            return Ok(Self::Plain);
        }
        let mut best = None;
        for (format, kind, subtype) in OFFERS {
            let weight = weight(ranges().filter_map(Range::parse), kind, subtype);
            if weight > best.map_or(0, |(_, most)| most) {
                best = Some((format, weight));
            }
        }
        best.map(|(format, _)| format).ok_or(NOT_ACCEPTABLE)
    }
}

/// The weight, in thousandths, that the most specific range gives to a type.
fn weight<'a>(ranges: impl Iterator<Item = Range<'a>>, kind: &str, subtype: &str) -> u16 {
    ranges
        .filter_map(|range| Some((range.specificity(kind, subtype)?, range.weight)))
        .max()
        .map_or(0, |(_, weight)| weight)
}

struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    weight: u16,
}

impl<'a> Range<'a> {
    /// Parses `kind/subtype;q=0.5`; parameters other than `q` are left out, since
    /// no listing has another variant. `None` for what is malformed.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parts = str::from_utf8(text).ok()?.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let q = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
        Some(Self { kind, subtype, weight: q.map_or(Some(1000), thousandths)? })
    }

    fn specificity(&self, kind: &str, subtype: &str) -> Option<u8> {
        let same_kind = self.kind.eq_ignore_ascii_case(kind);
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (_, "*") if same_kind => Some(1),
            (_, exact) if same_kind && exact.eq_ignore_ascii_case(subtype) => Some(2),
            (_, _) => None,
        }
    }
}

/// A weight such as `1`, `0.5`, `0.333` (RFC 9110 section 12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _out_of_range => None,
    }
}
