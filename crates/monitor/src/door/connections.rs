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
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::ask::asked;
use crate::board::IdleCloses;
use crate::limits::{ASK_EVERY, ASK_MAX};

use super::{Door, Refusal, refused};

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

/// The idle limits that are known, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Limits {
    client: Option<u64>,
    balancer: u64,
    head: Option<u64>,
    raced: u64,
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
    let balancer = door.grids.latest().await.map(|grid| ("balancer", grid.idle_limit_ms));
    let seen = door.board.as_ref().map(|board| Limits::of(0, board.lock().idle_closes())).unwrap_or_default();
    let head = seen.head.map(|ms| ("head", ms));
    let client = seen.client.map(|ms| ("client", ms));
    balancer.into_iter().chain(head).chain(client).collect()
}

pub(super) async fn connections(State(door): State<Door>) -> Response<Body> {
    let Some(grid) = door.grids.latest().await else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER);
    };
    let limits = match &door.board {
        Some(board) => Limits::of(grid.idle_limit_ms, board.lock().idle_closes()),
        None => Limits { balancer: grid.idle_limit_ms, ..Limits::default() },
    };
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

impl Limits {
    fn of(balancer: u64, closes: &IdleCloses) -> Self {
        let ms = |ns: u64| ns / 1_000_000;
        Self {
            client: closes.client().limit_ns().map(ms),
            balancer,
            head: closes.head().limit_ns().map(ms),
            raced: closes.head().raced(),
        }
    }

    fn told(self) -> Vec<Value> {
        let limit = |party, what, ms| json!({"party": party, "what": what, "s": seconds(ms)});
        let head = self.head.map(|ms| limit("head", "seen", ms));
        let client = self.client.map(|ms| limit("client", "seen", ms));
        [limit("balancer", "idle", self.balancer)].into_iter().chain(head).chain(client).collect()
    }

    /// Where a party nearer to the head closes sooner than one nearer to the client
    /// expects. A head before the balancer is as it should be: it knows of requests.
    fn inversions(self) -> Vec<String> {
        let mut told = Vec::new();
        let nearer = [("The balancer closes", Some(self.balancer)), ("Heads close", self.head)];
        for (closes, limit) in nearer {
            if let (Some(limit), Some(client)) = (limit, self.client)
                && limit < client
            {
                told.push(format!(
                    "{closes} idle connections after {} s, but clients keep them for {} s: a request that \
                     comes in between may meet the close.",
                    seconds(limit),
                    seconds(client)
                ));
            }
        }
        if let Some(head) = self.head.filter(|head| self.balancer <= *head) {
            told.push(format!(
                "The balancer closes idle connections after {} s, before the heads do after {} s, and it \
                 cannot know whether a request is under way.",
                seconds(self.balancer),
                seconds(head)
            ));
        }
        if self.raced > 0 {
            told.push(format!(
                "Requests came on {} connections that a head had just closed for being idle: some client \
                 keeps them longer than the heads do.",
                self.raced
            ));
        }
        told
    }
}

#[expect(clippy::cast_precision_loss, reason = "an idle limit is far below 2^52 ms")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn an_inversion_is_a_close_that_the_client_does_not_expect() {
        let limits = |client, balancer, head| Limits { client, balancer, head, raced: 0 }.inversions();
        assert!(limits(Some(55_000), 900_000, Some(650_000)).is_empty(), "as it should be");
        assert!(limits(None, 900_000, None).is_empty(), "nothing is known of the others");
        let kept = limits(Some(700_500), 900_000, Some(650_000));
        assert_eq!(
            kept,
            [
                "Heads close idle connections after 650 s, but clients keep them for 700.5 s: a request that comes \
              in between may meet the close."
            ]
        );
        let blind = limits(None, 300_000, Some(650_000));
        assert!(blind.len() == 1 && blind[0].starts_with("The balancer closes idle connections after 300 s"));
        assert_eq!(limits(Some(400_000), 300_000, Some(350_000)).len(), 3);
        let raced = Limits { balancer: 900_000, raced: 2, ..Limits::default() }.inversions();
        assert!(raced.len() == 1 && raced[0].contains("2 connections"), "{raced:?}");
    }
}
