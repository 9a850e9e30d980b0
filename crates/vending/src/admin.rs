//! The administrators' interface: JSON over HTTP on a unix socket that its owner
//! alone can open.
//!
//! | request | does |
//! |---|---|
//! | `GET`, `POST /v1/accounts`, `DELETE /v1/accounts/{account}` | accounts |
//! | `PUT /v1/accounts/{account}/quota` | the most bytes in an account |
//! | `GET`, `POST /v1/users`, `DELETE /v1/users/{account:user}` | users |
//! | `POST /v1/users/{account:user}/{enable,disable,rotate-secret}` | |
//! | `GET`, `POST /v1/applications`, `DELETE /v1/applications/{name}` | applications |
//! | `POST /v1/applications/{name}/{enable,disable,rotate-secret}` | |
//! | `GET`, `POST /v1/groups`, `DELETE /v1/groups/{account:group}` | groups |
//! | `PUT`, `DELETE /v1/groups/{account:group}/members/{user}` | members |
//! | `GET /v1/policies`, `GET`, `PUT`, `DELETE /v1/policies/{account}/{name}` | policies |
//! | `POST /v1/policies/{account}/{name}/attach` | moves a policy |
//! | `GET /v1/signing-keys`, `POST /v1/signing-keys/{role}/rotate` | the key ring |
//! | `POST /v1/revoke` | ends a ticket, a user's, an application's, or a key |
//! | `GET /v1/audit` | the newest changes |
//!
//! Lists of users, groups and policies take `?account=`. A generated secret stands
//! in the one reply that made it.

mod accounts;
mod applications;
mod audit;
mod groups;
mod input;
mod policies;
mod revocations;
mod secrets;
mod signing_keys;
pub(crate) mod socket;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post, put};

use crate::office::Office;
use crate::reply::Fault;

const NOT_FOUND: Fault = Fault::new(
    axum::http::StatusCode::NOT_FOUND,
    "NotFound",
    "There is nothing under this path.",
    "Paths begin with /v1/accounts, users, applications, groups, policies, signing-keys, revoke or audit.",
);

/// The routes.
pub(crate) fn routes(office: Arc<Office>) -> Router {
    Router::new()
        .route("/v1/accounts", get(accounts::list).post(accounts::create))
        .route("/v1/accounts/{account}", delete(accounts::remove))
        .route("/v1/accounts/{account}/quota", put(accounts::set_quota))
        .route("/v1/users", get(users::list).post(users::create))
        .route("/v1/users/{user}", delete(users::remove))
        .route("/v1/users/{user}/enable", post(users::enable))
        .route("/v1/users/{user}/disable", post(users::disable))
        .route("/v1/users/{user}/rotate-secret", post(users::rotate_secret))
        .route("/v1/applications", get(applications::list).post(applications::create))
        .route("/v1/applications/{application}", delete(applications::remove))
        .route("/v1/applications/{application}/enable", post(applications::enable))
        .route("/v1/applications/{application}/disable", post(applications::disable))
        .route("/v1/applications/{application}/rotate-secret", post(applications::rotate_secret))
        .route("/v1/groups", get(groups::list).post(groups::create))
        .route("/v1/groups/{group}", delete(groups::remove))
        .route("/v1/groups/{group}/members/{user}", put(groups::add).delete(groups::take_out))
        .route("/v1/policies", get(policies::list))
        .route(
            "/v1/policies/{account}/{policy}",
            get(policies::show).put(policies::put).delete(policies::remove),
        )
        .route("/v1/policies/{account}/{policy}/attach", post(policies::attach))
        .route("/v1/signing-keys", get(signing_keys::list))
        .route("/v1/signing-keys/{role}/rotate", post(signing_keys::rotate))
        .route("/v1/revoke", post(revocations::revoke))
        .route("/v1/audit", get(audit::tail))
        .fallback(async || NOT_FOUND)
        .method_not_allowed_fallback(async || Fault::METHOD)
        .with_state(office)
}
