//! Short header values, formatted on the stack.

use std::fmt;

/// The longest value is a metadata name of 17 + 128 bytes.
const BYTES: usize = 160;

/// Formatted text of at most 160 bytes; what goes beyond is left out.
pub(crate) struct Scratch {
    bytes: [u8; BYTES],
    len: usize,
}

impl Scratch {
    /// The text of a value.
    pub(crate) fn of(value: fmt::Arguments<'_>) -> Self {
        let mut scratch = Self { bytes: [0; BYTES], len: 0 };
        let fitted = fmt::Write::write_fmt(&mut scratch, value);
        debug_assert!(fitted.is_ok(), "every value that is formatted here is shorter than {BYTES} bytes");
        scratch
    }

    /// The text, as bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Write for Scratch {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
