//! Swift's v1 log-in: user and secret in, a token and the address of the account
//! out, all in header fields.
//!
//! The token is a ticket in its one-string form, with the longest life there is: a
//! client of this kind logs in again when it is refused, and not before. Each log-in
//! gets one of its own: nothing is kept here that could be handed out twice, and
//! each stays revocable by itself. Its application is the configured one.
//!
//! Failures count and are recorded as those of `POST /v1/tickets`. What cannot be
//! read as a log-in is refused as a wrong one is: clients of this kind understand a
//! 401 alone.
//!
//! *Source*: OpenStack Swift, `swift/common/middleware/tempauth.py`; python-swiftclient
//! and rclone ask like this.

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use rand::{SeedableRng, rngs::StdRng};
use repono_core::name::{AccountName, UserName};
use repono_core::time::Timestamp;
use repono_journal::Stamp;
use repono_ticket::{Life, Ticket};

use crate::config::SwiftLogin;
use crate::desk::{Desk, LogIn, Moment, Through};
use crate::door::{Caller, Door};
use crate::reply::Fault;
use crate::secret::Secret;

/// The scheme that clients of this kind know; the realm names no account.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Swift realm=\"repono\"");

/// The two names of each field.
const USER: [&str; 2] = ["x-auth-user", "x-storage-user"];
const KEY: [&str; 2] = ["x-auth-key", "x-storage-pass"];

const NOT_SERVED: Fault = Fault::new(
    StatusCode::NOT_FOUND,
    "NotFound",
    "Swift's log-in is not served here.",
    "Tickets are vended by POST /v1/tickets; `swift_login` in the configuration serves this one.",
);
const UNREADABLE: Fault = Fault::new(
    StatusCode::UNAUTHORIZED,
    "Unauthorized",
    "The log-in does not name one user and one secret.",
    "Send X-Auth-User: ACCOUNT:USER and X-Auth-Key, each once.",
);

/// `GET /auth/v1.0`: `X-Auth-User: account:user`.
pub(crate) async fn log_in(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response<Body> {
    answer(&door, caller, &headers, None).await
}

/// `GET /auth/v1/ACCOUNT/auth`: the user may stand without the account.
pub(crate) async fn log_in_to(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    answer(&door, caller, &headers, Some(&account)).await
}

async fn answer(door: &Door, caller: Caller, headers: &HeaderMap, account: Option<&str>) -> Response<Body> {
    let Some(swift) = &door.swift else { return NOT_SERVED.into_response() };
    vend(&door.desk, swift, caller, headers, account).await.unwrap_or_else(|fault| {
        let challenged = fault.status == StatusCode::UNAUTHORIZED;
        let mut response = fault.into_response();
        if challenged {
            response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        response
    })
}

async fn vend(
    desk: &Desk,
    swift: &SwiftLogin,
    caller: Caller,
    headers: &HeaderMap,
    account: Option<&str>,
) -> Result<Response<Body>, Fault> {
    let now = Moment { stamp: Stamp::now(), unix_s: Timestamp::now().unix_seconds() };
    let Some(shown) = Shown::read(headers, account) else {
        let named = one(headers, USER).unwrap_or_default();
        desk.record(named, swift.application.as_str(), caller.source, now.stamp, Err(&UNREADABLE));
        return Err(UNREADABLE);
    };
    let asked = LogIn {
        user: &shown.user,
        secret: &shown.secret,
        through: Through::Configured(&swift.application),
        life_s: Some(Life::MAX.seconds()),
        scope: None,
    };
    let mut random = StdRng::from_rng(&mut rand::rng());
    let ticket = desk.issue(&asked, caller.source, now, &mut random).await?;
    granted(&ticket, now, &swift.storage_url.of_account(&shown.account))
}

fn granted(ticket: &Ticket, now: Moment, storage_url: &str) -> Result<Response<Body>, Fault> {
    let token = ticket.token();
    let left = ticket.expiry().saturating_sub(now.unix_s).to_string();
    let mut response = Response::new(Body::empty());
    for (name, value) in [
        ("x-auth-token", token.as_str()),
        ("x-storage-token", &token),
        ("x-auth-token-expires", &left),
        ("x-storage-url", storage_url),
    ] {
        let value = HeaderValue::from_str(value).map_err(|_| Fault::INTERNAL)?;
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A log-in whose form is right.
struct Shown {
    account: AccountName,
    /// `account:user`.
    user: String,
    secret: Secret,
}

impl Shown {
    /// `account` is that of the path, which the user's must be.
    fn read(headers: &HeaderMap, account: Option<&str>) -> Option<Self> {
        let user = one(headers, USER)?;
        let (named, user) = match (account, user.split_once(':')) {
            (Some(account), Some((named, _))) if named != account => return None,
            (None, None) => return None,
            (Some(_) | None, Some((named, user))) => (named, user),
            (Some(account), None) => (account, user),
        };
        let (account, user): (AccountName, UserName) = (named.parse().ok()?, user.parse().ok()?);
        let secret = Secret::presented(one(headers, KEY)?);
        let user = format!("{account}:{user}");
        (!secret.is_too_long()).then_some(Self { account, user, secret })
    }
}

/// The one value of a field that has two names. UTF-8: people choose secrets that
/// are more than ASCII, and clients send them so.
fn one<'h>(headers: &'h HeaderMap, names: [&str; 2]) -> Option<&'h str> {
    let mut values = names.into_iter().flat_map(|name| headers.get_all(name));
    match (values.next(), values.next()) {
        (Some(value), None) => str::from_utf8(value.as_bytes()).ok(),
        (None, _) | (Some(_), Some(_)) => None,
    }
}
