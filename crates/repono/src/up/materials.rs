//! What the first run makes: a certificate authority, server certificates and
//! the random keys that services share. Each is made once and then kept.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rand::TryRngCore;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use rustls_pki_types::DnsName;

use super::layout::Layout;

/// How long an authority made here is valid.
const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a server certificate is valid: the most that public verifiers accept
/// of certificates from a locally installed authority.
const SERVER_LIFE: Duration = Duration::from_secs(825 * 86_400);
/// A server certificate older than this is replaced when `up` starts.
const SERVER_RENEWAL: Duration = Duration::from_secs(365 * 86_400);
/// Clocks of clients may be behind ours by this much.
const CLOCK_SKEW: Duration = Duration::from_secs(86_400);

/// The two kinds of certificate that stand side by side, each with an authority
/// of its own kind, so that a client without ECDSA can verify the whole chain.
#[derive(Clone, Copy)]
enum Kind {
    Ecdsa,
    Rsa,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }

    fn key(self) -> Result<KeyPair> {
        Ok(match self {
            Self::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            Self::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
        })
    }
}

/// Names of the random 32-byte keys, as files under `secrets/`.
pub(crate) const VENDING_MASTER: &str = "vending-master.key";
pub(crate) const HEADS_MASTER: &str = "heads-master.key";
pub(crate) const PROXY_KEY: &str = "proxy.key";

/// Makes what is missing and renews server certificates that grow old or lack one of
/// the addresses that clients connect to.
pub(crate) fn prepare(layout: &Layout, listen: &[IpAddr]) -> Result<()> {
    for dir in [
        layout.root().to_owned(),
        layout.secrets(),
        layout.run(),
        layout.journal(),
        layout.root().join("log"),
    ] {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("cannot make the directory {}", dir.display()))?;
    }
    for name in [VENDING_MASTER, HEADS_MASTER, PROXY_KEY] {
        random_key(&layout.secret(name))?;
    }
    let names = Names::of(listen);
    let certified = layout.secret("server-names");
    let unchanged = fs::read_to_string(&certified).is_ok_and(|of| of == names.to_string());
    let renewed = if unchanged { Renewed::No } else { Renewed::Yes };
    let mut bundle = String::new();
    for kind in [Kind::Ecdsa, Kind::Rsa] {
        bundle.push_str(&certificates(layout, kind, &names, renewed)?);
    }
    if fs::read_to_string(layout.ca()).ok().as_deref() != Some(&bundle) {
        write_private(&layout.ca(), bundle.as_bytes())?;
    }
    match renewed {
        Renewed::Yes => write_private(&certified, names.to_string().as_bytes()),
        Renewed::No => Ok(()),
    }
}

/// Whether the names have changed since the certificates were made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renewed {
    Yes,
    No,
}

/// What clients may call this machine, as its certificates have it.
struct Names {
    hosts: Vec<String>,
    addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// `localhost` and the machine's own name, the loopback addresses and those that
    /// something listens on.
    fn of(listen: &[IpAddr]) -> Self {
        let mut hosts = vec!["localhost".to_owned()];
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if own != "localhost" && DnsName::try_from(own.as_str()).is_ok() {
            hosts.push(own);
        }
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let listen = listen.iter().copied().filter(|address| !address.is_unspecified());
        Self { hosts, addresses: loopback.into_iter().chain(listen).collect() }
    }
}

/// One to a line: what is kept to see whether they have changed.
impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hosts.iter().try_for_each(|host| writeln!(f, "{host}"))?;
        self.addresses.iter().try_for_each(|address| writeln!(f, "{address}"))
    }
}

/// 32 random bytes as hex, made once.
fn random_key(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut key = [0; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut key).context("the system gave no random bytes")?;
    write_private(path, format!("{}\n", data_encoding::HEXLOWER.encode(&key)).as_bytes())
}

/// The authority and the server certificate of one kind, a new one for `renewed`
/// names; returns the authority's certificate.
fn certificates(layout: &Layout, kind: Kind, names: &Names, renewed: Renewed) -> Result<String> {
    let file = |what: &str| layout.secret(&format!("{what}-{}.pem", kind.name()));
    let (ca_key_file, ca_file) = (file("ca-key"), file("ca"));
    if !ca_key_file.exists() || !ca_file.exists() {
        let key = kind.key()?;
        let certificate = ca_params(kind)?.self_signed(&key)?;
        write_private(&ca_key_file, key.serialize_pem().as_bytes())?;
        write_private(&ca_file, certificate.pem().as_bytes())?;
    }
    let (key_file, chain_file) = (file("server-key"), file("server"));
    if renewed == Renewed::Yes || !key_file.exists() || older_than(&chain_file, SERVER_RENEWAL) {
        let ca_key = KeyPair::from_pem(&read(&ca_key_file)?)
            .with_context(|| format!("{} is not a private key", ca_key_file.display()))?;
        let issuer = Issuer::new(ca_params(kind)?, ca_key);
        let key = kind.key()?;
        let certificate = server_params(names)?.signed_by(&key, &issuer)?;
        write_private(&key_file, key.serialize_pem().as_bytes())?;
        write_private(&chain_file, certificate.pem().as_bytes())?;
    }
    read(&ca_file)
}

fn ca_params(kind: Kind) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, format!("Repono local CA ({})", kind.name()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut params, CA_LIFE);
    Ok(params)
}

fn server_params(names: &Names) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names.hosts.clone())?;
    params.distinguished_name.push(DnType::CommonName, "Repono on this machine");
    params.subject_alt_names.extend(names.addresses.iter().copied().map(SanType::IpAddress));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    validity(&mut params, SERVER_LIFE);
    Ok(params)
}

fn validity(params: &mut CertificateParams, life: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + life).into();
}

fn older_than(path: &Path, age: Duration) -> bool {
    let modified = fs::metadata(path).and_then(|m| m.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed > age)) || !path.exists()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        fs::File::open(folder_of(path))?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// A bare name has an empty parent, which cannot be opened.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Names, folder_of};

    #[test]
    fn a_certificate_names_what_clients_connect_to() {
        let listen = ["10.1.2.3", "0.0.0.0", "127.0.0.1", "::"].map(|address| address.parse().unwrap());
        let names = Names::of(&listen).to_string();
        let names: Vec<_> = names.lines().collect();
        assert_eq!(names.first(), Some(&"localhost"));
        assert_eq!(names.iter().filter(|name| **name == "127.0.0.1").count(), 1);
        assert!(names.contains(&"10.1.2.3") && names.contains(&"::1"));
        assert!(!names.contains(&"0.0.0.0") && !names.contains(&"::"), "nobody connects to these");
    }

    /// `--ready-file ready.json` is written in the current directory.
    #[test]
    fn a_bare_name_lies_in_the_current_directory() {
        assert_eq!(folder_of(Path::new("ready.json")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/ready.json")), Path::new("a"));
        assert_eq!(folder_of(Path::new("/ready.json")), Path::new("/"));
    }
}
