//! Certificates that are replaced while everything runs: new connections see the
//! new ones, open connections go on, and files that make no pair change nothing.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, DnType, Issuer, KeyPair, SanType};
use repono_testkit::system::{System, send};
use repono_testkit::wait;
use repono_testkit::wire::Wire;
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// Where a pair is kept.
struct Pair {
    chain: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn of(system: &System) -> Self {
        let secrets = system.data().join("secrets");
        Self { chain: secrets.join("server-ecdsa.pem"), key: secrets.join("server-key-ecdsa.pem") }
    }

    /// Signs a certificate of `name` by the system's own CA and puts it there.
    fn replace(&self, system: &System, name: &str) {
        let secrets = system.data().join("secrets");
        let read = |file: &str| std::fs::read_to_string(secrets.join(file)).expect("a file of the CA");
        let ca_key = KeyPair::from_pem(&read("ca-key-ecdsa.pem")).expect("the CA's key");
        let mut ca = CertificateParams::new(Vec::<String>::new()).expect("no name");
        ca.distinguished_name.push(DnType::CommonName, "Repono local CA (ecdsa)");
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        put(&self.chain, certificate.pem().as_bytes());
        put(&self.key, key.serialize_pem().as_bytes());
    }
}

/// Replaces a file as an administrator's tool does: wholly or not at all.
fn put(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes).expect("written");
    std::fs::rename(beside, path).expect("renamed");
}

/// The certificate that a new connection is shown.
fn shown(url: &str, ca: &Path) -> Vec<u8> {
    Wire::connect(url, ca).expect("TLS").certificate().expect("a certificate")
}

fn answers(wire: &mut Wire) {
    wire.send(b"GET /healthcheck HTTP/1.1\r\nHost: h\r\n\r\n").expect("sent");
    assert_eq!(wire.response("GET").expect("a response").status, 200);
}

#[test]
fn a_new_certificate_is_shown_and_no_connection_notices() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let ca = PathBuf::from(system.fact("ca"));
    let head = system.heads()[0];
    let services = [head, system.fact("vending"), system.fact("monitor")];
    let before = services.map(|url| shown(url, &ca));
    let mut kept = Wire::connect(head, &ca).expect("TLS");
    answers(&mut kept);

    let pair = Pair::of(&system);
    pair.replace(&system, "renewed.example");
    // One is told; the others look by themselves.
    send(system.pid("head-1"), Signal::HUP).expect("a signal");
    for (url, before) in services.iter().zip(&before) {
        wait::until("the new certificate is shown", Duration::from_secs(20), || {
            (shown(url, &ca) != *before).then_some(())
        })
        .expect(url);
    }
    answers(&mut kept);

    let renewed = shown(head, &ca);
    put(&pair.key, b"no key at all");
    send(system.pid("head-1"), Signal::HUP).expect("a signal");
    let log = system.data().join("log/head-1.log");
    wait::until("the fault is told", Duration::from_secs(20), || {
        let log = std::fs::read_to_string(&log).ok()?;
        log.contains("the certificates of before stay in use").then_some(())
    })
    .expect("a line in the log");
    assert_eq!(shown(head, &ca), renewed);
    answers(&mut kept);
}
