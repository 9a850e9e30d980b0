//! A system, a relay before it, and a client with a journal that goes through it.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use repono_client::{Client, ClientError, Limits, Options, Profile, Progress, Silent};
use repono_journal::{Journal, JournalConfig};
use repono_relay::faults::{FaultRelay, Plan};
use repono_testkit::system::System;
use repono_testkit::wire::address;
use rustix::process::Signal;
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// Faults are drawn from this.
const SEED: u64 = 20_261_123;

/// The pause after which a connection counts as idle: longer than any request here.
const IDLE: Duration = Duration::from_millis(100);

pub(crate) struct Stage {
    pub(crate) system: System,
    pub(crate) relay: FaultRelay,
    pub(crate) client: Arc<Client>,
    journal: Journal,
}

/// What `repono diagnose` says of a run.
pub(crate) struct Said {
    /// The rule and variant of the first finding, and its hop.
    pub(crate) first: Option<(String, String)>,
    pub(crate) report: String,
}

impl Stage {
    /// With an object of so many bytes, and a client that waits for a stalled body as
    /// long as these limits say.
    pub(crate) async fn start(bytes: usize, limits: Limits) -> Self {
        let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
        let file = system.path("object");
        std::fs::write(&file, vec![7; bytes]).expect("written");
        system.ok(&["put", &file.display().to_string(), "demo/files/object"]).expect("put");
        let balancer = address(system.balancer()).expect("an address");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let relay = FaultRelay::start(any, balancer, Plan::default(), SEED).await.expect("it listens");
        let journal =
            Journal::open(JournalConfig::new(clients(&system), "client", "client")).expect("a journal");
        let profile = profile(&system, &relay);
        let options = Options { limits, recorder: Some(journal.shared()), ..Options::default() };
        let client = Arc::new(Client::new(&profile, options).expect("a client"));
        Self { system, relay, client, journal }
    }

    /// The same after a first request, whose connection idles in the pool.
    pub(crate) async fn warm(bytes: usize, limits: Limits) -> Self {
        let stage = Self::start(bytes, limits).await;
        stage.get().await.expect("the first request");
        tokio::time::sleep(IDLE).await;
        stage
    }

    /// GET of the object, to nowhere.
    pub(crate) async fn get(&self) -> Result<(), ClientError> {
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let object = "demo/files/object".parse().expect("an address");
        self.client.get_stream(&object, &mut tokio::io::sink(), &progress).await.map(|_| ())
    }

    /// Ends the client and the system in order, and asks what happened.
    pub(crate) async fn diagnose(self) -> Said {
        let Self { mut system, client, journal, relay } = self;
        client.close().await;
        drop(client);
        journal.close();
        let clients = clients(&system);
        let journals = system.data().join("journal");
        drop(relay);
        system.stop(Signal::TERM).expect("it ends in order");
        let output = Command::new(PROGRAM)
            .args(["diagnose", "--report", "json"])
            .args([&journals, &clients])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
        let first = report["findings"].get(0).map(|finding| {
            let word = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            (word("hop"), format!("{}, {}", word("rule"), word("variant")))
        });
        Said { first, report: format!("{report:#}") }
    }
}

fn clients(system: &System) -> PathBuf {
    system.path("clients")
}

fn profile(system: &System, relay: &FaultRelay) -> Profile {
    let text = std::fs::read_to_string(system.fact("profile")).expect("a profile");
    let mut table: toml::Table = text.parse().expect("TOML");
    table.insert("endpoint".into(), format!("https://{}", relay.address()).into());
    let path = system.path("relayed.toml");
    std::fs::write(&path, table.to_string()).expect("written");
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it has secrets");
    Profile::load(Some(&path), &|_| None).expect("a profile")
}
