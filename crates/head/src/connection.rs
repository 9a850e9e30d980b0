//! The life of one connection: PROXY header, TLS, requests one after another,
//! and its end, which is always announced.

mod answer;
pub(crate) mod body;
mod ending;
mod http1;
pub(crate) mod http2;
pub(crate) mod io;
mod pace;
pub(crate) mod rules;
mod vigil;

use std::net::SocketAddr;
use std::rc::Rc;

use repono_core::id::ConnectionId;
use repono_journal::{ClosedBy, ConnectionRecord, Phase, Side, Stamp, Text, Tls, TlsVersion};
use repono_net::close;
use repono_net::drain::Guard;
use repono_net::proxy_v2::{self, Received};
use repono_net::socket::reset;
use repono_net::tls::{self, TlsFacts, Unfinished};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use crate::admission::{COST_HANDSHAKE, Cause, Source};
use crate::limits::{HANDSHAKE_MAX, PROXY_HEADER_MAX};
use crate::shard::Shard;

use ending::Ending;

/// By which listener a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// From a client or a test; a PROXY header is refused, because it is no TLS.
    Direct,
    /// From the balancer, which says who the client is.
    Balanced,
}

/// TLS over TCP, in a place of its own: a connection's futures hand it on, and each
/// would hold room for the whole of it.
type Transport = Box<TlsStream<TcpStream>>;

/// A connection on its way to a thread.
pub(crate) struct Arrived {
    /// Not tied to a runtime, so that it can be dealt to any.
    pub(crate) stream: std::net::TcpStream,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) arrival: Arrival,
    pub(crate) guard: Guard,
}

/// What is known of a connection from its first bytes on.
#[derive(Clone, Copy)]
struct Identity {
    id: ConnectionId,
    opened: Instant,
    source: SocketAddr,
    destination: SocketAddr,
    /// Health checks of the balancer leave no record each: two a second from
    /// every balancer would bury the others.
    recorded: bool,
}

/// Serves a connection from its first byte to its last.
pub(crate) async fn serve(shard: Rc<Shard>, arrived: Arrived) {
    let opened = Stamp::now();
    let Arrived { stream: accepted, source, destination, arrival, guard } = arrived;
    let Ok(mut tcp) = TcpStream::from_std(accepted) else { return };
    let identity = match arrival {
        Arrival::Direct => {
            let (id, opened) = (shard.connection_id(), Instant::now());
            Identity { id, opened, source, destination, recorded: true }
        }
        Arrival::Balanced => match Box::pin(introduced(&shard, &mut tcp, source, destination)).await {
            Some(identity) => identity,
            None => {
                Box::pin(close::staged(tcp, close::Limits::DEFAULT)).await;
                return;
            }
        },
    };
    let mut record =
        ConnectionRecord::new(Side::Head, identity.id, opened, identity.source, identity.destination);
    if arrival == Arrival::Balanced {
        record.balancer_id = Some(identity.id);
    }
    record.head = Text::new(&*shard.common.name);
    let _share = if identity.recorded {
        let source = Source::from(identity.source.ip());
        let Some(share) = shard.admission.connections.take(source) else {
            shard.common.counts.note(Cause::Connection);
            seal(&mut record, &Ending::Refused);
            leave(&shard, &record, identity);
            reset(&tcp);
            return;
        };
        shard.admission.sources.step(source, COST_HANDSHAKE).await;
        Some(share)
    } else {
        // The balancer's checks are nobody's share.
        None
    };
    // In memory of its own, which goes back when the handshake has ended.
    match Box::pin(handshake(&shard, tcp)).await {
        Err(unfinished) => {
            record.phase = Phase::Handshake;
            seal(&mut record, &ending::failed_handshake(&unfinished.error));
            leave(&shard, &record, identity);
            Box::pin(unfinished.close()).await;
        }
        Ok((stream, facts)) => {
            record.tls = Some(tls_record(facts));
            converse(&shard, stream, identity, record).await;
        }
    }
    drop(guard);
}

