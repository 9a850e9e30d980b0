//! The life of one TLS connection: handshake, requests one after another under
//! our clocks, and its end, which is always announced.

mod clock;
mod service;

use std::future::poll_fn;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rand::Rng;
use repono_core::id::ConnectionId;
use repono_journal::{
    ClosedBy, ConnectionRecord, Manner, Phase, SharedRecorder, Side, Stamp, Tls, TlsVersion,
};
use repono_net::close;
use repono_net::drain::{DrainSignal, Guard, Until};
use repono_net::listen::Accepted;
use repono_net::tls::{self, HandshakeError, TlsFacts};
use rustls::ServerConfig;
use tokio::time::{Instant, sleep_until};

use crate::limits::{HANDSHAKE_MAX, HEAD_BYTES_MAX};
use clock::{Clock, Clocked, Expired};
use service::{Exchange, Service};

/// What every connection shares.
pub(crate) struct House {
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) routes: Router,
    pub(crate) recorder: SharedRecorder,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The client closed it, or the last reply said that we would.
    Orderly,
    /// A drain ended it.
    Drained,
    /// A clock of ours ran out.
    Expired(Expired),
    /// The transport or the protocol failed.
    Failed,
}

impl Ending {
    const fn closed_by(self) -> ClosedBy {
        match self {
            Self::Orderly => ClosedBy::Client,
            Self::Drained | Self::Expired(_) => ClosedBy::Us,
            Self::Failed => ClosedBy::Unknown,
        }
    }

    const fn manner(self) -> Manner {
        match self {
            Self::Orderly => Manner::FinCloseNotify,
            Self::Drained => Manner::Drain,
            Self::Expired(Expired::Idle) => Manner::IdleExpiry,
            Self::Expired(Expired::Head | Expired::Request) => Manner::Timeout,
            Self::Failed => Manner::Error,
        }
    }
}

/// Serves a connection from its first byte to its last.
pub(crate) async fn serve(house: Arc<House>, accepted: Accepted, signal: DrainSignal, guard: Guard) {
    let opened = Stamp::now();
    let Accepted { stream, source, destination } = accepted;
    let id = ConnectionId::from_bytes(rand::rng().random());
    let mut record = ConnectionRecord::new(Side::Vending, id, opened, source, destination);
    match tls::accept(&house.tls, stream, HANDSHAKE_MAX).await {
        Err(unfinished) => {
            record.phase = Phase::Handshake;
            finish(&house, record, failed_handshake(&unfinished.error));
            unfinished.close().await;
        }
        Ok((stream, facts)) => {
            let tls = tls_record(facts);
            record.tls = Some(tls);
            let clock = Clock::new(Instant::now());
            let exchange = Exchange {
                id,
                source,
                destination,
                tls,
                routes: house.routes.clone(),
                recorder: house.recorder.clone(),
            };
            let clocked = Clocked::new(stream, clock.clone());
            let (ending, stream) =
                converse(clocked, Service::new(exchange, clock.clone()), &clock, signal).await;
            clock.tell(&mut record);
            // The record comes first: a staged close may wait for the peer.
            finish(&house, record, ending);
            close::staged(stream.into_inner(), close::Limits::DEFAULT).await;
        }
    }
    drop(guard);
}

/// Serves requests until the connection ends; gives the stream back for its close.
async fn converse<S>(
    stream: Clocked<S>,
    service: Service,
    clock: &Clock,
    mut signal: DrainSignal,
) -> (Ending, Clocked<S>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Hyper's own clock runs while the connection is idle too; ours does not.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut draining = Draining::NotYet;
    let ending = loop {
        tokio::select! {
            biased;
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break match (ended, draining) {
                (Err(_), _) => Ending::Failed,
                (Ok(()), Draining::Begun) => Ending::Drained,
                (Ok(()), Draining::NotYet) => Ending::Orderly,
            },
            () = signal.reached(draining.next()) => match draining {
                Draining::NotYet => {
                    draining = Draining::Begun;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                    // Hyper waits for the first request of a new connection.
                    if clock.is_unused() {
                        break Ending::Drained;
                    }
                }
                Draining::Begun => break Ending::Drained,
            },
            () = clock.stage_changed() => {}
            () = sleep_until(clock.deadline()) => {
                if let Some(expired) = clock.expired(Instant::now()) {
                    break Ending::Expired(expired);
                }
            }
        }
    };
    (ending, connection.into_parts().io.into_inner())
}

/// Whether the connection knows of the drain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Draining {
    NotYet,
    Begun,
}

impl Draining {
    /// How far the drain must have gone for the connection to do something about it.
    const fn next(self) -> Until {
        match self {
            Self::NotYet => Until::Draining,
            Self::Begun => Until::Closing,
        }
    }
}

fn finish(house: &House, mut record: ConnectionRecord, ending: Ending) {
    record.ended = record.opened.at_mono(Stamp::mono_now());
    record.closed_by = ending.closed_by();
    record.manner = ending.manner();
    house.recorder.connection(&record);
}

fn failed_handshake(error: &HandshakeError) -> Ending {
    match error {
        HandshakeError::Timeout => Ending::Expired(Expired::Head),
        HandshakeError::Failed(_) => Ending::Failed,
    }
}

fn tls_record(facts: TlsFacts) -> Tls {
    Tls {
        version: match facts.version {
            tls::TlsVersion::Tls12 => TlsVersion::V12,
            tls::TlsVersion::Tls13 => TlsVersion::V13,
        },
        cipher: facts.cipher,
        resumed: facts.resumed,
    }
}

#[cfg(test)]
mod tests;
