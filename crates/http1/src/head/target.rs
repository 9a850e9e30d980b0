//! The request target.

use repono_core::request::Method;

use crate::Reject;
use crate::grammar::{all, is_target};

const SCHEMES: [&[u8]; 2] = [b"https://", b"http://"];

/// The path and query that a target asks for.
///
/// *Errors*: [`Reject::TargetFragment`], [`Reject::TargetCharacter`],
/// [`Reject::TargetForm`], [`Reject::TargetHost`].
///
/// *Source*: RFC 9112 section 3.2. An absolute form must name the same host as
/// the `Host` field, since parties on the way may have trusted either.
pub(super) fn check<'b>(method: Method, target: &'b [u8], host: Option<&[u8]>) -> Result<&'b [u8], Reject> {
    if memchr::memchr(b'#', target).is_some() {
        return Err(Reject::TargetFragment);
    }
    if !all(target, is_target) {
        return Err(Reject::TargetCharacter);
    }
    match target {
        [b'/', ..] => Ok(target),
        b"*" if method == Method::Options => Ok(target),
        _ => absolute(target, host),
    }
}

fn absolute<'b>(target: &'b [u8], host: Option<&[u8]>) -> Result<&'b [u8], Reject> {
    let scheme = SCHEMES.iter().find(|s| target.get(..s.len()).is_some_and(|t| t.eq_ignore_ascii_case(s)));
    let rest = scheme.and_then(|s| target.get(s.len()..)).ok_or(Reject::TargetForm)?;
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if host.is_none_or(|host| host != authority) {
        return Err(Reject::TargetHost);
    }
    match path {
        [] => Ok(b"/"),
        [b'/', ..] => Ok(path),
        // `http://h?x`: the stored target must be a slice of what was sent.
        _ => Err(Reject::TargetForm),
    }
}
