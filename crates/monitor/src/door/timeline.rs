//! `/api/v1/connection/{id}`: the life of one connection.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use repono_core::id::ConnectionId;

use super::board::NO_JOURNALS;
use super::{Door, Refusal, refused};

const ID: Refusal = Refusal {
    code: "InvalidConnectionId",
    message: "This is no id of a connection.",
    hint: "It is 24 lower-case hex digits, as the slowest requests and the journals name it.",
};
const FORGOTTEN: Refusal = Refusal {
    code: "UnknownConnection",
    message: "Nothing is known of this connection, or nothing any more.",
    hint: "The connections that were told of last are kept; the journals know the others.",
};

pub(super) async fn connection(State(door): State<Door>, Path(id): Path<String>) -> Response<Body> {
    let Some(id) = ConnectionId::parse(id.as_bytes()) else {
        return refused(StatusCode::BAD_REQUEST, ID);
    };
    let Some(board) = &door.board else {
        return refused(StatusCode::NOT_FOUND, NO_JOURNALS);
    };
    let timeline = board.lock().timeline(id);
    timeline.map_or_else(|| refused(StatusCode::NOT_FOUND, FORGOTTEN), |told| Json(told).into_response())
}
