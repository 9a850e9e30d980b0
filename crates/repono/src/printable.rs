//! Words of strangers, as a terminal may have them.

/// Text of strangers: what would steer a terminal is written as an escape.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            clean.extend(character.escape_unicode());
        } else {
            clean.push(character);
        }
    }
    clean
}

/// Controls, line separators, and what changes the direction of writing (Unicode's
/// `Bidi_Control`) or, as it is deprecated, its shapes (U+206A to U+206F).
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        )
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn whatever_steers_is_written_out_and_nothing_else_is() {
        let bidi =
            "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        for character in bidi.chars().chain("\u{0}\u{1b}\u{7f}\u{9b}\u{2028}\u{2029}\u{206a}\u{206f}".chars())
        {
            let told = clean(&format!("a{character}b"));
            assert_eq!(told, format!("a\\u{{{:x}}}b", u32::from(character)));
        }
        for text in ["é ü 漢字 ‐ – … ▲", "שלום", "\u{200d}", ""] {
            assert_eq!(clean(text), text);
        }
    }
}
