//! The grammar of chunk extensions, which are checked and ignored.

use crate::grammar::is_token;

/// Where in the extensions of a chunk the decoder stands.
///
/// *Source*: RFC 9112 section 7.1.1, without the white space that senders must
/// not make, and with ASCII only in quoted strings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extension {
    /// Behind `;`. To `Name`.
    NameStart,
    /// In a name. To `NameStart`, `ValueStart`, the end.
    Name,
    /// Behind `=`. To `Value`, `Quoted`.
    ValueStart,
    /// In a token. To `NameStart`, the end.
    Value,
    /// In a quoted string. To `Escaped`, `Unquoted`.
    Quoted,
    /// Behind a backslash. To `Quoted`.
    Escaped,
    /// Behind the closing quote. To `NameStart`, the end.
    Unquoted,
}

impl Extension {
    /// Whether the line may end here.
    pub(super) const fn may_end(self) -> bool {
        match self {
            Self::Name | Self::Value | Self::Unquoted => true,
            Self::NameStart | Self::ValueStart | Self::Quoted | Self::Escaped => false,
        }
    }

    /// The place after `byte`, `None` if it may not stand here.
    pub(super) const fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Name | Self::Value | Self::Unquoted, b';') => Some(Self::NameStart),
            (Self::Name, b'=') => Some(Self::ValueStart),
            (Self::ValueStart, b'"') => Some(Self::Quoted),
            (Self::Quoted, b'"') => Some(Self::Unquoted),
            (Self::Quoted, b'\\') => Some(Self::Escaped),
            (Self::Quoted | Self::Escaped, b'\t' | b' '..=b'~') => Some(Self::Quoted),
            (Self::NameStart | Self::Name, byte) if is_token(byte) => Some(Self::Name),
            (Self::ValueStart | Self::Value, byte) if is_token(byte) => Some(Self::Value),
            _ => None,
        }
    }
}
