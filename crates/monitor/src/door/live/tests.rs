//! Who may go on listening, in virtual time.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::header::{COOKIE, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};
use http_body_util::BodyExt;
use repono_net::drain::Drain;
use tokio::sync::watch;
use tokio::time::{Instant, advance, timeout};

use super::{Live, events};
use crate::access::Access;
use crate::access::link::OneTimeLink;
use crate::connection::Caller;
use crate::diagnosis::Findings;
use crate::door::gate::COOKIE_NAME;
use crate::door::{Aside, Door, Grids};
use crate::limits::{ADMIT_EVERY, SESSION_LIFE_MAX, STREAM_AGE_MAX, TELL_EVERY};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A monitor's door with one session, and what keeps it open.
struct Stage {
    door: Door,
    cookie: String,
    _kept: (Drain, watch::Sender<Arc<Findings>>),
}

impl Stage {
    /// Nobody but the one-time link's user is logged in.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("link");
        let offered = crate::offer(&[7; 32], "demo:demo", 0).unwrap();
        std::fs::write(&file, &offered.file).unwrap();
        let access = Access::new(None, OneTimeLink::take(&file, 0, Instant::now()));
        let cookie = access.log_in_once(&offered.secret, HERE).ok().unwrap().cookie.to_string();
        let (drain, (told, findings)) = (Drain::new(), watch::channel(Arc::default()));
        let nowhere: Arc<Path> = Path::new("/nowhere").into();
        let door = Door {
            name: "monitor".into(),
            latest: watch::channel(None).1,
            board: None,
            findings,
            live: Live::new(drain.signal()),
            grids: Grids::new(&nowhere),
            balancer: nowhere,
            access: Arc::new(access),
            path: None,
            exported: None,
            aside: Aside::default(),
        };
        tokio::spawn(super::again_and_again(door.clone()));
        Self { door, cookie, _kept: (drain, told) }
    }

    async fn listen(&self) -> Response<axum::body::Body> {
        let mut headers = HeaderMap::new();
        let cookie = format!("{COOKIE_NAME}={}", self.cookie);
        headers.insert(COOKIE, HeaderValue::from_str(&cookie).unwrap());
        let stream = events(State(self.door.clone()), Extension(Caller(HERE)), headers).await;
        assert_eq!(stream.status(), StatusCode::OK);
        stream
    }
}

/// How long the stream goes on telling, and whether it ended in order.
async fn told_for(stream: Response<axum::body::Body>) -> Duration {
    let (begun, mut body) = (Instant::now(), stream.into_body());
    let all = async {
        while let Some(frame) = body.frame().await {
            assert!(frame.unwrap().into_data().unwrap().starts_with(b"event: state"));
        }
        begun.elapsed()
    };
    timeout(2 * STREAM_AGE_MAX, all).await.unwrap()
}

/// The gate is asked with the first state after the minute.
fn within_a_minute(told: Duration) {
    assert!(told >= ADMIT_EVERY && told <= ADMIT_EVERY + 2 * TELL_EVERY, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_to_its_age_while_its_reader_is_let_in() {
    let stage = Stage::new();
    let told = told_for(stage.listen().await).await;
    assert!(told >= STREAM_AGE_MAX && told <= STREAM_AGE_MAX + TELL_EVERY, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_logged_out_hears_nothing_after_a_minute() {
    let stage = Stage::new();
    let stream = stage.listen().await;
    stage.door.access.log_out(&stage.cookie);
    within_a_minute(told_for(stream).await);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_meanwhile_ends_the_stream() {
    let stage = Stage::new();
    advance(SESSION_LIFE_MAX - Duration::from_secs(1)).await;
    within_a_minute(told_for(stage.listen().await).await);
}
