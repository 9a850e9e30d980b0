//! `/api/v1/connections`: open connections by age and idle time, asked of the balancer,
//! and the limits of the parties beside them.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, Uri};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::ask::asked;
use crate::limits::{ASK_EVERY, ASK_MAX};

use idle_limits::Limits;

use super::{Door, Refusal, refused};

mod idle_limits;

const NO_ANSWER: Refusal = Refusal {
    code: "ServiceUnavailable",
    message: "The balancer does not tell its connections.",
    hint: "It is down, or of an earlier version; the monitor's log says which.",
};

/// The balancer's last answer: it is asked once a second at most, however many look.
#[derive(Clone, Debug)]
pub(crate) struct Grids {
    socket: Arc<Path>,
    last: Arc<Mutex<Option<(Instant, Grid)>>>,
}

/// What the balancer's `GET /v1/connections` says.
#[derive(Clone, Debug, Deserialize)]
struct Grid {
    idle_limit_ms: u64,
    age_bounds_s: Vec<u64>,
    idle_bounds_s: Vec<u64>,
    counts: Vec<Vec<u64>>,
    total: u64,
    sample: Vec<Listed>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Listed {
    id: String,
    client: String,
    head: String,
    age_ms: u64,
    idle_ms: u64,
}

impl Grids {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.into(), last: Arc::default() }
    }

    async fn latest(&self) -> Option<Grid> {
        let mut last = self.last.lock().await;
        let now = Instant::now();
        if let Some((asked, grid)) = last.as_ref()
            && now.saturating_duration_since(*asked) < ASK_EVERY
        {
            return Some(grid.clone());
        }
        let question = asked(&self.socket, Uri::from_static("/v1/connections"));
        let bytes = match timeout(ASK_MAX, question).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the balancer did not tell its connections");
                return None;
            }
            Err(_) => return None,
        };
        let grid: Grid = serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, "the balancer told its connections in another form"))
            .ok()?;
        *last = Some((now, grid.clone()));
        Some(grid)
    }
}

pub(super) async fn connections(State(door): State<Door>) -> Response<Body> {
    let Some(grid) = door.grids.latest().await else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER);
    };
    let mut limits = Limits::of_balancer(grid.idle_limit_ms);
    if let Some(board) = &door.board {
        limits.see(board.lock().idle_closes());
    }
    if let Some(answer) = door.latest.borrow().as_ref() {
        limits.hear(answer.heads.iter().filter_map(|head| head.limits));
    }
    let Grid { idle_limit_ms: _, age_bounds_s, idle_bounds_s, counts, total, sample } = grid;
    Json(json!({
        "age_bounds_s": age_bounds_s,
        "idle_bounds_s": idle_bounds_s,
        "counts": counts,
        "total": total,
        "limits": limits.told(),
        "inversions": limits.inversions(),
        "sample": sample,
    }))
    .into_response()
}
