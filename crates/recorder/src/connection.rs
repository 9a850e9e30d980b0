//! One connection: reached, relayed, recorded.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use repono_core::id::ConnectionId;
use repono_journal::{
    ClosedBy, ConnectionRecord, Manner, Phase, SharedRecorder, Side, Stamp, Tls, TurnMeter, TurnNames,
};
use repono_net::drain::DrainSignal;
use repono_net::listen::Accepted;
use repono_net::socket::{self, SocketOptions};
use repono_net::tls::{self, TlsFacts, TlsVersion};
use repono_relay::{Order, Orders};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::Destination;
use crate::conversation::Conversation;
use crate::layer4;
use crate::opened::{self, Opened};

/// How long a connection may take to stand. Linux sends its SYN for the sixth time after
/// 31 s; whoever waits in front has given up by then.
const CONNECT_MAX: Duration = Duration::from_secs(60);
/// How long a handshake may take, on either side.
const HANDSHAKE_MAX: Duration = Duration::from_secs(60);

/// A request that nobody acknowledges is given up after as long as Windows takes (five
/// retransmissions, some 19 s): Linux would let the client wait for a quarter of an hour.
const TO_SERVER: SocketOptions =
    SocketOptions { user_timeout: Duration::from_secs(20), ..SocketOptions::BYSTANDER };

/// What all connections share.
pub(crate) struct Common {
    pub(crate) to: Destination,
    pub(crate) open: Option<OpenTls>,
    pub(crate) recorder: SharedRecorder,
    pub(crate) orders: watch::Receiver<Order>,
}

/// How TLS is taken off and put on again.
pub(crate) struct OpenTls {
    pub(crate) to_clients: Arc<ServerConfig>,
    pub(crate) to_server: Arc<ClientConfig>,
    /// The server that was named, for clients that ask for no name.
    pub(crate) name: ServerName<'static>,
}

/// Why a connection is not relayed.
enum Failed {
    Server(io::Error),
    ServerHandshake(tls::HandshakeError),
    ClientHandshake(tls::HandshakeError),
}

/// Serves one accepted connection to its end.
pub(crate) async fn serve(common: &Common, accepted: Accepted, end: DrainSignal) {
    let opened = Stamp::now();
    let id = ConnectionId::random(&mut rand::rng());
    let mut record = ConnectionRecord::new(Side::Recorder, id, opened, accepted.source, accepted.destination);
    if let Err(failed) = common.carry(accepted.stream, &mut record, end).await {
        failed.fill(&mut record);
        tracing::warn!(%id, source = %record.source, "{}", failed.told(&common.to));
    }
    common.recorder.connection(&record);
}

/// Turns away a connection that would be one too many.
pub(crate) fn refuse(common: &Common, accepted: Accepted) {
    let id = ConnectionId::random(&mut rand::rng());
    let (source, destination) = (accepted.source, accepted.destination);
    let mut record = ConnectionRecord::new(Side::Recorder, id, Stamp::now(), source, destination);
    socket::reset(accepted.stream);
    (record.closed_by, record.manner) = (ClosedBy::Us, Manner::Overload);
    common.recorder.connection(&record);
}

impl Common {
    async fn carry(
        &self,
        client: TcpStream,
        record: &mut ConnectionRecord,
        mut end: DrainSignal,
    ) -> Result<(), Failed> {
        // The listener's options would keep a quiet connection known on the way.
        if let Err(error) = socket::prepare_accepted(&client, &SocketOptions::BYSTANDER) {
            // It is gone already, which its relay will tell.
            tracing::debug!(%error, "the client's socket keeps its options");
        }
        let server = match self.reach().await {
            Ok(server) => server,
            Err(error) => {
                socket::reset(client);
                return Err(Failed::Server(error));
            }
        };
        let onward = server.local_addr().ok();
        let Some(open) = &self.open else {
            let before = Duration::from_nanos(since(record));
            let orders = Orders::from_channel(self.orders.clone());
            let conversation = self.conversation(record, onward, before);
            layer4::relay([client, server], conversation, record, before, orders).await;
            return Ok(());
        };
        let (streams, connect) = open.shake_hands(client, server, record).await?;
        let conversation = self.conversation(record, onward, connect);
        opened::relay(streams, conversation, record, &mut end).await.map_err(Failed::Server)
    }

