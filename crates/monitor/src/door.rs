//! The interface: the page and its two files, `/api/v1/…`, `/metrics`, `/healthcheck`.

mod board;
mod compare;
mod connections;
mod timeline;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response, StatusCode};
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router, body::Body};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ask::Latest;
use crate::collector::SharedBoard;
use crate::heads::{Freshness, HeadStatus};
use crate::limits::KEEP_ALIVE_ADVERTISED;
use crate::metrics;

pub(crate) use connections::Grids;

/// Nothing but our own script, style and interface; no frame around them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Stamped on every reply. Nothing is stored: a state is worth a second.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("keep-alive"), KEEP_ALIVE_ADVERTISED),
];

/// What the routes share.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) name: Arc<str>,
    pub(crate) latest: watch::Receiver<Latest>,
    /// What the journals tell; `None` where none are followed.
    pub(crate) board: Option<SharedBoard>,
    pub(crate) grids: Grids,
}

#[derive(Serialize)]
struct Heads<'a> {
    monitor: &'a str,
    age_ms: u64,
    freshness: Freshness,
    heads: &'a [HeadStatus],
}

/// What a caller is told instead: `{"error":{"code":…,"message":…,"hint":…}}`.
#[derive(Serialize)]
struct Refusal {
    code: &'static str,
    message: &'static str,
    hint: &'static str,
}

const UNKNOWN: Refusal = Refusal {
    code: "ServiceUnavailable",
    message: "The balancer has not answered yet.",
    hint: "Try again in a second; the monitor's log says why it did not.",
};
const NOT_FOUND: Refusal = Refusal {
    code: "NotFound",
    message: "There is nothing under this path.",
    hint: "The page is /, the metrics are /metrics.",
};
const METHOD: Refusal = Refusal {
    code: "MethodNotAllowed",
    message: "The path does not have this method.",
    hint: "The Allow header names those that it has.",
};

/// The routes.
pub(crate) fn routes(door: Door) -> Router {
    let file = |media: &'static str, text: &'static str| get(async move || ([(CONTENT_TYPE, media)], text));
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("page/index.html")))
        .route("/monitor.js", file("text/javascript; charset=utf-8", include_str!("page/monitor.js")))
        .route("/monitor.css", file("text/css; charset=utf-8", include_str!("page/monitor.css")))
        .route("/api/v1/heads", get(heads))
        .route("/api/v1/series", get(board::series))
        .route("/api/v1/slowest", get(board::slowest))
        .route("/api/v1/closes", get(board::closes))
        .route("/api/v1/changes", get(board::changes))
        .route("/api/v1/compare", get(compare::compare))
        .route("/api/v1/connection/{id}", get(timeline::connection))
        .route("/api/v1/connections", get(connections::connections))
        .route("/metrics", get(scrape))
        .route("/healthcheck", get(async || "OK\n"))
        .fallback(async || refused(StatusCode::NOT_FOUND, NOT_FOUND))
        .method_not_allowed_fallback(async || refused(StatusCode::METHOD_NOT_ALLOWED, METHOD))
        .layer(map_response(stamped))
        .with_state(door)
}

async fn heads(State(door): State<Door>) -> Response<Body> {
    let latest = door.latest.borrow().clone();
    let Some(answer) = latest else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, UNKNOWN);
    };
    let now = Instant::now();
    let heads = Heads {
        monitor: &door.name,
        age_ms: u64::try_from(answer.age(now).as_millis()).unwrap_or(u64::MAX),
        freshness: answer.freshness(now),
        heads: &answer.heads,
    };
    Json(heads).into_response()
}

async fn scrape(State(door): State<Door>) -> impl IntoResponse {
    let latest = door.latest.borrow().clone();
    let mut text = metrics::text(latest.as_deref(), Instant::now());
    if let Some(board) = &door.board {
        text.push_str(&metrics::board::text(&board.lock()));
    }
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}

fn refused(status: StatusCode, refusal: Refusal) -> Response<Body> {
    #[derive(Serialize)]
    struct Shape {
        error: Refusal,
    }
    (status, Json(Shape { error: refusal })).into_response()
}

async fn stamped(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
