//! The life of one connection: PROXY header, TLS, requests one after another,
//! and its end, which is always announced.

mod answer;
pub(crate) mod body;
mod ending;
mod http1;
pub(crate) mod http2;
pub(crate) mod io;
mod pace;

use std::net::SocketAddr;
use std::rc::Rc;

use repono_core::id::ConnectionId;
use repono_journal::{ConnectionRecord, Phase, Side, Stamp, Text, Tls, TlsVersion};
use repono_net::drain::Guard;
use repono_net::proxy_v2::{self, Received};
use repono_net::socket::reset;
use repono_net::tls::{self, HandshakeError, TlsFacts};
use tokio::net::TcpStream;
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
        Arrival::Direct => Identity { id: shard.connection_id(), source, destination, recorded: true },
        Arrival::Balanced => match Box::pin(introduced(&shard, &mut tcp, source, destination)).await {
            Some(identity) => identity,
            None => return,
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
            finish(&shard, &mut record, &Ending::Refused, identity.recorded);
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
        Err(error) => {
            record.phase = Phase::Handshake;
            finish(&shard, &mut record, &ending::failed_handshake(&error), identity.recorded);
        }
        Ok((stream, facts)) => {
            record.tls = Some(tls_record(facts));
            converse(&shard, stream, identity, record).await;
        }
    }
    drop(guard);
}

async fn handshake(shard: &Shard, tcp: TcpStream) -> Result<(Transport, TlsFacts), HandshakeError> {
    let (stream, facts) = tls::accept(&shard.common.tls, tcp, HANDSHAKE_MAX).await?;
    Ok((Box::new(stream), facts))
}

/// Serves a connection from the end of its handshake to its end.
async fn converse(shard: &Rc<Shard>, stream: Transport, identity: Identity, mut record: ConnectionRecord) {
    // Each boxed: they differ in size, and most connections wait in the smaller.
    let (ending, stream) = if stream.get_ref().1.alpn_protocol() == Some(tls::ALPN_HTTP2) {
        Box::pin(http2::run(Rc::clone(shard), stream, identity, &mut record)).await
    } else {
        Box::pin(http1::run(Rc::clone(shard), stream, identity, &mut record)).await
    };
    record.tcp = [stream.as_ref().and_then(|stream| ending::tcp_summary(stream.get_ref().0)), None];
    // The record comes first: a staged close may wait for the peer.
    finish(shard, &mut record, &ending, identity.recorded);
    if let Some(stream) = stream {
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
            source: header.source,
            destination: header.destination,
            recorded: true,
        }),
        Ok(Received::Local) => {
            Some(Identity { id: shard.connection_id(), source, destination, recorded: false })
        }
        Err(error) => {
            tracing::warn!(%source, %error, "a connection to the balancer-only listener was closed");
            None
        }
    }
}

fn finish(shard: &Shard, record: &mut ConnectionRecord, ending: &Ending, recorded: bool) {
    record.ended = record.opened.at_mono(Stamp::mono_now());
    record.closed_by = ending.closed_by();
    record.manner = ending.manner();
    if recorded {
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

    /// Without what is allocated apart: TLS, and the exchange of a request.
    #[test]
    fn a_connection_that_waits_is_small() {
        let converse = of4(converse);
        let http1 = of4(http1::run);
        assert!(of2(serve) + converse + http1 < 4096, "{} {converse} {http1}", of2(serve));
    }
}
