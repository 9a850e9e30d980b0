//! What operators change: passed on to the balancer, in the name of the person.

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{Response, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Door;
use super::refusal::{NOT_FOUND, Refusal, refused};
use crate::access::Visitor;
use crate::ask::{self, AskError, Reply};

/// The longest name of a head that is passed on.
const NAME_BYTES_MAX: usize = 128;

const WEIGHT: Refusal = Refusal {
    code: "Weight",
    message: "The weight is no number from 0 to 256.",
    hint: "0 sends the head no new connection, 1 is the default.",
};
const NO_BALANCER: Refusal = Refusal {
    code: "ServiceUnavailable",
    message: "The balancer did not take the order.",
    hint: "Look at the state of the heads before you try again; the monitor's log says why.",
};

pub(super) async fn drain(
    State(door): State<Door>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Response<Body> {
    head(&door, &visitor, &name, "drain").await
}

pub(super) async fn ready(
    State(door): State<Door>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Response<Body> {
    head(&door, &visitor, &name, "ready").await
}

pub(super) async fn weight(
    State(door): State<Door>,
    Extension(visitor): Extension<Visitor>,
    Path((name, weight)): Path<(String, String)>,
) -> Response<Body> {
    match weight.parse::<u16>() {
        Ok(weight) => head(&door, &visitor, &name, &format!("weight/{weight}")).await,
        Err(_) => refused(StatusCode::BAD_REQUEST, WEIGHT),
    }
}

pub(super) async fn only(
    State(door): State<Door>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Response<Body> {
    head(&door, &visitor, &name, "only").await
}

pub(super) async fn only_off(
    State(door): State<Door>,
    Extension(visitor): Extension<Visitor>,
) -> Response<Body> {
    head(&door, &visitor, "only", "off").await
}

/// `POST /v1/heads/{name}/{order}` at the balancer. A name that would need encoding is
/// none of a head that this page can name.
async fn head(door: &Door, visitor: &Visitor, name: &str, order: &str) -> Response<Body> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    let path = format!("/v1/heads/{name}/{order}").parse::<Uri>().ok().filter(|_| fits);
    let Some(path) = path else { return refused(StatusCode::NOT_FOUND, NOT_FOUND) };
    match ask::order(&door.balancer, path, &visitor.user).await.and_then(passed_on) {
        Ok(response) => response,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, user = %visitor.user, "an order did not reach the balancer");
            refused(StatusCode::SERVICE_UNAVAILABLE, NO_BALANCER)
        }
    }
}

/// The balancer's own words for what it refuses.
#[derive(Deserialize, Serialize)]
struct Refused {
    error: Words,
}

#[derive(Deserialize, Serialize)]
struct Words {
    code: String,
    message: String,
    hint: String,
}

fn passed_on(reply: Reply) -> Result<Response<Body>, AskError> {
    match reply.status {
        StatusCode::OK => Ok(Json(json!({})).into_response()),
        status @ (StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::CONFLICT) => {
            let refused: Refused = serde_json::from_slice(&reply.body)?;
            Ok((status, Json(refused)).into_response())
        }
        other => Err(AskError::Status(other)),
    }
}
