//! The life of one TLS connection: handshake, requests one after another, and its
//! end, which is always announced.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use repono_net::close;
use repono_net::drain::{DrainSignal, Guard, Until};
use repono_net::listen::Accepted;
use repono_net::tls;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

use crate::limits::{CONNECTION_AGE_MAX, HANDSHAKE_MAX, HEAD_BYTES_MAX, LAST_REPLY_MAX, REQUEST_WAIT_MAX};

/// From where a request came.
#[derive(Clone, Copy)]
pub(crate) struct Caller(pub(crate) IpAddr);

/// What every connection shares.
pub(crate) struct House {
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) routes: Router,
}

/// Serves a connection from its first byte to its last.
pub(crate) async fn serve(house: Arc<House>, accepted: Accepted, signal: DrainSignal, guard: Guard) {
    let source = accepted.source;
    match tls::accept(&house.tls, accepted.stream, HANDSHAKE_MAX).await {
        Ok((stream, _)) => {
            let routes = house.routes.clone().layer(Extension(Caller(source.ip())));
            let stream = converse(stream, routes, signal).await;
            close::staged(stream, close::Limits::DEFAULT).await;
        }
        Err(unfinished) => {
            tracing::debug!(%source, error = %unfinished.error, "a connection ended in its handshake");
            unfinished.close().await;
        }
    }
    drop(guard);
}

/// Serves requests until the connection ends, by the client, a clock, its age or the
/// drain; gives the stream back for its close.
async fn converse<S>(stream: S, routes: Router, mut signal: DrainSignal) -> S
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Hyper's clock of a head runs while the connection is idle too.
        .header_read_timeout(REQUEST_WAIT_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let ended = {
        let mut age = pin!(sleep(CONNECTION_AGE_MAX));
        tokio::select! {
            // An error is the client's, or its network's: it has ended the connection.
            _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => Ended::Already,
            () = signal.reached(Until::Draining) => Ended::NotYet,
            () = &mut age => Ended::NotYet,
        }
    };
    match ended {
        Ended::Already => {}
        Ended::NotYet => {
            Pin::new(&mut connection).graceful_shutdown();
            // Hyper may wait for the first request of a new connection.
            let last = poll_fn(|cx| connection.poll_without_shutdown(cx));
            if timeout(LAST_REPLY_MAX, last).await.is_err() {
                tracing::debug!("a connection was closed before it was quiet");
            }
        }
    }
    connection.into_parts().io.into_inner()
}

/// Whether the client has ended the connection.
enum Ended {
    Already,
    NotYet,
}
