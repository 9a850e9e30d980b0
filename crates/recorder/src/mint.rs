//! Certificates that a client is shown where its TLS is opened: of an authority of our
//! own, made for the name that it asks for.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

/// The authority's certificate, which clients are told to trust.
pub(crate) const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca-key.pem";

/// How long an authority is valid: a recording is of an afternoon, an investigation may
/// be of months.
const CA_LIFE: Duration = Duration::from_secs(365 * 86_400);
/// How long a certificate is.
const LIFE: Duration = Duration::from_secs(30 * 86_400);
/// Clocks of clients may be behind ours by this much.
const CLOCK_SKEW: Duration = Duration::from_secs(86_400);
/// Names that certificates are kept for; of more the eldest are made again. One
/// recorder stands before one server, which has few.
const NAMES_MAX: usize = 64;

/// The authority cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// A file of it cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// What the files hold is no authority.
    #[error("{} is not what an earlier recorder wrote; remove it", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rcgen::Error,
    },
    /// Nothing can be signed.
    #[error("a certificate cannot be made")]
    Sign(#[from] rcgen::Error),
    /// TLS cannot be configured.
    #[error("TLS cannot be configured")]
    Tls(#[from] rustls::Error),
}

/// An authority, and what it has signed.
pub(crate) struct Mint {
    issuer: Issuer<'static, KeyPair>,
    /// Of the server that was named, for clients that ask for no name.
    host: String,
    made: Mutex<Vec<(String, Arc<CertifiedKey>)>>,
}

impl std::fmt::Debug for Mint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mint").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Mint {
    /// The authority of this folder, which is made where there is none.
    pub(crate) fn open(dir: &Path, host: &str) -> Result<Self, MintError> {
        let (ca, key) = (dir.join(CA_FILE), dir.join(CA_KEY_FILE));
        if !ca.exists() || !key.exists() {
            make_authority(&ca, &key)?;
        }
        let pem = fs::read_to_string(&key).map_err(|source| MintError::File { path: key.clone(), source })?;
        let pair = KeyPair::from_pem(&pem).map_err(|source| MintError::Authority { path: key, source })?;
        // Its name is always the same, and its identifier is that of the key.
        let issuer = Issuer::new(authority()?, pair);
        Ok(Self { issuer, host: host.to_owned(), made: Mutex::default() })
    }

    /// How clients are answered. HTTP/1.1 alone is offered, because nothing else is read.
    pub(crate) fn server_config(self, alpn: &[u8]) -> Result<Arc<ServerConfig>, MintError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self));
        config.ticketer = Ticketer::new()?;
        config.alpn_protocols = vec![alpn.to_vec()];
        Ok(Arc::new(config))
    }

    fn certificate(&self, name: &str) -> Result<Arc<CertifiedKey>, MintError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = made.iter().find(|(known, _)| known == name) {
            return Ok(Arc::clone(known));
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid_for(&mut params, LIFE);
        let chain = vec![params.signed_by(&key, &self.issuer)?.der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let fresh = Arc::new(CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())?);
        if made.len() >= NAMES_MAX {
            made.remove(0);
        }
        made.push((name.to_owned(), Arc::clone(&fresh)));
        Ok(fresh)
    }
}

impl ResolvesServerCert for Mint {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or(&self.host);
        self.certificate(name)
            .inspect_err(|error| tracing::warn!(name, %error, "no certificate can be made for this name"))
            .ok()
    }
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Repono recorder on this machine");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, CA_LIFE);
    Ok(params)
}

fn make_authority(ca: &Path, key_file: &Path) -> Result<(), MintError> {
    let (params, key) = (authority()?, KeyPair::generate()?);
    let certificate = params.self_signed(&key)?;
    write(key_file, 0o600, &key.serialize_pem())?;
    write(ca, 0o644, &certificate.pem())
}

fn valid_for(params: &mut CertificateParams, life: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + life).into();
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), MintError> {
    let failed = |source| MintError::File { path: path.to_owned(), source };
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
