use std::fs;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_RSA_SHA256};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{
    ALPN_HTTP1, HandshakeError, PAIRS_MAX, PairFiles, ServerIdentity, TicketKey, TicketKeys, TlsError,
    TlsFacts, TlsVersion, accept, client_config, connect, server_config,
};
use crate::close;

const LIMIT: Duration = Duration::from_secs(30);

/// A certificate authority and what it has signed, in a folder of its own.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("signed");
        Self { folder: tempfile::tempdir().expect("folder"), issuer }
    }

    fn ca_pem(&self) -> String {
        self.issuer.pem()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pair(&self, name: &str, key: &KeyPair) -> PairFiles {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(key, &self.issuer).expect("signed");
        let files =
            PairFiles { chain: self.path(&format!("{name}.pem")), key: self.path(&format!("{name}.key")) };
        fs::write(&files.chain, certificate.pem()).expect("written");
        fs::write(&files.key, key.serialize_pem()).expect("written");
        files
    }

    fn ecdsa(&self) -> PairFiles {
        self.pair("ecdsa", &KeyPair::generate().expect("key"))
    }

    fn both(&self) -> Arc<ServerIdentity> {
        // RSA first in the list: the order of files must not matter.
        let pairs = vec![self.pair("rsa", rsa_key()), self.ecdsa()];
        ServerIdentity::load(pairs).expect("both pairs are good")
    }
}

/// Made once: an RSA key takes a second of an unoptimised build.
fn rsa_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate_for(&PKCS_RSA_SHA256).expect("key"))
}

fn tickets(secret: u8) -> Arc<TicketKeys> {
    TicketKeys::new(TicketKey::derive(&[secret; 32]).expect("key"), vec![])
}

fn head(identity: &Arc<ServerIdentity>, tickets: &Arc<TicketKeys>) -> Arc<ServerConfig> {
    server_config(Arc::clone(identity), Arc::clone(tickets), &[ALPN_HTTP1]).expect("configured")
}

/// A client like ours that speaks less: one version, or other suites.
fn lesser_client(
    ca_pem: &str,
    provider: CryptoProvider,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("PEM")).expect("root");
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .expect("configured")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").expect("a name")
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
    let connect = TcpStream::connect(listener.local_addr().expect("bound"));
    let (client, server) = tokio::join!(connect, listener.accept());
    (client.expect("connect"), server.expect("accept").0)
}

/// What one visit showed.
struct Visit {
    client: TlsFacts,
    server: TlsFacts,
    certificate: Option<CertificateDer<'static>>,
}

/// One connection with one byte each way and a staged close by the server, after
/// which the client holds its tickets.
async fn visit(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Result<Visit, HandshakeError> {
    let (near, far) = pair().await;
    let serving = tokio::spawn({
        let server = Arc::clone(server);
        async move {
            let (mut stream, facts) = accept(&server, far, LIMIT).await?;
            stream.read_u8().await.map_err(HandshakeError::Failed)?;
            stream.write_all(b"!").await.map_err(HandshakeError::Failed)?;
            close::staged(stream, close::Limits::DEFAULT).await;
            Ok::<_, HandshakeError>(facts)
        }
    });
    let (mut stream, client) = connect(client, name(), near, LIMIT).await?;
    stream.write_all(b"?").await.map_err(HandshakeError::Failed)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.map_err(HandshakeError::Failed)?;
    assert_eq!(reply, b"!");
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first().cloned());
    stream.shutdown().await.map_err(HandshakeError::Failed)?;
    drop(stream);
    let server = serving.await.expect("no panic")?;
    Ok(Visit { client, server, certificate: certificate.map(CertificateDer::into_owned) })
}

fn first_certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).expect("PEM")
}

#[tokio::test]
async fn a_session_of_one_head_is_resumed_at_another() {
    let authority = Authority::new();
    let identity = authority.both();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = lesser_client(&authority.ca_pem(), default_provider(), version);
        let head_1 = head(&identity, &tickets(1));
        let head_2 = head(&identity, &tickets(1));
        let stranger = head(&identity, &tickets(2));
        let first = visit(&client, &head_1).await.expect("full");
        assert!(!first.client.resumed && !first.server.resumed);
        let second = visit(&client, &head_2).await.expect("resumed");
        assert!(second.client.resumed && second.server.resumed, "{version:?}");
        let third = visit(&client, &stranger).await.expect("a full handshake instead");
        assert!(!third.client.resumed && !third.server.resumed, "{version:?}");
    }
}

#[tokio::test]
async fn our_own_client_gets_the_fastest_suite_and_resumes() {
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    let client = client_config(authority.ca_pem().as_bytes()).expect("configured");
    let first = visit(&client, &server).await.expect("full");
    let expected = TlsFacts { version: TlsVersion::Tls13, cipher: "TLS_AES_128_GCM_SHA256", resumed: false };
    assert_eq!((first.client, first.server), (expected, expected));
    assert_eq!(first.client.version.as_str(), "1.3");
    let second = visit(&client, &server).await.expect("resumed");
    assert_eq!(second.server, TlsFacts { resumed: true, ..expected });
}

