//! `/api/v1/series`, `/slowest`, `/closes`, `/changes`: what the journals tell.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use repono_journal::Stamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::board::{Attempt, Point, ROW_BOUNDS_MS, Rows, SlowRequest, Step, View, Wanted, in_ms};
use crate::collector::SharedBoard;

use super::refusal::{Refusal, refused};
use super::{Door, aside, har};

pub(super) const NO_JOURNALS: Refusal = Refusal {
    code: "NoJournals",
    message: "The monitor follows no journals.",
    hint: "Name their folders under `journals` in its configuration.",
};
const QUERY: Refusal = Refusal {
    code: "InvalidQuery",
    message: "The query cannot be read.",
    hint: "from and to are Unix seconds, step is second, minute or hour, side is client or head.",
};

const SLOWEST_QUERY: Refusal = Refusal {
    code: "InvalidQuery",
    message: "The query cannot be read.",
    hint: "from and to are Unix seconds, side is client or head, head is a name, method is GET or the like, \
           reused is true or false, status is 404 or 5xx.",
};

/// What of a series is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeriesQuery {
    /// Unix seconds; by default the oldest that is kept.
    from: Option<u64>,
    /// Unix seconds, not included; by default now.
    to: Option<u64>,
    #[serde(default = "minute")]
    step: Step,
    #[serde(default = "head")]
    side: View,
}

fn minute() -> Step {
    Step::Minute
}

fn head() -> View {
    View::Head
}

pub(super) async fn series(
    State(door): State<Door>,
    query: Result<Query<SeriesQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(SeriesQuery { from, to, step, side })) = query else {
        return refused(StatusCode::BAD_REQUEST, QUERY);
    };
    aside::told(&door, move |board| {
        let now_s = Stamp::now().wall_ns / 1_000_000_000;
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or(u64::MAX));
        let latency = board.lock().latency(side).clone();
        let points = latency.points(step, from, to, now_s);
        let column = |value: fn(&Point) -> Value| points.iter().map(value).collect::<Vec<_>>();
        json!({
            "side": side,
            "step_s": step.seconds(),
            "t": column(|point| point.t.into()),
            "count": column(|point| point.count.into()),
            "failed": column(|point| point.failed.into()),
            "reused": column(|point| point.reused.into()),
            "p50": column(|point| point.ms.map(|[p50, ..]| p50).into()),
            "p95": column(|point| point.ms.map(|[_, p95, ..]| p95).into()),
            "p99": column(|point| point.ms.map(|[_, _, p99, _]| p99).into()),
            "max": column(|point| point.ms.map(|[.., max]| max).into()),
        })
    })
    .await
}

/// One point of a series by itself.
pub(super) fn point(point: &Point) -> Value {
    let [p50, p95, p99, max] = match point.ms {
        Some(ms) => ms.map(Value::from),
        None => [const { Value::Null }; 4],
    };
    json!({
        "t": point.t, "count": point.count, "failed": point.failed, "reused": point.reused,
        "p50": p50, "p95": p95, "p99": p99, "max": max,
    })
}

pub(super) async fn heatmap(
    State(door): State<Door>,
    query: Result<Query<SeriesQuery>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(SeriesQuery { from, to, step, side })) = query else {
        return refused(StatusCode::BAD_REQUEST, QUERY);
    };
    aside::told(&door, move |board| {
        let now_s = Stamp::now().wall_ns / 1_000_000_000;
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or(u64::MAX));
        let latency = board.lock().latency(side).clone();
        let rows = latency.rows(step, from, to, now_s);
        let (t, counts): (Vec<u64>, Vec<Rows>) = rows.into_iter().unzip();
        json!({
            "side": side,
            "step_s": step.seconds(),
            "t": t,
            "bounds_ms": ROW_BOUNDS_MS,
            "counts": counts,
        })
    })
    .await
}

pub(super) async fn slowest(
    State(door): State<Door>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(wanted)) = query else { return refused(StatusCode::BAD_REQUEST, SLOWEST_QUERY) };
    aside::told(&door, move |board| {
        let slowest = list(board, &wanted);
        let requests = slowest.iter().map(|request| {
            let mut told = attempt(&request.last);
            let hidden: Vec<Value> =
                request.hidden.iter().map(|hidden| Value::Object(attempt(hidden))).collect();
            told.insert("hidden".to_owned(), hidden.into());
            Value::Object(told)
        });
        json!({"requests": requests.collect::<Vec<_>>()})
    })
    .await
}

fn list(board: &SharedBoard, wanted: &Wanted) -> Vec<SlowRequest> {
    let slowest = board.lock().slowest().clone();
    slowest.list(Stamp::now().wall_ns, wanted)
}

fn attempt(attempt: &Attempt) -> Map<String, Value> {
    let ms = |ns: &u64| Value::from(in_ms(*ns));
    let phases: Map<String, Value> =
        attempt.phases_ns.iter().map(|(name, ns)| (name.clone(), ms(ns))).collect();
    let fields = [
        ("ended_ms", (attempt.ended_ns / 1_000_000).into()),
        ("duration_ms", in_ms(attempt.duration_ns).into()),
        ("side", attempt.side.as_str().into()),
        ("instance", attempt.instance.as_str().into()),
        ("method", attempt.method.as_deref().into()),
        ("path", attempt.path().into()),
        ("status", attempt.status.into()),
        ("code", attempt.code.as_deref().into()),
        ("attempt", attempt.number.into()),
        ("idle_before_ms", attempt.idle_before_ns.as_ref().map(ms).into()),
        ("phases_ms", phases.into()),
        ("connection", attempt.connection.as_str().into()),
        ("request", attempt.request.as_deref().into()),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

/// The same for other tools: one entry for each attempt.
pub(super) async fn slowest_har(
    State(door): State<Door>,
    query: Result<Query<Wanted>, QueryRejection>,
) -> Response<Body> {
    let Ok(Query(wanted)) = query else { return refused(StatusCode::BAD_REQUEST, SLOWEST_QUERY) };
    aside::told(&door, move |board| har::log(&list(board, &wanted))).await
}

pub(super) async fn closes(State(door): State<Door>) -> Response<Body> {
    told(&door, |board| {
        let board = board.lock();
        let ends = board.totals().closes.iter();
        let ends =
            ends.map(|([side, by, how], count)| json!({"side": side, "by": by, "how": how, "count": count}));
        json!({"closes": ends.collect::<Vec<_>>()})
    })
}

pub(super) async fn changes(State(door): State<Door>) -> Response<Body> {
    told(&door, |board| json!({"changes": board.lock().changes()}))
}

fn told(door: &Door, tell: impl FnOnce(&SharedBoard) -> Value) -> Response<Body> {
    match &door.board {
        Some(board) => Json(tell(board)).into_response(),
        None => refused(StatusCode::NOT_FOUND, NO_JOURNALS),
    }
}
