//! TLS taken off and put on again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use repono_journal::{ClosedBy, ConnectionRecord, Manner, Phase, Stamp, TcpSummary};
use repono_net::drain::{DrainSignal, Until};
use repono_net::socket::{reset, tcp_info};
use repono_relay::Side;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::{client, server};

use crate::conversation::Conversation;

/// What is read in a step: a record of TLS (RFC 8446 section 5.1).
const STEP_BYTES: usize = 16 << 10;
/// How often the server's kernel is asked while no answer comes, as in `layer4`.
const LOOK_EVERY: Duration = Duration::from_millis(700);
/// How long one side may go on when the other has said that it is done.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(30);
/// No connection is kept longer: no limit that is looked for is.
const LIFE_MAX: Duration = Duration::from_secs(86_400);

/// Why one direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// `close_notify`, passed on.
    Announced,
    /// FIN without it.
    Fin,
    /// RST, or bytes that are no TLS.
    Reset,
    /// The kernel gave the peer up.
    Vanished,
}

/// Who ended it, how.
type End = (ClosedBy, Manner);

/// Both streams of a connection that was opened.
pub(crate) struct Opened {
    pub(crate) client: server::TlsStream<TcpStream>,
    pub(crate) server: client::TlsStream<TcpStream>,
}

/// Relays until the end.
pub(crate) async fn relay(
    opened: Opened,
    conversation: Conversation<'_>,
    record: &mut ConnectionRecord,
    end: &mut DrainSignal,
) -> io::Result<()> {
    let Opened { client, server } = opened;
    let sockets = [client.get_ref().0, server.get_ref().0].map(|tcp| tcp.as_fd().try_clone_to_owned());
    let [of_client, of_server] = sockets;
    let sockets = [of_client?, of_server?];
    let watch = Mutex::new(Watch { conversation, moved: Stamp::mono_now(), bytes: [0; 2] });
    let (closed_by, manner) = tokio::select! {
        end = both(client, server, &sockets, &watch) => end,
        () = look(&sockets, &watch) => (ClosedBy::Unknown, Manner::Error),
        () = end.reached(Until::Closing) => (ClosedBy::Us, Manner::Drain),
        () = sleep(LIFE_MAX) => (ClosedBy::Us, Manner::Age),
    };
    record.ended = Stamp::now();
    let mut watch = watch.into_inner().unwrap_or_else(PoisonError::into_inner);
    [record.bytes_in, record.bytes_out] = watch.bytes;
    record.idle_at_close_ns = record.ended.mono_ns.saturating_sub(watch.moved);
    record.phase = if watch.conversation.is_waiting() { Phase::Wait } else { Phase::Idle };
    watch.conversation.end();
    (record.closed_by, record.manner) = (closed_by, manner);
    record.tcp = sockets.map(|socket| summary(&socket));
    Ok(())
}

struct Watch<'a> {
    conversation: Conversation<'a>,
    /// When a byte last moved.
    moved: u64,
    /// From the client, and to it.
    bytes: [u64; 2],
}

impl Watch<'_> {
    fn moved(&mut self, from: Side, bytes: &[u8]) {
        let [from_client, to_client] = &mut self.bytes;
        let count = match from {
            Side::Client => from_client,
            Side::Server => to_client,
        };
        *count = count.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.moved = Stamp::mono_now();
        self.conversation.moved(from, bytes);
    }
}

/// Both directions. The streams are dropped with it: what was not announced ends by
/// FIN alone, and by RST where RST came.
async fn both(
    client: server::TlsStream<TcpStream>,
    server: client::TlsStream<TcpStream>,
    sockets: &[OwnedFd; 2],
    watch: &Mutex<Watch<'_>>,
) -> End {
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    let mut up = std::pin::pin!(direction(Side::Client, from_client, to_server, watch));
    let mut down = std::pin::pin!(direction(Side::Server, from_server, to_client, watch));
    let (first, stop) = tokio::select! {
        stop = &mut up => (Side::Client, stop),
        stop = &mut down => (Side::Server, stop),
    };
    if stop == Stop::Announced {
        let rest = async {
            match first {
                Side::Client => down.await,
                Side::Server => up.await,
            }
        };
        // Whatever the other side does now is its answer to that.
        drop(timeout(HALF_CLOSED_MAX, rest).await);
    }
    if matches!(stop, Stop::Reset | Stop::Vanished) {
        sockets.iter().for_each(reset);
    }
    let by = match first {
        Side::Client => ClosedBy::Client,
        Side::Server => ClosedBy::Peer,
    };
    match stop {
        Stop::Announced => (by, Manner::FinCloseNotify),
        Stop::Fin => (by, Manner::Fin),
        Stop::Reset => (by, Manner::Rst),
        Stop::Vanished => (ClosedBy::Unknown, Manner::Timeout),
    }
}

async fn direction(
    side: Side,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    watch: &Mutex<Watch<'_>>,
) -> Stop {
    let mut bytes = vec![0; STEP_BYTES];
    loop {
        let read = match from.read(&mut bytes).await {
            Ok(0) => {
                // The other side may be gone already, which is no news then.
                let _told = to.shutdown().await;
                return Stop::Announced;
            }
            Ok(read) => bytes.get(..read).unwrap_or_default(),
            Err(error) => return Stop::of(&error),
        };
        watch.lock().unwrap_or_else(PoisonError::into_inner).moved(side, read);
        let written = async {
            to.write_all(read).await?;
            to.flush().await
        };
        if written.await.is_err() {
            // What the sink's own direction reads tells how it ended.
            return std::future::pending().await;
        }
    }
}

impl Stop {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Fin,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Vanished
            }
            _ => Self::Reset,
        }
    }
}

/// Asks the server's kernel while no answer comes; never ends.
async fn look([_, server]: &[OwnedFd; 2], watch: &Mutex<Watch<'_>>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = Stamp::mono_now().saturating_sub(watch.moved);
        if watch.conversation.is_waiting()
            && u128::from(quiet) >= LOOK_EVERY.as_nanos()
            && let Ok(info) = tcp_info(server)
        {
            watch.conversation.looked(info.unacked == 0);
        }
    }
}

fn summary(socket: &OwnedFd) -> Option<TcpSummary> {
    Some(tcp_info(socket).ok()?.summary())
}
