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

/// The balancer's last answer, or that there was none: it is asked once a second at most,
/// however many look.
#[derive(Clone, Debug)]
pub(crate) struct Grids {
    socket: Arc<Path>,
    last: Arc<Mutex<Option<Last>>>,
}

#[derive(Debug)]
struct Last {
    told: Instant,
    /// `None` where the balancer did not answer.
    grid: Option<Grid>,
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
        if let Some(last) = last.as_ref()
            && last.told.elapsed() < ASK_EVERY
        {
            return last.grid.clone();
        }
        let grid = self.ask().await;
        *last = Some(Last { told: Instant::now(), grid: grid.clone() });
        grid
    }

    async fn ask(&self) -> Option<Grid> {
        let question = asked(&self.socket, Uri::from_static("/v1/connections"));
        let bytes = match timeout(ASK_MAX, question).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the balancer did not tell its connections");
                return None;
            }
            Err(_) => return None,
        };
        serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%error, "the balancer told its connections in another form"))
            .ok()
    }
}

/// After how long each party closes idle connections, in milliseconds, as far as it is
/// known.
pub(super) async fn timeouts(door: &Door) -> Vec<(&'static str, u64)> {
    let balancer = door.grids.latest().await.map(|grid| grid.idle_limit_ms);
    let known = limits(door, balancer.unwrap_or_default());
    let others = [("head", known.head_closes()), ("client", known.client())];
    let all = std::iter::once(("balancer", balancer)).chain(others);
    all.filter_map(|(party, ms)| Some((party, ms?))).collect()
}

/// What is known of all parties, the balancer's own being so many milliseconds.
fn limits(door: &Door, balancer: u64) -> Limits {
    let mut limits = Limits::of_balancer(balancer);
    if let Some(board) = &door.board {
        limits.see(board.lock().idle_closes());
    }
    if let Some(answer) = door.latest.borrow().as_ref() {
        limits.hear(answer.heads.iter().filter_map(|head| head.limits));
    }
    limits
}

pub(super) async fn connections(State(door): State<Door>) -> Response<Body> {
    let Some(grid) = door.grids.latest().await else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER);
    };
    let limits = limits(&door, grid.idle_limit_ms);
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
