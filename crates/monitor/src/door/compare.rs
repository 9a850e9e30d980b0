//! `/api/v1/compare`: what tells the requests in a box of the heatmap from the rest.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::board::{Selection, View};

use super::aside::told;
use super::{Door, Refusal, refused};

const QUERY: Refusal = Refusal {
    code: "InvalidQuery",
    message: "The query cannot be read.",
    hint: "from and to are Unix seconds, low_ms and high_ms are milliseconds from 0, side is client or head.",
};

/// The box.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoxQuery {
    /// Unix seconds; by default the oldest that is kept.
    from: Option<u64>,
    /// Unix seconds, not included; by default now.
    to: Option<u64>,
    /// By default 0.
    low_ms: Option<f64>,
    /// Not included; by default without end.
    high_ms: Option<f64>,
    #[serde(default = "head")]
    side: View,
}

fn head() -> View {
    View::Head
}

pub(super) async fn compare(
    State(door): State<Door>,
    query: Result<Query<BoxQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(BoxQuery { from, to, low_ms, high_ms, side })) = query else {
        return refused(StatusCode::BAD_REQUEST, QUERY);
    };
    let (Some(low), Some(high)) = (in_ns(low_ms, 0), in_ns(high_ms, u64::MAX)) else {
        return refused(StatusCode::BAD_REQUEST, QUERY);
    };
    let ns = |seconds: u64| seconds.saturating_mul(1_000_000_000);
    let selection =
        Selection { time_ns: ns(from.unwrap_or_default())..to.map_or(u64::MAX, ns), duration_ns: low..high };
    told(&door, move |board| {
        let sampled = board.lock().samples(side);
        json!(sampled.compare(&selection))
    })
    .await
}

/// `None` of what is no duration.
fn in_ns(ms: Option<f64>, default: u64) -> Option<u64> {
    let Some(ms) = ms else { return Some(default) };
    if !ms.is_finite() || ms < 0.0 {
        return None;
    }
    let time = std::time::Duration::try_from_secs_f64(ms / 1e3).unwrap_or(std::time::Duration::MAX);
    Some(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
