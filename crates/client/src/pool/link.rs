//! One open connection: what is known of it, and the task that watches it.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::sync::{Mutex, OnceLock, PoisonError};

use hyper::client::conn::http1::{Connection, SendRequest};
use hyper_util::rt::TokioIo;
use repono_core::id::ConnectionId;
use repono_journal::{ClosedBy, ConnectionRecord, Manner, Phase, Side, Stamp, Tls};
use repono_net::socket::{TcpInfo, tcp_info};
use repono_net::tls::{TlsFacts, TlsVersion};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::body::Outgoing;
use crate::pool::Host;

/// A TLS stream as hyper drives it.
pub(crate) type Io = TokioIo<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>;

/// An open connection, in the hands of the pool or of one holder.
pub(crate) struct Connected {
    pub(crate) sender: SendRequest<Outgoing>,
    pub(crate) link: Arc<Link>,
}

/// What is known of a connection, shared by its holder and its watcher.
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) opened: Stamp,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) tls: Tls,
    pub(crate) uses: AtomicU32,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
    /// The balancer's id for it, once a reply has told it.
    pub(crate) balancer_id: OnceLock<ConnectionId>,
    /// When it last went idle, on the clock of [`Stamp::mono_ns`]; 0 while it is
    /// lent.
    pub(crate) idle_since_ns: AtomicU64,
    /// Until when it may idle; `None` while it is lent.
    idle_until: watch::Sender<Option<Instant>>,
    /// Set before the pool is told of the end, so that a connection that ends
    /// while it is being returned is not kept.
    ended: AtomicBool,
    /// How we ended it, where it was us.
    ours: OnceLock<Manner>,
    /// Why it was given up, where a request on it was overtaken.
    silence: OnceLock<&'static str>,
    /// The socket once more, for what the kernel knows of it; gone with its end.
    socket: Mutex<Option<OwnedFd>>,
}

impl Link {
    pub(crate) fn new(
        id: ConnectionId,
        opened: Stamp,
        ends: (SocketAddr, SocketAddr),
        tls: TlsFacts,
        socket: Option<OwnedFd>,
    ) -> Self {
        let (source, destination) = ends;
        Self {
            id,
            opened,
            source,
            destination,
            tls: journal_tls(tls),
            uses: AtomicU32::new(0),
            bytes_sent: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            balancer_id: OnceLock::new(),
            idle_since_ns: AtomicU64::new(0),
            idle_until: watch::Sender::new(None),
            ended: AtomicBool::new(false),
            ours: OnceLock::new(),
            silence: OnceLock::new(),
            socket: Mutex::new(socket),
        }
    }

    /// Notes that a request on it is overtaken, and why. The first reason stays.
    pub(crate) fn silenced(&self, code: &'static str) {
        let _first_stays = self.silence.set(code);
    }

    /// Why it was given up, if it was.
    pub(crate) fn silence(&self) -> Option<&'static str> {
        self.silence.get().copied()
    }

    /// What the kernel knows of the connection, while it is open.
    pub(crate) fn tcp(&self) -> Option<TcpInfo> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.as_ref().and_then(|socket| tcp_info(socket).ok())
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Tells the watcher until when the connection may idle.
    pub(crate) fn idles_until(&self, until: Option<Instant>) {
        let since = if until.is_some() { Stamp::mono_now() } else { 0 };
        self.idle_since_ns.store(since, Ordering::Relaxed);
        self.idle_until.send_replace(until);
    }

    /// Notes that the coming end is ours. The first reason stays.
    pub(crate) fn ending(&self, manner: Manner) {
        let _first_stays = self.ours.set(manner);
    }

    fn record(&self, ended: &Result<(), hyper::Error>) -> ConnectionRecord {
        let idle_since = self.idle_since_ns.load(Ordering::Relaxed);
        let now = self.opened.at_mono(Stamp::mono_now());
        let idle = if idle_since == 0 { 0 } else { now.mono_ns.saturating_sub(idle_since) };
        let (closed_by, manner) = match self.ours.get() {
            Some(manner) => (ClosedBy::Us, *manner),
            None => (ClosedBy::Peer, ended.as_ref().err().map_or(Manner::FinCloseNotify, manner_of)),
        };
        ConnectionRecord {
            balancer_id: self.balancer_id.get().copied(),
            ended: now,
            tls: Some(self.tls),
            requests: self.uses.load(Ordering::Relaxed).into(),
            bytes_in: self.bytes_sent.load(Ordering::Relaxed),
            bytes_out: self.bytes_received.load(Ordering::Relaxed),
            closed_by,
            manner,
            phase: if idle_since == 0 { Phase::Wait } else { Phase::Idle },
            idle_at_close_ns: idle,
            tcp: [self.tcp().map(|info| info.summary()), None],
            ..ConnectionRecord::new(Side::Client, self.id, self.opened, self.source, self.destination)
        }
    }
}

/// Drives a connection to its end, closes it when it has idled long enough, and
/// tells the pool at once when the end is announced.
pub(crate) async fn watch(
    connection: Connection<Io, Outgoing>,
    link: Arc<Link>,
    host: Weak<Host>,
    slot: usize,
) {
    let mut connection = pin!(connection);
    let mut idle_until = link.idle_until.subscribe();
    let mut until = None;
    let ended = loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => break ended,
            changed = idle_until.changed() => {
                until = if changed.is_ok() { *idle_until.borrow_and_update() } else { None };
            }
            () = at(until) => {
                until = None;
                if let Some(host) = host.upgrade() {
                    host.expired(slot, &link);
                }
            }
        }
    };
    link.ended.store(true, Ordering::SeqCst);
    let record = link.record(&ended);
    // A socket that is held open would never say FIN.
    drop(link.socket.lock().unwrap_or_else(PoisonError::into_inner).take());
    if let Some(host) = host.upgrade() {
        host.ended(slot, &link, &record);
    }
}

async fn at(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// hyper ends well on close_notify and FIN; a FIN alone is an unexpected end to
/// TLS, and everything else has the socket's error in its chain.
pub(crate) fn manner_of(error: &hyper::Error) -> Manner {
    match io_kind(error) {
        Some(io::ErrorKind::UnexpectedEof) => Manner::Fin,
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => Manner::Rst,
        Some(io::ErrorKind::TimedOut) => Manner::Timeout,
        Some(_) => Manner::Error,
        None if error.is_incomplete_message() => Manner::Fin,
        None => Manner::Error,
    }
}

fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    /// Deeper than any chain of hyper, TLS and the socket.
    const DEPTH_MAX: usize = 8;
    std::iter::successors(error.source(), |cause| (*cause).source())
        .take(DEPTH_MAX)
        .find_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind)
}

fn journal_tls(facts: TlsFacts) -> Tls {
    let version = match facts.version {
        TlsVersion::Tls12 => repono_journal::TlsVersion::V12,
        TlsVersion::Tls13 => repono_journal::TlsVersion::V13,
    };
    Tls { version, cipher: facts.cipher, resumed: facts.resumed }
}
