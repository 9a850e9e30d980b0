//! The public interface: `POST /v1/tickets`, `POST /v1/introspect`, `GET /auth/v1.0`, `GET /healthcheck`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::routing::{get, post};
use rand::{SeedableRng, rngs::StdRng};
use repono_core::time::utc_seconds;
use repono_net::drain::{Drain, Phase};
use serde::Serialize;

use crate::config::SwiftLogin;
use crate::desk::{Desk, Moment, TicketRequest};
use crate::introspection::{Introspection, Question};
use crate::reply::{Fault, JsonBody, json};
use crate::swift_login;

/// The path under which tickets are vended.
pub(crate) const TICKETS: &str = "/v1/tickets";
/// The path that says whether the service serves.
pub(crate) const HEALTHCHECK: &str = "/healthcheck";

const UNWELL: Fault = Fault::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "ServiceUnavailable",
    "The service is ending, or its store does not answer.",
    "Use another, or try again.",
);

/// From where a request came.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) source: SocketAddr,
}

/// What the routes share.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) desk: Arc<Desk>,
    pub(crate) introspection: Arc<Introspection>,
    pub(crate) drain: Drain,
    pub(crate) swift: Option<Arc<SwiftLogin>>,
}

#[derive(Serialize)]
struct Vended {
    headers: BTreeMap<&'static str, String>,
    token: String,
    expires: String,
}

/// The routes.
pub(crate) fn routes(door: Door) -> Router {
    Router::new()
        .route(TICKETS, post(vend))
        .route("/v1/introspect", post(introspect))
        .route("/auth/v1.0", get(swift_login::log_in))
        .route("/auth/v1.0/", get(swift_login::log_in))
        .route("/auth/v1", get(swift_login::log_in))
        .route("/auth/v1/{account}/auth", get(swift_login::log_in_to))
        .route(HEALTHCHECK, get(healthcheck))
        .fallback(async || Fault::NOT_FOUND)
        .method_not_allowed_fallback(async || Fault::METHOD)
        .with_state(door)
}

async fn vend(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    JsonBody(request): JsonBody<TicketRequest>,
) -> Result<Response<Body>, Fault> {
    let now = Moment::now();
    let mut random = StdRng::from_rng(&mut rand::rng());
    let ticket = door.desk.issue(&request.log_in(), caller.source, now, &mut random).await?;
    let vended = Vended {
        headers: ticket.headers().into_iter().collect(),
        token: ticket.token(),
        expires: utc_seconds(ticket.expiry()),
    };
    Ok(json(StatusCode::OK, &vended))
}

async fn introspect(
    State(door): State<Door>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    JsonBody(question): JsonBody<Question>,
) -> Result<Response<Body>, Fault> {
    let introspected = door.introspection.answer(&headers, &question, caller.source, Moment::now())?;
    Ok(json(StatusCode::OK, &introspected))
}

async fn healthcheck(State(door): State<Door>) -> Result<&'static str, Fault> {
    match door.drain.phase() {
        Phase::Serving if door.desk.is_open() => Ok("OK\n"),
        Phase::Serving | Phase::Draining { .. } | Phase::Closing => Err(UNWELL),
    }
}
