//! The gate before everything that is not for everybody. It decides by the method what a
//! request needs: whatever is not GET or HEAD changes something, so that a route that is
//! added behind it is an operator's unless it only tells.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::header::{COOKIE, HOST, HeaderMap, LOCATION, ORIGIN};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use axum::middleware::Next;

use super::Door;
use super::refusal::{self, denied, refused};
use crate::access::credential::Credential;
use crate::access::{Denial, Need, Visitor};
use crate::connection::Caller;

/// The session's cookie: `__Host-` binds it to this very host, over TLS, for every path.
pub(super) const COOKIE_NAME: &str = "__Host-repono";
const CSRF: &str = "x-csrf-token";

/// Lets a request pass with a [`Visitor`], or answers instead.
pub(super) async fn keep(
    State(door): State<Door>,
    Extension(Caller(source)): Extension<Caller>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let need = match *request.method() {
        Method::GET | Method::HEAD => Need::View,
        _ => Need::Operate,
    };
    match visitor(&door, request.headers(), need, source).await {
        Ok(visitor) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(Refused::Foreign) => refused(StatusCode::FORBIDDEN, refusal::ORIGIN),
        Err(Refused::Denied(Denial::Unauthorized)) if request.uri().path() == "/" => to("/login"),
        Err(Refused::Denied(denial)) => denied(denial),
    }
}

/// Why a request does not pass.
pub(super) enum Refused {
    /// It would change something, and another site's page sent it.
    Foreign,
    Denied(Denial),
}

impl From<Denial> for Refused {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// Who asks, if they may.
pub(super) async fn visitor(
    door: &Door,
    headers: &HeaderMap,
    need: Need,
    source: IpAddr,
) -> Result<Visitor, Refused> {
    let ticket = Credential::shown(headers).map_err(|_| Denial::Unauthorized)?;
    // A ticket by itself proves who asks: a script sends no origin.
    let told = if ticket.is_some() { headers.contains_key(ORIGIN) } else { cookie(headers).is_some() };
    if need == Need::Operate && told && !is_own(headers) {
        return Err(Refused::Foreign);
    }
    Ok(match ticket {
        Some(ticket) => door.access.by_ticket(&ticket, need, source).await?,
        None => by_cookie(door, headers, need, source).await?,
    })
}

async fn by_cookie(door: &Door, headers: &HeaderMap, need: Need, source: IpAddr) -> Result<Visitor, Denial> {
    let cookie = cookie(headers).ok_or(Denial::Unauthorized)?;
    let csrf = headers.get(CSRF).and_then(|value| value.to_str().ok());
    door.access.by_session(cookie, csrf, need, source).await
}

/// Sends the browser there.
pub(super) fn to(place: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(place));
    response
}

/// The session's cookie; none where two stand, of which one is not ours.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value);
    ours.next().filter(|_| ours.next().is_none())
}

/// Whether a page of this very origin sent the request: every browser says so with
/// whatever is not GET or HEAD (Fetch standard, `Origin`), and newer ones twice.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
    };
    let (Some(origin), Some(host)) = (one(ORIGIN.as_str()), one(HOST.as_str())) else { return false };
    let same = origin.strip_prefix("https://").is_some_and(|origin| origin.eq_ignore_ascii_case(host));
    let site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    same && site
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::{cookie, is_own};

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(pair).collect()
    }

    #[test]
    fn only_our_own_page_is_our_own() {
        let host = ("host", "monitor:7445");
        assert!(is_own(&headers(&[host, ("origin", "https://monitor:7445")])));
        assert!(is_own(&headers(&[
            host,
            ("origin", "https://MONITOR:7445"),
            ("sec-fetch-site", "same-origin")
        ])));
        for foreign in [
            &[host][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://monitor:7445")],
            &[host, ("origin", "https://monitor")],
            &[host, ("origin", "https://monitor:7445.evil.example")],
            &[host, ("origin", "https://monitor:7445"), ("sec-fetch-site", "same-site")],
            &[("origin", "https://monitor:7445")],
        ] {
            assert!(!is_own(&headers(foreign)), "{foreign:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_and_never_doubtful() {
        let of = |line| cookie(&headers(&[("cookie", line)])).map(str::to_owned);
        assert_eq!(of("a=b; __Host-repono=x; c=d").as_deref(), Some("x"));
        assert_eq!(of("__Host-repono=x; __Host-repono=y"), None);
        assert_eq!(of("repono=x; x__Host-repono=y"), None);
    }
}
