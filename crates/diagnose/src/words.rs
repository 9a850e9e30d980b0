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
        let rest = self.0.trim_start();
        if rest.is_empty() {
            return None;
        }
        // An escaped quote ends no field.
        let (word, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut escaped = false;
                let end = quoted.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let end = end.unwrap_or(quoted.len());
                (quoted.get(..end)?, quoted.get(end + 1..).unwrap_or_default())
            }
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        self.0 = rest;
        Some(word)
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