#[tokio::test]
async fn our_order_of_suites_counts_not_the_clients() {
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    // The library's own order begins with AES-256, as OpenSSL's does.
    let client = lesser_client(&authority.ca_pem(), default_provider(), &rustls::version::TLS13);
    let seen = visit(&client, &server).await.expect("full");
    assert_eq!(seen.server.cipher, "TLS_AES_128_GCM_SHA256");
}

#[tokio::test]
async fn a_client_without_ecdsa_gets_the_rsa_chain() {
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    let ecdsa = first_certificate(&authority.path("ecdsa.pem"));
    let rsa = first_certificate(&authority.path("rsa.pem"));

    let modern = client_config(authority.ca_pem().as_bytes()).expect("configured");
    assert_eq!(visit(&modern, &server).await.expect("full").certificate, Some(ecdsa));

    let old = CryptoProvider {
        cipher_suites: vec![cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384],
        ..default_provider()
    };
    let old = lesser_client(&authority.ca_pem(), old, &rustls::version::TLS12);
    let seen = visit(&old, &server).await.expect("full");
    assert_eq!(seen.certificate, Some(rsa));
    assert_eq!(seen.server.cipher, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    assert_eq!(seen.server.version, TlsVersion::Tls12);
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_refuses() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = head(&authority.both(), &tickets(1));
    let client = client_config(other.ca_pem().as_bytes()).expect("configured");
    let error = visit(&client, &server).await.err().expect("refused");
    assert!(matches!(&error, HandshakeError::Failed(cause) if cause.kind() == ErrorKind::InvalidData));
}

#[tokio::test]
async fn the_close_is_announced_by_close_notify() {
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    let client = client_config(authority.ca_pem().as_bytes()).expect("configured");
    for (announced, expected) in [(true, Ok(0)), (false, Err(ErrorKind::UnexpectedEof))] {
        let (near, far) = pair().await;
        let serving = tokio::spawn({
            let server = Arc::clone(&server);
            async move {
                let (mut stream, _) = accept(&server, far, LIMIT).await.expect("handshake");
                stream.flush().await.expect("flushed");
                if announced {
                    close::staged(stream, close::Limits::DEFAULT).await.ended
                } else {
                    // What this test would see if the close were a bare FIN.
                    close::staged(stream.into_inner().0, close::Limits::DEFAULT).await.ended
                }
            }
        });
        let (mut stream, _) = connect(&client, name(), near, LIMIT).await.expect("handshake");
        let seen = stream.read(&mut [0; 8]).await;
        assert_eq!(seen.map_err(|error| error.kind()), expected);
        drop(stream);
        assert_eq!(serving.await.expect("no panic"), close::Ended::PeerFin);
    }
}

/// A client that takes a readable connection for a dead one would throw it away if a
/// ticket came while it is idle.
#[tokio::test]
async fn tickets_come_with_the_handshake_alone() {
    /// One byte, its type, and the tag (RFC 8446 section 5.2); an alert has two.
    const BYTE: usize = 18;
    const ALERT: usize = 19;
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    let client = client_config(authority.ca_pem().as_bytes()).expect("configured");
    let (near, far) = pair().await;
    let serving = tokio::spawn(async move {
        let (mut stream, _) = accept(&server, far, LIMIT).await.expect("handshake");
        for _ in 0..2 {
            stream.read_exact(&mut [0]).await.expect("a byte");
            stream.write_all(b"!").await.expect("written");
            stream.flush().await.expect("flushed");
        }
        close::staged(stream, close::Limits::DEFAULT).await
    });
    let (mut stream, _) = connect(&client, name(), near, LIMIT).await.expect("handshake");
    stream.write_all(b"??").await.expect("written");
    stream.flush().await.expect("flushed");
    // From here on the records are counted and not read.
    let mut raw = stream.into_inner().0;
    let mut wire = Vec::new();
    raw.read_to_end(&mut wire).await.expect("a FIN");
    drop(raw);
    serving.await.expect("no panic");
    let (mut lengths, mut rest) = (Vec::new(), wire.as_slice());
    while let [_, _, _, high, low, more @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        lengths.push(length);
        rest = more.get(length..).expect("whole records");
    }
    let replies = lengths.iter().position(|length| *length == BYTE).expect("a reply");
    assert!(replies > 0, "no ticket at all: {lengths:?}");
    assert_eq!(lengths.get(replies..), Some(&[BYTE, BYTE, ALERT][..]), "{lengths:?}");
}

#[tokio::test]
async fn what_comes_after_close_notify_is_not_decrypted() {
    const JUNK: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    let client = client_config(authority.ca_pem().as_bytes()).expect("configured");
    let (near, far) = pair().await;
    let connecting = async { connect(&client, name(), near, LIMIT).await.expect("handshake").0 };
    let accepting = async { accept(&server, far, LIMIT).await.expect("handshake").0 };
    let (near, far) = tokio::join!(connecting, accepting);
    let mut raw = near.into_inner().0;
    raw.write_all(JUNK).await.expect("written");
    raw.shutdown().await.expect("FIN");
    let closed = close::staged(far, close::Limits::DEFAULT).await;
    assert_eq!(closed.ended, close::Ended::PeerFin);
    assert!(closed.discarded >= JUNK.len() as u64, "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_nobody_answers_ends_in_time() {
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    let client = client_config(authority.ca_pem().as_bytes()).expect("configured");
    let (near, _far) = tokio::io::duplex(4096);
    let error = accept(&server, near, LIMIT).await.expect_err("no hello");
    assert!(matches!(error.error, HandshakeError::Timeout));
    let (near, _far) = tokio::io::duplex(4096);
    let error = connect(&client, name(), near, LIMIT).await.expect_err("no reply");
    assert!(matches!(error, HandshakeError::Timeout));
}

#[tokio::test]
async fn what_is_not_tls_is_a_failure() {
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    let (near, mut far) = tokio::io::duplex(4096);
    far.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let error = accept(&server, near, LIMIT).await.expect_err("plain HTTP");
    assert!(matches!(error.error, HandshakeError::Failed(_)));
}

#[tokio::test]
async fn a_client_that_goes_on_sending_hears_why_its_handshake_was_refused() {
    let authority = Authority::new();
    let server = head(&authority.both(), &tickets(1));
    let (mut near, far) = pair().await;
    let serving = tokio::spawn(async move {
        accept(&server, far, LIMIT).await.expect_err("no TLS").close().await;
    });
    // More than is read before the refusal, and than the kernel holds.
    near.write_all(&vec![b'x'; 32 << 20]).await.expect("sent");
    let mut said = Vec::new();
    near.read_to_end(&mut said).await.expect("a FIN, no RST");
    assert_eq!(said.first(), Some(&21), "an alert (RFC 8446 section 5.1)");
    drop(near);
    serving.await.expect("no panic");
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_a_bad_one_keeps_the_old() {
    let authority = Authority::new();
    let identity = authority.both();
    let server = head(&identity, &tickets(1));
    let ca = authority.ca_pem();
    let shown = async || {
        let client = client_config(ca.as_bytes()).expect("configured");
        visit(&client, &server).await.expect("full").certificate.expect("shown")
    };
    let old = first_certificate(&authority.path("ecdsa.pem"));
    assert_eq!(shown().await, old);

    fs::write(authority.path("rsa.key"), "not a key").expect("written");
    authority.ecdsa();
    assert!(matches!(identity.reload(), Err(TlsError::Key { .. })));
    assert_eq!(shown().await, old, "one bad pair keeps all the old ones");

    authority.pair("rsa", rsa_key());
    identity.reload().expect("good again");
    let new = first_certificate(&authority.path("ecdsa.pem"));
    assert_ne!(new, old);
    assert_eq!(shown().await, new);
}

#[test]
fn every_fault_of_a_pair_names_its_file() {
    let authority = Authority::new();
    let good = authority.ecdsa();
    let (empty, large) = (authority.path("empty.pem"), authority.path("large.pem"));
    fs::write(&empty, "").expect("written");
    fs::write(&large, vec![b'-'; 300 * 1024]).expect("written");
    let load = |chain: &Path, key: &Path| {
        let files = PairFiles { chain: chain.into(), key: key.into() };
        ServerIdentity::load(vec![files]).expect_err("bad")
    };
    let missing = authority.path("missing");
    let error = load(&missing, &good.key);
    assert!(
        matches!(&error, TlsError::File { path, source } if *path == missing && source.kind() == io::ErrorKind::NotFound)
    );
    assert!(error.to_string().contains("missing"));
    assert!(matches!(load(&empty, &good.key), TlsError::Chain { path } if path == empty));
    assert!(matches!(load(&good.key, &good.key), TlsError::Chain { .. }));
    assert!(matches!(load(&large, &good.key), TlsError::FileTooLarge { path, .. } if path == large));
    assert!(matches!(load(&good.chain, &good.chain), TlsError::Key { path } if path == good.chain));
    let other = authority.pair("other", &KeyPair::generate().expect("key"));
    assert!(matches!(load(&good.chain, &other.key), TlsError::Pair { path, .. } if path == other.key));
    assert!(matches!(ServerIdentity::load(vec![]), Err(TlsError::Pairs(0))));
    let many = vec![good; PAIRS_MAX + 1];
    assert!(matches!(ServerIdentity::load(many), Err(TlsError::Pairs(5))));
}

#[test]
fn roots_must_be_certificates() {
    for bad in ["", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(client_config(bad.as_bytes()), Err(TlsError::Roots(None))), "{bad}");
    }
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(client_config(no_certificate.as_bytes()), Err(TlsError::Roots(Some(_)))));
}
