//! TLS for every service: 1.2 and 1.3, AEAD suites only, no early data.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::server::NoServerSessionStorage;
use rustls::{
    CipherSuite, ClientConfig, CommonState, HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig,
    SupportedCipherSuite, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::close::{self, Announce};

mod files;
mod identity;
mod renewal;
mod tickets;
mod trust;

pub use files::TlsFiles;
pub use identity::{PAIRS_MAX, PairFiles, ServerIdentity};
pub use renewal::keep_current;
pub use tickets::{ACCEPTED_KEYS_MAX, TICKET_LIFETIME, TicketKey, TicketKeyError, TicketKeys};
pub use trust::{Trust, TrustError, Versions};

/// The name of HTTP/1.1 in ALPN (RFC 7301 section 6).
pub const ALPN_HTTP1: &[u8] = b"http/1.1";

/// The name of HTTP/2 over TLS in ALPN (RFC 9113 section 3.2).
pub const ALPN_HTTP2: &[u8] = b"h2";

/// AES-128-GCM first: with AES in hardware it is the fastest by far (11.5 GB/s of
/// one core, AES-256 10.0, ChaCha20 1.8), and as safe as the certificates.
const SUITES: [SupportedCipherSuite; 9] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// Tickets per TLS 1.3 handshake. A ticket is used once; two let a client that
/// opens a second connection beside the first resume both.
const TICKETS_PER_HANDSHAKE: usize = 2;

/// Servers whose sessions a client remembers: heads, vending, and a margin.
const CLIENT_SESSIONS: usize = 64;

/// TLS cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A file is larger than any certificate chain.
    #[error("{} is larger than {max} bytes", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// No certificate, or one that is not PEM.
    #[error("{} holds no certificate chain in PEM", path.display())]
    Chain {
        /// The file.
        path: PathBuf,
    },
    /// No private key, or one that is not PEM. The cause is left out: it could
    /// quote the key.
    #[error("{} holds no private key in PEM", path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The key is of an unknown kind, or not that of the certificate.
    #[error("the key in {} cannot serve the certificate", path.display())]
    Pair {
        /// The key's file.
        path: PathBuf,
        /// What does not fit.
        source: rustls::Error,
    },
    /// No pair of certificate chain and key, or too many.
    #[error("a server needs 1 to {PAIRS_MAX} pairs of certificate chain and key, not {0}")]
    Pairs(usize),
    /// The certificates to trust hold none, or one that is not usable as a root.
    #[error("the certificates to trust hold no usable certificate in PEM")]
    Roots(#[source] Option<rustls::Error>),
    /// The library refused the combination of suites and versions.
    #[error("TLS cannot be configured")]
    Configuration(#[source] rustls::Error),
}

/// Configures a server: which certificate, which ticket keys, which protocols.
///
/// *Shape*: TLS 1.3 and 1.2; our order of suites counts, not the client's; no
/// early data (a replayed request is harmless for GET only); resumption by tickets
/// alone, so that every head resumes every head's sessions and none keeps any.
///
/// *Errors*: [`TlsError::Configuration`].
pub fn server_config(
    identity: Arc<ServerIdentity>,
    tickets: Arc<TicketKeys>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&VERSIONS)
        .map_err(TlsError::Configuration)?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.ignore_client_order = true;
    config.max_early_data_size = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = tickets;
    config.send_tls13_tickets = TICKETS_PER_HANDSHAKE;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Configures a client that trusts these certificates alone, offers HTTP/1.1, and
/// resumes its sessions. Clone it to offer something else.
///
/// *Errors*: [`TlsError::Roots`], [`TlsError::Configuration`].
pub fn client_config(ca_pem: &[u8]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&VERSIONS)
        .map_err(TlsError::Configuration)?
        .with_root_certificates(roots(ca_pem)?)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(CLIENT_SESSIONS);
    config.enable_early_data = false;
    config.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
    Ok(Arc::new(config))
}

/// A handshake that did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The peer did not finish in time.
    #[error("the TLS handshake was not finished in time")]
    Timeout,
    /// The peer refused, was refused, or went away.
    #[error("the TLS handshake failed")]
    Failed(#[source] io::Error),
}

/// A handshake that came to nothing, and the connection under it.
#[derive(Debug)]
pub struct Unfinished<S> {
    /// What went wrong.
    pub error: HandshakeError,
    /// Where the peer was told so by an alert.
    stream: Option<S>,
}

impl<S> From<Unfinished<S>> for HandshakeError {
    fn from(unfinished: Unfinished<S>) -> Self {
        unfinished.error
    }
}

impl<S: Announce> Unfinished<S> {
    /// Closes the connection in stages, so that the alert is not lost to an RST.
    ///
    /// *Cancel safety*: dropping the future closes at once.
    pub async fn close(self) {
        if let Some(stream) = self.stream {
            close::staged(stream, close::Limits::DEFAULT).await;
        }
    }
}

/// A version of TLS that Repono speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

impl TlsVersion {
    /// `1.2` or `1.3`, the form of ECS `tls.version`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

/// What a handshake agreed on, for the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// The version.
    pub version: TlsVersion,
    /// The suite's name in IANA's registry, such as `TLS_AES_128_GCM_SHA256`.
    pub cipher: &'static str,
    /// Whether an earlier session was resumed: no certificate, no signature.
    pub resumed: bool,
}

impl TlsFacts {
    /// The facts of a connection whose handshake is finished; `None` before.
    #[must_use]
    pub fn of(connection: &CommonState) -> Option<Self> {
        let version = match connection.protocol_version()? {
            ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
            ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
            _ => return None,
        };
        let cipher = registered_name(connection.negotiated_cipher_suite()?.suite())?;
        let resumed = connection.handshake_kind()? == HandshakeKind::Resumed;
        Some(Self { version, cipher, resumed })
    }
}

/// The library's name, which IANA spells otherwise for TLS 1.3.
fn registered_name(suite: CipherSuite) -> Option<&'static str> {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => Some("TLS_AES_128_GCM_SHA256"),
        CipherSuite::TLS13_AES_256_GCM_SHA384 => Some("TLS_AES_256_GCM_SHA384"),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some("TLS_CHACHA20_POLY1305_SHA256"),
        older => older.as_str(),
    }
}

