//! `/api/v1/findings`: the verdict, and what it is of.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;

use serde::Serialize;

use super::Door;
use crate::diagnosis::Findings;
use crate::path::{Path, Told};

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    findings: &'a Findings,
    /// `None` where it is not probed.
    path: Option<Told>,
}

pub(super) async fn findings(State(door): State<Door>) -> Response<Body> {
    let told = door.findings.borrow().clone();
    Json(Answer { findings: &told, path: door.path.as_ref().map(Path::told) }).into_response()
}
