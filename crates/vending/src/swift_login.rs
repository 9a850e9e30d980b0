//! Swift's v1 log-in: user and secret in, a token and the address of the account
//! out, all in header fields.
//!
//! The token is a ticket in its one-string form, with the longest life there is: a
//! client of this kind logs in again when it is refused, and not before. Each log-in
//! gets one of its own: nothing is kept here that could be handed out twice, and
//! each stays revocable by itself.
//!
//! *Source*: OpenStack Swift, TempAuth; python-swiftclient and rclone ask like this.

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use rand::{SeedableRng, rngs::StdRng};
use repono_core::time::Timestamp;
use repono_journal::Stamp;
use repono_ticket::Life;

use crate::desk::{LogIn, Moment};
use crate::door::{Caller, Door};
use crate::reply::Fault;
use crate::secret::Secret;

const NOT_SERVED: Fault = Fault::new(
    StatusCode::NOT_FOUND,
    "NotFound",
    "Swift's log-in is not served here.",
    "Tickets are vended by POST /v1/tickets; `swift_login` in the configuration serves this one.",
);
const INCOMPLETE: Fault = Fault::new(
    StatusCode::UNAUTHORIZED,
    "Unauthorized",
    "The log-in names no user or no secret.",
    "Send X-Auth-User: ACCOUNT:USER and X-Auth-Key, each once.",
);

/// `GET /auth/v1.0`: `X-Auth-User: account:user`.
pub(crate) async fn log_in(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response<Body>, Fault> {
    let user = one(&headers, "x-auth-user", "x-storage-user")?.to_owned();
    vend(&door, caller, &user, &headers).await
}

/// `GET /auth/v1/ACCOUNT/auth`: the user may stand without the account.
pub(crate) async fn log_in_to(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Response<Body>, Fault> {
    let user = one(&headers, "x-auth-user", "x-storage-user")?;
    let user = match user.split_once(':') {
        Some((named, user)) if named == account => user,
        Some(_) => return Err(INCOMPLETE),
        None => user,
    };
    vend(&door, caller, &format!("{account}:{user}"), &headers).await
}

async fn vend(door: &Door, caller: Caller, user: &str, headers: &HeaderMap) -> Result<Response<Body>, Fault> {
    let swift = door.swift.as_ref().ok_or(NOT_SERVED)?;
    let secret = Secret::presented(one(headers, "x-auth-key", "x-storage-pass")?);
    let now = Moment { stamp: Stamp::now(), unix_s: Timestamp::now().unix_seconds() };
    let asked = LogIn {
        user,
        secret: &secret,
        application: &swift.application,
        application_secret: None,
        life_s: Some(Life::MAX.seconds()),
        scope: None,
    };
    let mut random = StdRng::from_rng(&mut rand::rng());
    let ticket = door.desk.issue(&asked, caller.source, now, &mut random).await?;
    let account = user.split(':').next().unwrap_or_default();
    let storage_url = format!("{}/v1/{account}", swift.storage_url.trim_end_matches('/'));
    let token = ticket.token();
    let left = ticket.expiry().saturating_sub(now.unix_s).to_string();
    let mut response = Response::new(Body::empty());
    for (name, value) in [
        ("x-auth-token", &token),
        ("x-storage-token", &token),
        ("x-auth-token-expires", &left),
        ("x-storage-url", &storage_url),
    ] {
        // An account's name and a base64 token are visible ASCII or UTF-8.
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| Fault::INTERNAL)?;
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The one value of a field that has two names.
fn one<'h>(headers: &'h HeaderMap, name: &str, alias: &str) -> Result<&'h str, Fault> {
    let mut values = headers.get_all(name).iter().chain(headers.get_all(alias));
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| INCOMPLETE),
        (None, _) | (Some(_), Some(_)) => Err(INCOMPLETE),
    }
}
