//! The operator's interface: `repono admin head …`, on a unix socket that only its
//! owner can open.
//!
//! | request | does |
//! |---|---|
//! | `GET /v1/heads` | the list |
//! | `POST /v1/heads/{name}/drain` | no new connections for this head |
//! | `POST /v1/heads/{name}/ready` | the opposite |
//! | `POST /v1/heads/{name}/weight/{n}` | another share of new connections, 0 to 256 |
//! | `POST /v1/heads/{name}/only` | every new connection to this head |
//! | `POST /v1/heads/only/off` | the opposite |
//! | `GET /v1/heads/traces` | the traces that run |
//! | `POST /v1/heads/{target}/trace/{seconds}` | every turn of a head, an address or a prefix into the journal; 0 ends it |
//! | `GET /v1/connections` | the open connections by age and idle time, and a sample of them |
//!
//! A process that asks for somebody else names the person in `Repono-On-Behalf-Of`; the
//! record of the change then has both, such as `demo:demo (uid 990)`.
//!
//! Each answers with the list that it is about, as it is afterwards.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{FromRequestParts, Path as PathOf, State as StateOf};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Json, Router};
use repono_journal::Stamp;
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::Serialize;
use serde_json::json;
use tokio::net::UnixListener;
use tokio::sync::watch;

use crate::heads::{Author, HeadStatus, Heads, WishRefused};
use crate::limits::Limits;
use crate::open::{Grid, OpenConnections, waiting};
use crate::standing::Wish;
use crate::trace::Traces;

mod traced;

/// Names the person for whom the process at the other end asks, such as a user of the
/// monitor.
const ON_BEHALF_OF: &str = "repono-on-behalf-of";
/// `ACCOUNT:USER` at its longest, both of 256 bytes.
const PERSON_BYTES_MAX: usize = 513;

/// Operators that may wait at a time.
const BACKLOG: i32 = 16;

/// What the operator sees and changes.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) heads: Arc<Heads>,
    pub(crate) open: Arc<OpenConnections>,
    pub(crate) limits: watch::Receiver<Limits>,
}

/// The process at the other end of the socket.
#[derive(Clone, Debug)]
struct Peer(String);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(match stream.io().peer_cred() {
            Ok(credentials) => format!("uid {}", credentials.uid()),
            Err(_) => "unknown".to_owned(),
        })
    }
}

/// The process at the other end, and the person for whom it asks, if it says so: the
/// socket is its owner's alone, so whoever speaks there may name others.
struct Operator(String);

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let ConnectInfo(Peer(peer)) = match parts.extensions.get::<ConnectInfo<Peer>>() {
            Some(info) => info.clone(),
            None => ConnectInfo(Peer("unknown".to_owned())),
        };
        let Some(person) = parts.headers.get(ON_BEHALF_OF) else { return Ok(Self(peer)) };
        let person = person.to_str().ok().filter(|name| (1..=PERSON_BYTES_MAX).contains(&name.len()));
        let person = person.ok_or(Refused {
            status: StatusCode::BAD_REQUEST,
            code: "OnBehalfOf",
            message: "the name of the person is empty, too long or no text".to_owned(),
            hint: "Repono-On-Behalf-Of takes ACCOUNT:USER",
        })?;
        Ok(Self(format!("{person} ({peer})")))
    }
}

/// Opens the socket with mode 0600, in place of one that an earlier process left.
///
/// *Errors*: the kernel's.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Linux gives the file the mode of the socket: it is never open to others.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
}

/// Answers until the future is dropped.
///
/// *Errors*: those of the listener.
pub(crate) async fn serve(listener: UnixListener, desk: Desk, traces: Arc<Traces>) -> io::Result<()> {
    let traced = traced::routes(Arc::clone(&desk.heads), traces);
    let routes = Router::new()
        .route("/v1/heads", get(list))
        .route("/v1/heads/only/off", post(only_off))
        .route("/v1/heads/{name}/drain", post(drain))
        .route("/v1/heads/{name}/ready", post(ready))
        .route("/v1/heads/{name}/weight/{weight}", post(weight))
        .route("/v1/heads/{name}/only", post(only))
        .route("/v1/connections", get(connections))
        .with_state(desk)
        .merge(traced);
    axum::serve(listener, routes.into_make_service_with_connect_info::<Peer>()).await
}

/// A head, with what is seen of it in its connections.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    status: HeadStatus,
    /// Its connections whose client sent last.
    waiting: u64,
}

type Answer = Result<Json<Vec<Listed>>, Refused>;

async fn list(StateOf(desk): StateOf<Desk>) -> Answer {
    let now = Stamp::now();
    let waiting = waiting(&desk.open, now);
    let listed = desk.heads.list(now).into_iter().map(|status| {
        let waiting = waiting.get(status.name.as_bytes()).copied().unwrap_or_default();
        Listed { status, waiting }
    });
    Ok(Json(listed.collect()))
}

async fn connections(StateOf(desk): StateOf<Desk>) -> Json<Grid> {
    let idle_limit = desk.limits.borrow().idle;
    Json(Grid::of(&desk.open, idle_limit, Stamp::now()))
}

async fn drain(StateOf(desk): StateOf<Desk>, operator: Operator, PathOf(name): PathOf<String>) -> Answer {
    desk.heads.wish(&name, Wish::Drain, operator.author())?;
    list(StateOf(desk)).await
}

async fn ready(StateOf(desk): StateOf<Desk>, operator: Operator, PathOf(name): PathOf<String>) -> Answer {
    desk.heads.wish(&name, Wish::Serve, operator.author())?;
    list(StateOf(desk)).await
}

async fn weight(
    StateOf(desk): StateOf<Desk>,
    operator: Operator,
    PathOf((name, weight)): PathOf<(String, String)>,
) -> Answer {
    let weight = weight.parse().map_err(|_| WishRefused::Weight)?;
    desk.heads.weigh(&name, weight, operator.author())?;
    list(StateOf(desk)).await
}

async fn only(StateOf(desk): StateOf<Desk>, operator: Operator, PathOf(name): PathOf<String>) -> Answer {
    desk.heads.only(&name, operator.author())?;
    list(StateOf(desk)).await
}

async fn only_off(StateOf(desk): StateOf<Desk>, operator: Operator) -> Answer {
    desk.heads.only_off(operator.author());
    list(StateOf(desk)).await
}

impl Operator {
    fn author(&self) -> Author<'_> {
        Author { who: &self.0, at: Stamp::now() }
    }
}

/// A wish that was refused, as JSON.
struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: &'static str,
}

impl From<WishRefused> for Refused {
    fn from(refused: WishRefused) -> Self {
        let (status, code, hint) = match refused {
            WishRefused::Unknown => {
                (StatusCode::NOT_FOUND, "UnknownHead", "`repono admin head list` names them")
            }
            WishRefused::TakesNone => {
                (StatusCode::CONFLICT, "HeadTakesNone", "make it ready first, or choose another head")
            }
            WishRefused::Weight => {
                (StatusCode::BAD_REQUEST, "Weight", "0 sends it no new connection, 1 is the default")
            }
        };
        Self { status, code, message: refused.to_string(), hint }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { status, code, message, hint } = self;
        (status, Json(json!({"error": {"code": code, "message": message, "hint": hint}}))).into_response()
    }
}
