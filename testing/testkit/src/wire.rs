//! One TLS connection on which a test writes exactly the bytes it wants.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};

/// No reply in a test takes longer, and a test that waits for nothing must end.
const REPLY_MAX: Duration = Duration::from_secs(20);

/// A connection to a head or to the balancer.
pub struct Wire {
    stream: StreamOwned<ClientConnection, TcpStream>,
    input: Vec<u8>,
}

/// How a peer announced the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// close_notify, and FIN: the head did.
    CloseNotify,
    /// FIN alone: a balancer did, which has no part in the TLS.
    Fin,
}

/// A response as it came.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Status line and header lines, byte for byte.
    pub head: Vec<u8>,
    /// Names in lower case, values as sent, in order.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The address in a URL such as `https://127.0.0.1:7443`.
pub fn address(url: &str) -> Result<SocketAddr> {
    let address = url.strip_prefix("https://").unwrap_or(url);
    address.parse().with_context(|| format!("{url} holds no address"))
}

impl Wire {
    /// Connects to `url` and trusts `ca`.
    pub fn connect(url: &str, ca: &Path) -> Result<Self> {
        Self::over(TcpStream::connect(address(url)?)?, ca)
    }

    /// Begins TLS on a TCP connection that may have carried other bytes before.
    pub fn over(tcp: TcpStream, ca: &Path) -> Result<Self> {
        Self::offering(tcp, ca, &[])
    }

    /// Begins TLS and offers these protocols by ALPN.
    pub fn offering(tcp: TcpStream, ca: &Path, protocols: &[&[u8]]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::from(tcp.peer_addr()?.ip());
        let tls = ClientConnection::new(Arc::new(config), name)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(REPLY_MAX))?;
        Ok(Self { stream: StreamOwned::new(tls, tcp), input: Vec::new() })
    }

    /// The server's own certificate, as it was shown.
    pub fn certificate(&mut self) -> Result<Vec<u8>> {
        while self.stream.conn.is_handshaking() {
            self.stream.conn.complete_io(&mut self.stream.sock)?;
        }
        let chain = self.stream.conn.peer_certificates().context("no certificate")?;
        Ok(chain.first().context("an empty chain")?.to_vec())
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()?;
        Ok(())
    }

    /// Says that nothing more will be sent: close_notify and FIN, while replies
    /// can still come.
    pub fn finish(&mut self) -> Result<()> {
        self.stream.conn.send_close_notify();
        self.stream.flush()?;
        Ok(self.stream.sock.shutdown(Shutdown::Write)?)
    }

    /// Waits this long for the peer, from now on.
    pub fn set_patience(&self, limit: Duration) -> Result<()> {
        Ok(self.stream.sock.set_read_timeout(Some(limit))?)
    }

    /// The TCP connection under the TLS.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        &self.stream.sock
    }

    /// Reads exactly so many bytes; `None` where the connection ends before the
    /// first of them.
    pub fn exactly(&mut self, count: usize) -> Result<Option<Vec<u8>>> {
        while self.input.len() < count {
            match self.more() {
                Ok(0) if self.input.is_empty() => return Ok(None),
                Ok(0) => anyhow::bail!("the connection ended within {count} bytes"),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(self.input.drain(..count).collect()))
    }

    /// Reads one response to a request with `method`.
    pub fn response(&mut self, method: &str) -> Result<Response> {
        let end = loop {
            if let Some(at) = self.input.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            ensure!(self.more()? > 0, "the connection ended before a response");
        };
        let head: Vec<u8> = self.input.drain(..end).collect();
        let mut response = parse_head(&head)?;
        let bodiless = method == "HEAD" || matches!(response.status, 100..=199 | 204 | 304);
        if !bodiless {
            response.body = self.body(&response)?;
        }
        Ok(response)
    }

    fn body(&mut self, response: &Response) -> Result<Vec<u8>> {
        let length: usize =
            response.header("content-length").context("a response without a length")?.parse()?;
        while self.input.len() < length {
            ensure!(self.more()? > 0, "the connection ended in the middle of a body");
        }
        Ok(self.input.drain(..length).collect())
    }

    /// Waits for the end of the connection and tells how the peer announced it.
    ///
    /// *Errors*: a reset, or bytes where an end was expected.
    pub fn end(&mut self) -> Result<End> {
        match self.more() {
            Ok(0) if self.input.is_empty() => Ok(End::CloseNotify),
            Ok(_) => anyhow::bail!("bytes came where the end was expected"),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(End::Fin),
            Err(error) => Err(error).context("the connection did not end in order"),
        }
    }

    /// Whether the peer has ended the connection by close_notify, with nothing
    /// unread before it.
    pub fn ends_cleanly(&mut self) -> Result<bool> {
        Ok(self.end()? == End::CloseNotify)
    }

    fn more(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let n = self.stream.read(&mut chunk)?;
        self.input.extend_from_slice(chunk.get(..n).unwrap_or_default());
        Ok(n)
    }
}

fn parse_head(head: &[u8]) -> Result<Response> {
    let text = str::from_utf8(head)?;
    let mut lines = text.split("\r\n");
    let status_line = lines.next().context("an empty response")?;
    let status = status_line.split(' ').nth(1).context("no status")?.parse()?;
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Ok(Response { status, head: head.to_vec(), headers, body: Vec::new() })
}
