//! The interface: the page and its files, `/login`, `/api/v1/…`, `/metrics`,
//! `/healthcheck`. Routes stand on one of two sides of the gate: `closed` are for those
//! who are logged in, and what there is not GET or HEAD for operators alone.

mod aside;
mod board;
mod compare;
mod connections;
mod findings;
mod gate;
mod har;
pub(crate) mod live;
mod log_in;
mod operate;
mod path;
mod refusal;
mod timeline;

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use axum::{Json, Router, body::Body};
use repono_journal::Stamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::access::Access;
use crate::ask::Latest;
use crate::board::Traffic;
use crate::collector::SharedBoard;
use crate::diagnosis::Told;
use crate::export::Counts;
use crate::heads::{Freshness, HeadStatus};
use crate::limits::KEEP_ALIVE_ADVERTISED;
use crate::metrics::{self, Form};
use crate::page;

pub(crate) use aside::Aside;
pub(crate) use connections::Grids;
use live::Live;
use refusal::{Refusal, refused};

/// Nothing but our own scripts, styles, image and interface; no frame around them, and
/// no text that becomes a script or markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// Stamped on every reply that does not say otherwise. Nothing is stored: a state is
/// worth a second.
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
    /// The verdict and what it is of.
    pub(crate) findings: Told,
    pub(crate) live: Live,
    /// The balancer's administrators' socket.
    pub(crate) balancer: Arc<Path>,
    pub(crate) access: Arc<Access>,
    /// The path that is probed; `None` where none is.
    pub(crate) path: Option<crate::path::Path>,
    /// What became of spans; `None` where none are sent.
    pub(crate) exported: Option<Arc<Counts>>,
    pub(crate) grids: Grids,
    pub(crate) aside: Aside,
}

#[derive(Serialize)]
struct Heads<'a> {
    monitor: &'a str,
    age_ms: u64,
    freshness: Freshness,
    heads: Vec<Head<'a>>,
}

/// What the balancer says of a head, and what its journal tells.
#[derive(Serialize)]
struct Head<'a> {
    #[serde(flatten)]
    status: &'a HeadStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<Traffic>,
}

const UNKNOWN: Refusal = Refusal {
    code: "ServiceUnavailable",
    message: "The balancer has not answered yet.",
    hint: "Try again in a second; the monitor's log says why it did not.",
};

/// The routes.
pub(crate) fn routes(door: Door) -> Router {
    open()
        .merge(closed().route_layer(from_fn_with_state(door.clone(), gate::keep)))
        .fallback(async || refused(StatusCode::NOT_FOUND, refusal::NOT_FOUND))
        .method_not_allowed_fallback(async || refused(StatusCode::METHOD_NOT_ALLOWED, refusal::METHOD))
        .layer(map_response(stamped))
        .with_state(door)
}

/// For everybody: nothing here tells of a request or a user.
fn open() -> Router<Door> {
    Router::new()
        .merge(page::files())
        .route("/login", get(log_in::page).post(log_in::log_in))
        .route("/logout", post(log_in::log_out))
        .route("/metrics", get(scrape))
        .route("/healthcheck", get(async || "OK\n"))
}

/// For those who are logged in.
fn closed() -> Router<Door> {
    Router::new()
        .route("/", get(async || Html(page::shell().into_string())))
        .route("/api/v1/session", get(log_in::session))
        .route("/api/v1/heads", get(heads))
        .route("/api/v1/events", get(live::events))
        .route("/api/v1/heads/{name}/drain", post(operate::drain))
        .route("/api/v1/heads/{name}/ready", post(operate::ready))
        .route("/api/v1/heads/{name}/weight/{weight}", post(operate::weight))
        .route("/api/v1/heads/{name}/only", post(operate::only))
        .route("/api/v1/heads/only/off", post(operate::only_off))
        .route("/api/v1/path/probe", post(path::probe))
        .route("/api/v1/series", get(board::series))
        .route("/api/v1/heatmap", get(board::heatmap))
        .route("/api/v1/slowest", get(board::slowest))
        .route("/api/v1/slowest.har", get(board::slowest_har))
        .route("/api/v1/closes", get(board::closes))
        .route("/api/v1/changes", get(board::changes))
        .route("/api/v1/findings", get(findings::findings))
        .route("/api/v1/compare", get(compare::compare))
        .route("/api/v1/connection/{id}", get(timeline::connection))
        .route("/api/v1/connections", get(connections::connections))
}

impl Door {
    /// The heads; `None` where the balancer has not answered yet.
    fn heads(&self) -> Option<Value> {
        let answer = self.latest.borrow().clone()?;
        let now = Instant::now();
        let now_s = Stamp::now().wall_ns / 1_000_000_000;
        let board = self.board.as_ref().map(SharedBoard::lock);
        let heads = answer.heads.iter().map(|status| Head {
            status,
            traffic: board.as_ref().and_then(|board| board.traffic(&status.name, now_s)),
        });
        let heads = Heads {
            monitor: &self.name,
            age_ms: u64::try_from(answer.age(now).as_millis()).unwrap_or(u64::MAX),
            freshness: answer.freshness(now),
            heads: heads.collect(),
        };
        serde_json::to_value(heads).ok()
    }
}

async fn heads(State(door): State<Door>) -> Response<Body> {
    match door.heads() {
        Some(heads) => Json(heads).into_response(),
        None => refused(StatusCode::SERVICE_UNAVAILABLE, UNKNOWN),
    }
}

async fn scrape(State(door): State<Door>, headers: HeaderMap) -> impl IntoResponse {
    let latest = door.latest.borrow().clone();
    let form = Form::wanted(&headers);
    let timeouts = connections::timeouts(&door).await;
    let mut families = {
        let board = door.board.as_ref().map(SharedBoard::lock);
        metrics::families(latest.as_deref(), board.as_deref(), Instant::now())
    };
    families.push(metrics::timeouts(timeouts));
    families.extend(door.path.iter().flat_map(|path| metrics::probed(&path.told())));
    families.extend(door.exported.as_deref().map(metrics::exported));
    ([(CONTENT_TYPE, form.content_type())], metrics::encode(&families, form))
}

async fn stamped(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
