//! One connection: what is asked on it, what comes, and how it ends.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use repono_net::socket::{self, SocketOptions, TcpInfo};
use repono_net::tls::{self, HandshakeError, TlsFacts};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::client::TlsStream;

use crate::reply::{Reply, Unreadable};
use crate::target::Target;

/// For a connect, and for a handshake: SYNs are sent after 1, 3 and 7 s again, and
/// what needs longer than that is not fit to be probed.
const OPEN_LIMIT: Duration = Duration::from_secs(8);
/// The FIN that follows a `close_notify` comes with it or never.
const FIN_LIMIT: Duration = Duration::from_secs(2);
/// How long a request may go unanswered. Twice the client time-outs that are usual;
/// Windows needs 9.3 s for its fifth retransmission, and a balancer that has lost its
/// server often has a clock of 10 s.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(12);
/// How often the kernel is asked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Retransmissions after which nobody acknowledges any more: the third is sent 1.4 s
/// after the data.
const RETRANSMITS_DEAD: u8 = 3;
/// How a connection ended, or what a request on it met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manner {
    /// FIN; over TLS without `close_notify`, or over plain TCP.
    #[serde(rename = "fin")]
    Fin,
    /// `close_notify`, then FIN.
    #[serde(rename = "fin+close_notify")]
    FinCloseNotify,
    /// RST, unasked.
    #[serde(rename = "rst")]
    Rst,
    /// Nothing at expiry, and RST for the next request.
    #[serde(rename = "rst-on-send")]
    RstOnSend,
    /// Nothing at expiry, and nothing acknowledges the next request.
    #[serde(rename = "silent")]
    Silent,
    /// The next request is acknowledged, and not answered.
    #[serde(rename = "acked-silent")]
    AckedSilent,
    /// It did not end.
    #[serde(rename = "none")]
    None,
}

impl Manner {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::FinCloseNotify => "fin+close_notify",
            Self::Rst => "rst",
            Self::RstOnSend => "rst-on-send",
            Self::Silent => "silent",
            Self::AckedSilent => "acked-silent",
            Self::None => "none",
        }
    }

    /// Whether a client that looks before it sends would see it.
    #[must_use]
    pub const fn is_announced(self) -> bool {
        matches!(self, Self::Fin | Self::FinCloseNotify | Self::Rst)
    }
}

/// A connection could not be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// TCP did not connect.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// TLS did not come about.
    #[error("the TLS handshake failed")]
    Handshake(#[source] HandshakeError),
}

/// What came of a request.
#[derive(Debug)]
pub enum Answer {
    /// It was answered, in so long.
    Replied(Reply, Duration),
    /// The connection ended first.
    Ended(Manner),
    /// Not HTTP.
    Unreadable(Unreadable),
}

/// How quiet time passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// Nothing came.
    Kept,
    /// The connection ended, after so long.
    Ended(Manner, Duration),
    /// The kernel's own questions were not answered.
    KeepaliveUnanswered,
    /// Bytes came that nobody had asked for.
    Stray,
}

/// Whether the kernel asks a quiet peer whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keepalive {
    /// It does not.
    Off,
    /// Once a second.
    EverySecond,
}

impl Keepalive {
    fn options(self) -> SocketOptions {
        match self {
            Self::Off => SocketOptions::BYSTANDER,
            Self::EverySecond => SocketOptions::BYSTANDER.asking_after(Duration::from_secs(1)),
        }
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// An open connection.
pub struct Probe {
    stream: Stream,
    /// What was agreed on in TLS.
    pub tls: Option<TlsFacts>,
    buffer: BytesMut,
    /// When a byte last went or came.
    last: Instant,
}

impl Probe {
    /// Connects, and shakes hands where the target has a name.
    ///
    /// *Errors*: [`OpenError`].
    pub async fn open(
        target: &Target,
        config: &Arc<ClientConfig>,
        keepalive: Keepalive,
    ) -> Result<Self, OpenError> {
        let tcp = socket::connect(target.address, &keepalive.options(), OPEN_LIMIT)
            .await
            .map_err(OpenError::Connect)?;
        let (stream, tls) = match &target.name {
            None => (Stream::Plain(tcp), None),
            Some(name) => {
                let (tls, facts) = tls::connect(config, name.clone(), tcp, OPEN_LIMIT)
                    .await
                    .map_err(OpenError::Handshake)?;
                (Stream::Tls(Box::new(tls)), Some(facts))
            }
        };
        Ok(Self { stream, tls, buffer: BytesMut::new(), last: Instant::now() })
    }

    /// The protocol that ALPN chose.
    pub fn alpn(&self) -> Option<&[u8]> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(tls) => tls.get_ref().1.alpn_protocol(),
        }
    }

