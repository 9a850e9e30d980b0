//! Small pieces of text: blanks as browsers and editors leave them, parentheses,
//! frames of a stack.

/// What stands for a blank: also as a page of the web has it.
const BLANKS: [&str; 5] = ["&nbsp;", "\u{a0}", " ", "\t", "\r"];

/// Blanks at the beginning, and the rest.
pub(super) fn trim_start(text: &str) -> (&str, &str) {
    let mut rest = text;
    while let Some(shorter) = BLANKS.iter().find_map(|blank| rest.strip_prefix(blank)) {
        rest = shorter;
    }
    text.split_at_checked(text.len() - rest.len()).unwrap_or(("", text))
}

/// The text, and blanks at its end.
pub(super) fn trim_end(text: &str) -> (&str, &str) {
    let mut rest = text;
    while let Some(shorter) = BLANKS.iter().find_map(|blank| rest.strip_suffix(blank)) {
        rest = shorter;
    }
    text.split_at_checked(rest.len()).unwrap_or((text, ""))
}

pub(super) fn is_blank(text: &str) -> bool {
    trim_start(text).1.is_empty()
}

/// Whether a parenthesis was opened and not closed.
pub(super) fn is_open(text: &str) -> bool {
    depth(text) > 0
}

/// The same of the rest of a text with one open parenthesis.
pub(super) fn is_open_after(text: &str) -> bool {
    depth(text) >= 0
}

/// Whether a line can be the rest of arguments that were wrapped: `context = (null),`.
pub(super) fn is_argument(text: &str) -> bool {
    text.contains(" = ") || text.trim_end_matches('.').ends_with([')', ','])
}

fn depth(text: &str) -> i32 {
    text.bytes().fold(0_i32, |depth, byte| match byte {
        b'(' => depth.saturating_add(1),
        b')' => depth.saturating_sub(1),
        _ => depth,
    })
}

/// Whether it is a frame, such as `   at System.Net.Connection.Read(…)`, or the line
/// between two stacks. The first word is in the machine's language; a name with dots
/// and a parenthesis follow it.
pub(super) fn is_frame(indent: &str, text: &str) -> bool {
    if indent.is_empty() && text.starts_with("---") {
        return true;
    }
    let named = text.split_once(' ').is_some_and(|(_, rest)| {
        rest.split_once('(').is_some_and(|(name, _)| name.contains('.') && !name.contains(' '))
    });
    !indent.is_empty() && (named || text.starts_with("---"))
}
