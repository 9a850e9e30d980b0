//! A HAR file as one text for each of its entries.
//!
//! The file is one JSON value, often in one line, and holds the bodies of replies: of a long
//! string the beginning is kept.

/// Bytes of a string that are kept: a URL, a field of a head; not a body.
const STRING_BYTES_MAX: usize = 2 << 10;

/// Bytes of an entry that are kept; of a longer one the end is missing, so that it is no
/// JSON and is counted as of no known form.
const ENTRY_BYTES_MAX: usize = 64 << 10;

/// How deep the list of entries lies: in `log`, in the whole.
const LIST_DEPTH: usize = 3;

/// How it is called.
const LIST_NAME: &[u8] = b"entries";

/// Where in the file a reader is.
#[derive(Debug, Default)]
pub(super) struct Entries {
    depth: usize,
    string: Option<Text>,
    /// The last string above the list: its name, if a list follows.
    name: Vec<u8>,
    in_list: bool,
}

/// A string that goes on.
#[derive(Debug, Default)]
struct Text {
    escaped: bool,
    length: usize,
    /// Bytes that are still to come of an escape that is kept: one cut within would be
    /// no JSON.
    owed: u8,
}

impl Text {
    /// How many of these bytes can only be a part of it, and how many of those are kept.
    fn run(&mut self, bytes: &[u8]) -> (usize, usize) {
        if self.escaped || self.owed > 0 {
            return (0, 0);
        }
        let run = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let kept = run.min(STRING_BYTES_MAX.saturating_sub(self.length));
        self.length += kept;
        (run, kept)
    }

    /// Whether the byte is kept.
    fn keeps(&mut self, byte: u8) -> bool {
        let is_owed = self.owed > 0;
        let kept = is_owed || self.length < STRING_BYTES_MAX;
        let begins_escape = byte == b'\\' && !self.escaped;
        self.owed = match byte {
            b'\\' if begins_escape && kept => 1,
            b'u' if self.escaped && is_owed => 4,
            _ => self.owed.saturating_sub(1),
        };
        self.escaped = begins_escape;
        self.length += usize::from(kept);
        kept
    }
}

/// Whether a file begins as a HAR does: `{"log"`.
pub(super) fn begins(start: &[u8]) -> bool {
    let trimmed = start.trim_ascii_start();
    trimmed.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"log\""))
}

impl Entries {
    /// Takes bytes to the end of an entry; says how many, where there is one.
    pub(super) fn take(&mut self, bytes: &[u8], entry: &mut Vec<u8>) -> Option<usize> {
        let mut at = 0;
        loop {
            at += self.run(bytes.get(at..)?, entry);
            let byte = *bytes.get(at)?;
            at += 1;
            if self.string.is_some() {
                self.text(byte, entry);
            } else if self.structure(byte, entry) {
                return Some(at);
            }
        }
    }

    /// Takes what can only be a part of a string; says how many bytes.
    fn run(&mut self, bytes: &[u8], entry: &mut Vec<u8>) -> usize {
        let Some(text) = &mut self.string else { return 0 };
        let (run, kept) = text.run(bytes);
        let kept = bytes.get(..kept).unwrap_or_default();
        if self.in_list && self.depth > LIST_DEPTH {
            let room = ENTRY_BYTES_MAX.saturating_sub(entry.len());
            entry.extend_from_slice(kept.get(..room).unwrap_or(kept));
        } else {
            self.name.extend_from_slice(kept);
        }
        run
    }

    /// Takes a byte of a string.
    fn text(&mut self, byte: u8, entry: &mut Vec<u8>) {
        let Some(text) = &mut self.string else { return };
        let within = self.in_list && self.depth > LIST_DEPTH;
        let ends = byte == b'"' && !text.escaped;
        let kept = text.keeps(byte);
        if within && (kept || ends) {
            push(entry, byte);
        } else if !within && kept && !ends {
            self.name.push(byte);
        }
        if ends {
            self.string = None;
        }
    }

    /// Takes a byte that is not of a string; says whether an entry ended with it.
    fn structure(&mut self, byte: u8, entry: &mut Vec<u8>) -> bool {
        match byte {
            b'"' => {
                self.string = Some(Text::default());
                self.name.clear();
            }
            b'{' | b'[' => {
                self.in_list |= byte == b'[' && self.depth + 1 == LIST_DEPTH && self.name == LIST_NAME;
                self.depth = self.depth.saturating_add(1);
            }
            b'}' | b']' => {
                let is_entry = self.in_list && self.depth == LIST_DEPTH + 1;
                self.depth = self.depth.saturating_sub(1);
                self.in_list &= self.depth >= LIST_DEPTH;
                if is_entry {
                    push(entry, byte);
                    return true;
                }
            }
            _ => {}
        }
        if self.in_list && self.depth > LIST_DEPTH && !byte.is_ascii_whitespace() {
            push(entry, byte);
        }
        false
    }
}

fn push(entry: &mut Vec<u8>, byte: u8) {
    if entry.len() < ENTRY_BYTES_MAX {
        entry.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRY_BYTES_MAX, Entries, STRING_BYTES_MAX, begins};

    fn entries(file: &str, piece: usize) -> Vec<String> {
        let (mut state, mut entry, mut all) = (Entries::default(), Vec::new(), Vec::new());
        // In pieces of all lengths, as a file is read.
        for piece in file.as_bytes().chunks(piece) {
            let mut rest = piece;
            while let Some(end) = state.take(rest, &mut entry) {
                all.push(String::from_utf8(std::mem::take(&mut entry)).unwrap());
                rest = &rest[end..];
            }
        }
        all
    }

    #[test]
    fn entries_are_told_apart_and_bodies_are_cut() {
        let body = "x\\\"y\\u00e9".repeat(STRING_BYTES_MAX);
        let file = format!(
            "{{ \"log\": {{ \"pages\": [{{\"id\": 1}}], \"entries\" : [ {{\"a\": [1, {{\"b\": \"]}}\"}}]}},\n {{\"c\": \"{body}\"}} ], \"z\": [{{}}] }} }}"
        );
        let all = entries(&file, file.len());
        for piece in [1, 2, 3, 7, 4_096] {
            assert_eq!(entries(&file, piece), all, "in pieces of {piece}");
        }
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[0], "{\"a\":[1,{\"b\":\"]}\"}]}");
        assert!(all[1].len() < STRING_BYTES_MAX + 20);
        for entry in all {
            serde_json::from_str::<serde_json::Value>(&entry).unwrap();
        }
        assert!(begins(b" {\n\"log\" :") && !begins(b"{\"logs\":") && !begins(b"{}"));
    }

    #[test]
    fn an_entry_without_end_does_not_fill_the_memory() {
        let (mut state, mut entry) = (Entries::default(), Vec::new());
        assert_eq!(state.take(b"{\"log\":{\"entries\":[{\"a\":[", &mut entry), None);
        assert_eq!(state.take(&[b'1'; 1 << 20], &mut entry), None);
        assert_eq!(entry.len(), ENTRY_BYTES_MAX);
    }
}
