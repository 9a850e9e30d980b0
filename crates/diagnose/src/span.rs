//! Spans of time in words.

use std::time::Duration;

/// A span for people.
pub(crate) fn in_words(span: Duration) -> String {
    match span.as_micros() {
        us @ 0..10_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        us @ 10_000..1_000_000 => format!("{} ms", us / 1_000),
        us => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}
