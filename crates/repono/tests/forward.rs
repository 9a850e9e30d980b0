//! The files of `deploy/forward`: journals of one host, carried by two of Debian's rsyslog
//! to a monitor that has nothing but the folder they arrive in.
//!
//! ```text
//! journals --> send.conf --> RELP over TLS --> receive.conf --> folder --> monitor
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use repono_testkit::rsyslog::Rsyslog;
use repono_testkit::system::{System, send, stop};
use repono_testkit::{needs, port, wait};
use rustix::process::Signal;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// Looks once a second, and tries again within two.
const LIMIT: Duration = Duration::from_secs(60);
/// `windowSize` of `send.conf`.
const WINDOW: usize = 1;
/// The files' own limit would take 64 MiB of lines.
const FILE_BYTES: &str = "131072";

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/forward").join(name)
}

/// The two rsyslogs, their certificates, and the folder.
struct Way {
    sender: Rsyslog,
    receiver: Rsyslog,
    folder: PathBuf,
}

impl Way {
    fn start(system: &System) -> Self {
        let folder = system.path("received");
        for name in [&folder, &system.path("sent"), &system.path("tls")] {
            fs::create_dir_all(name).expect("a folder");
        }
        let tls = certificates(&system.path("tls"));
        let rotate = system.path("rotate");
        let script = fs::read_to_string(deploy("rotate")).expect("a script").replace("67108864", FILE_BYTES);
        fs::write(&rotate, script).expect("written");
        fs::set_permissions(&rotate, fs::Permissions::from_mode(0o755)).expect("it may run");
        let port = port::free().expect("a free port").port().to_string();
        let (shown, rotate) = (folder.display().to_string(), rotate.display().to_string());
        let receiver = Rsyslog::start(
            &deploy("receive.conf"),
            &system.path("receive.conf"),
            &[
                ("/var/lib/repono-receive", shown),
                ("/usr/local/lib/repono/rotate", rotate),
                ("67108864", FILE_BYTES.to_owned()),
                ("0.0.0.0", "127.0.0.1".to_owned()),
                ("2514", port.clone()),
                ("/run/credentials/repono-receive.service", tls.clone()),
            ],
        );
        let sender = Rsyslog::start(
            &deploy("send.conf"),
            &system.path("send.conf"),
            &[
                ("/var/lib/repono-send", system.path("sent").display().to_string()),
                ("/var/log/repono*/", format!("{}/", journals(system).display())),
                ("target=\"monitor.example.net\"", "target=\"127.0.0.1\"".to_owned()),
                ("2514", port),
                ("/run/credentials/repono-send.service", tls),
            ],
        );
        let (sender, receiver) = (sender.expect("it starts"), receiver.expect("it starts"));
        Self { sender, receiver, folder }
    }
}