async fn handshake(shard: &Shard, tcp: TcpStream) -> Result<(Transport, TlsFacts), Unfinished<TcpStream>> {
    let (stream, facts) = tls::accept(&shard.common.tls, tcp, HANDSHAKE_MAX).await?;
    Ok((Box::new(stream), facts))
}

/// Serves a connection from the end of its handshake to its end.
async fn converse(shard: &Rc<Shard>, stream: Transport, identity: Identity, mut record: ConnectionRecord) {
    // Holds the place of one that left a crowd until the socket is closed.
    let mut leaver = None;
    // Each boxed: they differ in size, and most connections wait in the smaller.
    let (ending, stream) = if stream.get_ref().1.alpn_protocol() == Some(tls::ALPN_HTTP2) {
        Box::pin(http2::run(Rc::clone(shard), stream, identity, &mut record, &mut leaver)).await
    } else {
        Box::pin(http1::run(Rc::clone(shard), stream, identity, &mut record, &mut leaver)).await
    };
    record.tcp = [stream.as_ref().and_then(|stream| ending::tcp_summary(stream.get_ref().0)), None];
    Box::pin(close_and_record(shard, ending, stream, &mut record, identity)).await;
}

/// Closes a connection and leaves its record. The record comes first, because a
/// staged close may wait for the peer; except where only the close shows whether a
/// request raced it.
async fn close_and_record(
    shard: &Shard,
    ending: Ending,
    stream: Option<Transport>,
    record: &mut ConnectionRecord,
    identity: Identity,
) {
    seal(record, &ending);
    let Some(stream) = stream else { return leave(shard, record, identity) };
    // A peer of HTTP/2 knows by GOAWAY which of its requests was not heard.
    let http1 = stream.get_ref().1.alpn_protocol() != Some(tls::ALPN_HTTP2);
    if http1 && record.phase == Phase::Idle && record.closed_by == ClosedBy::Us {
        record.late_bytes = Box::pin(ending::carry_out(ending, stream)).await.map_or(0, |closed| closed.late);
        if record.late_bytes > 0 {
            shard.common.counts.note_race();
        }
        leave(shard, record, identity);
    } else {
        leave(shard, record, identity);
        Box::pin(ending::carry_out(ending, stream)).await;
    }
}

/// Reads who the balancer says is there; `None` for what is not from it.
async fn introduced(
    shard: &Shard,
    tcp: &mut TcpStream,
    source: SocketAddr,
    destination: SocketAddr,
) -> Option<Identity> {
    match proxy_v2::receive(tcp, &shard.common.proxy_key, PROXY_HEADER_MAX).await {
        Ok(Received::Client(header)) => Some(Identity {
            id: header.id,
            opened: Instant::now(),
            source: header.source,
            destination: header.destination,
            recorded: true,
        }),
        Ok(Received::Local) => {
            let (id, opened) = (shard.connection_id(), Instant::now());
            Some(Identity { id, opened, source, destination, recorded: false })
        }
        Err(error) => {
            tracing::warn!(%source, %error, "a connection to the balancer-only listener was closed");
            None
        }
    }
}

/// Writes down how a connection ended, now.
fn seal(record: &mut ConnectionRecord, ending: &Ending) {
    record.ended = record.opened.at_mono(Stamp::mono_now());
    record.closed_by = ending.closed_by();
    record.manner = ending.manner();
}

fn leave(shard: &Shard, record: &ConnectionRecord, identity: Identity) {
    if identity.recorded {
        shard.recorder.borrow_mut().connection(record);
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
mod tests {
    use super::{converse, http1, serve};

    fn of2<A, B, F>(_: impl FnOnce(A, B) -> F) -> usize {
        size_of::<F>()
    }
    fn of4<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }
    fn of5<A, B, C, D, E, F>(_: impl FnOnce(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    /// Without what is allocated apart: TLS, and the exchange of a request.
    #[test]
    fn a_connection_that_waits_is_small() {
        let converse = of4(converse);
        let http1 = of5(http1::run);
        assert!(of2(serve) + converse + http1 < 4096, "{} {converse} {http1}", of2(serve));
    }
}
