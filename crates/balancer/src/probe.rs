//! The active check of a head, the way a client comes: TCP, TLS, HTTP.
//!
//! A check of TCP alone passes for a stopped process, whose kernel still accepts;
//! so the head must answer `GET /healthcheck` through TLS. With its answer it tells
//! what it has counted, and how long it keeps idle connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use repono_net::close::{self, Limits};
use repono_net::proxy_v2::{self, ProxyKey};
use repono_net::socket::{self, SocketOptions};
use repono_net::tls::{self, HandshakeError};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::counters::Counters;
use crate::idle_limits::IdleLimits;

/// The longest answer that is read: a head's has some 500 bytes.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// The end of a check's connection; the answer is known, so it may be short.
const CLOSE_LIMITS: Limits =
    Limits { bytes: 16 * 1024, quiet: Duration::from_millis(200), time: Duration::from_millis(200) };

/// How far a check came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The connection could not be opened.
    Tcp,
    /// The connection is open; TLS could not be agreed on.
    Tls,
    /// TLS stands; the head did not answer, or not as it must.
    Http,
}

impl Level {
    /// The word in JSON and in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Http => "http",
        }
    }
}

/// What a head answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: it serves, has counted this and keeps these limits.
    Serving(Counters, IdleLimits),
    /// 503: it is leaving.
    Leaving,
}

/// A check that failed.
#[derive(Debug, thiserror::Error)]
pub enum CheckFailed {
    /// The connection could not be opened.
    #[error("the head does not accept connections")]
    Tcp(#[source] io::Error),
    /// TLS could not be agreed on.
    #[error("the head does not speak TLS as it must")]
    Tls(#[source] HandshakeError),
    /// The answer did not come.
    #[error("the head does not answer the health check")]
    Silent(#[source] io::Error),
    /// The answer is neither 200 nor 503.
    #[error("the head answers the health check with status {0:?}")]
    Status(Option<u16>),
}

impl CheckFailed {
    /// How far the check came.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::Tcp(_) => Level::Tcp,
            Self::Tls(_) => Level::Tls,
            Self::Silent(_) | Self::Status(_) => Level::Http,
        }
    }
}

/// Checks heads.
pub struct Probe {
    tls: Arc<ClientConfig>,
    name: ServerName<'static>,
    header: Vec<u8>,
    request: String,
    limit: Duration,
}

impl Probe {
    /// A probe that introduces itself with the key, trusts what `tls` trusts and
    /// takes at most `limit` for a check.
    #[must_use]
    pub fn new(tls: Arc<ClientConfig>, name: ServerName<'static>, key: &ProxyKey, limit: Duration) -> Self {
        let host = name.to_str();
        let request = format!("GET /healthcheck HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Self { tls, header: proxy_v2::encode_local(key), request, name, limit }
    }

    /// Checks the head at its balancer-only address.
    ///
    /// *Errors*: [`CheckFailed`].
    /// *Cost*: one connection and one TLS handshake, resumed after the first.
    pub async fn check(&self, address: SocketAddr) -> Result<Answer, CheckFailed> {
        let deadline = Instant::now() + self.limit;
        let tcp = socket::connect(address, &SocketOptions::SERVER, self.limit).await;
        let mut tcp = tcp.map_err(CheckFailed::Tcp)?;
        tcp.write_all(&self.header).await.map_err(CheckFailed::Tcp)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let handshake = tls::connect(&self.tls, self.name.clone(), tcp, left).await;
        let (mut stream, _) = handshake.map_err(CheckFailed::Tls)?;
        let answer = timeout_at(deadline, ask(&mut stream, self.request.as_bytes())).await;
        let answer = answer.map_err(|_| CheckFailed::Silent(io::ErrorKind::TimedOut.into()))?;
        close::staged(stream, CLOSE_LIMITS).await;
        answer
    }
}

async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
) -> Result<Answer, CheckFailed> {
    stream.write_all(request).await.map_err(CheckFailed::Silent)?;
    stream.flush().await.map_err(CheckFailed::Silent)?;
    let mut answer = Vec::new();
    while answer.len() < ANSWER_BYTES_MAX && !is_whole(&answer) {
        let count = stream.read_buf(&mut answer).await.map_err(CheckFailed::Silent)?;
        if count == 0 {
            return Err(CheckFailed::Silent(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    match status(&answer) {
        Some(200) => {
            let body = body(&answer).unwrap_or_default();
            Ok(Answer::Serving(Counters::read(body), IdleLimits::read(body)))
        }
        Some(503) => Ok(Answer::Leaving),
        other => Err(CheckFailed::Status(other)),
    }
}

/// Whether nothing more is to be waited for: the body is there, or the status line
/// alone says that it does not matter.
fn is_whole(answer: &[u8]) -> bool {
    match body(answer) {
        Some(body) => length(answer).is_none_or(|length| body.len() >= length),
        None => answer.contains(&b'\n') && status(answer) != Some(200),
    }
}

/// What follows the header, once that is there.
fn body(answer: &[u8]) -> Option<&[u8]> {
    const END: &[u8] = b"\r\n\r\n";
    let end = answer.windows(END.len()).position(|window| window == END)?;
    answer.get(end + END.len()..)
}

/// The length that the header announces.
fn length(answer: &[u8]) -> Option<usize> {
    let field = |line: &[u8]| {
        let (name, value) = str::from_utf8(line).ok()?.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    };
    answer.split(|byte| *byte == b'\n').take_while(|line| *line != b"\r").find_map(field)
}

/// The status of a status line (RFC 9112 section 4).
fn status(line: &[u8]) -> Option<u16> {
    let code = line.strip_prefix(b"HTTP/1.1 ")?.first_chunk::<3>()?;
    str::from_utf8(code).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{body, is_whole, status};

    #[test]
    fn an_answer_is_whole_with_its_body() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nOK\na 1\n";
        for end in 0..whole.len() {
            assert!(!is_whole(&whole[..end]), "{end}");
        }
        assert!(is_whole(whole) && body(whole) == Some(b"OK\na 1\n"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\n\r\n"), "no length, no body");
        assert!(is_whole(b"HTTP/1.1 503 Service Unavailable\r\n"), "nothing else matters");
        assert!(!is_whole(b"HTTP/1.1 503 Service"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\n\r\nContent-Length: 99\r\n"), "that is the body");
    }

    #[test]
    fn only_a_status_line_has_a_status() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"), Some(503));
        for bad in
            [&b"HTTP/1.0 200 OK\r\n"[..], b"HTTP/1.1 2", b"HTTP/1.1 2x0 OK\r\n", b"\x15\x03\x03\x00\x02", b""]
        {
            assert_eq!(status(bad), None);
        }
    }
}
