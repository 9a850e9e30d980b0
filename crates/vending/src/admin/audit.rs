//! The newest lines of the audit.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use repono_core::time::utc_seconds;
use serde::Serialize;

use crate::office::{Office, told};
use crate::reply::{Fault, json};

/// Lines of one answer: what a person reads, and far below a response in memory
/// that matters.
const LINES_MAX: usize = 1000;

#[derive(Serialize)]
struct Line {
    at: String,
    who: String,
    source: String,
    what: String,
}

pub(super) async fn tail(State(office): State<Arc<Office>>) -> Result<Response<Body>, Fault> {
    let lines = office.meta.audit_tail(LINES_MAX).await.map_err(|error| told(&error))?;
    let lines = lines.into_iter().map(|line| Line {
        at: utc_seconds(line.at.unix_seconds()),
        who: line.who,
        source: line.source,
        what: line.what,
    });
    Ok(json(StatusCode::OK, &lines.collect::<Vec<_>>()))
}
