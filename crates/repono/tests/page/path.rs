//! A client with a journal, and between it and the balancer a path that can swallow
//! requests.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use repono_client::{Client, Options, Profile, Progress, Silent};
use repono_journal::{Journal, JournalConfig};
use repono_relay::faults::{Effect, FaultRelay, Plan, Reach};
use repono_testkit::system::System;
use repono_testkit::wire::address;

/// Faults are drawn from this.
const SEED: u64 = 20_261_201;
/// The pause after which a connection counts as idle: longer than any request here.
const IDLE: Duration = Duration::from_millis(200);

pub(crate) struct CallerOnPath {
    relay: FaultRelay,
    client: Client,
    journal: Journal,
}

impl CallerOnPath {
    /// Its journal lies beside those of the services, where the monitor reads.
    pub(crate) async fn start(system: &System) -> Self {
        let file = system.path("object");
        fs::write(&file, [7; 1_000]).expect("written");
        system.ok(&["put", &file.display().to_string(), "demo/files/object"]).expect("put");
        let balancer = address(system.balancer()).expect("an address");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let relay = FaultRelay::start(any, balancer, Plan::default(), SEED).await.expect("it listens");
        let journal = Journal::open(JournalConfig::new(system.data().join("journal"), "caller", "client"))
            .expect("a journal");
        let profile = profile(system, &relay);
        let options = Options { recorder: Some(journal.shared()), ..Options::default() };
        let client = Client::new(&profile, options).expect("a client");
        Self { relay, client, journal }
    }

    /// GET of the object, to nowhere.
    pub(crate) async fn get(&self) {
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let object = "demo/files/object".parse().expect("an address");
        self.client.get_stream(&object, &mut tokio::io::sink(), &progress).await.expect("answered");
    }

    /// A connection idles, and its path forgets it: the next request is swallowed, and
    /// asked again on a fresh one.
    pub(crate) async fn get_through_a_forgetful_path(&self) {
        self.get().await;
        tokio::time::sleep(IDLE).await;
        self.relay.doom(Effect::Silence(Reach::Both));
        self.get().await;
    }

    pub(crate) async fn end(self) {
        self.client.close().await;
        self.journal.close();
    }
}

fn profile(system: &System, relay: &FaultRelay) -> Profile {
    let text = fs::read_to_string(system.fact("profile")).expect("a profile");
    let mut table: toml::Table = text.parse().expect("TOML");
    table.insert("endpoint".into(), format!("https://{}", relay.address()).into());
    let path = system.path("relayed.toml");
    fs::write(&path, table.to_string()).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it has secrets");
    Profile::load(Some(&path), &|_| None).expect("a profile")
}
