//! The log-in: a form that works without script, the one-time link, the way out, and who
//! one is.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Extension, Form, FromRequest, Query, Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY, SET_COOKIE,
};
use axum::http::{Method, Response, StatusCode};
use axum::response::IntoResponse;
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Door;
use super::gate::{COOKIE_NAME, cookie, is_own, to};
use super::refusal::{self, advise, refused, told};
use crate::access::{Access, Denial, LoggedIn, Visitor};
use crate::connection::Caller;
use crate::limits::{FORM_BYTES_MAX, FORM_MAX};
use crate::page;

/// The form's page: nothing of ours but the styles and the image, and the form goes to us alone.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

/// With `no-referrer`, browsers would send the form with `Origin: null` (Fetch standard, "append
/// a request Origin header"), which is nobody's. A one-time link's secret stays out of this too.
const REFERRER: &str = "strict-origin";

/// What the page says above the form.
#[derive(Clone, Copy)]
enum Word {
    Nothing,
    Denied(Denial),
    /// The one-time link was used, is old, or never was one.
    Link,
    /// The form did not come whole.
    Form,
}

#[derive(Deserialize)]
pub(super) struct Once {
    once: Option<Zeroizing<String>>,
}

#[derive(Deserialize)]
struct Ticket {
    ticket: Zeroizing<String>,
}

/// `GET /login`: the form; with `once`, the one-time link. Who looks ahead by HEAD, as
/// some messengers do, does not use it up; nor does a page of another site.
pub(super) async fn page(
    State(door): State<Door>,
    Extension(Caller(source)): Extension<Caller>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<Once>, QueryRejection>,
) -> Response<Body> {
    let once = query.ok().and_then(|Query(Once { once })| once);
    let foreign = headers.get("sec-fetch-site").is_some_and(|site| site != "none" && site != "same-origin");
    match once {
        Some(secret) if method == Method::GET && !foreign => match door.access.log_in_once(&secret, source) {
            // The address with the secret is left behind.
            Ok(logged_in) => let_in(&logged_in),
            Err(Denial::Unauthorized) => shown(&door.access, Word::Link),
            Err(denial) => shown(&door.access, Word::Denied(denial)),
        },
        Some(_) | None => shown(&door.access, Word::Nothing),
    }
}

/// `POST /login`: the form.
pub(super) async fn log_in(
    State(door): State<Door>,
    Extension(Caller(source)): Extension<Caller>,
    request: Request,
) -> Response<Body> {
    if !is_own(request.headers()) {
        return refused(StatusCode::FORBIDDEN, refusal::ORIGIN);
    }
    let form = timeout(FORM_MAX, read(request)).await;
    let Ok(Ok(Form(Ticket { ticket }))) = form else { return shown(&door.access, Word::Form) };
    match door.access.log_in(ticket.trim(), source).await {
        Ok(logged_in) => let_in(&logged_in),
        Err(denial) => shown(&door.access, Word::Denied(denial)),
    }
}

async fn read(request: Request) -> Result<Form<Ticket>, FormRejection> {
    let mut request = request;
    DefaultBodyLimit::max(FORM_BYTES_MAX).apply(&mut request);
    Form::from_request(request, &()).await
}

/// `POST /logout`.
pub(super) async fn log_out(State(door): State<Door>, headers: HeaderMap) -> Response<Body> {
    if !is_own(&headers) {
        return refused(StatusCode::FORBIDDEN, refusal::ORIGIN);
    }
    if let Some(cookie) = cookie(&headers) {
        door.access.log_out(cookie);
    }
    with_cookie(to("/login"), "", 0)
}

/// `GET /api/v1/session`: who one is.
pub(super) async fn session(Extension(visitor): Extension<Visitor>) -> Response<Body> {
    let Visitor { user, role, until_ms, csrf } = visitor;
    let csrf = csrf.as_ref().map(|csrf| csrf.as_str());
    Json(json!({"user": *user, "role": role, "csrf": csrf, "until_ms": until_ms})).into_response()
}

fn let_in(LoggedIn { cookie, life }: &LoggedIn) -> Response<Body> {
    with_cookie(to("/"), cookie, life.as_secs())
}

fn with_cookie(mut response: Response<Body>, value: &str, seconds: u64) -> Response<Body> {
    let text = Zeroizing::new(format!(
        "{COOKIE_NAME}={value}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Strict"
    ));
    // Hex and our own words: it is always a header value.
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

fn shown(access: &Access, word: Word) -> Response<Body> {
    let (status, words) = match word {
        Word::Nothing => (StatusCode::OK, None),
        Word::Denied(Denial::Unauthorized) => (
            StatusCode::UNAUTHORIZED,
            Some("This ticket does not hold: it has expired, was revoked, or was not copied whole."),
        ),
        Word::Denied(Denial::Forbidden) => (
            StatusCode::FORBIDDEN,
            Some(
                "The ticket holds, but no policy allows its user to look at the monitor (repono:ViewMonitor).",
            ),
        ),
        Word::Denied(denial) => {
            let (status, refusal) = told(denial);
            (status, Some(refusal.message))
        }
        Word::Link => {
            (StatusCode::UNAUTHORIZED, Some("This link was used already, or is older than 10 minutes."))
        }
        Word::Form => (StatusCode::BAD_REQUEST, Some("The form did not come whole; send it again.")),
    };
    let mut response = (status, form(access, words).into_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static(REFERRER));
    if let Word::Denied(denial) = word {
        advise(&mut response, denial);
    }
    response
}

fn form(access: &Access, words: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Log in · Repono" }
                link rel="icon" href=(page::ICON);
                @for style in page::STYLES { link rel="stylesheet" href=(style); }
                link rel="stylesheet" href=(page::LOGIN_STYLE);
            }
            body {
                main class="login" {
                    h1 { "Log in to Repono's monitor" }
                    @if let Some(words) = words { p class="wrong" role="alert" { (words) } }
                    @if access.takes_tickets() { (fields()) } @else {
                        p { "This monitor knows no vending service, so no ticket can be looked at: an "
                            "administrator names one under " code { "vending" } " and " code { "ca" }
                            " in its configuration. Only the one-time link that " code { "repono up" }
                            " prints to a terminal opens the page." }
                    }
                }
            }
        }
    }
}

fn fields() -> Markup {
    html! {
        form method="post" action="/login" {
            label for="ticket" { "Ticket" }
            input id="ticket" name="ticket" type="password" required autocomplete="off" spellcheck="false"
                autocapitalize="none" aria-describedby="help";
            p id="help" { "What " code { "repono ticket --format token" } " prints. It begins with "
                code { "RK1." } " and logs you in for as long as it lives." }
            button type="submit" { "Log in" }
        }
    }
}
