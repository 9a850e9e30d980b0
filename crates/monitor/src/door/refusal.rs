//! What a caller is told instead: `{"error":{"code":…,"message":…,"hint":…}}`.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::{Json, body};
use serde::Serialize;

use crate::access::Denial;

/// One reason, in fixed words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: &'static str,
    pub(super) hint: &'static str,
}

pub(super) const NOT_FOUND: Refusal = Refusal {
    code: "NotFound",
    message: "There is nothing under this path.",
    hint: "The page is /, the metrics are /metrics.",
};
pub(super) const METHOD: Refusal = Refusal {
    code: "MethodNotAllowed",
    message: "The path does not have this method.",
    hint: "The Allow header names those that it has.",
};
pub(super) const ORIGIN: Refusal = Refusal {
    code: "ForeignOrigin",
    message: "The request does not come from this page.",
    hint: "Send Origin: https:// and the Host; scripts send a ticket and no cookie.",
};
const UNAUTHORIZED: Refusal = Refusal {
    code: "Unauthorized",
    message: "A valid ticket or session is required.",
    hint: "Log in at /login, or send the headers of a ticket.",
};
const FORBIDDEN: Refusal = Refusal {
    code: "AccessDenied",
    message: "Access is denied.",
    hint: "A policy of the user must allow repono:ViewMonitor to look, repono:OperateMonitor to change.",
};
const CSRF: Refusal = Refusal {
    code: "CsrfToken",
    message: "The session's own token did not come with the request.",
    hint: "Send X-CSRF-Token with `csrf` of /api/v1/session.",
};
const LIMITED: Refusal = Refusal {
    code: "TooManyFailedLogins",
    message: "Too many log-ins have failed from this source.",
    hint: "Wait as long as Retry-After says.",
};
const UNAVAILABLE: Refusal = Refusal {
    code: "ServiceUnavailable",
    message: "The vending service does not answer, so nobody can be let in.",
    hint: "Try again; the monitor's log says why.",
};
const NO_VENDING: Refusal = Refusal {
    code: "NoVending",
    message: "The monitor knows no vending service that could look at a ticket.",
    hint: "Name one under `vending` and `ca` in its configuration.",
};

/// The status and the words of a denial.
pub(super) const fn told(denial: Denial) -> (StatusCode, Refusal) {
    match denial {
        Denial::Unauthorized => (StatusCode::UNAUTHORIZED, UNAUTHORIZED),
        Denial::Forbidden => (StatusCode::FORBIDDEN, FORBIDDEN),
        Denial::Csrf => (StatusCode::FORBIDDEN, CSRF),
        Denial::Limited(_) => (StatusCode::TOO_MANY_REQUESTS, LIMITED),
        Denial::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
        Denial::NoVending => (StatusCode::SERVICE_UNAVAILABLE, NO_VENDING),
    }
}

/// A denial as a reply.
pub(super) fn denied(denial: Denial) -> Response<Body> {
    let (status, refusal) = told(denial);
    let mut response = refused(status, refusal);
    advise(&mut response, denial);
    response
}

/// Adds the header fields that go with a denial.
pub(super) fn advise(response: &mut Response<body::Body>, denial: Denial) {
    let headers = response.headers_mut();
    match denial {
        Denial::Unauthorized => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Repono realm=\"repono\""));
        }
        Denial::Limited(wait) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        Denial::Forbidden | Denial::Csrf | Denial::Unavailable | Denial::NoVending => {}
    }
}

/// Whole seconds, rounded up.
fn seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// A refusal as a reply.
pub(super) fn refused(status: StatusCode, refusal: Refusal) -> Response<Body> {
    #[derive(Serialize)]
    struct Shape {
        error: Refusal,
    }
    (status, Json(Shape { error: refusal })).into_response()
}
