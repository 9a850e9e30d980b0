//! The key ring: what is in it, and its rotation.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use repono_core::time::utc_seconds;
use repono_store::rights::key_rows;
use repono_ticket::keyring::{KeyRow, Role, RotationError};
use serde::Serialize;

use super::input::{Peer, Segments};
use crate::key_ring::{self, RingError};
use crate::office::{Office, told};
use crate::reply::{Fault, json};

#[derive(Serialize)]
pub(super) struct View {
    role: &'static str,
    id: String,
    state: &'static str,
    created: String,
    active_from: Option<String>,
    verify_until: Option<String>,
}

impl From<&KeyRow> for View {
    fn from(row: &KeyRow) -> Self {
        Self {
            role: row.role.as_str(),
            id: row.id.clone(),
            state: row.state.as_str(),
            created: utc_seconds(row.created_s),
            active_from: row.active_from_s.map(utc_seconds),
            verify_until: row.verify_until_s.map(utc_seconds),
        }
    }
}

pub(super) async fn list(State(office): State<Arc<Office>>) -> Result<Response<Body>, Fault> {
    let rows = key_rows(&office.identity().await?.keys);
    Ok(json(StatusCode::OK, &rows.iter().map(View::from).collect::<Vec<_>>()))
}

/// Adds a key, which is active in 10 s; the reply shows the rows that changed.
pub(super) async fn rotate(
    State(office): State<Arc<Office>>,
    Peer(who): Peer,
    Segments(role): Segments<String>,
) -> Result<Response<Body>, Fault> {
    let role = parse_role(&role)?;
    let what = format!("rotate the {} key", role.as_str());
    let rotate = |rows: &[KeyRow], masters: &_, now_s| key_ring::rotate(rows, role, masters, now_s);
    let written = office.change_ring(who, what, rotate).await.map_err(|error| refused(&error))?;
    Ok(json(StatusCode::OK, &written.iter().map(View::from).collect::<Vec<_>>()))
}

pub(super) fn parse_role(role: &str) -> Result<Role, Fault> {
    Role::parse(role).ok_or_else(|| {
        let known = Role::ALL.map(Role::as_str).join(", ");
        Fault::about(
            StatusCode::NOT_FOUND,
            "NotFound",
            format!("There is no key role `{role}`."),
            format!("Roles are {known}."),
        )
    })
}

/// A failure of the key ring, as the caller is told.
pub(super) fn refused(error: &RingError) -> Fault {
    match error {
        RingError::Store(error) => told(error),
        RingError::Rotation(RotationError::UnderWay) => Fault::new(
            StatusCode::CONFLICT,
            "RotationUnderWay",
            "A new key of this role is pending already.",
            "It is active within 10 s; rotate again after that.",
        ),
        RingError::Rotation(RotationError::NoSuchKey) => Fault::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "No live key of this role has this id.",
            "GET /v1/signing-keys lists them.",
        ),
        RingError::Rotation(RotationError::NotNew | RotationError::Duplicate)
        | RingError::Key(_)
        | RingError::Transition(_) => {
            tracing::error!(?error, "the key ring was not changed");
            Fault::INTERNAL
        }
    }
}
