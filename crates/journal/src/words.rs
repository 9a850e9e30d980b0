//! The words of the records' closed sets, each written down once for writing and reading.

/// Gives an enum its words: `as_str` for the writer, `of_word` for the reader.
macro_rules! words {
    ($set:ident { $($variant:ident => $word:literal,)+ }) => {
        impl $set {
            /// The word in the record.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// What the word in a record means; `None` for one of a newer writer.
            #[must_use]
            pub fn of_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use words;
