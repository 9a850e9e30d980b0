//! The lines of a head, before their grammar: how they end and how long they are.

use crate::{Limits, Reject};

/// The outcome of [`scan`].
pub(super) struct Lines {
    /// Bytes before the fault or the end; their grammar is still to be checked.
    pub(super) clean: usize,
    /// What stopped the scan.
    pub(super) end: End,
}

/// What stopped a scan.
pub(super) enum End {
    /// The bytes ran out before the empty line.
    Open,
    /// The empty line ends the head.
    Complete,
    /// A line breaks a rule.
    Fault(Reject),
}

/// Walks over the lines up to the empty one, or to the first that ends with a
/// bare LF, is folded, or exceeds a bound.
pub(super) fn scan(buf: &[u8], limits: &Limits) -> Lines {
    let mut start = 0;
    loop {
        // A line of the longest length still needs its CRLF.
        let line_end = start + limits.line_bytes_max + 2;
        let window_end = line_end.min(limits.head_bytes_max);
        let window = buf.get(start..window_end).or_else(|| buf.get(start..)).unwrap_or_default();
        let Some(lf) = memchr::memchr(b'\n', window) else {
            if buf.len() < window_end {
                return Lines { clean: buf.len(), end: End::Open };
            }
            let reject = if limits.head_bytes_max < line_end {
                Reject::HeadTooLong
            } else if start == 0 {
                Reject::TargetTooLong
            } else {
                Reject::FieldTooLong
            };
            return Lines { clean: window_end, end: End::Fault(reject) };
        };
        let end = start + lf;
        if lf == 0 || window.get(lf - 1) != Some(&b'\r') {
            return Lines { clean: end, end: End::Fault(Reject::BareLf) };
        }
        start = end + 1;
        if lf == 1 {
            return Lines { clean: start, end: End::Complete };
        }
        if matches!(buf.get(start), Some(b' ' | b'\t')) {
            return Lines { clean: start, end: End::Fault(Reject::FieldFolded) };
        }
    }
}