/// Answers a client's handshake.
///
/// *Errors*: [`Unfinished`]; the peer has been sent the alert where there is one, and
/// what is left is [`Unfinished::close`].
/// *Cancel safety*: none; the connection is of no use afterwards.
pub async fn accept<S>(
    config: &Arc<ServerConfig>,
    stream: S,
    limit: Duration,
) -> Result<(tokio_rustls::server::TlsStream<S>, TlsFacts), Unfinished<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = TlsAcceptor::from(Arc::clone(config)).accept(stream).into_fallible();
    let stream = match timeout(limit, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err((error, stream))) => {
            return Err(Unfinished { error: HandshakeError::Failed(error), stream: Some(stream) });
        }
        Err(_) => return Err(Unfinished { error: HandshakeError::Timeout, stream: None }),
    };
    match finished(stream.get_ref().1) {
        Ok(facts) => Ok((stream, facts)),
        Err(error) => Err(Unfinished { error, stream: Some(stream.into_inner().0) }),
    }
}

/// Opens TLS to a server that must show a certificate for `name`.
///
/// *Errors*: [`HandshakeError`].
/// *Cancel safety*: none; the connection is of no use afterwards.
pub async fn connect<S>(
    config: &Arc<ClientConfig>,
    name: ServerName<'static>,
    stream: S,
    limit: Duration,
) -> Result<(tokio_rustls::client::TlsStream<S>, TlsFacts), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    let stream = timed(limit, handshake).await?;
    let facts = finished(stream.get_ref().1)?;
    Ok((stream, facts))
}

async fn timed<T>(
    limit: Duration,
    handshake: impl Future<Output = io::Result<T>>,
) -> Result<T, HandshakeError> {
    timeout(limit, handshake).await.map_err(|_| HandshakeError::Timeout)?.map_err(HandshakeError::Failed)
}

fn finished(connection: &CommonState) -> Result<TlsFacts, HandshakeError> {
    TlsFacts::of(connection).ok_or_else(|| HandshakeError::Failed(io::ErrorKind::InvalidData.into()))
}

/// The provider of both sides. Key exchange keeps the library's order: X25519,
/// P-256, P-384, then the hybrid with ML-KEM for clients that begin with it.
fn provider() -> CryptoProvider {
    CryptoProvider { cipher_suites: SUITES.to_vec(), ..default_provider() }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| TlsError::Roots(None))?;
        roots.add(certificate).map_err(|error| TlsError::Roots(Some(error)))?;
    }
    if roots.is_empty() { Err(TlsError::Roots(None)) } else { Ok(roots) }
}

#[cfg(test)]
mod tests;
