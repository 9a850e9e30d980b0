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
use repono_net::tls::{self, TlsFacts};
use tokio::net::TcpStream;

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
        Arrival::Balanced => match introduced(&shard, &mut tcp, source, destination).await {
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
    let ending = match tls::accept(&shard.common.tls, tcp, HANDSHAKE_MAX).await {
        Err(error) => {
            record.phase = Phase::Handshake;
            ending::failed_handshake(&error)
        }
        Ok((stream, facts)) => {
            record.tls = Some(tls_record(facts));
            let (ending, stream) = if stream.get_ref().1.alpn_protocol() == Some(tls::ALPN_HTTP2) {
                http2::run(Rc::clone(&shard), stream, identity, &mut record).await
            } else {
                http1::run(Rc::clone(&shard), stream, identity, &mut record).await
            };
            record.tcp = [stream.as_ref().and_then(|stream| ending::tcp_summary(stream.get_ref().0)), None];
            // The record comes first: a staged close may wait for the peer.
            finish(&shard, &mut record, &ending, identity.recorded);
            if let Some(stream) = stream {
                ending::carry_out(ending, stream).await;
            }
            drop(guard);
            return;
        }
    };
    finish(&shard, &mut record, &ending, identity.recorded);
    drop(guard);
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
