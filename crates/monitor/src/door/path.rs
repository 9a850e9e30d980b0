//! `POST /api/v1/path/probe`: an operator wants to know what the path is like now.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;

use super::Door;
use super::refusal::{Refusal, refused};
use crate::access::Visitor;
use crate::path::Running;

const NO_PATH: Refusal = Refusal {
    code: "NoPath",
    message: "The monitor probes no path.",
    hint: "Name its target under [path] in the monitor's configuration.",
};
const RUNNING: Refusal = Refusal {
    code: "ProbeRunning",
    message: "The path is being probed.",
    hint: "It takes as long as the longest quiet, and twice that where something has changed.",
};

pub(super) async fn probe(
    State(door): State<Door>,
    Extension(visitor): Extension<Visitor>,
) -> Response<Body> {
    match door.path.as_ref().map(crate::path::Path::ask) {
        Some(Ok(())) => {
            tracing::info!(user = %visitor.user, "the path is probed, as an operator wants");
            (StatusCode::ACCEPTED, Json(json!({}))).into_response()
        }
        Some(Err(Running)) => refused(StatusCode::CONFLICT, RUNNING),
        None => refused(StatusCode::NOT_FOUND, NO_PATH),
    }
}
