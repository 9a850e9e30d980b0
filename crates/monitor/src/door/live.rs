//! `/api/v1/events`: the state once a second, as server-sent events. One text is made
//! each second for all who listen, and none while nobody does. Whoever reads slowly gets
//! the newest state, never a queue of old ones.
//!
//! *Source*: HTML Living Standard, section 9.2 (server-sent events).

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{Stream, unfold};
use repono_journal::Stamp;
use repono_net::drain::{DrainSignal, Until};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::access::Need;
use crate::board::{Board, Step, View};
use crate::connection::Caller;
use crate::limits::{ADMIT_EVERY, STREAM_AGE_MAX, STREAM_RETRY, STREAMS_MAX, TELL_EVERY};

use super::board::point;
use super::refusal::{Refusal, refused};
use super::{Door, gate};

const TOO_MANY: Refusal = Refusal {
    code: "TooManyStreams",
    message: "Too many event streams are open.",
    hint: "Close a page, or read /api/v1/series instead.",
};

/// What all streams share.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    latest: watch::Sender<Option<Arc<Told>>>,
    seats: Arc<Semaphore>,
    drain: DrainSignal,
}

/// The state of one second.
#[derive(Debug)]
struct Told {
    /// Unix ms: later ones are larger, also after a restart.
    id: u64,
    json: String,
}

impl Live {
    pub(crate) fn new(drain: DrainSignal) -> Self {
        let seats = Arc::new(Semaphore::new(STREAMS_MAX));
        Self { latest: watch::Sender::new(None), seats, drain }
    }
}

/// Tells of the state until the future is dropped.
pub(crate) async fn again_and_again(door: Door) {
    let mut turns = interval(TELL_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        if door.live.latest.receiver_count() > 0 {
            let at_ms = Stamp::now().wall_ns / 1_000_000;
            let told = Told { id: at_ms, json: state(&door, at_ms).to_string() };
            door.live.latest.send_replace(Some(Arc::new(told)));
        }
    }
}

fn state(door: &Door, at_ms: u64) -> Value {
    let board = door.board.as_ref().map(|board| board.lock());
    let second = |view| board.as_ref().map_or(Value::Null, |board| last_second(board, view, at_ms / 1_000));
    let (head, client) = (second(View::Head), second(View::Client));
    drop(board);
    json!({
        "at_ms": at_ms,
        "heads": door.heads().unwrap_or(Value::Null),
        "latency": {"head": head, "client": client},
        "verdict": door.findings.borrow().verdict,
    })
}

/// What ended in the last whole second; null where nothing did.
fn last_second(board: &Board, view: View, now_s: u64) -> Value {
    let points = board.latency(view).points(Step::Second, now_s.saturating_sub(1), now_s, now_s);
    points.first().map_or(Value::Null, point)
}

pub(super) async fn events(
    State(door): State<Door>,
    Extension(Caller(source)): Extension<Caller>,
    headers: HeaderMap,
) -> Response<Body> {
    let Ok(seat) = Arc::clone(&door.live.seats).try_acquire_owned() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, TOO_MANY);
    };
    let now = Instant::now();
    let reader = Reader {
        latest: door.live.latest.subscribe(),
        drain: door.live.drain.clone(),
        until: now + STREAM_AGE_MAX,
        admitted_until: now + ADMIT_EVERY,
        door,
        headers,
        source,
        _seat: seat,
    };
    Sse::new(reader.stream()).into_response()
}

/// One who listens.
struct Reader {
    latest: watch::Receiver<Option<Arc<Told>>>,
    drain: DrainSignal,
    until: Instant,
    /// When the gate is asked again whether it still lets this reader in.
    admitted_until: Instant,
    door: Door,
    headers: HeaderMap,
    source: IpAddr,
    _seat: OwnedSemaphorePermit,
}

impl Reader {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut reader| async move {
            let event = reader.next().await?;
            Some((Ok(event), reader))
        })
    }

    /// `None` at the end: its connection grows old, its log-in ends, or the monitor does.
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                changed = self.latest.changed() => changed.ok()?,
                () = self.drain.reached(Until::Draining) => return None,
                () = sleep_until(self.until) => return None,
            }
            let now = Instant::now();
            if now >= self.admitted_until {
                gate::visitor(&self.door, &self.headers, Need::View, self.source).await.ok()?;
                self.admitted_until = now + ADMIT_EVERY;
            }
            if let Some(told) = self.latest.borrow_and_update().as_deref() {
                let event = Event::default().event("state").id(told.id.to_string()).retry(STREAM_RETRY);
                return Some(event.data(&told.json));
            }
        }
    }
}

#[cfg(test)]
mod tests;
