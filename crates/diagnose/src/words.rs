//! Fields of a line between blanks, some of them in quotes.

/// Gives one field after the other, without its quotes.
pub(crate) struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    pub(crate) const fn of(line: &'a str) -> Self {
        Self(line)
    }

    /// What was not given yet.
    pub(crate) const fn rest(&self) -> &'a str {
        self.0
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let (text, end) = match rest.strip_prefix('"') {
            Some(quoted) => (quoted, end_of_quoted(quoted)),
            None => (rest, memchr::memchr(b' ', rest.as_bytes())),
        };
        let end = end.unwrap_or(text.len());
        self.0 = text.get(end + 1..).unwrap_or_default();
        text.get(..end)
    }
}

/// Where the quote stands that ends it: an escaped one ends nothing.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = text.as_bytes().get(from..)?;
        let at = memchr::memchr2(b'"', b'\\', rest)?;
        if rest.get(at) == Some(&b'"') {
            return Some(from + at);
        }
        from += at + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn quotes_hold_blanks() {
        let words: Vec<_> = Words::of("a \"b c\"  - \"\" \"say \\\"d\\\" e\" \"open").collect();
        assert_eq!(words, ["a", "b c", "-", "", "say \\\"d\\\" e", "open"]);
    }
}
