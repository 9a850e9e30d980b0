//! Answers that take a while to work out: aside from the threads that serve everybody, a
//! few at a time. They work on copies, so that the board is not held meanwhile.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::collector::SharedBoard;
use crate::limits::{ASIDE_MAX, ASIDE_RETRY, ASIDE_WAIT_MAX};

use super::Door;
use super::board::NO_JOURNALS;
use super::refusal::{Refusal, refused};

const BUSY: Refusal = Refusal {
    code: "Busy",
    message: "Too many others ask the monitor for what takes a while to work out.",
    hint: "Wait as long as Retry-After says.",
};
const BROKEN: Refusal = Refusal {
    code: "InternalError",
    message: "The answer could not be worked out.",
    hint: "The monitor's log says why; report it.",
};

/// Turns to work something out.
#[derive(Clone, Debug)]
pub(crate) struct Aside(Arc<Semaphore>);

impl Default for Aside {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ASIDE_MAX)))
    }
}

impl Aside {
    /// Answers with what `work` returns, as JSON.
    ///
    /// *Cancel safety*: what has begun goes on and keeps its turn to its end.
    async fn answer(&self, work: impl FnOnce() -> Value + Send + 'static) -> Response<Body> {
        let Ok(Ok(turn)) = timeout(ASIDE_WAIT_MAX, Arc::clone(&self.0).acquire_owned()).await else {
            let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, BUSY);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ASIDE_RETRY.as_secs()));
            return response;
        };
        let text = spawn_blocking(move || {
            let text = work().to_string();
            drop(turn);
            text
        });
        match text.await {
            Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
            Err(error) => {
                tracing::error!(%error, "an answer was not worked out");
                refused(StatusCode::INTERNAL_SERVER_ERROR, BROKEN)
            }
        }
    }
}

/// Answers with what is worked out of the board, of which `work` takes a copy.
pub(super) async fn told(
    door: &Door,
    work: impl FnOnce(&SharedBoard) -> Value + Send + 'static,
) -> Response<Body> {
    match door.board.clone() {
        Some(board) => door.aside.answer(move || work(&board)).await,
        None => refused(StatusCode::NOT_FOUND, NO_JOURNALS),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use axum::http::StatusCode;
    use axum::http::header::RETRY_AFTER;
    use serde_json::json;

    use super::{ASIDE_MAX, Aside};

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_too_long_for_a_turn_is_told_when_to_come_again() {
        let aside = Aside::default();
        let turns = aside.0.clone().acquire_many_owned(u32::try_from(ASIDE_MAX).unwrap()).await.unwrap();
        let refused = aside.answer(|| json!(1)).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
        drop(turns);
        assert_eq!(aside.answer(|| json!(1)).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_frees_no_turn_before_its_work_is_done() {
        let aside = Aside::default();
        let (begin, begun) = channel();
        let (end, ended) = channel::<()>();
        let work = move || {
            begin.send(()).unwrap();
            json!(ended.recv().is_err())
        };
        let caller = tokio::spawn({
            let aside = aside.clone();
            async move { aside.answer(work).await }
        });
        tokio::task::spawn_blocking(move || begun.recv().unwrap()).await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(aside.0.available_permits(), ASIDE_MAX - 1);
        drop(end);
        let _all = aside.0.acquire_many(u32::try_from(ASIDE_MAX).unwrap()).await.unwrap();
    }
}