    /// A connection to the server, whose name is looked up for each: addresses change.
    async fn reach(&self) -> io::Result<TcpStream> {
        let reached = async {
            let addresses: Vec<SocketAddr> =
                lookup_host((self.to.host.as_str(), self.to.port)).await?.collect();
            let mut failed = io::ErrorKind::NotFound.into();
            for address in addresses {
                match socket::connect(address, &TO_SERVER, CONNECT_MAX).await {
                    Ok(server) => return Ok(server),
                    Err(error) => failed = error,
                }
            }
            Err(failed)
        };
        timeout(CONNECT_MAX, reached).await?
    }

    fn conversation(
        &self,
        record: &ConnectionRecord,
        onward: Option<SocketAddr>,
        connect: Duration,
    ) -> Conversation<'_> {
        let ConnectionRecord { id: connection, source, destination, .. } = *record;
        let side = Side::Recorder;
        let names = TurnNames { side, connection, source, destination, onward, connect, head: "" };
        Conversation::new(TurnMeter::new(&self.recorder, names))
    }
}

impl OpenTls {
    /// The server first, under the name that was named: a client is not told that it is
    /// connected before it is. Also how long that took.
    async fn shake_hands(
        &self,
        client: TcpStream,
        server: TcpStream,
        record: &mut ConnectionRecord,
    ) -> Result<(Opened, Duration), Failed> {
        let server = match tls::connect(&self.to_server, self.name.clone(), server, HANDSHAKE_MAX).await {
            Ok((server, _)) => server,
            Err(error) => {
                socket::reset(client);
                return Err(Failed::ServerHandshake(error));
            }
        };
        let connect = Duration::from_nanos(since(record));
        match tls::accept(&self.to_clients, client, HANDSHAKE_MAX).await {
            Ok((client, facts)) => {
                record.tls = Some(journal_tls(facts));
                Ok((Opened { client, server }, connect))
            }
            Err(unfinished) => Err(Failed::ClientHandshake(unfinished.into())),
        }
    }
}

impl Failed {
    fn fill(&self, record: &mut ConnectionRecord) {
        record.ended = Stamp::now();
        let manner = |kind| match kind {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Manner::Rst,
            io::ErrorKind::TimedOut => Manner::Timeout,
            _ => Manner::Error,
        };
        let shaken = |error: &tls::HandshakeError| match error {
            tls::HandshakeError::Timeout => Manner::Timeout,
            tls::HandshakeError::Failed(error) => manner(error.kind()),
        };
        (record.closed_by, record.manner, record.phase) = match self {
            Self::Server(error) => (ClosedBy::Peer, manner(error.kind()), Phase::Connect),
            Self::ServerHandshake(error) => (ClosedBy::Peer, shaken(error), Phase::Handshake),
            Self::ClientHandshake(error) => (ClosedBy::Client, shaken(error), Phase::Handshake),
        };
    }

    fn told(&self, to: &Destination) -> String {
        match self {
            Self::Server(error) => format!("{to} cannot be connected to: {error}"),
            Self::ServerHandshake(error) => format!("no TLS with {to}: {}", caused(error)),
            Self::ClientHandshake(error) => {
                format!("no TLS with the client, which must trust ca.pem of the journal: {}", caused(error))
            }
        }
    }
}

/// With its cause, which tells what was wrong with a certificate.
fn caused(error: &tls::HandshakeError) -> String {
    match error {
        tls::HandshakeError::Timeout => error.to_string(),
        tls::HandshakeError::Failed(cause) => cause.to_string(),
    }
}

/// Nanoseconds since the connection was accepted.
fn since(record: &ConnectionRecord) -> u64 {
    Stamp::mono_now().saturating_sub(record.opened.mono_ns)
}

fn journal_tls(facts: TlsFacts) -> Tls {
    let version = match facts.version {
        TlsVersion::Tls12 => repono_journal::TlsVersion::V12,
        TlsVersion::Tls13 => repono_journal::TlsVersion::V13,
    };
    Tls { version, cipher: facts.cipher, resumed: facts.resumed }
}
