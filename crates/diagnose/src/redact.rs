//! Lines without what must not be shown: tickets, passwords, signatures.

/// What a secret follows, by its last byte. It ends at a blank, a quote, `&`, `;` or `)`.
const MARKS: [(u8, &[&str]); 4] = [
    (
        b'=',
        &[
            "token=",
            "signature=",
            "temp_url_sig=",
            "x-amz-signature=",
            "x-amz-credential=",
            "x-amz-security-token=",
            "password=",
            "secret=",
        ],
    ),
    (b'_', &["prea_"]),
    (b'.', &["rk1."]),
    (b' ', &["bearer ", "basic "]),
];

/// Fields of a head whose whole value is a secret.
const FIELDS: [&str; 7] = [
    "authorization:",
    "proxy-authorization:",
    "cookie:",
    "set-cookie:",
    "x-auth-ticket:",
    "x-auth-dev-ticket:",
    "x-auth-token:",
];

/// What stands in its place.
const REDACTED: &str = "[redacted]";

/// The first bytes of a line, its secrets replaced.
pub(crate) fn redacted(line: &str, bytes_max: usize) -> String {
    let mut kept = String::with_capacity(line.len().min(bytes_max));
    let mut from = 0;
    while let Some((start, end)) = next_secret(line, from) {
        kept.push_str(line.get(from..start).unwrap_or_default());
        kept.push_str(REDACTED);
        from = end;
    }
    kept.push_str(line.get(from..).unwrap_or_default());
    if kept.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|end| kept.is_char_boundary(*end)).unwrap_or(0);
        kept.truncate(end);
        kept.push('…');
    }
    kept
}

/// The marks that end with this byte.
fn marks_by(last: u8) -> &'static [&'static str] {
    MARKS.iter().find(|(by, _)| *by == last).map_or(&[], |(_, marks)| marks)
}

/// Where the next secret stands.
fn next_secret(line: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = line.as_bytes();
    let ends = |read: &[u8], known: &str| {
        let end = read.len().checked_sub(known.len()).and_then(|at| read.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(known.as_bytes()))
    };
    bytes.iter().enumerate().skip(from).find_map(|(at, byte)| {
        let start = at + 1;
        let (before, marks) = match byte {
            b':' => (&b"net"[..], &FIELDS[..]),
            b'=' => (&b"negldt"[..], marks_by(b'=')),
            b'_' => (&b"a"[..], marks_by(b'_')),
            b'.' => (&b"1"[..], marks_by(b'.')),
            b' ' => (&b"rc"[..], marks_by(b' ')),
            _ => return None,
        };
        // Blanks and colons are many, and few of them follow such a letter.
        if !before.contains(&bytes.get(at.wrapping_sub(1))?.to_ascii_lowercase()) {
            return None;
        }
        let read = bytes.get(from..start)?;
        marks.iter().any(|mark| ends(read, mark)).then_some(())?;
        let rest = line.get(start..)?;
        let length = match byte {
            b':' => None,
            _ => rest.find(|c: char| c.is_whitespace() || "\"'&;),".contains(c)),
        };
        let end = start + length.unwrap_or(rest.len());
        (end > start).then_some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::{FIELDS, MARKS, redacted};

    #[test]
    fn every_mark_ends_where_it_is_looked_for() {
        let marks = MARKS.iter().flat_map(|(last, marks)| marks.iter().map(|mark| (*last, *mark)));
        for (last, known) in marks.chain(FIELDS.map(|field| (b':', field))) {
            assert!(known.as_bytes().ends_with(&[last]), "{known}");
            let [upper, lower] =
                [known.to_uppercase(), known.to_lowercase()].map(|it| format!("é {it}SENTINEL"));
            for line in [upper, lower] {
                assert!(!redacted(&line, 200).contains("SENTINEL"), "{line}");
            }
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = |line: &str| redacted(line, 200);
        assert_eq!(shown("GET /o?token=PREA_49cd6e&x=1 HTTP/1.1"), "GET /o?token=[redacted]&x=1 HTTP/1.1");
        assert_eq!(shown("X-Preauth-Uri: /o/PREA_49cd"), "X-Preauth-Uri: /o/PREA_[redacted]");
        assert_eq!(shown("x-auth-ticket: a b"), "x-auth-ticket:[redacted]");
        assert_eq!(shown("say Authorization: Basic YTpi, more"), "say Authorization:[redacted]");
        assert_eq!(shown("token= and nothing"), "token= and nothing");
        assert_eq!(redacted("ééé", 3), "é…");
    }
}