    /// Sends a request and waits for its answer.
    pub async fn ask(&mut self, request: &[u8], limit: Duration) -> Answer {
        let begun = Instant::now();
        if let Err(error) = self.write(request).await {
            return Answer::Ended(self.manner_of(&error, Manner::RstOnSend));
        }
        self.last = Instant::now();
        loop {
            match Reply::take(&mut self.buffer) {
                // Hints that come before an answer are none; 100 is what was asked for.
                Ok(Some(reply)) if reply.is_interim() && reply.status != 100 => continue,
                Ok(Some(reply)) => {
                    self.last = Instant::now();
                    return Answer::Replied(reply, begun.elapsed());
                }
                Ok(None) => {}
                Err(unreadable) => return Answer::Unreadable(unreadable),
            }
            match timeout(LOOK_EVERY, self.read()).await {
                Ok(Ok(0)) => return Answer::Ended(self.end().await),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Answer::Ended(self.manner_of(&error, Manner::RstOnSend)),
                Err(_) => {
                    let info = self.info();
                    if info.is_some_and(|info| is_unheard(&info)) {
                        return Answer::Ended(Manner::Silent);
                    }
                    if begun.elapsed() >= limit {
                        let unacked = info.is_some_and(|info| info.unacked > 0);
                        return Answer::Ended(if unacked { Manner::Silent } else { Manner::AckedSilent });
                    }
                }
            }
        }
    }

    /// Lets the connection be quiet for so long since its last byte, and looks at it
    /// all the time.
    pub async fn rest(&mut self, quiet: Duration) -> Quiet {
        let until = self.last + quiet;
        let read = tokio::select! {
            biased;
            read = self.read() => read,
            () = sleep_until(until) => return Quiet::Kept,
        };
        let after = self.last.elapsed();
        match read {
            Ok(0) => Quiet::Ended(self.end().await, after),
            Ok(_) => Quiet::Stray,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Quiet::KeepaliveUnanswered,
            Err(error) => Quiet::Ended(self.manner_of(&error, Manner::Rst), after),
        }
    }

    /// Quiet time since the last byte.
    pub fn quiet_for(&self) -> Duration {
        self.last.elapsed()
    }

    /// Reads over what is left, until the peer ends the connection.
    pub async fn ended_within(&mut self, limit: Duration) -> Option<Manner> {
        let end = async {
            loop {
                match self.read().await {
                    Ok(0) => return self.end().await,
                    Ok(_) => self.buffer.clear(),
                    Err(error) => return self.manner_of(&error, Manner::Rst),
                }
            }
        };
        timeout(limit, end).await.ok()
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(bytes).await,
            Stream::Tls(tls) => {
                tls.write_all(bytes).await?;
                tls.flush().await
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.read_buf(&mut self.buffer).await,
            Stream::Tls(tls) => tls.read_buf(&mut self.buffer).await,
        }
    }

    /// The end that a read of nothing stands for: FIN on plain TCP; on TLS the
    /// peer's `close_notify`, after which the FIN is waited for.
    async fn end(&mut self) -> Manner {
        match &mut self.stream {
            Stream::Plain(_) => Manner::Fin,
            Stream::Tls(tls) => {
                // Whatever comes now, the end was announced.
                drop(timeout(FIN_LIMIT, tls.get_mut().0.read(&mut [0; 16])).await);
                Manner::FinCloseNotify
            }
        }
    }

    /// The end that an error stands for; `reset` where it is an RST.
    fn manner_of(&self, error: &io::Error, reset: Manner) -> Manner {
        match error.kind() {
            // TLS without `close_notify`.
            io::ErrorKind::UnexpectedEof => Manner::Fin,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Manner::Silent
            }
            _ => reset,
        }
    }

    fn info(&self) -> Option<TcpInfo> {
        let tcp = match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref().0,
        };
        socket::tcp_info(tcp).ok()
    }
}

/// What was sent has been sent again and again, and nobody has acknowledged it.
fn is_unheard(info: &TcpInfo) -> bool {
    info.unacked > 0 && info.retransmits >= RETRANSMITS_DEAD
}
