//! The address of a pre-authorized URI: `/{account}/{handle}/{file name}?token=PREA_{token}`.

use std::fmt;

use repono_core::name::AccountName;
use repono_core::refusal::Refusal;
use repono_core::request::{Method, RequestHead};

use crate::native::split_segment;
use crate::percent;
use crate::refusals::{ACCESS_DENIED, AMBIGUOUS_CREDENTIALS};

/// Digits of a handle and of a token: 28 bytes each.
const HEX_DIGITS: usize = 56;
const PARAMETER: &[u8] = b"token=";
const TOKEN_MARK: &[u8] = b"PREA_";

/// The parts of a pre-authorized URI, unchecked: only their form is certain.
///
/// *Shape*: handle and token are 56 lower-case hex digits. `Debug` leaves the
/// token out: it is a credential.
#[derive(Clone, PartialEq, Eq)]
pub struct PreauthTarget<'a> {
    /// The tenant in the path.
    pub account: AccountName,
    /// The public claims, in hex.
    pub handle: &'a [u8],
    /// The file name, decoded; the token covers it.
    pub file_name: String,
    /// The secret part, in hex, without `PREA_`.
    pub token: &'a [u8],
}

impl fmt::Debug for PreauthTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreauthTarget")
            .field("account", &self.account)
            .field("file_name", &self.file_name)
            .finish_non_exhaustive()
    }
}

/// Reads a pre-authorized URI, or `None` when the request is not one and does not
/// try to be.
///
/// An attempt is any parameter `token=PREA_…`, or any parameter `token` on a path
/// of the right shape. What is not exactly right about an attempt gets the same
/// 403, so that nothing can be learned by varying it.
pub(super) fn recognise<'a>(
    head: &'a RequestHead,
    account: &'a [u8],
    rest: Option<&'a [u8]>,
) -> Option<Result<PreauthTarget<'a>, Refusal>> {
    let query = head.query()?;
    let path = Path::read(account, rest);
    attempted(query, path.is_some()).then(|| {
        if has_credentials(head) {
            return Err(AMBIGUOUS_CREDENTIALS);
        }
        path.and_then(|path| target(head.method(), path, query)).ok_or(ACCESS_DENIED)
    })
}

struct Path<'a> {
    account: &'a [u8],
    handle: &'a [u8],
    file_name: &'a [u8],
}

impl<'a> Path<'a> {
    fn read(account: &'a [u8], rest: Option<&'a [u8]>) -> Option<Self> {
        let (handle, file_name) = split_segment(rest?);
        let file_name = file_name?;
        is_hex(handle).then_some(Self { account, handle, file_name })
    }
}

fn attempted(query: &[u8], path_fits: bool) -> bool {
    query.split(|b| *b == b'&').any(|parameter| {
        let value = parameter.strip_prefix(PARAMETER);
        value.is_some_and(|value| path_fits || value.starts_with(TOKEN_MARK))
    })
}

fn target<'a>(method: Method, path: Path<'a>, query: &'a [u8]) -> Option<PreauthTarget<'a>> {
    let token = query.strip_prefix(PARAMETER)?.strip_prefix(TOKEN_MARK).filter(|token| is_hex(token))?;
    match method {
        Method::Get | Method::Head => {}
        Method::Put | Method::Post | Method::Delete | Method::Copy | Method::Options => return None,
    }
    let account = AccountName::new(&percent::decode(path.account).ok()?).ok()?;
    let file_name = String::from_utf8(percent::decode(path.file_name).ok()?.into_owned()).ok()?;
    Some(PreauthTarget { account, handle: path.handle, file_name, token })
}

/// Lower case only: one URI has one spelling.
fn is_hex(text: &[u8]) -> bool {
    text.len() == HEX_DIGITS && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A caller who holds a link and a ticket must say which one counts: deciding for
/// him has been a way around checks.
fn has_credentials(head: &RequestHead) -> bool {
    head.fields().any(|(name, _)| {
        let auth = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"x-auth-"));
        auth || name.eq_ignore_ascii_case(b"authorization") || name.eq_ignore_ascii_case(b"x-storage-token")
    })
}
