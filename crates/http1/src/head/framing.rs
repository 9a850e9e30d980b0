//! The values of `Content-Length` and `Transfer-Encoding`.

use crate::Reject;
use crate::grammar::{all, is_token, trim};

/// A transfer coding that a head names.
#[derive(Clone, Copy)]
pub(super) enum Coding {
    /// `chunked`, and nothing else.
    Chunked,
    /// Well-formed, but not one that is served.
    Unknown,
}

/// Digits without sign, list or leading zero: two parties that read `005` or
/// `5, 5` differently would disagree about where the next request begins.
pub(super) fn length(value: &[u8]) -> Option<u64> {
    let plain = match value {
        [] | [b'0', _, ..] => false,
        digits => digits.iter().all(u8::is_ascii_digit),
    };
    if !plain {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}

/// The coding of a `Transfer-Encoding` line.
///
/// *Errors*: [`Reject::EncodingInvalid`] for empty elements, parameters and
/// `chunked` beside `chunked` or before another coding.
///
/// *Source*: RFC 9112 section 6.1.
pub(super) fn coding(value: &[u8]) -> Result<Coding, Reject> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Coding::Chunked);
    }
    let mut chunked = false;
    for element in value.split(|b| *b == b',').map(trim) {
        if chunked || element.is_empty() || !all(element, is_token) {
            return Err(Reject::EncodingInvalid);
        }
        chunked = element.eq_ignore_ascii_case(b"chunked");
    }
    Ok(Coding::Unknown)
}
