//! Lines without what must not be shown: tickets, passwords, signatures.

use std::borrow::Cow;

/// What a secret follows, in groups by how far it reaches.
const MARKS: [(Reach, &[&str]); 2] = [
    (
        Reach::Word,
        &[
            "token=",
            "signature=",
            "temp_url_sig=",
            "x-amz-signature=",
            "x-amz-credential=",
            "x-amz-security-token=",
            "password=",
            "secret=",
            "prea_",
            "rk1.",
            "bearer ",
            "basic ",
        ],
    ),
    (
        Reach::Line,
        &[
            "authorization:",
            "proxy-authorization:",
            "cookie:",
            "set-cookie:",
            "x-auth-ticket:",
            "x-auth-dev-ticket:",
            "x-auth-token:",
        ],
    ),
];

/// Where a secret ends.
#[derive(Clone, Copy)]
enum Reach {
    /// At a blank, a quote, `&`, `;`, `,` or `)`.
    Word,
    /// At the end of the line: it is the value of a field of a head.
    Line,
}

/// What stands in its place.
const REDACTED: &str = "[redacted]";

/// Marks by how they end, as bits: those whose last byte this is, and those that have it
/// before their last. Few places of a line have both, and only there marks are compared.
static ENDS: [[u16; 2]; 256] = ends();

/// Marks have a bit by their last byte; where two share one, more places are compared.
const fn ends() -> [[u16; 2]; 256] {
    let mut ends = [[0; 2]; 256];
    let mut group = 0;
    while group < MARKS.len() {
        let marks = MARKS[group].1;
        let mut at = 0;
        while at < marks.len() {
            let mark = marks[at].as_bytes();
            let (last, before) = (mark[mark.len() - 1], mark[mark.len() - 2]);
            let bit = 1 << (last % 16);
            ends[last as usize][0] |= bit;
            ends[before as usize][1] |= bit;
            ends[before.to_ascii_uppercase() as usize][1] |= bit;
            at += 1;
        }
        group += 1;
    }
    ends
}

/// The first bytes of a line, its secrets replaced.
pub(crate) fn redacted(line: &str, bytes_max: usize) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut from = 0;
    while let Some((start, end)) = next_secret(line, from) {
        kept.push_str(line.get(from..start).unwrap_or_default());
        kept.push_str(REDACTED);
        from = end;
    }
    if from == 0 && line.len() <= bytes_max {
        return Cow::Borrowed(line);
    }
    kept.push_str(line.get(from..).unwrap_or_default());
    if kept.len() > bytes_max {
        kept.truncate(kept.floor_char_boundary(bytes_max));
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// Where the next secret stands.
///
/// *Cost*: some seven instructions a byte where there is none.
fn next_secret(line: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = line.as_bytes();
    let mut start = from;
    loop {
        start +=
            2 + bytes.get(start..)?.array_windows().position(|[before, last]| may_end(*before, *last))?;
        if let Some(reach) = mark_before(bytes.get(from..start)?) {
            let rest = line.get(start..)?;
            let length = match reach {
                Reach::Line => None,
                Reach::Word => rest.find(|c: char| c.is_whitespace() || "\"'&;),".contains(c)),
            };
            let end = start + length.unwrap_or(rest.len());
            if end > start {
                return Some((start, end));
            }
        }
        // The last byte of one mark may be the last but one of another.
        start -= 1;
    }
}

/// Whether a mark may end with these two bytes.
fn may_end(before: u8, last: u8) -> bool {
    let ends = |byte: u8| ENDS.get(usize::from(byte)).copied().unwrap_or_default();
    ends(before)[1] & ends(last)[0] != 0
}

/// How far what follows is a secret, if this ends with a mark.
fn mark_before(read: &[u8]) -> Option<Reach> {
    let last = read.last();
    let ends_with = |mark: &str| {
        if mark.as_bytes().last() != last {
            return false;
        }
        let end = read.len().checked_sub(mark.len()).and_then(|at| read.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(mark.as_bytes()))
    };
    let group = MARKS.iter().find(|(_, marks)| marks.iter().any(|mark| ends_with(mark)));
    group.map(|(reach, _)| *reach)
}

#[cfg(test)]
mod tests {
    use super::{MARKS, redacted};

    #[test]
    fn every_mark_is_found() {
        for known in MARKS.iter().flat_map(|(_, marks)| marks.iter()) {
            let [upper, lower] =
                [known.to_uppercase(), known.to_lowercase()].map(|it| format!("é {it}SENTINEL"));
            for line in [upper, lower] {
                assert!(!redacted(&line, 200).contains("SENTINEL"), "{line}");
            }
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = |line| redacted(line, 200);
        assert_eq!(shown("GET /o?token=PREA_49cd6e&x=1 HTTP/1.1"), "GET /o?token=[redacted]&x=1 HTTP/1.1");
        assert_eq!(shown("X-Preauth-Uri: /o/PREA_49cd"), "X-Preauth-Uri: /o/PREA_[redacted]");
        assert_eq!(shown("x-auth-ticket: a b"), "x-auth-ticket:[redacted]");
        assert_eq!(shown("say Authorization: Basic YTpi, more"), "say Authorization:[redacted]");
        assert_eq!(shown("token= and nothing"), "token= and nothing");
        assert_eq!(redacted("ééé", 3), "é…");
    }
}
