//! The certificates of a server, one per kind of key, exchangeable while it runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::SignatureAlgorithm;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{TlsError, provider};

/// Pairs of one server: ECDSA, RSA, and room for one change of algorithm.
pub const PAIRS_MAX: usize = 4;

/// The largest PEM file that is read; a long chain has some 10 KiB.
const PEM_BYTES_MAX: u64 = 256 * 1024;

/// The files of one certificate chain and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairFiles {
    /// The chain in PEM, the server's own certificate first.
    pub chain: PathBuf,
    /// The private key in PEM: PKCS#8, PKCS#1 or SEC1, not encrypted.
    pub key: PathBuf,
}

/// The certificates of a server.
///
/// ECDSA P-256 goes first, because its signature costs a twelfth of RSA-2048's;
/// RSA serves the clients that know nothing else, as the `ClientHello` tells.
pub struct ServerIdentity {
    files: Vec<PairFiles>,
    pairs: ArcSwap<Vec<Arc<CertifiedKey>>>,
}

impl ServerIdentity {
    /// Reads the pairs, in any order.
    ///
    /// *Errors*: [`TlsError`], naming the file.
    pub fn load(files: Vec<PairFiles>) -> Result<Arc<Self>, TlsError> {
        let pairs = ArcSwap::from_pointee(read_pairs(&files)?);
        Ok(Arc::new(Self { files, pairs }))
    }

    /// Where the pairs are read from.
    #[must_use]
    pub fn files(&self) -> &[PairFiles] {
        &self.files
    }

    /// Reads the same files again. Handshakes from now on show the new
    /// certificates; open connections and resumed sessions go on.
    ///
    /// *Errors*: [`TlsError`]; the certificates of before stay in use, all of them.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.pairs.store(Arc::new(read_pairs(&self.files)?));
        Ok(())
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pairs = self.pairs.load();
        let fitting = pairs.iter().find(|pair| pair.key.choose_scheme(hello.signature_schemes()).is_some());
        // Where none fits, the first lets the library send the right alert.
        fitting.or_else(|| pairs.first()).cloned()
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerIdentity").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read_pairs(files: &[PairFiles]) -> Result<Vec<Arc<CertifiedKey>>, TlsError> {
    if files.is_empty() || files.len() > PAIRS_MAX {
        return Err(TlsError::Pairs(files.len()));
    }
    let mut pairs = files.iter().map(read_pair).collect::<Result<Vec<_>, _>>()?;
    pairs.sort_by_key(|pair| pair.key.algorithm() == SignatureAlgorithm::RSA);
    Ok(pairs)
}

fn read_pair(files: &PairFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = read(&files.chain)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<_, _>>()
        .ok()
        .filter(|chain: &Vec<_>| !chain.is_empty())
        .ok_or_else(|| TlsError::Chain { path: files.chain.clone() })?;
    let key = read(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| TlsError::Key { path: files.key.clone() })?;
    CertifiedKey::from_der(chain, key, &provider())
        .map(Arc::new)
        .map_err(|source| TlsError::Pair { path: files.key.clone(), source })
}

/// Reads a whole file into memory that is wiped, without growing: a buffer that
/// grows leaves copies of the key behind.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let failed = |source: io::Error| TlsError::File { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let capacity = usize::try_from(length.min(PEM_BYTES_MAX)).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity + 1));
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > PEM_BYTES_MAX) {
        return Err(TlsError::FileTooLarge { path: path.into(), max: PEM_BYTES_MAX });
    }
    Ok(bytes)
}
