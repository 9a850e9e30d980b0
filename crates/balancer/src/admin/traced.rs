//! The operator's requests about traces.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path as PathOf, State as StateOf};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use repono_journal::Stamp;

use super::{Operator, Refused};
use crate::heads::Heads;
use crate::trace::{Target, Trace, TraceRefused, Traces};

#[derive(Clone)]
struct Desk {
    heads: Arc<Heads>,
    traces: Arc<Traces>,
}

pub(super) fn routes(heads: Arc<Heads>, traces: Arc<Traces>) -> Router {
    Router::new()
        .route("/v1/heads/traces", get(list))
        .route("/v1/heads/{target}/trace/{seconds}", post(set))
        .with_state(Desk { heads, traces })
}

async fn list(StateOf(desk): StateOf<Desk>) -> Json<Vec<Trace>> {
    Json(desk.traces.list(Stamp::now()))
}

async fn set(
    StateOf(desk): StateOf<Desk>,
    operator: Operator,
    PathOf((target, seconds)): PathOf<(String, String)>,
) -> Result<Json<Vec<Trace>>, Refused> {
    let heads = desk.heads.all();
    let target = Target::parse(&target, |name| heads.iter().any(|(_, head)| head.name() == name))?;
    let seconds = seconds.parse().map_err(|_| TraceRefused::Length)?;
    desk.traces.set(target, Duration::from_secs(seconds), operator.author())?;
    Ok(list(StateOf(desk)).await)
}

impl From<TraceRefused> for Refused {
    fn from(refused: TraceRefused) -> Self {
        let (status, code, hint) = match refused {
            TraceRefused::Target => {
                (StatusCode::NOT_FOUND, "UnknownTarget", "such as `head-1`, `10.0.0.7` or `10.0.0.0/8`")
            }
            TraceRefused::Length => (StatusCode::BAD_REQUEST, "TraceLength", "10 minutes is usual"),
            TraceRefused::TooMany => (StatusCode::CONFLICT, "TooManyTraces", "end one of them first"),
        };
        Self { status, code, message: refused.to_string(), hint }
    }
}
