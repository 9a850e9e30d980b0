//! The files of a server's certificates, as every service's configuration has them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::PairFiles;

/// Two certificate chains side by side, PEM; the client's offer decides which is
/// used.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Chain of the ECDSA P-256 certificate.
    pub ecdsa_chain: PathBuf,
    /// Its private key.
    pub ecdsa_key: PathBuf,
    /// Chain of the RSA-2048 certificate.
    pub rsa_chain: PathBuf,
    /// Its private key.
    pub rsa_key: PathBuf,
}

impl TlsFiles {
    /// The pairs, for [`ServerIdentity::load`](super::ServerIdentity::load).
    #[must_use]
    pub fn pairs(&self) -> Vec<PairFiles> {
        let Self { ecdsa_chain, ecdsa_key, rsa_chain, rsa_key } = self.clone();
        vec![PairFiles { chain: ecdsa_chain, key: ecdsa_key }, PairFiles { chain: rsa_chain, key: rsa_key }]
    }
}
