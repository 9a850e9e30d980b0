//! One connection: reach a head, introduce the client, relay, record.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use repono_core::id::ConnectionId;
use repono_journal::{
    ClosedBy, ConnectionRecord, Manner, Phase, SharedRecorder, Side, Stamp, Text, TurnMeter, TurnNames,
};
use repono_net::drain::Guard;
use repono_net::listen::Accepted;
use repono_net::proxy_v2::{self, Header, ProxyKey};
use repono_net::socket::{self, SocketOptions};
use repono_relay::{Orders, Stagger, relay_under};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::choice::Tried;
use crate::conduct::{self, Sign};
use crate::end_code::{self, Unreached};
use crate::heads::{Heads, Lease};
use crate::limits::Limits;
use crate::open::Shelf;
use crate::standing::Event;
use crate::trace::Traces;
use crate::trace::turns::Turns;
use crate::watch::Watch;

/// How long one head may take to accept. A SYN that is lost is sent again after 1 s;
/// another head answers sooner.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// What the connections of one thread share.
pub(crate) struct Common {
    pub(crate) heads: std::sync::Arc<Heads>,
    pub(crate) proxy_key: ProxyKey,
    pub(crate) limits: watch::Receiver<Limits>,
    pub(crate) recorder: SharedRecorder,
    pub(crate) traces: std::sync::Arc<Traces>,
    pub(crate) open: std::sync::Arc<Shelf>,
    /// Locked for a draw at a time, by this thread alone.
    pub(crate) random: Mutex<StdRng>,
}

/// Serves one accepted connection to its end; `guard` counts it until then.
pub(crate) async fn serve(common: &Common, accepted: Accepted, guard: Guard) {
    let mut record = common.new_record(&accepted);
    let header = Header { source: accepted.source, destination: accepted.destination, id: record.id };
    common.carry(accepted.stream, header, &mut record).await;
    common.recorder.connection(&record);
    drop(guard);
}

/// Ends a connection that has no head.
fn end_unreached(client: TcpStream, unreached: Unreached, record: &mut ConnectionRecord) {
    let (closed_by, manner) = match unreached {
        Unreached::Left => (ClosedBy::Client, Manner::Rst),
        Unreached::Refused | Unreached::TimedOut => {
            tracing::warn!(id = %record.id, "no head could be reached: the client is reset");
            (ClosedBy::Us, Manner::Kill)
        }
    };
    socket::reset(client);
    record.ended = Stamp::now();
    record.closed_by = closed_by;
    record.manner = manner;
    record.phase = Phase::Connect;
    record.end_code = Some(end_code::unreached(unreached));
}

/// Completes when the client has reset the connection. Its FIN is no reason to leave:
/// it may still wait for an answer.
async fn left(client: &TcpStream) {
    if client.ready(Interest::ERROR).await.is_err() {
        // Nobody can tell any more: the relay will.
        std::future::pending().await
    }
}

/// Turns away a connection that would be one too many.
pub(crate) fn refuse(common: &Common, accepted: Accepted) {
    let mut record = common.new_record(&accepted);
    socket::reset(accepted.stream);
    record.closed_by = ClosedBy::Us;
    record.manner = Manner::Kill;
    record.end_code = Some(end_code::TOO_MANY);
    common.recorder.connection(&record);
}

impl Common {
    fn new_record(&self, accepted: &Accepted) -> ConnectionRecord {
        let id = self.draw(ConnectionId::random);
        ConnectionRecord::new(Side::Balancer, id, Stamp::now(), accepted.source, accepted.destination)
    }

    async fn carry(&self, client: TcpStream, header: Header, record: &mut ConnectionRecord) {
        let reached = tokio::select! {
            biased;
            reached = self.reach_a_head(&header) => reached,
            () = left(&client) => Err(Unreached::Left),
        };
        let (lease, server) = match reached {
            Ok(reached) => reached,
            Err(unreached) => return end_unreached(client, unreached, record),
        };
        record.head = Text::new(lease.head().name());
        let orders = Orders::from_channel(lease.head().orders());
        let before = Duration::from_nanos(Stamp::mono_now().saturating_sub(record.opened.mono_ns));
        let Header { source, destination, id: connection } = header;
        let head = lease.head().name();
        let names = TurnNames {
            side: Side::Balancer,
            connection,
            source,
            destination,
            onward: None,
            connect: before,
            head,
        };
        let turns = Turns::new(&self.traces, TurnMeter::new(&self.recorder, names));
        let place = self.open.place(connection, source, record.head, record.opened);
        let mut watch = Watch::new(Some(&lease), Some(turns), Some(place.open()));
        let stagger = self.draw(|random| Stagger::drawn(random.random()));
        let clocks = self.limits.borrow().clocks(stagger);
        let outcome = relay_under(client, server, &mut watch, clocks, orders).await;
        outcome.record(record, outcome.cause(), ClosedBy::Head, |side| watch.announced(side), before);
        record.tcp = watch.tcp();
        let order = *lease.head().orders().borrow();
        record.end_code = Some(end_code::of(&outcome, order));
        if watch.is_untold()
            && let Some(sign) = conduct::last_sign(&outcome)
        {
            lease.sign(sign, record.ended);
        }
    }

    /// Tries each head once. Nothing of the client's has been sent to any of them, so
    /// another try repeats nothing.
    async fn reach_a_head(&self, header: &Header) -> Result<(Lease, TcpStream), Unreached> {
        let (mut tried, mut last) = (Tried::default(), Unreached::Refused);
        loop {
            let lease = self.draw(|random| self.heads.lease(tried, Stamp::now(), random)).ok_or(last)?;
            match self.introduce(&lease, header).await {
                Ok(server) => return Ok((lease, server)),
                Err(error) => {
                    let head = lease.head().name();
                    tracing::debug!(id = %header.id, head, %error, "the head did not take a connection");
                    let now = Stamp::now();
                    self.heads.observe(lease.slot(), Event::Refused, now);
                    lease.sign(Sign::Refused, now);
                    tried = tried.with(lease.slot());
                    last = match error.kind() {
                        io::ErrorKind::TimedOut => Unreached::TimedOut,
                        _ => Unreached::Refused,
                    };
                }
            }
        }
    }

    async fn introduce(&self, lease: &Lease, header: &Header) -> io::Result<TcpStream> {
        let mut server = socket::connect(lease.head().address(), &SocketOptions::SERVER, CONNECT_MAX).await?;
        let bytes = proxy_v2::encode(header, &self.proxy_key);
        timeout(CONNECT_MAX, server.write_all(&bytes)).await??;
        Ok(server)
    }

    fn draw<T>(&self, from: impl FnOnce(&mut StdRng) -> T) -> T {
        from(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
