//! What a request asks for: its address, parsed in full before any look-up, with
//! every name decoded exactly once.
//!
//! Addresses in the order in which they are tried: `/v1/…`, a pre-authorized URI,
//! `/info`, `/healthcheck`. Segments are split before they are decoded, so an
//! escaped slash never moves a boundary; what is authorized, stored and read are
//! the names in the [`Target`], never the raw path.
//!
//! *Source*: `swift/proxy/server.py`, `get_controller` and `handle_request`.

mod preauth;
#[cfg(test)]
mod tests;

use repono_core::name::{AccountName, ContainerName, NameError, ObjectKey};
use repono_core::refusal::Refusal;
use repono_core::request::RequestHead;

pub use crate::native::preauth::PreauthTarget;
use crate::percent;
use crate::refusals::{
    BAD_API_VERSION, BAD_URL, INVALID_KEY, INVALID_URI, INVALID_UTF8, KEY_TOO_LONG, NOT_FOUND,
};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// The native interface.
    Native(Target),
    /// A link that carries its own right.
    Preauth(PreauthTarget<'a>),
    /// `/info`: the limits.
    Info,
    /// `/healthcheck`: whether this head takes requests.
    Healthcheck,
    /// None of these: left to the S3 interface.
    Unknown,
}

/// What a native request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `/v1/{account}`
    Account {
        /// The tenant.
        account: AccountName,
    },
    /// `/v1/{account}/{container}`
    Container {
        /// The tenant.
        account: AccountName,
        /// The name space.
        container: ContainerName,
    },
    /// `/v1/{account}/{container}/{key…}`
    Object {
        /// The tenant.
        account: AccountName,
        /// The name space.
        container: ContainerName,
        /// The object's name.
        key: ObjectKey,
    },
}

impl Target {
    /// The account of any target.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        match self {
            Self::Account { account } | Self::Container { account, .. } | Self::Object { account, .. } => {
                account
            }
        }
    }

    /// The address in plain text, every name decoded: what the scope of a ticket is
    /// held against.
    #[must_use]
    pub fn plain_path(&self) -> String {
        match self {
            Self::Account { account } => format!("/v1/{account}"),
            Self::Container { account, container } => format!("/v1/{account}/{container}"),
            Self::Object { account, container, key } => format!("/v1/{account}/{container}/{key}"),
        }
    }

    /// Appends the path that [`route`] reads as this target.
    pub fn append_path(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"/v1/");
        percent::encode_segment(self.account().as_str(), out);
        match self {
            Self::Account { .. } => {}
            Self::Container { container, .. } => append_container(container, out),
            Self::Object { container, key, .. } => {
                append_container(container, out);
                out.push(b'/');
                percent::encode_path(key.as_str(), out);
            }
        }
    }
}

fn append_container(container: &ContainerName, out: &mut Vec<u8>) {
    out.push(b'/');
    percent::encode_segment(container.as_str(), out);
}

/// Reads the address of a request.
///
/// *Errors*: 404 for an empty account or container, 412 `BadUrl` without an
/// account, 412 `InvalidUtf8`, 400 `InvalidKey`, `KeyTooLongError`, `InvalidURI`
/// and `InvalidApiVersion` (`/v2/…`); for whatever carries a pre-authorization
/// and is not exactly one, a single 403, or 400 when other credentials came along.
///
/// *Cost*: one allocation for each name.
pub fn route(head: &RequestHead) -> Result<Route<'_>, Refusal> {
    let Some(path) = head.path().strip_prefix(b"/") else {
        return Ok(Route::Unknown);
    };
    let (first, rest) = split_segment(path);
    match first {
        b"v1" | b"v1.0" => return native_target(rest).map(Route::Native),
        version if names_a_version(version) => return Err(BAD_API_VERSION),
        _other => {}
    }
    if let Some(attempt) = preauth::recognise(head, first, rest) {
        return attempt.map(Route::Preauth);
    }
    Ok(match path {
        b"info" => Route::Info,
        b"healthcheck" => Route::Healthcheck,
        _other => Route::Unknown,
    })
}

/// `v2`, `v1.5` and the like; `v2-photos` may be a bucket of the S3 interface.
fn names_a_version(segment: &[u8]) -> bool {
    matches!(segment, [b'v', digit, rest @ ..]
        if digit.is_ascii_digit() && rest.iter().all(|b| b.is_ascii_digit() || *b == b'.'))
}

fn native_target(rest: Option<&[u8]>) -> Result<Target, Refusal> {
    let Some(rest) = meaningful(rest) else {
        return Err(BAD_URL);
    };
    let (account, rest) = split_segment(rest);
    let account = name(account, AccountName::new)?;
    let Some(rest) = meaningful(rest) else {
        return Ok(Target::Account { account });
    };
    let (container, rest) = split_segment(rest);
    let container = name(container, ContainerName::new)?;
    let Some(key) = meaningful(rest) else {
        return Ok(Target::Container { account, container });
    };
    let key = name(key, ObjectKey::new)?;
    Ok(Target::Object { account, container, key })
}

/// The account that an address names, whatever else it names.
#[must_use]
pub fn account(head: &RequestHead) -> Option<AccountName> {
    let (version, rest) = split_segment(head.path().strip_prefix(b"/")?);
    match version {
        b"v1" | b"v1.0" => name(split_segment(rest?).0, AccountName::new).ok(),
        _other => None,
    }
}

/// The names of an object in a list or a header that was decoded as a whole.
///
/// *Errors*: as [`route`].
pub(crate) fn object_names(container: &[u8], key: &[u8]) -> Result<(ContainerName, ObjectKey), Refusal> {
    Ok((decoded(container, ContainerName::new)?, decoded(key, ObjectKey::new)?))
}

/// What follows a segment, unless it is only a trailing slash.
fn meaningful(rest: Option<&[u8]>) -> Option<&[u8]> {
    rest.filter(|rest| !rest.is_empty())
}

/// The first segment, and what follows its slash when there is one.
fn split_segment(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = path.splitn(2, |b| *b == b'/');
    (parts.next().unwrap_or_default(), parts.next())
}

fn name<N>(raw: &[u8], new: impl FnOnce(&[u8]) -> Result<N, NameError>) -> Result<N, Refusal> {
    decoded(&percent::decode(raw).map_err(|percent::MalformedEscape| INVALID_URI)?, new)
}

pub(crate) fn decoded<N>(
    plain: &[u8],
    new: impl FnOnce(&[u8]) -> Result<N, NameError>,
) -> Result<N, Refusal> {
    new(plain).map_err(|error| match error {
        NameError::Empty => NOT_FOUND,
        NameError::Encoding => INVALID_UTF8,
        NameError::TooLong { .. } => KEY_TOO_LONG,
        NameError::Character | NameError::DotSegment => INVALID_KEY,
    })
}
