//! What requests carry besides their bodies: who asks, path segments, filters.

use std::fmt;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use repono_core::name::{AccountName, NameError, UserName};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::office::Who;
use crate::reply::Fault;

/// Who asks, as the kernel told when the connection was made.
pub(crate) struct Peer(pub(crate) Who);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        // Absent only if the routes were served without the socket's own service.
        parts.extensions.get::<Who>().copied().map(Self).ok_or(Fault::INTERNAL)
    }
}

/// The segments of a path, decoded.
pub(super) struct Segments<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments))
            .map_err(|_| Fault::invalid("The path is not UTF-8.", "Encode names with %XX."))
    }
}

/// `?account=NAME`, or everything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    account: Option<String>,
}

impl Filter {
    /// Whether things of this account are wanted.
    pub(super) fn wants(&self, account: &AccountName) -> bool {
        self.account.as_deref().is_none_or(|wanted| wanted == account.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Filter {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        Query::try_from_uri(&parts.uri).map(|Query(filter)| filter).map_err(|_| {
            Fault::invalid("The query has a part other than `account`.", "Such as ?account=demo")
        })
    }
}

/// `ACCOUNT:NAME`, for users and groups.
#[derive(Clone, Debug)]
pub(super) struct Qualified {
    pub(super) account: AccountName,
    pub(super) name: UserName,
}

impl Qualified {
    /// Parses the value of a field or a segment of a path.
    ///
    /// *Errors*: 400, naming the field.
    pub(super) fn parse(text: &str, field: &str) -> Result<Self, Fault> {
        let Some((account, name)) = text.split_once(':') else {
            return Err(Fault::invalid(format!("`{field}` must be ACCOUNT:NAME."), "Such as demo:alice"));
        };
        Ok(Self { account: named(account, field)?, name: named(name, field)? })
    }
}

impl fmt::Display for Qualified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.account, self.name)
    }
}

/// Parses a name.
///
/// *Errors*: 400, naming the field and the rule.
pub(super) fn named<T: FromStr<Err = NameError>>(text: &str, field: &str) -> Result<T, Fault> {
    text.parse().map_err(|error| {
        let hint = "ASCII letters, digits and ._@-, beginning with a letter or digit.";
        Fault::invalid(format!("`{field}`: {error}."), hint)
    })
}
