//! A client of foreign servers: whose certificates it believes, and what it offers.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Whom to believe.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The authorities of this machine.
    Machine,
    /// These alone, as PEM.
    Authorities(Vec<u8>),
    /// Anybody: nothing that is found then is sure to be of the endpoint.
    Anybody,
}

/// Nothing can be believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file holds no certificate.
    #[error("the authorities to trust hold no certificate")]
    Authorities,
    /// This machine has none.
    #[error("this machine trusts no authority; name one with --ca")]
    Machine,
    /// The library refused.
    #[error("TLS cannot be configured")]
    Configuration(#[source] Error),
}

/// Which versions a handshake offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.3 and 1.2.
    Both,
    /// TLS 1.3 alone.
    Only13,
    /// TLS 1.2 alone.
    Only12,
}

impl Versions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Both => vec![&TLS13, &TLS12],
            Self::Only13 => vec![&TLS13],
            Self::Only12 => vec![&TLS12],
        }
    }
}

impl Trust {
    /// A client that offers these versions and protocols, and remembers its sessions
    /// for as long as the value lives.
    ///
    /// *Errors*: [`TrustError`].
    pub fn client(&self, versions: Versions, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions.list())
            .map_err(TrustError::Configuration)?;
        let mut config = match self {
            Self::Anybody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Believer(provider)))
                .with_no_client_auth(),
            Self::Machine | Self::Authorities(_) => {
                builder.with_root_certificates(self.roots()?).with_no_client_auth()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, TrustError> {
        let mut roots = RootCertStore::empty();
        match self {
            Self::Authorities(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|_| TrustError::Authorities)?;
                    roots.add(certificate).map_err(TrustError::Configuration)?;
                }
                if roots.is_empty() { Err(TrustError::Authorities) } else { Ok(roots) }
            }
            Self::Machine | Self::Anybody => {
                // A few that cannot be read do no harm; none at all does.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() { Err(TrustError::Machine) } else { Ok(roots) }
            }
        }
    }
}

/// Believes any certificate, but still checks that its key signed the handshake.
#[derive(Debug)]
struct Believer(Arc<CryptoProvider>);

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
