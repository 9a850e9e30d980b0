//! `/api/v1/findings`: the verdict, and what it is of.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;

use super::Door;

pub(super) async fn findings(State(door): State<Door>) -> Response<Body> {
    let told = door.findings.borrow().clone();
    Json(&*told).into_response()
}