/// An authority, and a certificate for each end with the name that the other asks for.
fn certificates(folder: &Path) -> String {
    let mut authority = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    authority.distinguished_name.push(DnType::CommonName, "authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
    fs::write(folder.join("ca.pem"), authority.pem()).expect("written");
    for (end, name) in [("send", "store.example.net"), ("receive", "monitor.example.net")] {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        fs::write(folder.join(format!("{end}.pem")), certificate.pem()).expect("written");
        fs::write(folder.join(format!("{end}-key.pem")), key.serialize_pem()).expect("written");
    }
    folder.display().to_string()
}

/// A monitor that follows the folder alone; ended when dropped.
struct Monitor {
    child: Child,
    address: SocketAddr,
}

impl Monitor {
    fn start(system: &System, folder: &Path) -> Self {
        let text = fs::read_to_string(system.data().join("run/monitor.toml")).expect("a configuration");
        let mut config: toml::Table = text.parse().expect("TOML");
        let address = port::free().expect("a free port");
        for name in ["state_dir", "one_time_link", "path"] {
            config.remove(name);
        }
        config.insert("listen".to_owned(), address.to_string().into());
        config.insert("journals".to_owned(), vec![folder.display().to_string()].into());
        let file = system.path("far-monitor.toml");
        fs::write(&file, config.to_string()).expect("written");
        let mut command = Command::new(PROGRAM);
        let child = command.args(["monitor", "--config"]).arg(file).stdout(Stdio::null()).spawn();
        Self { child: child.expect("it starts"), address }
    }

    /// What it answers, where it does.
    fn asked(&self, system: &System, path: &str) -> Option<Value> {
        let token = system.ok(&["ticket", "--format", "token"]).expect("a ticket");
        let token = format!("X-Auth-Token: {}", token.trim());
        let url = format!("https://{}{path}", self.address);
        let arguments = ["-sf", "--max-time", "30", "--cacert", system.fact("ca"), "-H", &token, &url];
        let answer = Command::new("curl").args(arguments).output().expect("curl runs");
        serde_json::from_slice(&answer.stdout).ok()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn journals(system: &System) -> PathBuf {
    system.data().join("journal")
}

fn load(system: &System, name: &str) {
    const OBJECTS: u32 = 40;
    let folder = system.path(name);
    fs::create_dir_all(&folder).expect("a folder");
    for object in 0..OBJECTS {
        fs::write(folder.join(object.to_string()), "small").expect("written");
    }
    let (folder, copies) = (folder.display().to_string(), system.path(&format!("{name}-copies")));
    let (copies, journal) = (copies.display().to_string(), journals(system).display().to_string());
    system.ok(&["put", "-r", "--journal", &journal, &folder, "demo/files/"]).expect("they are put");
    let from = format!("demo/files/{name}");
    system.ok(&["get", "-r", "--journal", &journal, &from, &copies]).expect("they are read");
}

/// Whole lines of every file of a folder, in order.
fn lines(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let text = fs::read_to_string(entry.expect("a file").path()).expect("text");
        let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
        lines.extend(whole.lines().map(str::to_owned));
    }
    lines
}

/// What a page shows of a side's response times, without what is empty.
fn shown(series: &Value) -> Vec<Vec<Value>> {
    let column = |name: &str| series[name].as_array().expect("a column").clone();
    let columns: Vec<_> = ["count", "t", "failed", "reused", "p50", "p95", "p99", "max"].map(column).into();
    let row = |n: usize| columns.iter().map(|column| column[n].clone()).collect::<Vec<_>>();
    (0..columns[0].len()).map(row).filter(|row| row[0] != 0).collect()
}

/// The monitor of the other host and the one beside the journals show the same.
fn both_show_the_same(system: &System, far: &Monitor) {
    for side in ["client", "head"] {
        let path = format!("/api/v1/series?step=minute&side={side}");
        let mut seen = (Vec::new(), Vec::new());
        let same = wait::until("the far monitor shows what the near one does", LIMIT, || {
            let near = serde_json::from_str(&system.monitored(&path).ok()??).ok()?;
            let (near, far) = (shown(&near), shown(&far.asked(system, &path)?));
            seen = (near, far);
            (!seen.0.is_empty() && seen.0 == seen.1).then_some(())
        });
        same.unwrap_or_else(|error| panic!("{side}: {error}: {seen:?}"));
    }
}

#[test]
fn a_monitor_shows_the_requests_of_another_host() {
    if !Rsyslog::is_here("rsyslog-relp") {
        needs::missing("a_monitor_shows_the_requests_of_another_host", "rsyslog with rsyslog-relp");
        return;
    }
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("it starts");
    let mut way = Way::start(&system);
    let far = Monitor::start(&system, &way.folder);
    load(&system, "first");

    // The balancer's checks are requests too.
    stop(system.pid("balancer")).expect("it stands still");
    both_show_the_same(&system, &far);
    send(system.pid("balancer"), Signal::CONT).expect("it goes on");

    // The receiver is away; what was on its way is sent again.
    way.receiver.stop(Signal::KILL).expect("it ends");
    load(&system, "second");
    way.receiver.restart().expect("it starts");
    all_but(0, &system, &way.folder);

    // Both are, one after the other: nobody knows any more what was on its way.
    way.receiver.stop(Signal::KILL).expect("it ends");
    load(&system, "third");
    way.sender.stop(Signal::KILL).expect("it ends");
    load(&system, "fourth");
    way.receiver.restart().expect("it starts");
    way.sender.restart().expect("it starts");
    all_but(WINDOW, &system, &way.folder);

    files(&way.folder);
    let metrics = far.asked(&system, "/api/v1/slowest?side=client").expect("it answers");
    assert!(!metrics["requests"].as_array().expect("requests").is_empty());
}

/// Waits until every line that is written now has arrived, but for so many.
fn all_but(most: usize, system: &System, folder: &Path) {
    let written: BTreeSet<String> = lines(&journals(system)).into_iter().collect();
    let mut missing = Vec::new();
    let twice = wait::until("every line has arrived", LIMIT, || {
        let arrived = lines(folder);
        let distinct: BTreeSet<String> = arrived.iter().cloned().collect();
        missing = written.difference(&distinct).cloned().collect();
        (missing.len() <= most).then_some(arrived.len() - distinct.len())
    });
    let twice = twice.unwrap_or_else(|error| panic!("{error}: {} missing: {missing:#?}", missing.len()));
    println!("of {} lines {} are missing, {twice} came twice", written.len(), missing.len());
}

/// Named by host and journal, rotated, and for nobody else.
fn files(folder: &Path) {
    let entries: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file")).collect();
    let names: BTreeSet<String> =
        entries.iter().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    for journal in ["head-1", "head-2", "vending", "client"] {
        assert!(names.iter().any(|name| name.contains(&format!(".{journal}.jsonl"))), "{journal}: {names:?}");
    }
    assert!(names.iter().any(|name| name.ends_with(".client.jsonl.1")), "rotated: {names:?}");
    for entry in entries {
        let mode = entry.metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o640, "{:?}", entry.file_name());
    }
}
