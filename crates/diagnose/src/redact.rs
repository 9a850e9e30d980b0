//! Lines without what must not be shown: tickets, passwords, signatures.

/// What a secret follows. It ends at a blank, a quote, `&`, `;` or `)`.
const MARKS: [&str; 12] = [
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
    let lower = line.to_ascii_lowercase();
    let mut kept = String::with_capacity(line.len().min(bytes_max));
    let mut from = 0;
    while let Some((start, end)) = next_secret(&lower, from) {
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

/// Where the next secret stands; `lower` has the bytes of the line in lower case.
fn next_secret(lower: &str, from: usize) -> Option<(usize, usize)> {
    let rest = lower.get(from..)?;
    let whole = FIELDS.iter().filter_map(|field| Some((rest.find(field)? + field.len(), rest.len())));
    let marked = MARKS.iter().filter_map(|mark| {
        let start = rest.find(mark)? + mark.len();
        let length = rest.get(start..)?.find(|c: char| c.is_whitespace() || "\"'&;),".contains(c));
        Some((start, length.map_or(rest.len(), |length| start + length)))
    });
    let (start, end) = whole.chain(marked).filter(|(start, end)| end > start).min()?;
    Some((from + start, from + end))
}

#[cfg(test)]
mod tests {
    use super::redacted;

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
