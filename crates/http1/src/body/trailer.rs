//! The grammar of the trailer section, which is checked and dropped.

use crate::grammar::{is_token, is_value};

/// Where in the trailer section the decoder stands.
///
/// *Source*: RFC 9112 section 7.1.2.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trailer {
    /// At the beginning of a line. To `Name`, `EndLf`.
    LineStart,
    /// In a field name. To `Value`.
    Name,
    /// Behind the colon. To `LineLf`.
    Value,
    /// CR seen behind a field. To `LineStart`.
    LineLf,
    /// CR seen in place of a field. To `End`.
    EndLf,
    /// Behind the section. No exit.
    End,
}

impl Trailer {
    /// The place after `byte`, `None` if it may not stand here.
    pub(super) const fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::LineStart, b'\r') => Some(Self::EndLf),
            (Self::EndLf, b'\n') => Some(Self::End),
            (Self::Name, b':') => Some(Self::Value),
            (Self::Value, b'\r') => Some(Self::LineLf),
            (Self::LineLf, b'\n') => Some(Self::LineStart),
            (Self::LineStart | Self::Name, byte) if is_token(byte) => Some(Self::Name),
            (Self::Value, byte) if is_value(byte) => Some(Self::Value),
            _ => None,
        }
    }
}
